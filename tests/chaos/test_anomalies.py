"""The known anomalies are found in a run's history, and none in a clean one."""

from __future__ import annotations

import pytest

from tests.chaos.anomalies import anomalies
from tests.chaos.history import FAIL, OK, Operation


def sent(
    process: str, began: float, *sends: tuple[int, int, int | None], outcome: str = OK, kind: str = "send"
) -> Operation:
    """Sends are partition, value, offset."""
    operation = Operation(process, kind, began, outcome=outcome, ended=began + 1)
    for partition, value, offset in sends:
        operation.send(partition, value).offset = offset
    return operation


def polled(process: str, began: float, *seen: tuple[int, int, int], outcome: str = OK, kind: str = "poll") -> Operation:
    """Seen are partition, offset, value."""
    operation = Operation(process, kind, began, outcome=outcome, ended=began + 1)
    for partition, offset, value in seen:
        operation.saw(partition, offset, value)
    return operation


GOOD = [sent("a", 1.0, (0, 10, 0)), sent("a", 2.0, (0, 11, 1)), polled("b", 3.0, (0, 0, 10), (0, 1, 11))]


def test_a_clean_history_has_no_anomaly() -> None:
    assert anomalies(GOOD) == {}


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ([sent("a", 2.5, (0, 12, 2))], "unseen"),
        ([polled("c", 4.0, (0, 0, 10), (0, 2, 10))], "duplicate"),
        ([polled("c", 4.0, (0, 0, 11))], "inconsistent-offsets"),
        ([polled("c", 4.0, (0, 2, 99))], "unknown-value"),
        ([sent("d", 0.5, (0, 12, None), outcome=FAIL), polled("c", 4.0, (0, 2, 12))], "G1a"),
        ([polled("b", 4.0, (0, 0, 10))], "nonmonotonic-poll"),
        ([polled("c", 4.0, (0, 0, 10)), sent("a", 2.5, (0, 12, 2)), polled("c", 5.0, (0, 2, 12))], "poll-skip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_anomaly_is_found(more: list[Operation], name: str) -> None:
    assert name in anomalies([*GOOD, *more])
