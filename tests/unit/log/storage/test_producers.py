"""What a partition knows of its producers: duplicates, gaps, epochs, transactions; the same after any restart."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import (
    CoordinatorFencedError,
    DuplicateSequenceError,
    InvalidProducerEpochError,
    OutOfOrderSequenceError,
    ProducerFencedError,
    TransactionError,
)
from streamflow.log.model import Aborted
from streamflow.log.records import TRANSACTIONAL, BatchHeader, Marker, Producer, build_marker, parse_header
from streamflow.log.storage.producers import REMEMBERED_BATCHES, Producers, ProducerState

PID = 9
COMMIT, ABORT = Marker(True, 3), Marker(False, 3)
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
        producers.appended(batch, offset, marker=COMMIT if batch.control else None)
        offset += batch.count
    return producers


# Duplicates and gaps


def test_the_last_five_batches_are_known_again_and_the_one_before_is_not() -> None:
    batches = [header(n * 10, 10) for n in range(8)]
    producers = knowing(*batches)
    for number, batch in enumerate(batches[-REMEMBERED_BATCHES:], start=8 - REMEMBERED_BATCHES):
        assert producers.check(batch) == (number * 10, number * 10 + 9)
    assert REMEMBERED_BATCHES == 5, "as Java's producer has in flight"


def test_a_batch_before_the_last_five_is_a_duplicate_if_it_is_known_to_have_been_appended() -> None:
    batches = [header(n * 10, 10) for n in range(8)]
    producers = knowing(*batches)
    for batch in batches[: 8 - REMEMBERED_BATCHES]:
        with pytest.raises(DuplicateSequenceError, match=f"sent sequence {batch.base_sequence}, expected 80"):
            producers.check(batch)
    with pytest.raises(OutOfOrderSequenceError) as raised:
        producers.check(header(25, 10))
    assert type(raised.value) is OutOfOrderSequenceError, "half of it is in a batch that is remembered"


@pytest.mark.parametrize("first", [10, SEQUENCES - 20])
def test_a_batch_before_the_first_that_is_known_is_no_duplicate_since_it_may_never_have_come(first: int) -> None:
    batches = [header((first + n) % SEQUENCES) for n in range(30)]
    producers = knowing(*batches)
    with pytest.raises(DuplicateSequenceError):
        producers.check(batches[0])
    with pytest.raises(OutOfOrderSequenceError) as raised:
        producers.check(header(first - 1))
    assert type(raised.value) is OutOfOrderSequenceError


def test_a_run_is_known_only_from_where_a_snapshot_of_old_begins() -> None:
    producers = knowing(*[header(n) for n in range(30)])
    content = msgspec.msgpack.decode(producers.snapshot())
    old = Producers.restored(msgspec.msgpack.encode(content[:3]))
    assert old.check(header(29)) == producers.check(header(29)) == (29, 29)
    with pytest.raises(OutOfOrderSequenceError) as raised:
        old.check(header(3))
    assert type(raised.value) is OutOfOrderSequenceError


def test_what_was_compacted_away_still_counts_in_the_sequence() -> None:
    left = BatchHeader(0, 61, 0, 0, 0, 9, 0, 0, PID, 0, 0, 2)
    producers = Producers()
    producers.appended(left, 0)
    assert producers.check(header(10)) is None
    assert producers.check(header(0, 10)) == (0, 9)


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


def test_a_producer_does_not_write_outside_of_the_transaction_it_has_open() -> None:
    producers = knowing(header(0, transactional=True))
    with pytest.raises(TransactionError, match="outside"):
        producers.check(header(1))
    producers.appended(marker(), 1, marker=COMMIT)
    assert producers.check(header(1)) is None


def test_kip_1228_a_marker_of_the_epoch_after_ends_the_transaction_and_an_equal_one_comes_late() -> None:
    producers = knowing(header(0, epoch=4, transactional=True))
    assert producers.check_marker(PID, 5, 0, bumped=True)
    assert producers.check_marker(PID, 4, 0, bumped=False)
    for epoch, bumped in ((4, True), (3, True), (3, False)):
        with pytest.raises(InvalidProducerEpochError):
            producers.check_marker(PID, epoch, 0, bumped=bumped)


def test_a_marker_sent_again_has_nothing_to_end() -> None:
    producers = knowing(header(0, epoch=4, transactional=True), marker(epoch=5))
    assert not producers.check_marker(PID, 5, 3, bumped=True)
    assert not producers.check_marker(PID, 5, 3, bumped=False)
    assert not producers.check_marker(77, 5, 3, bumped=True)


def test_a_marker_of_a_coordinator_that_was_replaced_is_refused_whatever_epochs_came_between() -> None:
    producers = knowing(header(0, transactional=True), marker(), header(0, epoch=1, transactional=True))
    with pytest.raises(CoordinatorFencedError, match="epoch 2, after one from epoch 3"):
        producers.check_marker(PID, 1, 2, bumped=False)
    assert producers.check_marker(PID, 1, 3, bumped=False)


# Expiry and what is told


def test_producers_expire_by_their_newest_record_but_not_while_a_transaction_is_open_or_records_still_come() -> None:
    timed = {
        pid: parse_header(build_marker(commit=True, timestamp=100 + pid, producer=Producer(pid, 0))) for pid in (1, 2)
    }
    producers = knowing(header(0, pid=1), header(0, pid=2), header(0, pid=3, transactional=True), header(0, pid=4))
    for pid, batch in timed.items():
        producers.appended(batch, 3 + pid, marker=COMMIT)
    producers.expire(before_ms=102)
    assert [s.producer_id for s in producers.states()] == [1, 2, 3, 4], "all were heard of"
    producers.appended(header(1, pid=4), 6)
    producers.expire(before_ms=102)
    assert [s.producer_id for s in producers.states()] == [2, 3, 4]
    assert not producers.is_known(1) and producers.is_known(2)
    producers.expire(before_ms=102)
    assert [s.producer_id for s in producers.states()] == [2, 3]


def test_kip_664_what_is_told_of_producers() -> None:
    producers = knowing(header(0, 5, pid=1), header(3, epoch=2, pid=2, transactional=True), marker(pid=7, epoch=1))
    assert list(producers.states()) == [
        ProducerState(1, 0, 4, 0, -1, -1),
        ProducerState(2, 2, 3, 0, -1, 5),
        ProducerState(7, 1, -1, 0, 3, -1),
    ]


def test_the_earliest_open_transaction_is_the_last_stable_offset() -> None:
    one, two = header(0, 5, pid=1, transactional=True), header(0, 5, pid=2, epoch=4, transactional=True)
    more = header(5, 5, pid=2, epoch=4, transactional=True)
    producers = knowing(header(-1, 5, pid=-1), one, two, more)
    assert (producers.first_open(), producers.open_since(1), producers.open_since(2)) == (5, 5, 10)
    assert producers.open_transactions() == [(1, 0), (2, 4)]
    producers.appended(marker(pid=1), 20, marker=COMMIT)
    assert (producers.first_open(), producers.open_since(1)) == (10, None)
    producers.appended(marker(pid=2, epoch=4), 21, marker=ABORT)
    assert (producers.first_open(), producers.aborted(0, 30)) == (None, [Aborted(2, 10, 21)])


def test_what_was_aborted_is_forgotten_with_its_records() -> None:
    producers = knowing(header(0, 5, transactional=True))
    producers.appended(marker(), 5, marker=ABORT)
    producers.forget_before(5)
    assert producers.aborted(0, 10) == [Aborted(PID, 0, 5)]
    producers.forget_before(6)
    assert producers.aborted(0, 10) == []


# The same after any restart


class Step(NamedTuple):
    header: BatchHeader
    offset: int
    commits: bool | None

    @property
    def marker(self) -> Marker | None:
        return None if self.commits is None else COMMIT if self.commits else ABORT


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """What a log may hold of three producers: batches in sequence, new epochs, markers."""
    steps: list[Step] = []
    epochs, following, offset = dict.fromkeys(range(3), 0), dict.fromkeys(range(3), SEQUENCES - 6), 0
    ongoing: set[int] = set()
    for kind in draw(
        st.lists(st.sampled_from(["batch", "transactional", "transactional", "commit", "abort", "epoch"]))
    ):
        pid = draw(st.integers(0, 2))
        if kind == "epoch":
            epochs[pid], following[pid] = epochs[pid] + 1, 0
            continue
        if kind in ("commit", "abort"):
            ongoing.discard(pid)
            steps.append(Step(marker(epochs[pid], pid), offset, kind == "commit"))
            offset += 1
            continue
        count = draw(st.integers(1, 5))
        ongoing |= {pid} if kind == "transactional" else set()
        batch = header(following[pid], count, epoch=epochs[pid], pid=pid, transactional=pid in ongoing)
        steps.append(Step(batch, offset, None))
        following[pid], offset = (following[pid] + count) % SEQUENCES, offset + count
    return steps


def told(producers: Producers, steps: list[Step]) -> Producers:
    for step in steps:
        producers.appended(step.header, step.offset, marker=step.marker)
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
        except (ProducerFencedError, OutOfOrderSequenceError, TransactionError) as error:
            return str(error)

    whole = told(Producers(), steps)
    restored = Producers.restored(whole.snapshot())
    for step in steps:
        assert answer(restored, step.header) == answer(whole, step.header)
    assert restored.open_transactions() == whole.open_transactions()
    assert list(restored.states()) == list(whole.states())
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
        producers.appended(batch, step.offset, marker=step.marker)
        if not batch.control:
            begun.add(batch.producer_id)
            assert producers.check(batch) == (step.offset, step.offset + batch.count - 1)


def test_what_is_not_a_snapshot_is_refused() -> None:
    whole = knowing(header(0), header(1)).snapshot()
    for wrong in (b"", whole[:-1], b"\xc1" + whole, msgspec.msgpack.encode({"producers": 1})):
        with pytest.raises(msgspec.DecodeError):
            Producers.restored(wrong)
