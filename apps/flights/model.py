"""The records of the flights app."""

from __future__ import annotations

from datetime import datetime

import streamflow as sf


class Flight(sf.Record, frozen=True):
    """A scheduled departure. Delays in minutes; None for a flight that was cancelled or never arrived."""

    carrier: str
    flight: int
    tailnum: str | None
    origin: str
    dest: str
    scheduled: datetime
    dep_delay: int | None
    arr_delay: int | None


class Weather(sf.Record, frozen=True):
    """An airport's weather in the hour from `hour_start`. Miles, inches, miles an hour."""

    origin: str
    hour_start: datetime
    visib: float
    precip: float
    wind_speed: float


class Aircraft(sf.Record, frozen=True):
    """An entry of the register of the Federal Aviation Administration."""

    tailnum: str
    manufacturer: str | None
    model: str | None
    year: int | None
    seats: int | None


class Hour(sf.Record, frozen=True):
    """Departures of an airport in an hour."""

    airport: str
    hour_start: datetime
    flights: int
    departed: int
    delay_mean: float | None
    delay_max: int | None


class WeatherAlert(sf.Record, frozen=True):
    """An hour that was late on average, in bad weather."""

    airport: str
    hour_start: datetime
    flights: int
    departed: int
    delay_mean: float | None
    delay_max: int | None
    visibility_miles: float
    precipitation_inches: float
    wind_mph: float


class Leg(sf.Record, frozen=True):
    """A departure of an aircraft."""

    scheduled: datetime
    delay: int


class AircraftAlert(sf.Record, frozen=True):
    """An aircraft that left later on each of three legs in a row."""

    tailnum: str
    first_scheduled: datetime
    scheduled: datetime
    first_delay: int
    second_delay: int
    third_delay: int
    carrier: str
    flight: int
    origin: str
    dest: str
    manufacturer: str | None
    model: str | None
    built: int | None
    seats: int | None

    @classmethod
    def of(cls, first: Leg, second: Leg, flight: Flight, aircraft: Aircraft | None) -> AircraftAlert:
        assert flight.tailnum is not None, "an aircraft without a tail number has no legs"
        assert flight.dep_delay is not None, "a cancelled flight is no leg"
        return cls(
            flight.tailnum,
            first.scheduled,
            flight.scheduled,
            first.delay,
            second.delay,
            flight.dep_delay,
            flight.carrier,
            flight.flight,
            flight.origin,
            flight.dest,
            aircraft.manufacturer if aircraft else None,
            aircraft.model if aircraft else None,
            aircraft.year if aircraft else None,
            aircraft.seats if aircraft else None,
        )


def hour_key(airport: str, hour_start: datetime) -> str:
    """What an airport's hour and its weather have in common."""
    return f"{airport} {hour_start:%Y-%m-%dT%H}"
