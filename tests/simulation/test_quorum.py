from __future__ import annotations

import pytest

from tests.simulation.mutants.consensus import MUTANTS
from tests.simulation.quorums import World, planted


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("first", range(0, 40, 10))
def test_what_is_committed_stays_and_one_leads_an_epoch(first: int, size: int) -> None:
    appended = [World(seed, size=size).run() for seed in range(first, first + 10)]
    assert sum(appended) > 10, "there was something to lose"


def test_a_seed_gives_the_same_run_again() -> None:
    first, second = World(7), World(7)
    first.run(), second.run()
    assert (first.committed, first.leaders, first.now) == (second.committed, second.leaders, second.now)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_mistake_is_caught(mutant) -> None:
    machine = planted(mutant.file, mutant.find, mutant.replace)
    for seed in range(1_500):
        try:
            World(seed, machine, size=5 if seed % 4 == 3 else 3).run()
        except AssertionError:
            return
    raise AssertionError(f"not caught: {mutant.why}")
