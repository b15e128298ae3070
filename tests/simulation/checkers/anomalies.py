"""All anomalies of a history, by their names: those Jepsen looks for in logs and queues.

Rules for whoever edits this: a check that can't fail on a small history of its own isn't one; see `test_checkers`.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.simulation.checkers import cycles, losses, offsets, order, reads
from tests.simulation.checkers.operations import Evidence, Found, Operation

CHECKS = (offsets.check, losses.check, reads.check, order.check, cycles.check)


def find(operations: Iterable[Operation], peeks: Iterable[Operation] = ()) -> Found:
    """Empty when there are none. In about linear time.

    Args:
        peeks: reads of what isn't committed yet, which say nothing of transactions.
    """
    known, peeks = list(operations), list(peeks)
    evidence = Evidence(known)
    found = {name: which for check in CHECKS for name, which in check(evidence).items() if which}
    if peeks:
        wrong = {**offsets.check(Evidence([*known, *peeks])), **order.check(Evidence(peeks))}
        found |= {f"{name} of uncommitted": which for name, which in wrong.items() if which and name not in found}
    return found
