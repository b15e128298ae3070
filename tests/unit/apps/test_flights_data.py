"""The month that apps/flights ships, and the answers computed from it in SQL."""

import csv
import gzip
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from apps.flights.data import cut
from apps.flights.expected import AIRCRAFT_ALERTS, DATA, HOURLY, WEATHER_ALERTS, answer

NEW_YORK = ZoneInfo("America/New_York")
UTC = ZoneInfo("UTC")

Row = dict[str, str]


def read(name: str) -> list[Row]:
    with gzip.open(DATA / name, "rt", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def flights() -> list[Row]:
    return read("flights_2013_01.csv.gz")


@pytest.fixture(scope="module")
def weather() -> list[Row]:
    return read("weather_2013_01.csv.gz")


@pytest.fixture(scope="module")
def planes() -> list[Row]:
    return read("planes.csv.gz")


def test_the_files_hold_the_month_and_the_whole_register(
    flights: list[Row], weather: list[Row], planes: list[Row]
) -> None:
    assert (len(flights), len(weather), len(planes)) == (27_004, 2_226, 3_322)
    assert {row["origin"] for row in flights} == {row["origin"] for row in weather} == {"EWR", "JFK", "LGA"}


def test_the_columns_are_those_of_the_package(flights: list[Row], weather: list[Row], planes: list[Row]) -> None:
    assert ",".join(flights[0]) == (
        "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,"
        "tailnum,origin,dest,air_time,distance,hour,minute,time_hour"
    )
    assert ",".join(weather[0]) == (
        "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour"
    )
    assert ",".join(planes[0]) == "tailnum,year,type,manufacturer,model,engines,seats,speed,engine"


def test_rows_are_sorted_by_keys_without_equals(flights: list[Row], weather: list[Row], planes: list[Row]) -> None:
    for rows, order in (
        (flights, cut.flight_order),
        (weather, cut.weather_order),
        (planes, cut.aircraft_order),
    ):
        keys = [order(row) for row in rows]
        assert all(a < b for a, b in pairwise(keys))


def test_the_hour_in_utc_is_the_local_hour_in_new_york(flights: list[Row], weather: list[Row]) -> None:
    for row in [*flights, *weather]:
        local = datetime(*(int(row[part]) for part in ("year", "month", "day", "hour")), tzinfo=NEW_YORK)
        assert local.astimezone(UTC).strftime("%Y-%m-%dT%H:00:00Z") == row["time_hour"]


def test_a_flight_is_scheduled_at_its_hour_and_minute_and_left_that_much_later(flights: list[Row]) -> None:
    for row in flights:
        scheduled = timedelta(hours=int(row["hour"]), minutes=int(row["minute"]))
        assert int(row["sched_dep_time"]) == int(row["hour"]) * 100 + int(row["minute"])
        if row["dep_time"] != "NA":
            left = timedelta(hours=int(row["dep_time"]) // 100, minutes=int(row["dep_time"]) % 100)
            assert (scheduled + timedelta(minutes=int(row["dep_delay"])) - left) % timedelta(days=1) == timedelta()


def test_what_is_not_known_is_what_the_readme_says(flights: list[Row], weather: list[Row], planes: list[Row]) -> None:
    cancelled = [row for row in flights if row["dep_time"] == "NA"]
    assert len(cancelled) == 521
    assert all(row["dep_delay"] == "NA" for row in cancelled)
    assert sum(row["dep_delay"] == "NA" for row in flights) == 521
    assert sum(row["tailnum"] == "NA" for row in flights) == 155
    assert all(row["dep_time"] == "NA" for row in flights if row["tailnum"] == "NA")
    assert sum(row["arr_delay"] == "NA" for row in flights) - 521 == 85
    register = {row["tailnum"] for row in planes}
    unknown = [row["tailnum"] for row in flights if row["tailnum"] not in register | {"NA"}]
    assert (len(unknown), len(set(unknown))) == (4_324, 539)
    known = {(row["origin"], row["time_hour"]) for row in weather}
    without = [(row["origin"], row["time_hour"]) for row in flights if (row["origin"], row["time_hour"]) not in known]
    assert len(without) == 52
    assert set(without) == {
        ("EWR", "2013-01-01T17:00:00Z"),
        ("JFK", "2013-01-01T17:00:00Z"),
        ("LGA", "2013-01-06T11:00:00Z"),
    }
    assert all(row[name] != "NA" for row in weather for name in ("visib", "precip", "wind_speed"))


def test_cutting_the_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    text = "month,tailnum\n1,N2\n2,N0\n1,N1\n"
    files = [tmp_path / "a.gz", tmp_path / "b.gz"]
    assert [cut.cut(text, file, cut.of_january, cut.aircraft_order) for file in files] == [2, 2]
    assert gzip.decompress(files[0].read_bytes()) == b"month,tailnum\n1,N1\n1,N2\n"
    assert files[0].read_bytes() == files[1].read_bytes()


class TestAnswers:
    """Counts that a change of data or definitions can't pass by unseen."""

    def test_every_flight_is_in_one_hour_of_its_airport(self) -> None:
        hourly = answer(HOURLY)
        assert len(hourly) == 1_642
        assert sum(row["flights"] for row in hourly) == 27_004
        assert sum(row["departed"] for row in hourly) == 27_004 - 521
        assert max(row["delay_max"] or 0 for row in hourly) == 1_301

    def test_means_are_the_sums_over_the_counts(self, flights: list[Row]) -> None:
        delays: dict[tuple[str, str], list[int]] = {}
        for row in flights:
            delays.setdefault((row["origin"], row["time_hour"]), [])
            if row["dep_delay"] != "NA":
                delays[row["origin"], row["time_hour"]].append(int(row["dep_delay"]))
        for row in answer(HOURLY):
            each = delays[row["airport"], row["hour_start"].strftime("%Y-%m-%dT%H:00:00Z")]
            assert row["delay_mean"] == (sum(each) / len(each) if each else None)

    def test_bad_weather_with_late_flights_on_nine_days(self) -> None:
        alerts = answer(WEATHER_ALERTS)
        assert len(alerts) == 39
        assert len({row["hour_start"].date() for row in alerts}) == 9
        assert all(row["delay_mean"] >= 30 and row["departed"] >= 10 for row in alerts)

    def test_delays_that_grew_over_three_legs_of_33_aircraft(self) -> None:
        alerts = answer(AIRCRAFT_ALERTS)
        assert len(alerts) == 40
        assert len({row["tailnum"] for row in alerts}) == 33
        assert all(15 <= row["first_delay"] < row["second_delay"] < row["third_delay"] for row in alerts)
        assert sum(row["model"] is None for row in alerts) == 3
