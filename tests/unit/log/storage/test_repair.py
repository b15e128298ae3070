"""Offsets that can't be read are filled from another replica; all others stay as they are."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamflow.log.errors import CorruptBatchError
from streamflow.log.model import Aborted, Identity
from streamflow.log.records import Producer, build_batch, build_marker, parse_header
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.partition import PartitionLog, SegmentConfig
from streamflow.log.storage.segment import FRAME_BYTES, Stored

WHO = Identity("events", UUID(int=7), 3)
CONFIG = SegmentConfig(segment_bytes=700, index_interval_bytes=100)


def opened(files: MemoryFiles, *, clean: bool = True) -> PartitionLog:
    return PartitionLog.open(files, "d", WHO, CONFIG, recovery_point=0, clean=clean, now_ms=0)


def filled(files: MemoryFiles, batches: int = 20) -> PartitionLog:
    log = opened(files)
    for n in range(batches):
        log.append(build_batch([None] * 2, [b"%d" % n * 20] * 2, [n] * 2), leader_epoch=n // 5, now_ms=0)
    return log


def raw(log: PartitionLog) -> dict[int, bytes]:
    """What can be read, by base offset."""
    found: dict[int, bytes] = {}
    at = log.log_start_offset
    while at < log.log_end_offset:
        try:
            batch = log.read(at, 1, up_to=log.log_end_offset)[0]
            found[parse_header(batch).base_offset] = bytes(batch)
            at = parse_header(batch).last_offset + 1
        except CorruptBatchError:
            at = next(q.next_offset for q in log.quarantined if q.first_offset <= at < q.next_offset)
    return found


def damage(files: MemoryFiles, log: PartitionLog, offset: int, at: int = 90, size: int = 1) -> None:
    for segment in log._segments.all:
        for found in segment.walk():
            if isinstance(found, Stored) and found.header.base_offset == offset:
                for n in range(found.position + at, found.position + at + size):
                    files.content[segment.path][n] ^= 0x55


@settings(max_examples=40)
@given(st.sets(st.integers(0, 19).map(lambda n: 2 * n), min_size=1, max_size=6), st.integers(0, 100), st.randoms())
def test_each_range_is_filled_by_itself_and_the_others_stay_lost(broken: set[int], at: int, chance) -> None:
    files = MemoryFiles()
    log = filled(files)
    whole = raw(log)
    for offset in sorted(broken):
        damage(files, log, offset, at)
    log.release()
    log = opened(files, clean=False)
    raw(log)
    order = [q.first_offset for q in log.quarantined]
    chance.shuffle(order)
    for first in order:
        [lost] = [q for q in log.quarantined if q.first_offset == first]
        others = {q.first_offset: q.next_offset for q in log.quarantined if q.first_offset != first}
        assert log.repair(first, b"".join(whole.values()))
        left = raw(log)
        assert {q.first_offset: q.next_offset for q in log.quarantined} == others
        assert left.items() <= whole.items()
        assert all(n in left for n in whole if lost.first_offset <= n < lost.next_offset)
    assert raw(log) == {n: b for n, b in whole.items() if n < log.log_end_offset}
    log.close()
    again = opened(files)
    assert (raw(again), again.quarantined) == (raw(log), [])


def test_what_another_replica_compacted_away_is_filled_with_nothing() -> None:
    files = MemoryFiles()
    log = filled(files)
    whole = raw(log)
    base = log._segments.bases[1]
    damage(files, log, base - 2)
    raw(log)
    assert log.repair(base - 2, b"")
    assert {n: b for n, b in raw(log).items() if parse_header(b).count} == {
        n: b for n, b in whole.items() if n != base - 2
    }
    assert log._segments.end_of(log._segments.all[0]) == base
    assert log.quarantined == [] and not log.repair(base - 2, b"")


def test_files_that_are_gone_are_filled_too() -> None:
    for gone in ([0], [1], [0, 1], [1, 2]):
        files = MemoryFiles()
        log = filled(files)
        whole = raw(log)
        log.close()
        for n in gone:
            files.remove(log._segments.all[n].path)
            files.remove(log._segments.all[n].index_path)
        if 0 in gone:
            assert files.read("d/kept") is None
            log._kept._save()
        log = opened(files)
        [lost] = log.quarantined
        assert log.repair(lost.first_offset, b"".join(b for b in whole.values()))
        assert (raw(log), log.quarantined) == (whole, [])
        log.close()
        again = opened(files, clean=False)
        assert (raw(again), again.quarantined) == (whole, [])


def test_what_is_no_copy_of_what_was_lost_changes_nothing() -> None:
    files = MemoryFiles()
    log = filled(files)
    whole = raw(log)
    damage(files, log, 4)
    left = raw(log)
    changed = bytearray(whole[4])
    changed[-1] ^= 1
    longer = build_batch([None] * 9, [b"x"] * 9, [0] * 9)
    longer[:8] = (4).to_bytes(8, "big")
    for sent, why in ((changed, "checksum"), (longer, "offsets 4 to 5 ends at 12"), (whole[4] + whole[2], "after")):
        with pytest.raises(CorruptBatchError, match=why):
            log.repair(4, bytes(sent))
        assert raw(log) == left
        assert [q.first_offset for q in log.quarantined] == [4]
        assert not [n for n in files.names("d") if n.endswith((".cleaned", ".swap"))]


def test_what_was_lost_counts_for_producers_transactions_and_epochs() -> None:
    files = MemoryFiles()
    log = opened(files)
    who = Producer(5, 0, 0, True)
    log.append(build_batch([None], [b"a" * 80], [0], producer=who), leader_epoch=0, now_ms=0)
    log.append(build_marker(commit=False, timestamp=0, producer=who), leader_epoch=1, now_ms=0)
    for n in range(12):
        log.append(build_batch([None], [b"b" * 90], [0], producer=Producer(6, 0, n)), leader_epoch=2, now_ms=0)
    whole, aborted, states = raw(log), log.snapshot_aborted(0, 99), list(log.producers.states())
    assert aborted == [Aborted(5, 0, 1)]
    damage(files, log, 1, FRAME_BYTES + 61)
    for name in files.names("d"):
        if name.endswith((".state", ".index")):
            files.remove(f"d/{name}")
    log = opened(files, clean=False)
    assert log.open_transactions() == [(5, 0)] and log.last_stable_offset(14) == 0
    log.close()
    log = opened(files)
    assert log.repair(1, whole[1])
    for found in (log, opened(files, clean=False), opened(files, clean=True)):
        assert found.snapshot_aborted(0, 99) == aborted
        assert list(found.producers.states()) == states
        assert found.epochs.entries == [(0, 0), (1, 1), (2, 2)]
    log.truncate_to(8)
    assert log.snapshot_aborted(0, 99) == aborted
