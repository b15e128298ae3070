"""What a partition knows of its producers: duplicates, gaps, epochs, transactions; the same after any restart."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import OutOfOrderSequenceError, ProducerFencedError
from streamflow.log.model import Aborted
from streamflow.log.records import TRANSACTIONAL, BatchHeader, Producer, build_marker, parse_header
from streamflow.log.storage.producers import REMEMBERED_BATCHES, Producers

PID = 9
SEQUENCES = 2**31


def header(
    sequence: int, count: int = 1, *, epoch: int = 0, pid: int = PID, transactional: bool = False
) -> BatchHeader:
    attributes = TRANSACTIONAL if transactional else 0
    return BatchHeader(0, 61, 0, 0, attributes, count - 1, 0, 0, pid, epoch, sequence, count)


def marker(epoch: int = 0, pid: int = PID) -> BatchHeader:
    return parse_header(build_marker(commit=True, timestamp=0, producer=Producer(pid, epoch)))


def knowing(*batches: BatchHeader) -> Producers:
    """The batches were appended one behind the other from offset 0."""
    producers, offset = Producers(), 0
    for batch in batches:
        assert producers.check(batch) is None
        producers.appended(batch, offset, commits=True if batch.control else None)
        offset += batch.count
    return producers


# Duplicates and gaps


def test_the_last_five_batches_are_known_again_and_the_one_before_is_not() -> None:
    batches = [header(n * 10, 10) for n in range(8)]
    producers = knowing(*batches)
    for number, batch in enumerate(batches[-REMEMBERED_BATCHES:], start=8 - REMEMBERED_BATCHES):
        assert producers.check(batch) == (number * 10, number * 10 + 9)
    with pytest.raises(OutOfOrderSequenceError, match="sent sequence 20, expected 80"):
        producers.check(batches[2])
    assert REMEMBERED_BATCHES == 5, "as Java's producer has in flight"


def test_a_batch_that_only_overlaps_one_that_is_there_is_no_duplicate() -> None:
    producers = knowing(header(0, 10))
    for sequence, count in ((0, 9), (0, 11), (1, 9), (5, 10)):
        with pytest.raises(OutOfOrderSequenceError, match="expected 10"):
            producers.check(header(sequence, count))


def test_a_gap_is_refused_until_it_is_filled() -> None:
    producers = knowing(header(0, 10))
    with pytest.raises(OutOfOrderSequenceError, match="producer 9 sent sequence 11, expected 10"):
        producers.check(header(11))
    assert producers.check(header(10)) is None


def test_a_producer_not_heard_of_may_begin_anywhere_since_what_it_wrote_before_may_be_deleted() -> None:
    assert Producers().check(header(4_711)) is None


@pytest.mark.parametrize("first", [SEQUENCES - 5, SEQUENCES - 3, SEQUENCES - 1])
def test_sequences_begin_anew_behind_the_largest_int32(first: int) -> None:
    batch = header(first, 5)
    producers = knowing(header(first - 1), batch)
    following = (first + 5) % SEQUENCES
    assert producers.check(batch) == (1, 5)
    assert producers.check(header(following)) is None
    for wrong in (first + 4) % SEQUENCES, following + 1:
        with pytest.raises(OutOfOrderSequenceError, match=f"expected {following}"):
            producers.check(header(wrong))


def test_batches_appended_together_follow_each_other() -> None:
    producers = knowing(header(0, 5))
    assert producers.check(header(10), before=header(5, 5)) is None
    with pytest.raises(OutOfOrderSequenceError, match="expected 10"):
        producers.check(header(5), before=header(5, 5))
    assert producers.check(header(0), before=header(SEQUENCES - 2, 2)) is None


def test_batches_of_nobody_and_of_other_producers_are_not_held_against_each_other() -> None:
    producers = knowing(header(0, 5), header(-1, pid=-1), header(70, pid=10))
    assert producers.check(header(-1, pid=-1)) is None
    assert producers.check(header(5)) is None
    assert producers.check(header(71, pid=10)) is None


# Epochs


def test_an_epoch_of_the_past_is_fenced_and_says_by_which() -> None:
    producers = knowing(header(0, 5), header(0, epoch=1))
    for sequence in (0, 5):
        with pytest.raises(ProducerFencedError, match=r"at epoch 0 was replaced by epoch 1.*stop this one"):
            producers.check(header(sequence, 5))


def test_a_new_epoch_begins_at_zero() -> None:
    producers = knowing(header(0, 5))
    with pytest.raises(OutOfOrderSequenceError, match="sent sequence 5, expected 0"):
        producers.check(header(5, epoch=1))
    assert producers.check(header(0, epoch=1)) is None


def test_the_same_sequences_in_a_new_epoch_are_new_records() -> None:
    assert knowing(header(0, 5)).check(header(0, 5, epoch=1)) is None


def test_a_marker_of_a_newer_epoch_fences_the_older_and_the_newer_begins_at_zero() -> None:
    producers = knowing(header(0, transactional=True), marker(epoch=1))
    with pytest.raises(ProducerFencedError):
        producers.check(header(1, transactional=True))
    for epoch in (1, 2):
        with pytest.raises(OutOfOrderSequenceError, match="sent sequence 3, expected 0"):
            producers.check(header(3, epoch=epoch))
        assert producers.check(header(0, epoch=epoch)) is None


def test_a_marker_of_the_same_epoch_ends_a_transaction_and_not_the_sequence() -> None:
    producers = knowing(header(0, 5, transactional=True), marker())
    assert producers.check(header(5, transactional=True)) is None
    assert producers.check(header(0, 5, transactional=True)) == (0, 4)


# Transactions


def test_the_earliest_open_transaction_is_the_last_stable_offset() -> None:
    one, two = header(0, 5, pid=1, transactional=True), header(0, 5, pid=2, epoch=4, transactional=True)
    more = header(5, 5, pid=2, epoch=4, transactional=True)
    producers = knowing(header(-1, 5, pid=-1), one, two, more)
    assert (producers.first_open(), producers.open_since(1), producers.open_since(2)) == (5, 5, 10)
    assert producers.open_transactions() == [(1, 0), (2, 4)]
    producers.appended(marker(pid=1), 20, commits=True)
    assert (producers.first_open(), producers.open_since(1)) == (10, None)
    producers.appended(marker(pid=2, epoch=4), 21, commits=False)
    assert (producers.first_open(), producers.aborted(0, 30)) == (None, [Aborted(2, 10, 21)])


def test_what_was_aborted_is_forgotten_with_its_records() -> None:
    producers = knowing(header(0, 5, transactional=True))
    producers.appended(marker(), 5, commits=False)
    producers.forget_before(5)
    assert producers.aborted(0, 10) == [Aborted(PID, 0, 5)]
    producers.forget_before(6)
    assert producers.aborted(0, 10) == []


# The same after any restart


class Step(NamedTuple):
    header: BatchHeader
    offset: int
    commits: bool | None


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """What a log may hold of three producers: batches in sequence, new epochs, markers."""
    steps: list[Step] = []
    epochs, following, offset = dict.fromkeys(range(3), 0), dict.fromkeys(range(3), SEQUENCES - 6), 0
    for kind in draw(
        st.lists(st.sampled_from(["batch", "transactional", "transactional", "commit", "abort", "epoch"]))
    ):
        pid = draw(st.integers(0, 2))
        if kind == "epoch":
            epochs[pid], following[pid] = epochs[pid] + 1, 0
            continue
        if kind in ("commit", "abort"):
            steps.append(Step(marker(epochs[pid], pid), offset, kind == "commit"))
            offset += 1
            continue
        count = draw(st.integers(1, 5))
        batch = header(following[pid], count, epoch=epochs[pid], pid=pid, transactional=kind == "transactional")
        steps.append(Step(batch, offset, None))
        following[pid], offset = (following[pid] + count) % SEQUENCES, offset + count
    return steps


def told(producers: Producers, steps: list[Step]) -> Producers:
    for step in steps:
        producers.appended(step.header, step.offset, commits=step.commits)
    return producers


def aborted_by_hand(steps: list[Step]) -> list[Aborted]:
    open_since: dict[int, int] = {}
    aborted = []
    for batch, offset, commits in steps:
        if commits is None and batch.transactional:
            open_since.setdefault(batch.producer_id, offset)
        elif commits is not None and batch.producer_id in open_since:
            first = open_since.pop(batch.producer_id)
            if not commits:
                aborted.append(Aborted(batch.producer_id, first, offset))
    return sorted(aborted, key=lambda a: a.first_offset)


@given(histories(), st.data())
def test_a_snapshot_and_the_batches_behind_it_are_the_whole_log(steps: list[Step], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(steps)))
    whole = told(Producers(), steps)
    restored = told(Producers.restored(told(Producers(), steps[:at]).snapshot()), steps[at:])
    assert restored.snapshot() == whole.snapshot()


@given(histories())
def test_a_snapshot_answers_as_what_it_was_taken_of(steps: list[Step]) -> None:
    def answer(producers: Producers, batch: BatchHeader) -> object:
        try:
            return producers.check(batch)
        except (ProducerFencedError, OutOfOrderSequenceError) as error:
            return str(error)

    whole = told(Producers(), steps)
    restored = Producers.restored(whole.snapshot())
    for step in steps:
        assert answer(restored, step.header) == answer(whole, step.header)
    assert restored.open_transactions() == whole.open_transactions()
    assert restored.first_open() == whole.first_open()


@given(histories(), st.integers(0, 100), st.integers(0, 100))
def test_aborted_transactions_are_those_that_touch_the_range(steps: list[Step], start: int, end: int) -> None:
    expected = [a for a in aborted_by_hand(steps) if a.last_offset >= start and a.first_offset < end]
    assert told(Producers(), steps).aborted(start, end) == expected


@given(histories())
def test_each_batch_is_accepted_in_turn_and_a_duplicate_right_after(steps: list[Step]) -> None:
    producers, begun = Producers(), set()
    for step in steps:
        batch = step.header
        if not batch.control and (batch.base_sequence == 0 or batch.producer_id in begun):
            assert producers.check(batch) is None
        producers.appended(batch, step.offset, commits=step.commits)
        if not batch.control:
            begun.add(batch.producer_id)
            assert producers.check(batch) == (step.offset, step.offset + batch.count - 1)


def test_what_is_not_a_snapshot_is_refused() -> None:
    whole = knowing(header(0), header(1)).snapshot()
    for wrong in (b"", whole[:-1], b"\xc1" + whole, msgspec.msgpack.encode({"producers": 1})):
        with pytest.raises(msgspec.DecodeError):
            Producers.restored(wrong)
