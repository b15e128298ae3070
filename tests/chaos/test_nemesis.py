"""A seed is a plan; the nemesis carries it out and leaves nothing broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

import pytest

from tests.chaos.nemesis import KINDS, Fault, Nemesis, NotNow, Period, periods

ALL = tuple(KINDS)
SECONDS = 5


def test_the_same_seed_draws_the_same_faults() -> None:
    assert list(islice(periods(Random(7), ALL), 50)) == list(islice(periods(Random(7), ALL), 50))
    assert list(islice(periods(Random(7), ALL), 50)) != list(islice(periods(Random(8), ALL), 50))


def test_a_quarter_of_the_periods_has_no_fault() -> None:
    drawn = list(islice(periods(Random(1), ALL), 2000))
    assert 0.2 < sum(not period.faults for period in drawn) / len(drawn) < 0.3


def test_every_fault_there_is_comes_in_its_time_and_no_kind_twice_in_a_period() -> None:
    drawn = list(islice(periods(Random(1), ALL), 2000))
    came = {(f.kind, f.how) for period in drawn for f in period.faults}
    assert came == {(kind, how) for kind, (hows, _) in KINDS.items() for how in hows}
    for period in drawn:
        kinds = [f.kind for f in period.faults]
        assert len(kinds) == len(set(kinds)) <= 3
        assert all(KINDS[f.kind][1][0] <= f.seconds <= KINDS[f.kind][1][1] for f in period.faults)


def test_only_kinds_that_were_asked_for_are_drawn() -> None:
    drawn = list(islice(periods(Random(1), ("kill",)), 100))
    assert {f.kind for period in drawn for f in period.faults} == {"kill"}
    assert not any(period.faults for period in islice(periods(Random(1), ()), 100))


class Told:
    """A world that notes what is done to it."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def inflict(self, fault: Fault, random: Random) -> tuple[str, Callable[[], None]]:
        if fault.how == "never":
            raise NotNow("nobody is there")
        self.did.append(f"+{fault.how}")
        return fault.how, lambda: self.did.append(f"-{fault.how}")

    def mend(self) -> list[str]:
        self.did.append("mended")
        return []


def gone_through(*all_periods: Period) -> tuple[Told, Nemesis]:
    world = Told()
    nemesis = Nemesis(world, iter(all_periods), Random(1))
    nemesis.start()
    nemesis.join(SECONDS)
    nemesis.finish(SECONDS)
    return world, nemesis


def test_faults_of_a_period_overlap_and_each_is_undone() -> None:
    long, short = Fault("a", "long", 0.0, 0.06), Fault("b", "short", 0.02, 0.01)
    world, nemesis = gone_through(Period((long, short), 0.0))
    assert world.did == ["+long", "+short", "-short", "-long", "mended", "mended"]
    assert nemesis.done == {"a long": 1, "b short": 1}


def test_a_fault_that_cannot_be_now_is_told_and_not_counted() -> None:
    _, nemesis = gone_through(Period((Fault("a", "never", 0.0, 0.0),), 0.0))
    assert nemesis.done == {}
    assert [what for _, what in nemesis.told] == ["not now: a never: nobody is there"]


def test_stopping_in_the_middle_of_a_fault_mends() -> None:
    def forever() -> Iterator[Period]:
        while True:
            yield Period((Fault("a", "long", 0.0, 1000.0),), 0.0)

    world = Told()
    nemesis = Nemesis(world, forever(), Random(1))
    nemesis.start()
    nemesis.finish(SECONDS)
    assert world.did[-1] == "mended"


def test_what_goes_wrong_in_the_nemesis_ends_the_run() -> None:
    class Broken(Told):
        def inflict(self, fault: Fault, random: Random) -> tuple[str, Callable[[], None]]:
            raise RuntimeError("no such process")

    nemesis = Nemesis(Broken(), iter([Period((Fault("a", "b", 0.0, 0.0),), 0.0)]), Random(1))
    nemesis.start()
    nemesis.join(SECONDS)
    with pytest.raises(RuntimeError, match="no such process"):
        nemesis.finish(SECONDS)
