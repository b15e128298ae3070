"""Nobody reads what was aborted, or its own transaction before it is committed."""

from __future__ import annotations

from tests.simulation.checkers.operations import FAIL, OK, Evidence, Found


def check(evidence: Evidence) -> Found:
    """`G1a`, an aborted read, and `precommitted-read`; both as partition, value. `unknown-value`: nobody sent it."""
    found: Found = {"G1a": [], "precommitted-read": [], "unknown-value": []}
    for operation in evidence.operations:
        for partition, records in operation.polled.items():
            for _, value in records:
                writer = evidence.writer.get((partition, value))
                if writer is None:
                    found["unknown-value"].append((partition, value))
                elif writer.outcome == FAIL and operation.outcome == OK:
                    found["G1a"].append((partition, value))
                elif writer is operation:
                    found["precommitted-read"].append((partition, value))
    return found
