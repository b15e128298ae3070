"""Mistakes that a node alone can make; `plant --nodes 1` catches them."""

from __future__ import annotations

from tests.simulation.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        name="acknowledge before the disk has it",
        file="streamflow/log/replication/leader.py",
        find="if event.repaired and self._safe == self.end:",
        replace="if self._safe == self.end:",
        why="what was acknowledged goes with the power",
    ),
    Mutant(
        name="read committed records past an open transaction",
        file="streamflow/log/server/handlers/fetch.py",
        find="return replica.last_stable_offset if self._committed else replica.high_watermark",
        replace="return replica.high_watermark",
        why="what is aborted later was read",
    ),
    Mutant(
        name="don't know a batch that was sent again",
        file="streamflow/log/storage/producers.py",
        find="if (first_sequence, last_sequence) == (header.base_sequence, last):",
        replace="if (first_sequence, last_sequence) == (header.base_sequence, None):",
        why="who had no answer, and asks again, is refused for ever",
    ),
    Mutant(
        name="append whatever sequence comes",
        file="streamflow/log/storage/producers.py",
        find="if expected is not None and header.base_sequence != expected:",
        replace="if expected is not None and header.base_sequence > expected + (1 << 30):",
        why="a batch that comes late is there twice, or after those that follow it",
    ),
    Mutant(
        name="tell of a commit before it is durable",
        file="streamflow/log/node/effects.py",
        find="                if effect.durable:\n",
        replace="                if effect.durable and not self._durable:\n",
        why="a transaction that was committed is aborted after a power cut",
    ),
    Mutant(
        name="end only some of a transaction's partitions",
        file="streamflow/log/node/effects.py",
        find="for where in sorted(effect.partitions):",
        replace="for where in sorted(effect.partitions)[:2]:",
        why="readers of the others wait for ever",
    ),
]
