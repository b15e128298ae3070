"""Who reads a partition goes on where it was; who writes to it is written in order.

A process here never changes what it reads: who is assigned something else goes on under another name.
"""

from __future__ import annotations

from itertools import pairwise

from tests.simulation.checkers.operations import FAIL, OK, Evidence, Found, Partition


def check(evidence: Evidence) -> Found:
    """All as partition, the value before, the value after, how far it is. Skips of who writes are legal: others write
    in between. Within one operation the name has an `int-` before it."""
    found: Found = {name: [] for name in NAMES}
    polled: dict[tuple[str, Partition], int] = {}
    sent: dict[tuple[str, Partition], int] = {}

    def compare(kind: str, inside: str, partition: Partition, before: int, after: int) -> None:
        far = evidence.step(partition, before, after)
        if far is not None and far > 1 and kind == "poll":
            found[f"{inside}poll-skip"].append((partition, before, after, far))
        elif far is not None and far < 1:
            found[f"{inside}nonmonotonic-{kind}"].append((partition, before, after, far))

    for operation in evidence.operations:
        for partition, records in operation.polled.items():
            key, values = (operation.process, partition), [value for _, value in records]
            if not values:
                continue
            if key in polled:
                compare("poll", "", partition, polled[key], values[0])
            for before, after in pairwise(values):
                compare("poll", "int-", partition, before, after)
            if operation.outcome == OK:
                polled[key] = values[-1]
        written: dict[Partition, list[int]] = {}
        for send in operation.sent:
            written.setdefault(send.partition, []).append(send.value)
        for partition, values in written.items():
            key = operation.process, partition
            if key in sent and operation.outcome != FAIL:
                compare("send", "", partition, sent[key], values[0])
            for before, after in pairwise(values):
                compare("send", "int-", partition, before, after)
            if operation.outcome != FAIL:
                sent[key] = values[-1]
    return found


NAMES = (
    "poll-skip",
    "int-poll-skip",
    "nonmonotonic-poll",
    "int-nonmonotonic-poll",
    "nonmonotonic-send",
    "int-nonmonotonic-send",
)
