"""Each anomaly is found in the least history that has it, and none in a good one."""

from __future__ import annotations

import pytest

from tests.simulation.checkers import copies, groups
from tests.simulation.checkers.anomalies import find
from tests.simulation.checkers.operations import FAIL, INFO, OK
from tests.simulation.cluster.history import Operation, Send


def sent(process: str, began: float, *sends: tuple[str, int, int | None], outcome: str = OK) -> Operation:
    """Sends are partition, value, offset."""
    return Operation(process, "send", began, sent=[Send(*s) for s in sends], outcome=outcome)


def polled(process: str, began: float, *seen: tuple[str, int, int], outcome: str = OK) -> Operation:
    """Seen are partition, offset, value."""
    operation = Operation(process, "poll", began, outcome=outcome)
    for partition, offset, value in seen:
        operation.saw(partition, offset, value)
    return operation


GOOD = [
    sent("a", 1, ("p", 10, 0)),
    sent("a", 2, ("p", 11, 2)),
    sent("a", 2.1, ("p", 12, None), outcome=FAIL),
    sent("b", 2.2, ("p", 13, None), outcome=INFO),
    polled("c", 3, ("p", 0, 10), ("p", 2, 11)),
]


def test_a_good_history_has_no_anomaly() -> None:
    assert find(GOOD) == {}
    assert find([]) == {}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("inconsistent-offsets", [polled("d", 4, ("p", 0, 11))]),
        ("duplicate", [polled("d", 4, ("p", 0, 10), ("p", 2, 11), ("p", 3, 10))]),
        ("lost-write", [sent("a", 2.5, ("p", 14, 1))]),
        ("unseen", [sent("a", 2.5, ("p", 14, 5))]),
        ("torn", [sent("d", 2.5, ("p", 14, None), ("q", 1, None), outcome=INFO), polled("e", 4, ("q", 0, 1))]),
        ("G1a", [polled("d", 4, ("p", 3, 12))]),
        ("unknown-value", [polled("d", 4, ("p", 3, 99))]),
        ("nonmonotonic-poll", [polled("c", 4, ("p", 0, 10))]),
        ("poll-skip", [polled("d", 2.6, ("p", 0, 10)), polled("d", 4, ("p", 3, 13))]),
        ("int-nonmonotonic-poll", [polled("d", 4, ("p", 2, 11), ("p", 0, 10))]),
        ("int-poll-skip", [polled("d", 4, ("p", 0, 10), ("p", 3, 13))]),
        ("nonmonotonic-send", [sent("a", 2.5, ("p", 14, 1)), polled("d", 4, ("p", 1, 14))]),
        ("int-nonmonotonic-send", [sent("d", 2.5, ("p", 14, 5), ("p", 15, 4))]),
    ],
)
def test_an_anomaly_is_found(name: str, more: list[Operation]) -> None:
    assert name in find([*GOOD, *more])


def test_a_transaction_that_reads_its_own_writes_is_found() -> None:
    operation = sent("d", 2.5, ("p", 14, 5))
    operation.saw("p", 5, 14)
    assert "precommitted-read" in find([*GOOD, operation])


def test_transactions_that_read_one_another_are_found() -> None:
    one, two = sent("d", 2.5, ("q", 1, 0)), sent("e", 2.6, ("q", 2, 1))
    one.saw("q", 1, 2)
    two.saw("q", 0, 1)
    assert find([one, two])["G1c"] == [("e", "d")]


def test_uncommitted_records_may_be_read_by_who_wants_them() -> None:
    peek = polled("d", 4, ("p", 0, 10), ("p", 1, 12), ("p", 2, 11))
    assert find(GOOD, [peek]) == {}
    assert "inconsistent-offsets of uncommitted" in find(GOOD, [peek, polled("e", 5, ("p", 0, 11))])


def test_many_operations_take_about_linear_time() -> None:
    history = [sent(f"s{n % 3}", n, (f"p{n % 3}", n, n)) for n in range(20_000)]
    history += [polled("r", 20_000 + n, (f"p{n % 3}", n, n)) for n in range(20_000)]
    assert find(history) == {}


def offsets(kind: str, began: float, ended: float | None, offset: int, outcome: str = OK) -> Operation:
    return Operation("m", kind, began, ended=ended, outcome=outcome, group="g", offsets={"p": offset})


COMMITS = [
    offsets(groups.COMMIT, 1, 2, 10),
    offsets(groups.COMMIT, 3, 4, 20),
    offsets(groups.COMMIT, 5, None, 30, INFO),
    offsets(groups.COMMIT, 5.5, 5.6, 35, FAIL),
]


@pytest.mark.parametrize(("told", "good"), [(20, True), (30, True), (10, False), (-1, False), (35, False), (99, False)])
def test_a_group_is_told_what_was_committed_last(told: int, good: bool) -> None:
    assert (groups.check([*COMMITS, offsets(groups.ASK, 6, 7, told)]) == {}) is good


def test_a_commit_that_is_under_way_may_be_told_or_not() -> None:
    for told in (10, 20):
        assert groups.check([*COMMITS, offsets(groups.ASK, 3.1, 3.2, told)]) == {}
    assert groups.check([offsets(groups.ASK, 0, 0.5, -1), *COMMITS]) == {}


def copied(began: float, *seen: tuple[str, int, int], outcome: str = OK) -> Operation:
    operation = polled("x", began, *seen, outcome=outcome)
    operation.kind = "copy"
    return operation


def test_a_record_that_was_copied_twice_or_never_is_found() -> None:
    good = [copied(4, ("p", 0, 10)), copied(5, ("p", 2, 11), outcome=FAIL), copied(6, ("p", 2, 11))]
    assert copies.check([*GOOD, *good], "copy") == {}
    assert copies.check([*GOOD, *good, copied(7, ("p", 0, 10))], "copy") == {"copied-twice": [("p", 0)]}
    assert copies.check([*GOOD, copied(7, ("p", 2, 11))], "copy") == {"copy-skipped": [("p", 0)]}
