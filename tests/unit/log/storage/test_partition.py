"""A partition's log: append, read, seek, remove, recover, and what it does with bytes that aren't right."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import (
    CorruptBatchError,
    OffsetOutOfRangeError,
    OutOfOrderSequenceError,
    ProducerFencedError,
    RecordTooLargeError,
    StorageFailedError,
    StorageFullError,
)
from streamflow.log.model import Aborted, Identity
from streamflow.log.records import Producer, build_batch, build_marker, decode, parse_header, stamp
from streamflow.log.storage.compaction import CompactionConfig
from streamflow.log.storage.files import MemoryFile, MemoryFiles
from streamflow.log.storage.partition import AppendInfo, PartitionLog, SegmentConfig
from streamflow.log.storage.segments import WARM_SEGMENTS

WHO = Identity("events", UUID(int=7), 3)
SMALL = SegmentConfig(segment_bytes=2_000, index_interval_bytes=256)
DIRECTORY = "topics/events"


def opened(files, *, config=SMALL, recovery_point=0, clean=False) -> PartitionLog:
    return PartitionLog.open(files, DIRECTORY, WHO, config, recovery_point=recovery_point, clean=clean, now_ms=0)


def batch(first: int, count: int = 5, *, timestamp: int | None = None, **options):
    values = [f"value-{n}".encode() * 3 for n in range(first, first + count)]
    times = [timestamp if timestamp is not None else n * 10 for n in range(first, first + count)]
    return build_batch([None] * count, values, times, **options)


def filled(files, batches: int = 40, **options) -> PartitionLog:
    partition = opened(files, **options)
    for n in range(batches):
        partition.append(batch(n * 5), leader_epoch=1, now_ms=0)
    return partition


def read_all(partition: PartitionLog, offset: int | None = None) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = partition.log_start_offset if offset is None else offset
    while at < partition.log_end_offset:
        batches = partition.read(at, 700, up_to=partition.log_end_offset)
        assert batches, f"nothing at {at}"
        for data in batches:
            columns = decode(data, 10**6)
            found.update(zip(columns.offsets, columns.values, strict=True))
            at = parse_header(data).last_offset + 1
    return found


def wanted(start: int, end: int) -> dict[int, bytes]:
    return {n: f"value-{n}".encode() * 3 for n in range(start, end)}


def test_records_are_read_back_in_order_over_many_segments() -> None:
    partition = filled(MemoryFiles())
    assert partition.segment_count > 3
    assert read_all(partition) == wanted(0, 200)


def test_a_read_in_the_middle_of_a_batch_gives_the_batch_that_holds_it() -> None:
    partition = filled(MemoryFiles())
    for offset in (0, 3, 77, 199):
        first = parse_header(partition.read(offset, 1, up_to=200)[0])
        assert first.base_offset <= offset <= first.last_offset


def test_a_read_stays_below_its_bound_and_gives_nothing_at_the_end() -> None:
    partition = filled(MemoryFiles())
    assert partition.read(200, 100, up_to=200) == []
    assert [parse_header(b).last_offset for b in partition.read(0, 10**6, up_to=7)] == [4, 9]


@pytest.mark.parametrize("offset", [-1, 201])
def test_an_offset_the_log_does_not_hold_is_refused(offset: int) -> None:
    with pytest.raises(OffsetOutOfRangeError, match="holds 0 to 200"):
        filled(MemoryFiles()).read(offset, 100, up_to=200)


@pytest.mark.parametrize("clean", [True, False])
def test_a_log_opened_again_is_the_same(clean: bool) -> None:
    files = MemoryFiles()
    partition = filled(files)
    if clean:
        partition.close()
    again = opened(files, clean=clean)
    assert read_all(again) == wanted(0, 200)
    again.append(batch(200), leader_epoch=2, now_ms=0)
    assert read_all(again) == wanted(0, 205)
    assert again.epochs.entries == [(1, 0), (2, 200)]


@given(st.integers(0, 2**32), st.data())
def test_an_index_that_is_lost_or_garbled_changes_no_answer(seed: int, data) -> None:
    files = MemoryFiles()
    filled(files).close()
    for name in [p for p in files.content if p.endswith((".index", ".state"))]:
        content = files.content[name]
        kind = data.draw(st.sampled_from(["keep", "delete", "flip", "cut"]))
        if kind == "delete":
            del files.content[name]
        elif kind == "flip":
            content[seed % len(content)] ^= 1 + seed % 255
        elif kind == "cut":
            del content[seed % len(content) :]
    again = opened(files, clean=True)
    assert read_all(again) == wanted(0, 200)
    for offset in (0, 33, 150):
        assert read_all(again, offset).keys() >= wanted(offset, 200).keys()


def test_a_torn_tail_is_cut_and_what_was_flushed_stays() -> None:
    files = MemoryFiles()
    filled(files, 3, config=SegmentConfig())
    path = f"{DIRECTORY}/{0:020d}.log"
    whole = bytes(files.content[path])
    for size in range(len(whole) - 1, 64, -1):
        files.content[path] = bytearray(whole[:size])
        again = opened(files, config=SegmentConfig())
        end = again.log_end_offset
        assert end in (0, 5, 10)
        assert read_all(again) == wanted(0, end)
        again.append(batch(end), leader_epoch=1, now_ms=0)
        assert read_all(again) == wanted(0, end + 5)
        assert again.quarantined == []


def test_every_flipped_byte_of_a_closed_log_is_noticed_and_the_rest_stays_readable() -> None:
    files = MemoryFiles()
    filled(files, 6, config=SegmentConfig(index_interval_bytes=256)).close()
    path = f"{DIRECTORY}/{0:020d}.log"
    whole = bytes(files.content[path])
    for at in range(64, len(whole)):
        garbled = bytearray(whole)
        garbled[at] ^= 0x40
        files.content[path] = garbled
        files.content.pop(f"{DIRECTORY}/kept", None)
        again = opened(files, clean=True, recovery_point=30)
        found: dict[int, bytes] = {}
        corrupt = 0
        offset = 0
        while offset < 30:
            try:
                columns = decode(again.read(offset, 1, up_to=30)[0], 10**6)
                found.update(zip(columns.offsets, columns.values, strict=True))
                offset = columns.offsets[-1] + 1
            except CorruptBatchError as error:
                corrupt += 1
                assert "accept-loss events --partition 3" in str(error)
                offset = again.quarantined[-1].next_offset
        assert corrupt == 1, f"byte {at}"
        assert found.items() <= wanted(0, 30).items()
        assert len(found) == 25
        assert bytes(files.content[path]) == bytes(garbled), "quarantined bytes are kept"


def test_corruption_below_the_recovery_point_is_never_cut_even_at_the_end() -> None:
    files = MemoryFiles()
    filled(files, 4, config=SegmentConfig())
    path = f"{DIRECTORY}/{0:020d}.log"
    files.content[path][-3] ^= 1
    again = opened(files, config=SegmentConfig(), recovery_point=20)
    assert [(q.first_offset, q.next_offset) for q in again.quarantined] == [(15, 20)]
    assert again.log_end_offset == 20
    with pytest.raises(CorruptBatchError):
        read_all(again)
    again.append(batch(20), leader_epoch=1, now_ms=0)
    assert read_all(again, 20) == wanted(20, 25)


def garbled(files: MemoryFiles, offset: int) -> None:
    """Flips a bit of the batch of five at `offset`."""
    content = files.content[f"{DIRECTORY}/{0:020d}.log"]
    content[content.index(f"value-{offset}".encode())] ^= 1


def test_a_hole_in_what_was_never_flushed_is_cut_with_what_is_behind_it() -> None:
    files = MemoryFiles()
    partition = filled(files, 2, config=SegmentConfig())
    partition.flush()
    for n in range(2, 5):
        partition.append(batch(n * 5), leader_epoch=1, now_ms=0)
    garbled(files, 10)
    again = opened(files, config=SegmentConfig())
    assert again.quarantined == []
    assert read_all(again) == wanted(0, 10)


def test_a_hole_that_a_batch_behind_it_knows_was_flushed_is_quarantined() -> None:
    files = MemoryFiles()
    partition = filled(files, 3, config=SegmentConfig())
    partition.flush()
    partition.append(batch(15), leader_epoch=1, now_ms=0)
    garbled(files, 10)
    again = opened(files, config=SegmentConfig(), recovery_point=0)
    assert [(q.first_offset, q.next_offset) for q in again.quarantined] == [(10, 15)]
    assert again.log_end_offset == 20


def test_an_accepted_loss_is_read_over_from_then_on() -> None:
    files = MemoryFiles()
    filled(files, 6, config=SegmentConfig()).close()
    path = f"{DIRECTORY}/{0:020d}.log"
    files.content[path][300] ^= 1
    again = opened(files, config=SegmentConfig(), clean=True)
    with pytest.raises(CorruptBatchError):
        read_all(again)
    (lost,) = again.accept_loss()
    expected = {n: v for n, v in wanted(0, 30).items() if not lost.first_offset <= n < lost.next_offset}
    assert read_all(again) == expected
    assert read_all(opened(files, config=SegmentConfig(), clean=True)) == expected


def test_a_segment_of_another_partition_is_not_read_as_this_ones() -> None:
    files = MemoryFiles()
    filled(files, 3, config=SegmentConfig())
    other = Identity("events", UUID(int=8), 3)
    again = PartitionLog.open(files, DIRECTORY, other, SegmentConfig(), recovery_point=15, clean=False, now_ms=0)
    with pytest.raises(CorruptBatchError, match="isn't this partition's"):
        again.read(0, 100, up_to=again.log_end_offset)


def test_seeking_by_time_finds_the_first_batch_that_reaches_it() -> None:
    partition = filled(MemoryFiles())
    for timestamp in (0, 5, 40, 41, 1_000, 1_990):
        base, newest = partition.offset_for_timestamp(timestamp, 200)
        assert base == min(n for n in range(0, 200, 5) if (n + 4) * 10 >= timestamp)
        assert newest >= timestamp
    assert partition.offset_for_timestamp(1_991, 200) is None
    assert partition.offset_for_timestamp(1_900, 100) is None


def test_old_segments_go_by_age_and_by_size_but_never_the_active_one() -> None:
    aged = filled(MemoryFiles(), config=SegmentConfig(segment_bytes=2_000, retention_ms=100))
    count = aged.segment_count
    assert aged.apply_retention(10**6, 10**6) == count - 1
    assert aged.segment_count == 1
    assert read_all(aged) == wanted(aged.log_start_offset, 200)
    sized = filled(MemoryFiles(), config=SegmentConfig(segment_bytes=2_000, retention_bytes=5_000, retention_ms=-1))
    sized.apply_retention(0, 10**6)
    assert 5_000 - 2_100 < sized.size_bytes <= 7_100
    kept = filled(MemoryFiles(), config=SegmentConfig(segment_bytes=2_000, retention_ms=0))
    kept.apply_retention(10**6, 0)
    assert kept.log_start_offset == 0


def test_records_deleted_below_an_offset_stay_deleted() -> None:
    files = MemoryFiles()
    partition = filled(files)
    partition.delete_before(123)
    with pytest.raises(OffsetOutOfRangeError):
        partition.read(122, 100, up_to=200)
    again = opened(files)
    assert again.log_start_offset == 123
    assert read_all(again).keys() >= wanted(123, 200).keys()


def test_a_batch_sent_again_is_answered_with_where_it_stands_also_after_a_crash() -> None:
    files = MemoryFiles()
    partition = opened(files)
    sent = [batch(n * 5, producer=Producer(9, 0, n * 5)) for n in range(6)]
    for data in sent:
        partition.append(data, leader_epoch=0, now_ms=0)
    for _ in range(2):
        again = partition.append(sent[3], leader_epoch=0, now_ms=0)
        assert (again.duplicate, again.base_offset, again.last_offset) == (True, 15, 19)
        with pytest.raises(OutOfOrderSequenceError, match="sequence 35, expected 30"):
            partition.append(batch(35, producer=Producer(9, 0, 35)), leader_epoch=0, now_ms=0)
        partition = opened(files)
    partition.append(batch(0, producer=Producer(9, 1, 0)), leader_epoch=0, now_ms=0)
    with pytest.raises(ProducerFencedError):
        partition.append(batch(0, producer=Producer(9, 0, 30)), leader_epoch=0, now_ms=0)


def test_an_open_transaction_holds_the_last_stable_offset_until_its_marker() -> None:
    files = MemoryFiles()
    partition = opened(files)
    one, two = Producer(1, 0, 0, transactional=True), Producer(2, 0, 0, transactional=True)
    partition.append(batch(0), leader_epoch=0, now_ms=0)
    partition.append(batch(5, producer=one), leader_epoch=0, now_ms=0)
    partition.append(batch(10, producer=two), leader_epoch=0, now_ms=0)
    assert partition.last_stable_offset(15) == 5
    partition.append(build_marker(commit=False, timestamp=0, producer=one), leader_epoch=0, now_ms=0)
    for log in (partition, opened(files)):
        assert log.last_stable_offset(16) == 10
        assert log.snapshot_aborted(0, 16) == [Aborted(1, 5, 15)]
        assert log.snapshot_aborted(0, 5) == []
    partition.append(build_marker(commit=True, timestamp=0, producer=two), leader_epoch=0, now_ms=0)
    assert opened(files).last_stable_offset(17) == 17


def test_what_is_not_a_sound_batch_is_refused_and_leaves_nothing() -> None:
    partition = opened(MemoryFiles(), config=SegmentConfig(message_bytes_max=300))
    garbled = batch(0)
    garbled[-1] ^= 1
    for wrong, error in ((garbled, CorruptBatchError), (b"", CorruptBatchError), (batch(0, 50), RecordTooLargeError)):
        with pytest.raises(error):
            partition.append(wrong, leader_epoch=0, now_ms=0)
    assert partition.log_end_offset == 0


def test_the_logs_own_time_replaces_the_producers_when_asked() -> None:
    partition = opened(MemoryFiles(), config=SegmentConfig(append_time=True))
    partition.append(batch(0, timestamp=5), leader_epoch=0, now_ms=777)
    assert decode(partition.read(0, 1, up_to=5)[0], 10**6).timestamps == [777] * 5


def test_a_segment_without_a_readable_batch_is_not_deleted_for_its_age() -> None:
    config = SegmentConfig(segment_bytes=600, retention_ms=1_000)
    files = MemoryFiles()
    filled(files, 12, config=config)
    first = sorted(p for p in files.content if p.endswith(".log"))[0]
    files.content[first][64:] = bytes(len(files.content[first]) - 64)
    files.remove(first.replace(".log", ".index"))
    again = opened(files, config=config)
    assert again.quarantined
    assert again.apply_retention(1_000, 10**6) == 0
    assert files.exists(first)
    assert again.apply_retention(5_000, 10**6) > 1
    assert not files.exists(first)
    assert again.quarantined == []


def test_batches_of_one_producer_sent_together_are_taken_or_known_together() -> None:
    partition = opened(MemoryFiles())
    partition.append(batch(0, producer=Producer(9, 0, 0)), leader_epoch=0, now_ms=0)
    both = batch(5, producer=Producer(9, 0, 5)) + batch(10, producer=Producer(9, 0, 10))
    assert partition.append(both, leader_epoch=0, now_ms=0).last_offset == 14
    again = partition.append(both, leader_epoch=0, now_ms=0)
    assert (again.duplicate, again.base_offset, again.last_offset) == (True, 5, 14)
    with pytest.raises(OutOfOrderSequenceError, match="1 of 2 batches sent together"):
        partition.append(
            batch(10, producer=Producer(9, 0, 10)) + batch(15, producer=Producer(9, 0, 15)), leader_epoch=0, now_ms=0
        )
    with pytest.raises(OutOfOrderSequenceError, match="sequence 25, expected 20"):
        partition.append(
            batch(15, producer=Producer(9, 0, 15)) + batch(25, producer=Producer(9, 0, 25)), leader_epoch=0, now_ms=0
        )
    assert partition.log_end_offset == 15


def test_a_batch_that_claims_more_records_than_its_bytes_hold_is_refused() -> None:
    partition = opened(MemoryFiles())
    for count, delta in ((1_000, 999), (4, 4), (0, 0)):
        lying = batch(0)
        struct.pack_into(">i", lying, 57, count)
        struct.pack_into(">i", lying, 23, delta)
        struct.pack_into(">I", lying, 17, crc32c(bytes(lying[21:])))
        with pytest.raises(CorruptBatchError, match="a batch"):
            partition.append(lying, leader_epoch=0, now_ms=0)
    assert partition.log_end_offset == 0


# Truncating


@pytest.mark.parametrize("offset", [0, 1, 5, 62, 65, 100, 199, 200, 300])
@pytest.mark.parametrize("again", ["at once", "opened again"])
def test_a_truncated_log_ends_with_the_last_batch_below_and_goes_on(offset: int, again: str) -> None:
    files = MemoryFiles()
    partition = filled(files)
    partition.flush()
    partition.truncate_to(offset)
    end = min(offset - offset % 5, 200)
    assert partition.recovery_point == end
    if again == "opened again":
        partition = opened(files, recovery_point=end)
    assert partition.log_end_offset == end
    assert read_all(partition) == wanted(0, end)
    assert partition.quarantined == []
    partition.append(batch(end), leader_epoch=2, now_ms=0)
    assert read_all(partition) == wanted(0, end + 5)
    assert read_all(opened(files, recovery_point=end)) == wanted(0, end + 5)
    assert partition.epochs.entries == ([(1, 0)] if end else []) + [(2, end)]


def test_a_truncated_log_has_forgotten_the_producers_of_what_is_gone() -> None:
    partition = opened(MemoryFiles())
    for n in range(60):
        producer = Producer(1, n // 20, 5 * (n % 20), transactional=True)
        partition.append(batch(n * 5, producer=producer), leader_epoch=n // 20, now_ms=0)
    partition.truncate_to(150)
    assert partition.epochs.entries == [(0, 0), (1, 100)]
    assert partition.open_transactions() == [(1, 1)]
    partition.append(batch(150, producer=Producer(1, 1, 50, transactional=True)), leader_epoch=3, now_ms=0)
    assert partition.append(
        batch(145, producer=Producer(1, 1, 45, transactional=True)), leader_epoch=3, now_ms=0
    ).duplicate


def test_truncating_below_the_start_is_refused() -> None:
    partition = filled(MemoryFiles())
    partition.delete_before(100)
    with pytest.raises(OffsetOutOfRangeError):
        partition.truncate_to(99)


def test_a_truncated_log_knows_of_its_producers_what_was_compacted_away_before() -> None:
    partition = opened(MemoryFiles())

    def send(sequence: int, *, transactional: bool = True, pid: int = 1) -> None:
        made = build_batch([b"k"], [b"v"], [0], producer=Producer(pid, 0, sequence, transactional))
        partition.append(made, leader_epoch=0, now_ms=0)

    send(0, transactional=False, pid=2)
    send(0)
    partition.roll(0)
    send(1, transactional=False, pid=2)
    send(1)
    partition.append(
        build_marker(commit=False, timestamp=0, producer=Producer(1, 0, -1, True)), leader_epoch=0, now_ms=0
    )
    run = partition.compaction(CompactionConfig(), 2, 0)
    while not run.done:
        run.advance(1)
        run.apply()
    assert 1 not in read_all(partition), "compacted away"
    aborted, states = partition.snapshot_aborted(0, 9), list(partition.producers.states())
    for _ in range(3):
        partition.append(batch(0), leader_epoch=0, now_ms=0)
        partition.roll(0)
    partition.truncate_to(5)
    assert partition.snapshot_aborted(0, 9) == aborted == [Aborted(1, 1, 4)]
    assert list(partition.producers.states()) == states
    partition.truncate_to(2)
    assert partition.open_transactions() == [(1, 0)] and partition.open_transaction(1) == 1
    with pytest.raises(OutOfOrderSequenceError):
        send(2, transactional=False, pid=2)


def placed(offset: int, epoch: int, **options) -> bytearray:
    made = batch(offset, **options)
    stamp(made, offset, epoch)
    return made


def test_a_followers_log_is_its_leaders_byte_for_byte() -> None:
    leader, follower = filled(MemoryFiles()), opened(MemoryFiles())
    leader.append(batch(200, producer=Producer(7, 0, 0, True)), leader_epoch=4, now_ms=0)
    while (at := follower.log_end_offset) < leader.log_end_offset:
        answer = b"".join(leader.read(at, 700, up_to=leader.log_end_offset))
        info = follower.append_fetched(answer, now_ms=0)
        assert (info.base_offset, info.last_offset + 1) == (at, follower.log_end_offset)
    assert read_all(follower) == read_all(leader)
    copies = [[bytes(b) for b in log.read(0, 10**6, up_to=999)] for log in (leader, follower)]
    assert copies[0] == copies[1]
    assert follower.epochs.entries == leader.epochs.entries == [(1, 0), (4, 200)]
    assert list(follower.producers.states()) == list(leader.producers.states())


def test_offsets_left_out_by_a_leader_are_left_out() -> None:
    files = MemoryFiles()
    log = opened(files)
    log.append_fetched(placed(10, 2) + placed(40, 3) + placed(70, 5)[:30], now_ms=0)
    assert (log.log_start_offset, log.log_end_offset) == (0, 45)
    log.roll(0)
    info = log.append_fetched(placed(60, 5, timestamp=77), now_ms=0)
    assert (info.base_offset, info.last_offset, info.max_timestamp) == (60, 64, 77)
    for again in (log, opened(files)):
        assert read_all(again).keys() == {*range(10, 15), *range(40, 45), *range(60, 65)}
        assert again.epochs.entries == [(2, 10), (3, 40), (5, 60)]
        assert (again.epochs.end_of(2, 65), again.quarantined) == ((2, 40), [])
    log.truncate_to(50)
    assert log.log_end_offset == 45 and log.epochs.latest == 3


def test_a_follower_takes_what_its_leader_took_though_it_would_have_refused_it() -> None:
    log = opened(MemoryFiles(), config=SegmentConfig(message_bytes_max=100))
    sent = [placed(0, 1, producer=Producer(7, 3, 9)), placed(5, 1, producer=Producer(7, 3, 90)), placed(10, 1)]
    log.append_fetched(b"".join(sent), now_ms=0)
    assert [(s.epoch, s.last_sequence) for s in log.producers.states()] == [(3, 94)]


def test_of_a_fetch_that_is_not_right_nothing_is_appended() -> None:
    log = filled(MemoryFiles(), batches=2)
    changed = placed(12, 1)
    changed[-1] ^= 1
    for sent in (placed(10, 1) + changed, placed(9, 1), placed(10, 1)[:-1], placed(10, 1) + placed(12, 1)):
        with pytest.raises(CorruptBatchError):
            log.append_fetched(sent, now_ms=0)
        assert (log.log_end_offset, read_all(log)) == (10, wanted(0, 10))
    assert log.append_fetched(b"", now_ms=0) == AppendInfo(10, 9, -1)


@pytest.mark.parametrize("offset", [0, 63, 200, 500])
def test_a_log_that_begins_anew_has_nothing_of_what_it_had(offset: int) -> None:
    files = MemoryFiles()
    log = filled(files)
    log.append(batch(200, producer=Producer(7, 0, 0)), leader_epoch=4, now_ms=0)
    log.delete_before(33)
    log.start_anew(offset)
    for again in (log, opened(files, recovery_point=min(offset, 205))):
        assert (again.log_start_offset, again.log_end_offset, again.size_bytes) == (offset, offset, 64)
        assert again.epochs.entries == again.quarantined == list(again.producers.states()) == []
    log.append_fetched(placed(offset + 3, 9), now_ms=0)
    log.roll(0)
    log.append_fetched(placed(offset + 8, 9), now_ms=0)
    log.close()
    assert read_all(opened(files, clean=True)).keys() == set(range(offset + 3, offset + 13))


def test_a_log_truncated_within_the_batch_it_begins_in_begins_anew() -> None:
    files = MemoryFiles()
    partition = filled(files)
    partition.delete_before(162)
    partition.truncate_to(163)
    for log in (partition, opened(files)):
        assert (log.log_start_offset, log.log_end_offset, log.segment_count) == (162, 162, 1)
        assert log.epochs.entries == []
    partition.append(batch(162), leader_epoch=2, now_ms=0)
    assert read_all(partition) == wanted(162, 167)


def test_truncating_heals_what_could_not_be_read_there() -> None:
    """A follower fetches it again from its leader."""
    files = MemoryFiles()
    partition = filled(files, 6, config=SegmentConfig())
    path = f"{DIRECTORY}/{0:020d}.log"
    files.content[path][-3] ^= 1
    partition = opened(files, config=SegmentConfig(), recovery_point=30)
    assert partition.quarantined
    partition.truncate_to(25)
    assert (partition.log_end_offset, partition.quarantined) == (25, [])
    partition.append(batch(25), leader_epoch=1, now_ms=0)
    assert read_all(partition) == wanted(0, 30)
    assert partition.quarantined == []


def test_what_is_known_after_truncating_is_learned_once_and_only_from_what_is_left() -> None:
    files = MemoryFiles()
    partition = opened(files)
    for epoch in range(12):
        producer = Producer(1, epoch, 0, transactional=True)
        partition.append(batch(epoch * 6, producer=producer), leader_epoch=0, now_ms=0)
        partition.append(build_marker(commit=False, timestamp=0, producer=producer), leader_epoch=0, now_ms=0)
        if epoch == 2:
            partition.close()
            partition = opened(files, clean=True)
    partition.close()
    partition = opened(files, clean=True)
    partition.truncate_to(66)
    assert not any(name.endswith(".state") and int(name[-26:-6]) > 66 for name in files.content)
    expected = [Aborted(1, 6 * n, 6 * n + 5) for n in range(11)]
    assert partition.snapshot_aborted(0, 100) == expected
    for end in (60, 24, 20):
        partition.truncate_to(end)
        assert partition.snapshot_aborted(0, 100) == expected[: end // 6]


def test_a_range_that_cannot_be_read_stops_nobody_who_reads_below_it() -> None:
    files = MemoryFiles()
    filled(files, 4, config=SegmentConfig())
    files.content[f"{DIRECTORY}/{0:020d}.log"][-3] ^= 1
    partition = opened(files, config=SegmentConfig(), recovery_point=20)
    assert len(partition.read(10, 1_000, up_to=15)) == 1
    assert partition.read(15, 1_000, up_to=15) == []
    with pytest.raises(CorruptBatchError):
        partition.read(15, 1_000, up_to=16)


# Limits and failures


def test_whatever_is_read_few_files_stay_open() -> None:
    partition = filled(MemoryFiles(), 200)
    read_all(partition)
    for offset in (0, 500, 250, 999):
        partition.read(offset, 1, up_to=1_000)
    assert partition.segment_count > 20
    assert sum(s._file is not None for s in partition._segments.all) <= WARM_SEGMENTS + 1
    assert sum(s._index is not None for s in partition._segments.all) <= WARM_SEGMENTS + 1
    assert read_all(partition) == wanted(0, 1_000)


class BrokenFiles(MemoryFiles):
    """Whose writes or syncs fail while `failing` says so."""

    failing: str | None = None

    def open(self, path: str) -> MemoryFile:
        super().open(path)
        return BrokenFile(self, path)

    def replace(self, path: str, data: bytes) -> None:
        if self.failing == "full" and path.endswith(".log"):
            raise StorageFullError("no space")
        super().replace(path, data)


class BrokenFile(MemoryFile):
    def __init__(self, files: BrokenFiles, path: str) -> None:
        super().__init__(files, path)
        self.files = files

    def write(self, at: int, data: bytes | bytearray) -> None:
        if self.files.failing == "full":
            super().write(at, data[: len(data) * 2 // 3])
            raise StorageFullError("no space")
        super().write(at, data)

    def sync(self) -> None:
        if self.files.failing == "sync":
            raise StorageFailedError("fsync failed")


def test_a_full_disk_refuses_appends_whole_and_takes_them_again_once_there_is_room() -> None:
    files = BrokenFiles()
    partition = filled(files, 3)
    for _ in range(3):
        files.failing = "full"
        for _ in range(2):
            with pytest.raises(StorageFullError):
                partition.append(batch(partition.log_end_offset) + batch(5) + batch(10), leader_epoch=1, now_ms=0)
        end = partition.log_end_offset
        assert read_all(partition) == wanted(0, end)
        files.failing = None
        assert read_all(opened(files)) == wanted(0, end)
        partition.append(batch(end), leader_epoch=1, now_ms=0)
    assert read_all(opened(files)) == wanted(0, 30)


def test_a_full_disk_at_the_making_of_a_segment_leaves_the_log_as_it_was() -> None:
    files = BrokenFiles()
    partition = filled(files, 3, config=SegmentConfig())
    for _ in range(2):
        files.failing = "full"
        with pytest.raises(StorageFullError):
            partition.roll(0)
        files.failing = None
        assert read_all(opened(files, config=SegmentConfig(), recovery_point=15)) == wanted(0, 15)
    partition.append(batch(15), leader_epoch=1, now_ms=0)
    assert read_all(opened(files, config=SegmentConfig(), recovery_point=15)) == wanted(0, 20)
    partition.roll(0)
    partition.append(batch(20), leader_epoch=1, now_ms=0)
    assert read_all(partition) == wanted(0, 25)


def test_an_empty_segment_is_not_rolled() -> None:
    partition = filled(MemoryFiles(), 3, config=SegmentConfig())
    for _ in range(3):
        partition.roll(0)
    assert partition.segment_count == 2
    partition.append(batch(15), leader_epoch=1, now_ms=0)
    assert read_all(partition) == wanted(0, 20)


def test_a_flush_that_fails_moves_no_recovery_point() -> None:
    files = BrokenFiles()
    partition = filled(files, 3)
    files.failing = "sync"
    with pytest.raises(StorageFailedError):
        partition.flush()
    assert partition.recovery_point == 0
