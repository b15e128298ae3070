"""Clusters keep their promises whatever happens to them; each seed is a run, the same every time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.cluster.faults import Fault
from tests.simulation.cluster.run import Scenario, run
from tests.simulation.cluster.shrink import part

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(12))
def test_a_node_alone_keeps_its_promises(seed: int) -> None:
    assert run(Scenario.draw(seed)).violations == []


@pytest.mark.parametrize("seed", range(6))
def test_three_nodes_keep_their_promises(seed: int) -> None:
    assert run(Scenario.draw(seed, 3)).violations == []


def test_five_nodes_keep_their_promises() -> None:
    assert run(Scenario.draw(1, 5, seconds=6.0)).violations == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_alone_keeps_its_promises_in_many_runs() -> None:
    failed = {seed: outcome.violations for seed in range(100, 400) if (outcome := run(Scenario.draw(seed))).violations}
    assert failed == {}


@pytest.mark.parametrize("nodes", [1, 3])
def test_a_quiet_run_loses_no_operation(nodes: int) -> None:
    outcome = run(Scenario.draw(1, nodes, seconds=4.0))
    quiet = run(Scenario(1, nodes, 4.0, (), outcome.scenario.clients))
    assert quiet.violations == []
    assert not [kind for kind, how in quiet.counts if how == "info" and kind != "copy"]
    assert quiet.counts["send", "ok"] > 20
    assert quiet.counts["transaction", "ok"] > 5


@pytest.mark.parametrize("nodes", [1, 3])
def test_a_seed_is_the_same_run_whatever_the_hash_seed_and_however_often(nodes: int) -> None:
    program = (
        "from tests.simulation.cluster.run import Scenario, run\n"
        f"print(*(run(Scenario.draw(seed, {nodes}, seconds=3.0)).digest for seed in (11, 3059) for _ in range(2)))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=50,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1
    (said,) = digests
    assert len(set(said.split())) == 2


def test_another_seed_is_another_run() -> None:
    assert run(Scenario.draw(5, seconds=1.0)).digest != run(Scenario.draw(6, seconds=1.0)).digest


def test_what_is_shrunk_keeps_what_makes_it_fail() -> None:
    faults = [Fault(n, "kill", 1, 1.0, 0.5) for n in range(9)]
    assert [f.at for f in part(faults, lambda some: {2, 7} <= {f.at for f in some})] == [2, 7]
