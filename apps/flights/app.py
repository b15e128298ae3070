"""Delays of the flights that left New York in January 2013: by airport and hour, and alerts on them.

    make run                                                   all of it, to the end
    streamflow worker apps/flights/app.py --until-end          the same, without the report

Three topics are replayed in event-time order: flights (keyed by aircraft), hourly weather, and the aircraft register.

    flights ─ by airport ─ 1 h windows ─┬───────────────────────────── hourly
                                        └─ by airport and hour ─ ⋈ weather ─ bad, and late ─ weather_alerts
    flights ⋈ aircraft ─ three legs in a row, each later ────────────── aircraft_alerts

`expected.py` computes the same three tables in one SQL query each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import streamflow as sf
from apps.flights.expected import DELAY_MEAN_MIN, DEPARTED_MIN, LEG_DELAY_MIN, LEGS_WITHIN_HOURS
from apps.flights.model import Aircraft, AircraftAlert, Flight, Hour, Leg, Weather, WeatherAlert, hour_key
from apps.flights.replay import read_events

DATA = Path("streamflow-data/flights")
DATABASE = DATA / "flights.duckdb"

CHUNK_RECORDS = 500

REGISTER_OF = datetime(2013, 1, 1, tzinfo=UTC)
"""The register is read before any flight: a join reads its inputs in event-time order."""

app = sf.App("flights", log=f"log://{DATA}/log", partitions=4)

KEEP = {"retention.ms": "-1"}
"""Records go by the age of their event time, and all of these are old."""

flights = app.topic("flights", value=Flight, key="tailnum", timestamp="scheduled", config=KEEP)
weather = app.topic(
    "weather",
    value=Weather,
    key=lambda w: hour_key(w.origin, w.hour_start),
    timestamp="hour_start",
    config=KEEP,
)
planes = app.topic("planes", value=Aircraft, key="tailnum", timestamp=lambda _: REGISTER_OF, config=KEEP)

weather_of_hour = app.table("weather-of-hour", source=weather)
register = app.table("register", source=planes)
last_legs = app.table("last-legs", default=list, value=list[Leg])

hourly_table = sf.sinks.DuckDB(DATABASE, table="hourly")
weather_alerts_table = sf.sinks.DuckDB(DATABASE, table="weather_alerts")
aircraft_alerts_table = sf.sinks.DuckDB(DATABASE, table="aircraft_alerts")


@app.source
async def replay(position: int | None) -> AsyncIterator[sf.Feed]:
    """All events in event-time order, from where the last committed chunk ended."""
    topics = {Flight: flights, Weather: weather, Aircraft: planes}
    events = read_events()
    for start in range(position or 0, len(events), CHUNK_RECORDS):
        chunk = events[start : start + CHUNK_RECORDS]
        yield sf.Feed([(topics[type(event)], event) for event in chunk], position=start + len(chunk))


# Delays by airport and hour


def hour_row(window: Any) -> Hour:
    return Hour(window.key, window.start, window.flights, window.departed, window.delay_mean, window.delay_max)


hours = (
    flights.stream(name="delays")
    .group_by("origin", name="by-airport")
    .window(sf.tumbling("1h"))
    .aggregate(
        flights=sf.count(),
        departed=sf.count("dep_delay"),
        delay_mean=sf.mean("dep_delay"),
        delay_max=sf.max("dep_delay"),
    )
    .map(hour_row)
)
hours.to(hourly_table)


# An airport that is late on average, in bad weather


def is_late(hour: Hour) -> bool:
    return hour.departed >= DEPARTED_MIN and hour.delay_mean is not None and hour.delay_mean >= DELAY_MEAN_MIN


def is_bad(weather: Weather) -> bool:
    return weather.visib < 3 or weather.precip > 0 or weather.wind_speed > 25


def weather_alert(pair: sf.Joined[Hour, Weather]) -> WeatherAlert:
    hour, sky = pair.left, pair.right
    return WeatherAlert(
        hour.airport,
        hour.hour_start,
        hour.flights,
        hour.departed,
        hour.delay_mean,
        hour.delay_max,
        sky.visib,
        sky.precip,
        sky.wind_speed,
    )


(
    hours.filter(is_late)
    .group_by(lambda hour: hour_key(hour.airport, hour.hour_start), name="by-airport-and-hour")
    .join(weather_of_hour)
    .filter(lambda pair: is_bad(pair.right))
    .map(weather_alert)
    .to(weather_alerts_table)
)


# An aircraft whose delay grows over three legs in a row


@app.agent(flights.stream(name="legs").join(register, how="left"), sink=aircraft_alerts_table)
async def growing_delays(stream: Any) -> AsyncIterator[AircraftAlert]:
    async for pair in stream:
        flight, aircraft = pair.left, pair.right
        if flight.tailnum is None or flight.dep_delay is None:
            continue
        before = last_legs[flight.tailnum]
        last_legs[flight.tailnum] = [*before[-1:], Leg(flight.scheduled, flight.dep_delay)]
        if len(before) < 2:
            continue
        first, second = before
        within = flight.scheduled - first.scheduled <= timedelta(hours=LEGS_WITHIN_HOURS)
        if within and LEG_DELAY_MIN <= first.delay < second.delay < flight.dep_delay:
            yield AircraftAlert.of(first, second, flight, aircraft)
