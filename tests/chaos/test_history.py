"""Operations come to the checker as they were, doubt stays doubt, and copies are counted."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.chaos.history import (
    FAIL,
    INFO,
    OK,
    History,
    Operation,
    longest_gap,
    unavailability,
    uneven_copies,
)
from tests.chaos.world import closed_segments, flip


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


def test_an_operation_whose_end_nobody_saw_may_or_may_not_have_happened() -> None:
    history = History()
    history.begin("sender", "send", 1.0).send(0, 7)
    assert history.counts() == {"send": {INFO: 1}}
    assert history.acknowledged() == 0
    assert history.must_be_read() == set()


def test_what_was_acknowledged_must_be_read() -> None:
    history = History()
    operation = history.begin("sender", "send", 1.0)
    operation.send(3, 7).offset = 40
    history.end(operation, OK, 2.0)
    assert history.acknowledged() == 1
    assert history.must_be_read() == {(3, 7)}


def copy(began: float, *offsets: int, outcome: str = OK, value: int = 0) -> Operation:
    operation = polled(
        "copier", began, *((0, offset, 100 + offset) for offset in offsets), outcome=outcome, kind="copy"
    )
    operation.send(1, value)
    return operation


def test_copies_made_once_are_even() -> None:
    aborted = copy(2.0, 2, 3, outcome=FAIL)
    assert uneven_copies([copy(1.0, 0, 1), aborted, copy(3.0, 2, 3)]) == {}


def test_a_record_copied_by_two_transactions_is_found() -> None:
    assert uneven_copies([copy(1.0, 0, 1), copy(2.0, 1, 2)]) == {"copied-twice": [(0, 1)]}


def test_a_record_that_copies_passed_over_is_found() -> None:
    seen = polled("b", 1.0, *((0, offset, 100 + offset) for offset in range(4)))
    assert uneven_copies([seen, copy(1.0, 0, 1), copy(2.0, 3)]) == {"copy-skipped": [(0, 2)]}


def test_a_copy_of_unknown_outcome_counts_when_what_it_wrote_was_read() -> None:
    unknown = copy(1.0, 0, outcome=INFO, value=50)
    assert uneven_copies([unknown, copy(2.0, 0)]) == {}
    assert uneven_copies([unknown, copy(2.0, 0), polled("b", 3.0, (1, 9, 50))]) == {"copied-twice": [(0, 0)]}


def test_the_longest_gap_counts_from_the_beginning_and_to_the_end() -> None:
    assert longest_gap([2.0, 3.0], 0.0, 4.0) == 2.0
    assert longest_gap([1.0, 2.0], 0.0, 9.0) == 7.0
    assert longest_gap([], 0.0, 5.0) == 5.0


def test_unavailability_is_each_partitions_own_and_counts_acknowledgements_alone() -> None:
    operations = [sent("a", 0.0, (0, 1, 0)), sent("a", 1.0, (1, 2, 0)), sent("a", 5.0, (0, 3, None), outcome=INFO)]
    assert unavailability(operations, 0.0, 10.0) == {0: 9.0, 1: 8.0}


def test_a_history_is_written_a_line_an_operation(tmp_path: Path) -> None:
    history = History()
    history.add(sent("a", 1.0, (0, 10, 0)))
    history.write(tmp_path / "history.jsonl")
    (line,) = (tmp_path / "history.jsonl").read_text().splitlines()
    assert json.loads(line)["sent"] == [{"partition": 0, "value": 10, "offset": 0}]


def test_damage_is_done_to_closed_segments_alone(tmp_path: Path) -> None:
    for name in ("chaos-0/00.log", "chaos-0/50.log", "chaos-1/00.log", "other-0/00.log", "other-0/50.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(1000))
    (closed,) = closed_segments(tmp_path, "chaos")
    assert closed == tmp_path / "chaos-0/00.log"
    flipped = flip(closed, random.Random(1))
    assert 1 <= sum(byte != 0 for byte in closed.read_bytes()) <= flipped
    assert closed.stat().st_size == 1000
