"""The month's events, read from the CSV files: the register first, then weather and flights in event-time order."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import merge
from pathlib import Path

from apps.flights.model import Aircraft, Flight, Weather

DATA = Path(__file__).parent / "data"

Row = dict[str, str]


def rows(name: str) -> Iterator[Row]:
    with gzip.open(DATA / name, "rt", newline="") as file:
        yield from csv.DictReader(file)


def number(text: str) -> int | None:
    return None if text == "NA" else int(text)


def text(value: str) -> str | None:
    return None if value == "NA" else value


def read_flight(row: Row) -> Flight:
    return Flight(
        row["carrier"],
        int(row["flight"]),
        text(row["tailnum"]),
        row["origin"],
        row["dest"],
        datetime.fromisoformat(row["time_hour"]) + timedelta(minutes=int(row["minute"])),
        number(row["dep_delay"]),
        number(row["arr_delay"]),
    )


def read_weather(row: Row) -> Weather:
    hour_start = datetime.fromisoformat(row["time_hour"])
    return Weather(row["origin"], hour_start, float(row["visib"]), float(row["precip"]), float(row["wind_speed"]))


def read_aircraft(row: Row) -> Aircraft:
    return Aircraft(
        row["tailnum"], text(row["manufacturer"]), text(row["model"]), number(row["year"]), number(row["seats"])
    )


def event_time(event: Flight | Weather) -> datetime:
    return event.scheduled if isinstance(event, Flight) else event.hour_start


def read_events() -> list[Flight | Weather | Aircraft]:
    """Every event of the month, in the order of the replay: the same at every call."""
    weather = sorted(map(read_weather, rows("weather_2013_01.csv.gz")), key=lambda w: (w.hour_start, w.origin))
    flights = map(read_flight, rows("flights_2013_01.csv.gz"))
    in_order: Iterator[Flight | Weather] = merge(weather, flights, key=event_time)
    return [*map(read_aircraft, rows("planes.csv.gz")), *in_order]
