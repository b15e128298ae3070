"""`make sim`: many seeds, and what they came to.

    python -m tests.simulation.cluster [--seeds N | --minutes M] [--first SEED] [--nodes 1,3,5] [--long]

A seed that goes wrong is shrunk, and kept in build/simulation with its trace and history. Exit code 1 if any did.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import count, islice
from pathlib import Path

from tests.simulation.cluster.run import Outcome, Scenario, run
from tests.simulation.cluster.shrink import shrink

KEPT = Path(__file__).parents[3] / "build/simulation"
SHRUNK_MAX = 3
"""So many failing seeds are shrunk; it takes a hundred runs each."""


@dataclass(slots=True)
class Summary:
    """Of all seeds. Times in seconds."""

    seeds: int = 0
    simulated: float = 0.0
    frames: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: list[tuple[Scenario, list[str]]] = field(default_factory=list)
    """And what was wrong."""

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.simulated += outcome.seconds
        self.frames += outcome.frames
        self.faults.update(outcome.faults)
        self.counts.update(outcome.counts)
        if outcome.violations:
            self.failed.append((outcome.scenario, outcome.violations))

    def __str__(self) -> str:
        lines = [
            f"seeds               {self.seeds:,}",
            f"simulated hours     {self.simulated / 3600:.1f}",
            f"frames delivered    {self.frames:,}",
            f"faults              {self.faults.total():,}",
            *(f"  {kind:<18}{n:,}" for kind, n in sorted(self.faults.items())),
            "operations",
        ]
        for kind in sorted({kind for kind, _ in self.counts}):
            lines.append(f"  {kind:<18}" + "  ".join(f"{o} {self.counts[kind, o]:,}" for o in ("ok", "fail", "info")))
        lines.append(f"seeds that went wrong  {len(self.failed)}")
        for scenario, violations in self.failed[:20]:
            lines.append(f"  seed {scenario.seed}, {scenario.nodes} nodes: {violations[0][:300]}")
        return "\n".join(lines)


def one(scenario: Scenario) -> Outcome:
    """Without the history, which is made again when it is wanted."""
    outcome = run(scenario)
    outcome.history = []
    return outcome


def keep(outcome: Outcome) -> Path:
    """What it takes to look into a run."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"seed-{outcome.scenario.seed}-nodes-{outcome.scenario.nodes}.json"
    told = {
        "scenario": asdict(outcome.scenario),
        "violations": outcome.violations,
        "history": outcome.history,
        "trace": outcome.trace,
    }
    path.write_text(json.dumps(told, indent=1))
    return path


def outcomes(given: argparse.Namespace) -> Iterator[Outcome]:
    """As they come."""
    nodes = [int(n) for n in given.nodes.split(",")]
    make = Scenario.draw if given.long else Scenario.brief
    scenarios = (make(seed, nodes[seed % len(nodes)]) for seed in count(given.first))
    if given.minutes is None:
        scenarios = islice(scenarios, given.seeds)  # type: ignore[assignment]
    until = None if given.minutes is None else time.monotonic() + given.minutes * 60
    waiting = threading.Semaphore(4 * given.processes)
    with multiprocessing.get_context("fork").Pool(given.processes) as pool:
        for outcome in pool.imap_unordered(one, _paced(scenarios, until, waiting)):
            waiting.release()
            yield outcome


def _paced(scenarios: Iterator[Scenario], until: float | None, waiting: threading.Semaphore) -> Iterator[Scenario]:
    """The pool takes them as fast as they are given."""
    for scenario in scenarios:
        waiting.acquire()
        if until is not None and time.monotonic() > until:
            return
        yield scenario


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--nodes", default="3,5")
    parser.add_argument("--long", action="store_true", help="12 s of work for eleven clients, not 4 s for a few")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    given = parser.parse_args()
    summary, began = Summary(), time.monotonic()
    for outcome in outcomes(given):
        summary.add(outcome)
        if outcome.violations:
            print(
                f"seed {outcome.scenario.seed}, {outcome.scenario.nodes} nodes: {outcome.violations[0][:300]}",
                flush=True,
            )
    print(summary)
    print(f"took                {time.monotonic() - began:.0f} s")
    for scenario, _ in summary.failed[:SHRUNK_MAX]:
        seed, nodes, least = scenario.seed, scenario.nodes, shrink(scenario)
        print(f"seed {seed}, {nodes} nodes, comes down to {', '.join(least.scenario.clients)}, and")
        print("".join(f"  {fault}\n" for fault in least.scenario.faults), end="")
        print("".join(f"  {violation[:600]}\n" for violation in least.violations[:5]), end="")
        print(f"  kept in {keep(least)}")
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())
