"""What goes wrong, and when: random mixes of faults, drawn anew for every period.

`periods` is the schedule, a function of its randomness alone: a seed is a run's plan. `Nemesis` carries it out on real
processes; who is hit (the leader, the controller) is found when it is time.

Rules for whoever edits this: one replica's files are damaged in a run, never another's; what a period began is over
when it ends, except for damage.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Protocol

KINDS: Mapping[str, tuple[tuple[str, ...], tuple[float, float]]] = {
    "kill": (("leader", "follower", "controller", "all"), (0.0, 8.0)),
    "pause": (("leader", "follower", "controller"), (5.0, 40.0)),
    "partition": (
        (
            "leader-isolated",
            "leader-from-peers",
            "leader-deaf",
            "pair-both-ways",
            "pair-one-way",
            "clients-from-leader",
        ),
        (3.0, 25.0),
    ),
    "slow": (("peers", "clients"), (5.0, 15.0)),
    "disk": (("full",), (5.0, 20.0)),
    "damage": (("running", "stopped"), (0.0, 3.0)),
}
"""By kind: whom or how, and how many seconds it lasts."""
QUIET_PERIODS = 0.25
QUIET_SECONDS = (4.0, 10.0)
REST_SECONDS = (1.0, 5.0)
BEGIN_WITHIN_SECONDS = 4.0
KINDS_A_PERIOD_MAX = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """`after` seconds of its period it begins, and lasts `seconds`."""

    kind: str
    how: str
    after: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.kind} {self.how}"


@dataclass(frozen=True, slots=True)
class Period:
    """Faults that overlap, then `rest` seconds without any."""

    faults: tuple[Fault, ...]
    rest: float


def periods(random: Random, kinds: tuple[str, ...]) -> Iterator[Period]:
    """Without end. A quarter of them are quiet."""
    while True:
        if random.random() < QUIET_PERIODS or not kinds:
            yield Period((), random.uniform(*QUIET_SECONDS))
            continue
        drawn = random.sample(kinds, random.randint(1, min(KINDS_A_PERIOD_MAX, len(kinds))))
        faults = tuple(
            Fault(kind, random.choice(hows), random.uniform(0, BEGIN_WITHIN_SECONDS), random.uniform(*seconds))
            for kind, (hows, seconds) in ((kind, KINDS[kind]) for kind in drawn)
        )
        yield Period(faults, random.uniform(*REST_SECONDS))


class World(Protocol):
    """What faults are done to."""

    def inflict(self, fault: Fault, random: Random) -> tuple[str, Callable[[], None]]:
        """Do it; what was done, and how to undo it. Raises: NotNow."""

    def mend(self) -> list[str]:
        """Undo whatever is left, start who is down; who had ended unasked."""


class NotNow(Exception):
    """The fault can't be inflicted: nobody leads, nothing is there to damage."""


class Nemesis(threading.Thread):
    """Goes through periods until it is told to stop, and mends what it did.

    Attributes: done: how often each fault was inflicted; told: when, in seconds from the start, and what.
    """

    def __init__(self, world: World, schedule: Iterator[Period], random: Random) -> None:
        super().__init__(name="nemesis", daemon=True)
        self.done: Counter[str] = Counter()
        self.told: list[tuple[float, str]] = []
        self.failed: BaseException | None = None
        self._world, self._schedule, self._random = world, schedule, random
        self._over = threading.Event()
        self._began = time.monotonic()

    def finish(self, seconds: float) -> None:
        """Stop, and mend everything. Raises: what went wrong meanwhile; TimeoutError."""
        self._over.set()
        self.join(seconds)
        if self.is_alive():
            raise TimeoutError(f"the nemesis hasn't stopped in {seconds} s; its last: {self.told[-3:]}")
        self._mend()
        if self.failed is not None:
            raise self.failed

    def run(self) -> None:
        try:
            for period in self._schedule:
                if self._over.is_set():
                    return
                self._go_through(period)
                self._mend()
                self._over.wait(period.rest)
        except BaseException as failed:
            self.failed = failed

    def _go_through(self, period: Period) -> None:
        began, order = time.monotonic(), count()
        todo: list[tuple[float, int, Fault | None, Callable[[], None] | None]] = []
        for fault in period.faults:
            heapq.heappush(todo, (began + fault.after, next(order), fault, None))
        while todo:
            due, _, fault, undo = heapq.heappop(todo)
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            if undo is not None:
                undo()
            elif fault is not None and (undo := self._inflict(fault)) is not None:
                heapq.heappush(todo, (time.monotonic() + fault.seconds, next(order), None, undo))

    def _inflict(self, fault: Fault) -> Callable[[], None] | None:
        try:
            what, undo = self._world.inflict(fault, self._random)
        except NotNow as why:
            self._tell(f"not now: {fault}: {why}")
            return None
        self.done[str(fault)] += 1
        self._tell(f"{fault}: {what}, for {fault.seconds:.1f} s")
        return undo

    def _mend(self) -> None:
        for who in self._world.mend():
            self.done["ended unasked"] += 1
            self._tell(who)

    def _tell(self, what: str) -> None:
        self.told.append((time.monotonic() - self._began, what))
