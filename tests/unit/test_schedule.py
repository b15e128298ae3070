"""Durations, crontabs over changes of the clock, and the ticks of timers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.errors import ConfigError
from streamflow.schedule import Crontab, duration_ms, next_tick

BERLIN = ZoneInfo("Europe/Berlin")
"""Where 2026-03-29 has no hour from 2 to 3, and 2026-10-25 has it twice."""


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def firings(expression: str, after: str, count: int, zone: str = "Europe/Berlin") -> list[str]:
    crontab, now, found = Crontab(expression, zone), ms(after), []
    for _ in range(count):
        now = crontab.next_after(now)
        found.append(datetime.fromtimestamp(now / 1000, UTC).astimezone(ZoneInfo(zone)).isoformat())
    return found


def test_a_crontab_fires_by_the_clock_on_the_wall() -> None:
    assert firings("0 9 * * mon-fri", "2026-03-27T12:00+01:00", 2) == [
        "2026-03-30T09:00:00+02:00",
        "2026-03-31T09:00:00+02:00",
    ]
    assert firings("@hourly", "2026-01-01T00:10+00:00", 2, "UTC") == [
        "2026-01-01T01:00:00+00:00",
        "2026-01-01T02:00:00+00:00",
    ]


def test_a_time_that_the_clock_leaps_over_fires_once_when_it_has_leapt() -> None:
    assert firings("30 2 * * *", "2026-03-28T12:00+01:00", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]
    assert firings("0 * * * *", "2026-03-29T00:30+01:00", 3) == [
        "2026-03-29T01:00:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T04:00:00+02:00",
    ]


@pytest.mark.parametrize("expression", ["30 2 * * *", "30 2 25 10 *", "30 1-3 * * *", "30 2 * * * 15"])
def test_a_named_time_that_comes_twice_fires_the_first_time_only(expression: str) -> None:
    found = firings(expression, "2026-10-24T12:00+02:00", 4)
    twice = [f for f in found if f.startswith("2026-10-25T02:30")]
    assert [f[-6:] for f in twice] == ["+02:00"]


def test_a_crontab_for_every_hour_or_minute_fires_in_both_hours_when_one_comes_twice() -> None:
    assert firings("0 * * * *", "2026-10-25T01:30+02:00", 3) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]
    assert firings("*/30 2 * * *", "2026-10-25T01:30+02:00", 4) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
    ]


def test_midnight_that_comes_twice_is_one_midnight() -> None:
    assert firings("0 0 * * *", "2026-10-31T12:00-04:00", 2, "America/Havana") == [
        "2026-11-01T00:00:00-04:00",
        "2026-11-02T00:00:00-05:00",
    ]


@given(
    st.sampled_from(["30 2 * * *", "*/7 * * * *", "0 0 * * *", "59 23 31 12 *", "0 2-4 * * sun"]),
    st.integers(ms("2026-03-28T00:00+01:00"), ms("2026-10-26T00:00+01:00")),
)
def test_the_next_firing_lies_ahead_and_none_is_between(expression: str, now: int) -> None:
    crontab = Crontab(expression, "Europe/Berlin")
    due = crontab.next_after(now)
    assert due > now
    assert crontab.next_after(due - 1) == due


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "60 * * * *", "0 0 31 2 *", "R R * * *", "@reboot", "0 0 * * * 0 2030"],
)
def test_a_crontab_that_is_none_or_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(ConfigError, match=r"crontab"):
        Crontab(expression)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../etc/passwd"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ConfigError, match="Europe/Berlin"):
        Crontab("* * * * *", zone)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**9), st.integers(0, 10**12))
def test_ticks_are_multiples_of_the_interval_from_the_start_and_missed_ones_are_left_out(
    started: int, interval: int, passed: int
) -> None:
    now = started + passed
    tick = next_tick(started, interval, now)
    assert now < tick <= now + interval
    assert (tick - started) % interval == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("250ms", 250), ("10s", 10_000), ("1h30m", 5_400_000), ("0.5s", 500), (2, 2_000), (timedelta(minutes=1), 60_000)],
)
def test_durations_are_read_as_people_write_them(text: object, expected: int) -> None:
    assert duration_ms(text) == expected


@pytest.mark.parametrize("bad", ["", "5", "5 parsecs", "-1s", -1, timedelta(-1)])
def test_what_is_no_duration_is_refused_with_what_it_was_for(bad: object) -> None:
    with pytest.raises(ConfigError, match="grace"):
        duration_ms(bad, what="grace")


def test_a_duration_of_zero_is_refused_where_none_makes_sense() -> None:
    assert duration_ms(0) == 0
    with pytest.raises(ConfigError, match="interval 0 is zero"):
        duration_ms(0, what="interval", allow_zero=False)
