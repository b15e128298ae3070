"""What is kept of a partition when it is opened: nothing flushed is cut, and nothing missing is skipped in silence."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import CorruptBatchError, OffsetOutOfRangeError
from streamflow.log.model import Aborted, Identity
from streamflow.log.records import Producer, build_batch, build_marker, decode
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.partition import PartitionLog, SegmentConfig

WHO = Identity("events", UUID(int=7), 3)
SMALL = SegmentConfig(segment_bytes=1_000, index_interval_bytes=200)


def opened(
    files: MemoryFiles, *, recovery_point: int = 0, clean: bool = False, config: SegmentConfig = SMALL
) -> PartitionLog:
    return PartitionLog.open(files, "d", WHO, config, recovery_point=recovery_point, clean=clean, now_ms=0)


def append(partition: PartitionLog, count: int = 5, *, epoch: int = 1, producer: Producer | None = None) -> None:
    first = partition.log_end_offset
    values: list[bytes | None] = [f"value-{n}".encode() * 3 for n in range(first, first + count)]
    batch = build_batch([None] * count, values, list(range(count)), producer=producer or Producer())
    partition.append(batch, leader_epoch=epoch, now_ms=0)


def filled(files: MemoryFiles, batches: int = 20) -> PartitionLog:
    partition = opened(files)
    for _ in range(batches):
        append(partition)
    return partition


def readable(partition: PartitionLog) -> tuple[set[int], set[int]]:
    """Offsets that read back as they were written, and offsets that are refused; from the start to the end."""
    found: set[int] = set()
    refused: set[int] = set()
    at = partition.log_start_offset
    while at < partition.log_end_offset:
        try:
            batches = partition.read(at, 300, up_to=partition.log_end_offset)
        except CorruptBatchError as error:
            words = str(error).split()
            assert words[0] == "offsets" and "accept-loss events --partition 3" in str(error)
            refused |= set(range(max(at, int(words[1])), int(words[3]) + 1))
            at = int(words[3]) + 1
            continue
        assert batches, f"nothing at {at}"
        for data in batches:
            columns = decode(data, 10**6)
            for offset, value in zip(columns.offsets, columns.values, strict=True):
                assert value == f"value-{offset}".encode() * 3
                found.add(offset)
            assert columns.offsets[0] <= at
            at = columns.offsets[-1] + 1
    return found, refused


def logs(files: MemoryFiles) -> list[str]:
    return sorted(p for p in files.content if p.endswith(".log"))


def base(path: str) -> int:
    return int(path.split("/")[1].split(".")[0])


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("number", [0, 1, 2, -1], ids=["first", "second", "third", "last"])
@pytest.mark.parametrize("indexes", ["with indexes", "without"])
def test_a_segment_file_that_is_gone_leaves_a_hole_that_is_refused(clean: bool, number: int, indexes: str) -> None:
    files = MemoryFiles()
    filled(files).close()
    paths = logs(files)
    gone = paths[number]
    end = base(paths[number + 1]) if number >= 0 else 100
    del files.content[gone]
    if indexes == "without":
        for path in [p for p in files.content if p.endswith((".index", ".state"))]:
            del files.content[path]
    for _ in range(2):
        partition = opened(files, recovery_point=100, clean=clean)
        lost = set(range(base(gone), end))
        if number == 0:
            # Without what was kept, a log whose first files are gone is one that begins later.
            assert partition.log_start_offset == end
            assert readable(partition) == (set(range(100)) - lost, set())
            with pytest.raises(OffsetOutOfRangeError):
                partition.read(0, 1, up_to=100)
        else:
            assert readable(partition) == (set(range(100)) - lost, lost)
        assert partition.log_end_offset == 100


def test_the_first_files_gone_below_a_known_start_leave_a_hole_that_is_refused() -> None:
    files = MemoryFiles()
    filled(files).delete_before(3)
    first, second, *_ = logs(files)
    del files.content[first]
    partition = opened(files)
    assert partition.log_start_offset == 3
    assert readable(partition) == (set(range(base(second), 100)), set(range(3, base(second))))


@pytest.mark.parametrize("clean", [True, False])
@given(data=st.data())
def test_a_file_that_lost_its_end_never_makes_the_log_shorter(clean: bool, data: st.DataObject) -> None:
    """Also where it ends between two batches, and nothing left in it looks wrong."""
    files = MemoryFiles()
    filled(files).close()
    path = data.draw(st.sampled_from(logs(files)))
    size = data.draw(st.integers(0, len(files.content[path]) - 1))
    del files.content[path][size:]
    if data.draw(st.booleans()):
        del files.content[path.replace(".log", ".index")]
    partition = opened(files, recovery_point=100, clean=clean)
    found, refused = readable(partition)
    assert refused and not found & refused
    assert found | refused == set(range(100))
    append(partition)
    assert 104 in readable(opened(files, recovery_point=100))[0]


def test_the_last_batch_of_a_sealed_segment_is_missed_even_when_its_index_is_lost() -> None:
    files = MemoryFiles()
    filled(files)
    path, following = logs(files)[1:3]
    files.content[path][-1] ^= 1
    del files.content[path.replace(".log", ".index")]
    lost = set(range(base(following) - 5, base(following)))
    for _ in range(2):
        assert readable(opened(files)) == (set(range(100)) - lost, lost)


def test_an_accepted_hole_is_read_over() -> None:
    files = MemoryFiles()
    filled(files)
    paths = logs(files)
    del files.content[paths[1]]
    partition = opened(files)
    (lost,) = partition.accept_loss()
    assert (lost.first_offset, lost.next_offset) == (base(paths[1]), base(paths[2]))
    views = partition.read(lost.first_offset, 1, up_to=100)
    assert decode(views[0], 10**6).offsets[0] == lost.next_offset
    with_reads_before = partition.read(0, 10**6, up_to=100)
    assert sum(len(decode(v, 10**6).values) for v in with_reads_before) == 100 - (lost.next_offset - lost.first_offset)


@pytest.mark.parametrize("clean", [True, False])
def test_a_header_that_rots_costs_no_record_as_each_batch_says_whose_it_is(clean: bool) -> None:
    for at in (0, 5, 20, 35):
        files = MemoryFiles()
        filled(files).close()
        for path in logs(files):
            files.content[path][at] ^= 1
        assert readable(opened(files, recovery_point=100, clean=clean)) == (set(range(100)), set())


@pytest.mark.parametrize("size", [0, 30, 64])
def test_a_segment_whose_making_was_cut_short_is_made_anew(size: int) -> None:
    files = MemoryFiles()
    partition = filled(files)
    partition.roll(0)
    last = logs(files)[-1]
    files.content[last] = bytearray(size)
    again = opened(files, recovery_point=100)
    assert readable(again) == (set(range(100)), set())
    append(again)
    assert readable(opened(files)) == (set(range(105)), set())


def test_what_was_flushed_is_kept_byte_for_byte_however_broken() -> None:
    files = MemoryFiles()
    filled(files, 4)
    (path,) = logs(files)
    files.content[path][-3] ^= 1
    before = bytes(files.content[path])
    partition = opened(files, recovery_point=20)
    assert readable(partition) == (set(range(15)), set(range(15, 20)))
    append(partition)
    assert files.content[path] == before
    assert readable(opened(files, recovery_point=25)) == (set(range(15)) | set(range(20, 25)), set(range(15, 20)))


def test_a_file_of_another_partition_is_never_cut_even_where_nothing_was_noted_as_flushed() -> None:
    files = MemoryFiles()
    filled(files, 3)
    (path,) = logs(files)
    before = bytes(files.content[path])
    other = Identity("events", UUID(int=8), 3)
    partition = PartitionLog.open(files, "d", other, SMALL, recovery_point=0, clean=False, now_ms=0)
    assert files.content[path] == before
    with pytest.raises(CorruptBatchError, match="header isn't this partition's"):
        partition.read(0, 1, up_to=partition.log_end_offset)


def test_a_log_whose_records_were_lost_above_its_start_goes_on_at_its_start() -> None:
    """Records may be deleted that were never flushed; a power cut then takes them, but not the deletion."""
    files = MemoryFiles()
    partition = filled(files, 4)
    whole = bytes(files.content[logs(files)[0]])
    partition.delete_before(20)
    files.content[f"d/{0:020d}.log"] = bytearray(whole[:300])
    again = opened(files)
    assert (again.log_start_offset, again.log_end_offset) == (20, 20)
    append(again)
    assert readable(opened(files)) == (set(range(20, 25)), set())


def test_a_deletion_cut_short_is_finished() -> None:
    files = MemoryFiles()
    partition = filled(files)
    content = {p: bytearray(c) for p, c in files.content.items()}
    partition.delete_before(60)
    kept = files.content["d/kept"]
    files.content.clear()
    files.content.update({**content, "d/kept": kept})
    again = opened(files)
    assert again.log_start_offset == 60
    assert base(logs(files)[0]) <= 60 < base(logs(files)[1])
    assert readable(again)[0] >= set(range(60, 100))


@pytest.mark.parametrize("without", [(), (".state",), (".index",), (".state", ".index")])
@pytest.mark.parametrize("clean", [True, False])
def test_producers_transactions_and_epochs_are_the_same_after_any_start(clean: bool, without: tuple[str, ...]) -> None:
    files = MemoryFiles()
    partition = opened(files)
    sequence = {1: 0, 2: 0}
    checks: list[Callable[[PartitionLog], object]] = [
        lambda p: p.epochs.entries,
        lambda p: p.snapshot_aborted(0, 10**6),
        lambda p: sorted(p.open_transactions()),
        lambda p: p.last_stable_offset(10**6),
    ]
    for n in range(60):
        who = 1 + n % 2
        producer = Producer(who, n // 20, sequence[who], transactional=True)
        if n % 20 < 2:
            producer = Producer(who, n // 20, 0, transactional=True)
            sequence[who] = 0
        append(partition, 3, epoch=1 + n // 10, producer=producer)
        sequence[who] += 3
        if n % 7 == 6:
            partition.append(
                build_marker(commit=n % 2 == 0, timestamp=0, producer=producer), leader_epoch=1 + n // 10, now_ms=0
            )
        if n % 13 == 12:
            expected = [check(partition) for check in checks]
            partition.close() if clean else partition.flush()
            for path in [p for p in files.content if p.endswith(without)] if without else []:
                del files.content[path]
            partition = opened(files, recovery_point=partition.recovery_point, clean=clean)
            assert [check(partition) for check in checks] == expected
            again = build_batch([None] * 3, [b""] * 3, [0] * 3, producer=producer)
            assert partition.append(again, leader_epoch=9, now_ms=0).duplicate
    assert any(isinstance(a, Aborted) for a in partition.snapshot_aborted(0, 10**6))


def test_a_start_without_trust_reads_the_last_segment_and_no_more() -> None:
    class Counting(MemoryFiles):
        opened = 0

        def open(self, path: str):  # type: ignore[no-untyped-def]
            self.opened += path.endswith(".log")
            return super().open(path)

    files = Counting()
    filled(files, 200)
    files.opened = 0
    partition = opened(files)
    assert partition.segment_count > 30
    assert files.opened == 1


def aborting(partition: PartitionLog, epoch: int) -> None:
    producer = Producer(7, epoch, 0, transactional=True)
    append(partition, producer=producer)
    partition.append(build_marker(commit=False, timestamp=0, producer=producer), leader_epoch=1, now_ms=0)


def test_a_reading_saved_at_a_clean_stop_is_not_learned_twice_by_a_start_that_does_not_trust_it() -> None:
    files = MemoryFiles()
    partition = opened(files)
    for epoch in range(6):
        aborting(partition, epoch)
    expected = partition.snapshot_aborted(0, 10**6)
    partition.close()
    again = opened(files, recovery_point=partition.recovery_point)
    assert again.snapshot_aborted(0, 10**6) == expected
    assert again.segment_count > 1


def test_a_reading_of_the_middle_of_a_segment_is_gone_on_from() -> None:
    """A crash between making the next segment and saving what the one before came to."""
    files = MemoryFiles()
    partition = opened(files)
    aborting(partition, 0)
    partition.close()
    middle = f"d/{partition.log_end_offset:020d}.state"
    saved = files.content[middle]
    partition = opened(files, recovery_point=6, clean=True)
    aborting(partition, 1)
    partition.roll(0)
    append(partition)
    expected = partition.snapshot_aborted(0, 10**6)
    files.remove(f"d/{12:020d}.state")
    files.content[middle] = saved
    assert opened(files).snapshot_aborted(0, 10**6) == expected == [Aborted(7, 0, 5), Aborted(7, 6, 11)]


def test_no_reading_is_left_of_batches_that_were_cut() -> None:
    files = MemoryFiles()
    filled(files, 4).close()
    assert files.exists(f"d/{20:020d}.state")
    files.content[logs(files)[0]][-3] ^= 1
    assert opened(files).log_end_offset == 15
    assert not files.exists(f"d/{20:020d}.state")
