"""When things happen next, as arithmetic: durations and the firings of timers and crontabs. No clock in here."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter

from streamflow.errors import ConfigError

Duration = str | int | float | timedelta
"""`"250ms"`, `"10s"`, `"5m"`, `"1h"`, `"7d"`, sums such as `"1h30m"`, a `timedelta`, or a number of seconds."""

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")

_FIELDS_MAX = 6
_BY_CHANCE = re.compile(r"\br\b", re.IGNORECASE)
"""croniter takes R for a random number, another one each time it is asked."""


def duration_ms(value: Duration, *, what: str = "duration", allow_zero: bool = True) -> int:
    """A duration in milliseconds. `what` names it in the error.

    Raises: ConfigError for a negative duration, a zero one where none is allowed, or text it can't read.
    """
    if isinstance(value, timedelta):
        ms = round(value.total_seconds() * 1000)
    elif isinstance(value, str):
        text = value.replace(" ", "")
        negative = text.startswith("-")
        text = text.removeprefix("-")
        parts = _PART.findall(text)
        if not parts or "".join(n + u for n, u in parts) != text:
            raise ConfigError(f"{what} {value!r} isn't a duration; write it as '250ms', '10s', '5m', '1h' or '7d'")
        ms = round(sum(float(n) * _UNITS_MS[u] for n, u in parts)) * (-1 if negative else 1)
    elif isinstance(value, int | float):
        ms = round(value * 1000)
    else:
        raise ConfigError(f"{what} {value!r} isn't a duration; write it as '250ms', '10s', '5m', '1h' or '7d'")
    if ms < 0:
        raise ConfigError(f"{what} {value!r} is negative; give a duration of zero or more")
    if ms == 0 and not allow_zero:
        raise ConfigError(f"{what} {value!r} is zero; give a duration above zero")
    return ms


class Crontab:
    """A crontab expression in a time zone: five fields, or a sixth with seconds.

    Where the clock leaps over a firing, it comes when the clock has leapt. Where an hour comes twice, a crontab that
    names its minutes and hours fires in the first only, one with `*` or `*/n` there in both (as in Vixie's cron).

    Raises: ConfigError for an expression croniter refuses or that never fires, or an unknown time zone.
    """

    def __init__(self, expression: str, timezone: str = "UTC") -> None:
        if not isinstance(expression, str) or not croniter.is_valid(expression) or _BY_CHANCE.search(expression):
            raise ConfigError(f"crontab {expression!r} isn't valid; five fields as in '*/15 9-17 * * mon-fri'")
        fields = croniter(expression).expressions
        if len(fields) > _FIELDS_MAX:
            raise ConfigError(f"crontab {expression!r} has {len(fields)} fields; give five, or a sixth with seconds")
        try:
            self._zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError(f"time zone {timezone!r} isn't known; use a name such as 'Europe/Berlin'") from error
        self.expression = expression
        self._once = not any(field.startswith("*") for field in fields[:2])
        try:
            self.next_after(0)
        except CroniterBadDateError as error:
            raise ConfigError(f"crontab {expression!r} never fires: there is no such day") from error

    def next_after(self, now_ms: int) -> int:
        """The first firing strictly after `now_ms` (ms since the epoch)."""
        firings = croniter(self.expression, datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(self._zone))
        while True:
            following: float = firings.get_next(float)
            due = round(following * 1000)
            if not (self._once and datetime.fromtimestamp(due / 1000, self._zone).fold):
                return due


def next_tick(started_ms: int, interval_ms: int, now_ms: int) -> int:
    """The first multiple of the interval after `now_ms`, counted from the start: a timer doesn't drift, and
    firings missed while busy are not made up for."""
    return started_ms + ((now_ms - started_ms) // interval_ms + 1) * interval_ms
