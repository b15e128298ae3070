"""Says which code has been at the same thing for too long: an agent at an event, a sink at its rows.

`Stalls` decides and is pure; `Watch` looks once a second, from a thread of its own: code that blocks the event loop
would stop a task that looks. It only reads, and interrupts nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from types import TracebackType

import structlog

log = structlog.get_logger("streamflow.worker")

LOOK_SECONDS = 1.0
REPEAT_SECONDS_MAX = 600.0
"""A stall is told again when it has lasted twice as long, and at least this often."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is worked on, and by whom. `line` is where user code stands, as FILE:LINE."""

    who: str
    topic: str
    partition: int
    offset: int | None
    line: str | None = None

    def __str__(self) -> str:
        offset = "" if self.offset is None else f" offset {self.offset}"
        return f"{self.who} on {self.topic}-{self.partition}{offset}" + (f" ({self.line})" if self.line else "")


@dataclass(frozen=True, slots=True)
class Held:
    """What somebody holds at the moment of a look.

    `run` says who it is, `work` changes whenever they turn to something else. `place` is only asked where it is told.
    """

    run: Hashable
    work: Hashable
    after_s: float
    place: Callable[[], Place]


@dataclass(frozen=True, slots=True)
class Stall:
    """It has lasted for `seconds`; or it is `over`, and did."""

    place: Place
    seconds: float
    over: bool = False

    def __str__(self) -> str:
        return f"{self.place} for {self.seconds:.0f} s"


@dataclass(slots=True)
class _Seen:
    work: Hashable
    since: float
    due_s: float
    told: Stall | None = None


class Stalls:
    """Compares what is held with what was held before. PURE."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, _Seen] = {}

    def look(self, held: Iterable[Held], now_s: float) -> list[Stall]:
        """What to tell now: stalls that have become due, and those told before that are over."""
        now_held = {h.run: h for h in held}
        told: list[Stall] = []
        for run, seen in list(self._seen.items()):
            if run not in now_held or now_held[run].work != seen.work:
                del self._seen[run]
                if seen.told is not None:
                    told.append(Stall(seen.told.place, now_s - seen.since, over=True))
        for run, h in now_held.items():
            seen = self._seen.setdefault(run, _Seen(h.work, now_s, h.after_s))
            seconds = now_s - seen.since
            if seconds >= seen.due_s:
                seen.due_s = seconds + min(seconds, REPEAT_SECONDS_MAX)
                seen.told = Stall(h.place(), seconds)
                told.append(seen.told)
        return told

    def longest(self, now_s: float) -> Stall | None:
        """The oldest of the stalls that were told and last."""
        lasting = [s for s in tuple(self._seen.values()) if s.told is not None]
        oldest = min(lasting, key=lambda s: s.since, default=None)
        return None if oldest is None or oldest.told is None else Stall(oldest.told.place, now_s - oldest.since)


class Watch:
    """Looks, and logs what is to be told, for as long as it is entered."""

    def __init__(self, held: Callable[[], list[Held]]) -> None:
        self._held = held
        self._stalls = Stalls()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streamflow-stall-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()

    @property
    def longest(self) -> Stall | None:
        return None if self._left.is_set() else self._stalls.longest(time.monotonic())

    def _run(self) -> None:
        while not self._left.wait(LOOK_SECONDS):
            for stall in self._stalls.look(self._held(), time.monotonic()):
                tell(stall)


def tell(stall: Stall) -> None:
    """One log line."""
    place = stall.place
    where = {"topic": place.topic, "partition": place.partition, "offset": place.offset}
    if stall.over:
        log.info("goes on", who=place.who, **where, seconds=round(stall.seconds))
    else:
        log.warning("stalled", who=place.who, **where, seconds=round(stall.seconds), at=place.line)
