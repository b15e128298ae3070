from __future__ import annotations

import pytest

from tests.simulation.mutants.replication import MUTANTS
from tests.simulation.replicas import World, planted


@pytest.mark.parametrize("durable", [True, False], ids=["flushed", "not flushed"])
@pytest.mark.parametrize("first", range(0, 40, 10))
def test_no_committed_record_is_lost_or_changed(first: int, durable: bool) -> None:
    committed = [World(seed, durable=durable).run() for seed in range(first, first + 10)]
    assert sum(committed) > 10, "something was committed"


def test_a_seed_gives_the_same_run_again() -> None:
    first, second = World(7, durable=True), World(7, durable=True)
    first.run(), second.run()
    assert (first.committed, first.controller.now) == (second.committed, second.controller.now)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_mistake_is_caught(mutant) -> None:
    machines = planted(mutant.file, mutant.find, mutant.replace)
    for seed in range(400):
        try:
            World(seed, machines, durable=bool(seed % 2)).run()
        except AssertionError:
            return
    raise AssertionError(f"not caught: {mutant.why}")
