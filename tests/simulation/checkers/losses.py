"""What was acknowledged is read. This proves transactions whole as well: one write that was seen commits the others."""

from __future__ import annotations

from tests.simulation.checkers.operations import Evidence, Found


def check(evidence: Evidence) -> Found:
    """`lost-write`: others read past it; `unseen`: nobody has read it; `torn`: part of a transaction was seen, and part
    never. All as partition, value."""
    lost = []
    for partition, places in evidence.places.items():
        read = evidence.read[partition]
        highest = max((places[value][0] for value in read if value in places), default=-1)
        lost += [
            (partition, value)
            for value, where in places.items()
            if where[-1] <= highest
            and value not in read
            and (writer := evidence.writer.get((partition, value))) is not None
            and evidence.must(writer)
        ]
    unseen, torn = [], []
    for (partition, value), writer in evidence.writer.items():
        if evidence.must(writer) and value not in evidence.read[partition]:
            seen = any(send.value in evidence.read[send.partition] for send in writer.sent)
            (torn if seen else unseen).append((partition, value))
    return {"lost-write": lost, "unseen": unseen, "torn": torn}
