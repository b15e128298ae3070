"""Exactly once: who reads, writes and commits its offsets in one transaction uses each record once, and passes none.

All copies of a partition are one group's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from tests.simulation.checkers.operations import OK, Evidence, Found, Partition


def check(operations: Sequence[Any], kind: str) -> Found:
    """`copied-twice` and `copy-skipped`, as partition, offset. Operations of that `kind` are copies; a copy of unknown
    outcome counts when somebody has read what it wrote."""
    evidence = Evidence([o for o in operations if o.kind != "peek"])
    used: defaultdict[Partition, Counter[int]] = defaultdict(Counter)
    there: defaultdict[Partition, set[int]] = defaultdict(set)
    for operation in evidence.operations:
        committed = operation.kind == kind and evidence.must(operation)  # type: ignore[attr-defined]
        for partition, records in operation.polled.items():
            offsets = [offset for offset, _ in records]
            if operation.outcome == OK:
                there[partition].update(offsets)
            if committed:
                used[partition].update(offsets)
    found: Found = {
        "copied-twice": [(p, offset) for p, offsets in used.items() for offset, n in offsets.items() if n > 1],
        "copy-skipped": [
            (p, offset) for p in used for offset in sorted(there[p]) if offset < max(used[p]) and offset not in used[p]
        ],
    }
    return {name: which for name, which in found.items() if which}
