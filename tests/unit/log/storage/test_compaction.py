"""The cleaner: what it leaves of a partition's records, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from crc32c import crc32c

from streamflow.log.model import Aborted, Identity
from streamflow.log.records import Producer, build_batch, build_marker, decode, parse_header
from streamflow.log.storage.compaction import CompactionConfig
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.partition import PartitionLog, SegmentConfig

WHO = Identity("events", UUID(int=7), 3)
DIRECTORY = "topics/events"
SMALL = SegmentConfig(segment_bytes=600, index_interval_bytes=100, retention_ms=-1)
CONFIG = CompactionConfig(segment_bytes=600, index_interval_bytes=100, delete_retention_ms=1_000)
DAY = 86_400_000


def opened(files: MemoryFiles, *, recovery_point: int = 0, clean: bool = False) -> PartitionLog:
    return PartitionLog.open(files, DIRECTORY, WHO, SMALL, recovery_point=recovery_point, clean=clean, now_ms=0)


def put(log: PartitionLog, *rows: tuple[str | None, str | None], at_ms: int = 5, **options: object) -> int:
    """One batch of keys and values. Returns: its base offset."""
    keys = [None if k is None else k.encode() for k, _ in rows]
    values = [None if v is None else v.encode() for _, v in rows]
    times = range(at_ms, at_ms + len(rows))
    return log.append(build_batch(keys, values, list(times), **options), leader_epoch=3, now_ms=0).base_offset


def clean(log: PartitionLog, config: CompactionConfig = CONFIG, *, now_ms: int = 10, step_bytes: int = 1) -> None:
    """All of it but the active segment, in small steps."""
    run = log.compaction(config, log.dirt(config, log.log_end_offset, now_ms).end, now_ms)
    while not run.done:
        run.advance(step_bytes)
        run.apply()


def rows(log: PartitionLog) -> list[tuple[int, str | None, str | None]]:
    """All records but control records, by offset."""
    found, at = [], log.log_start_offset
    while batches := log.read(at, 10_000, up_to=log.log_end_offset):
        for data in batches:
            header, columns = parse_header(data), decode(data, 1 << 20)
            at = header.last_offset + 1
            if not header.control:
                for offset, key, value in zip(columns.offsets, columns.keys, columns.values, strict=True):
                    found.append((offset, key and key.decode(), value and value.decode()))
    return found


def headers(log: PartitionLog) -> list:
    found, at = [], log.log_start_offset
    while batches := log.read(at, 10_000, up_to=log.log_end_offset):
        found += [parse_header(b) for b in batches]
        at = found[-1].last_offset + 1
    return found


def filled(files: MemoryFiles, batches: int = 30, keys: int = 4) -> PartitionLog:
    log = opened(files)
    for n in range(batches):
        put(log, *((f"k{m % keys}", f"{m}") for m in range(3 * n, 3 * n + 3)))
    log.roll(0)
    return log


@pytest.mark.parametrize("step_bytes", [1, 500, 1 << 20])
def test_of_each_key_the_newest_record_stays_at_its_offset(step_bytes: int) -> None:
    log = filled(MemoryFiles())
    clean(log, step_bytes=step_bytes)
    assert rows(log) == [(n, f"k{n % 4}", f"{n}") for n in range(86, 90)]
    assert (log.log_start_offset, log.log_end_offset) == (0, 90)


def test_small_segments_are_put_together_up_to_the_size_of_one() -> None:
    log = filled(MemoryFiles())
    assert log.segment_count > 4
    sizes = []
    for _ in range(4):
        put(log, ("z", "z"))
        log.roll(0)
        clean(log)
        sizes.append(log.segment_count)
    assert sizes[-1] <= 3
    assert rows(log)[:-1] == [(n, f"k{n % 4}", f"{n}") for n in range(86, 90)]


@pytest.mark.parametrize("again", [True, False], ids=["closed", "killed"])
def test_a_cleaned_log_opened_again_is_the_same(again: bool) -> None:
    files = MemoryFiles()
    log = filled(files)
    clean(log)
    before = rows(log), headers(log)
    if again:
        log.close()
    log = opened(files, recovery_point=log.log_end_offset, clean=again)
    assert (rows(log), headers(log)) == before
    assert log.quarantined == []
    assert log.dirt(CONFIG, log.log_end_offset, 10).dirty_bytes == 0


def test_the_active_segment_stays_as_it_is() -> None:
    log = opened(MemoryFiles())
    put(log, ("a", "1"), ("a", "2"))
    clean(log)
    assert rows(log) == [(0, "a", "1"), (1, "a", "2")]


def test_a_record_in_the_active_segment_removes_nothing_yet() -> None:
    log = opened(MemoryFiles())
    put(log, ("a", "1"), ("b", "1"))
    log.roll(0)
    put(log, ("a", "2"))
    clean(log)
    assert rows(log) == [(0, "a", "1"), (1, "b", "1"), (2, "a", "2")]


def test_what_is_above_the_limit_stays_as_it_is() -> None:
    log = opened(MemoryFiles())
    for n in range(4):
        put(log, ("a", f"{n}"))
        log.roll(0)
    assert log.dirt(CONFIG, 3, 10).end == 3
    assert log.dirt(CONFIG, 2, 10).end == 2


def test_what_is_younger_than_it_may_be_stays_as_it_is() -> None:
    log = opened(MemoryFiles())
    for n in range(4):
        put(log, ("a", f"{n}"), at_ms=100 * n)
        log.roll(0)
    config = replace(CONFIG, lag_ms_min=150)
    assert [log.dirt(config, 99, now_ms).end for now_ms in (100, 149, 150, 250, 1_000)] == [0, 0, 1, 2, 4]
    clean(log, config, now_ms=350)
    assert rows(log) == [(2, "a", "2"), (3, "a", "3")]


def test_what_waits_too_long_is_overdue() -> None:
    log = opened(MemoryFiles())
    put(log, ("a", "1"), at_ms=100)
    log.roll(0)
    config = replace(CONFIG, lag_ms_max=50)
    assert [log.dirt(config, 99, now_ms).overdue for now_ms in (100, 150, 151)] == [False, False, True]
    clean(log, config)
    assert not log.dirt(config, 99, 1_000).overdue
    assert not log.dirt(CONFIG, 99, 1_000).overdue


def test_a_log_is_as_dirty_as_what_came_since_it_was_cleaned() -> None:
    log = filled(MemoryFiles())
    assert log.dirt(CONFIG, 99, 10).ratio == 1
    clean(log)
    assert log.dirt(CONFIG, 99, 10).ratio == 0
    put(log, ("k", "v"))
    assert log.dirt(CONFIG, 99, 10).ratio == 0, "the active segment doesn't count"
    log.roll(0)
    assert 0.1 < log.dirt(CONFIG, 99, 10).ratio < 0.8


def test_records_without_a_key_go() -> None:
    log = opened(MemoryFiles())
    put(log, (None, "x"), ("a", "1"), (None, "y"))
    log.roll(0)
    clean(log)
    assert rows(log) == [(1, "a", "1")]


# Tombstones


def test_a_tombstone_stays_until_its_horizon_and_then_goes_with_its_key() -> None:
    log = opened(MemoryFiles())
    put(log, ("a", "1"), ("b", "1"))
    put(log, ("a", None), ("c", "1"))
    log.roll(0)
    clean(log, now_ms=5_000)
    assert rows(log) == [(1, "b", "1"), (2, "a", None), (3, "c", "1")]
    assert [h.delete_horizon_ms for h in headers(log)] == [None, 6_000]
    put(log, ("d", "1"))
    log.roll(0)
    clean(log, now_ms=5_999)
    assert (2, "a", None) in rows(log)
    assert headers(log)[1].delete_horizon_ms == 6_000, "counted from when it was first met"
    put(log, ("d", "2"))
    log.roll(0)
    clean(log, now_ms=6_000)
    assert rows(log) == [(1, "b", "1"), (3, "c", "1"), (5, "d", "2")]


def test_records_beside_a_tombstone_keep_their_times() -> None:
    log = opened(MemoryFiles())
    put(log, ("a", None), ("b", "1"), ("c", "2"), at_ms=40)
    log.roll(0)
    clean(log, now_ms=DAY)
    [data] = log.read(0, 1_000, up_to=3)
    assert decode(data, 1_000).timestamps == [40, 41, 42]
    assert parse_header(data).max_timestamp == 42


def test_a_tombstone_that_a_newer_record_replaces_goes_at_once() -> None:
    log = opened(MemoryFiles())
    put(log, ("a", "1"), ("a", None), ("a", "2"))
    log.roll(0)
    clean(log)
    assert rows(log) == [(2, "a", "2")]
    assert headers(log)[0].delete_horizon_ms is None


# Transactions and producers


def transact(log: PartitionLog, pid: int, sequence: int, *batches: list[tuple[str, str]], commit: bool) -> int:
    """Returns: the marker's offset."""
    for batch in batches:
        put(log, *batch, producer=Producer(pid, 0, sequence, True))
        sequence += len(batch)
    marker = build_marker(commit=commit, timestamp=5, producer=Producer(pid, 0, -1, True))
    return log.append(marker, leader_epoch=3, now_ms=0).base_offset


def test_records_of_aborted_transactions_go_and_replace_nothing() -> None:
    log = opened(MemoryFiles())
    transact(log, 1, 0, [("a", "1"), ("b", "1")], commit=True)
    transact(log, 2, 0, [("a", "aborted"), ("c", "aborted")], commit=False)
    transact(log, 2, 2, [("d", "1")], commit=True)
    log.roll(0)
    clean(log)
    assert rows(log) == [(0, "a", "1"), (1, "b", "1"), (6, "d", "1")]


def test_a_marker_goes_once_nothing_of_its_transaction_is_left_and_its_horizon_has_passed() -> None:
    """Round by round: the records; the entry of what was aborted, and a horizon; the marker."""
    log = opened(MemoryFiles())
    aborted = transact(log, 2, 0, [("a", "aborted")], commit=False)
    committed = transact(log, 1, 0, [("b", "1")], commit=True)
    transact(log, 1, 1, [("b", "2")], commit=True)
    transact(log, 2, 1, [("c", "1")], commit=True)
    log.roll(0)
    assert log.snapshot_aborted(0, 100) == [Aborted(2, 0, 1)]

    def markers(now_ms: int) -> dict[int, int | None]:
        clean(log, now_ms=now_ms)
        found = {h.base_offset: h.delete_horizon_ms for h in headers(log) if h.control}
        put(log, ("z", f"{now_ms}"))
        log.roll(0)
        return found

    assert markers(0) == {1: None, 3: None, 5: None, 7: None}
    assert log.snapshot_aborted(0, 100) == [Aborted(2, 0, 1)], "as long as there was a record to leave out"
    assert markers(0) == {aborted: 1_000, committed: 1_000, 5: None, 7: None}
    assert log.snapshot_aborted(0, 100) == []
    assert markers(999) == {aborted: 1_000, committed: 1_000, 5: None, 7: None}
    assert markers(1_000) == {5: None, 7: None}


def test_a_marker_stays_while_a_saved_reading_tells_of_its_aborted_transaction() -> None:
    """Told of the transaction after a crash, and never met by its end, readers would leave out all that follows."""
    files = MemoryFiles()
    log = opened(files)
    transact(log, 2, 0, [("a", "aborted")], commit=False)
    transact(log, 2, 1, [("c", "1")], commit=True)
    log.roll(0)
    for now_ms in (0, 0, 5_000, 5_000):
        clean(log, now_ms=now_ms)
        crashed = MemoryFiles()
        crashed.content.update((path, bytearray(data)) for path, data in files.content.items())
        crashed.directories.update(files.directories)
        again = opened(crashed, recovery_point=log.log_end_offset)
        assert {a.last_offset for a in again.snapshot_aborted(0, 100)} <= {h.base_offset for h in headers(again)}
        assert 1 in {h.base_offset for h in headers(log)}


@pytest.mark.parametrize("crash", [True, False])
def test_a_producers_last_batch_stays_empty_if_it_must_so_that_a_retry_is_known(crash: bool) -> None:
    files = MemoryFiles()
    log = opened(files)
    batch = build_batch([b"a"], [b"1"], [5], producer=Producer(9, 0, 0))
    log.append(batch, leader_epoch=3, now_ms=0)
    put(log, ("a", "2"))
    log.roll(0)
    clean(log)
    assert rows(log) == [(1, "a", "2")]
    found = [(h.base_offset, h.count, h.producer_id, h.base_sequence) for h in headers(log)]
    assert found == [(0, 0, 9, 0), (1, 1, -1, -1)]
    if crash:
        for path in [p for p in files.content if p.endswith(".state")]:
            files.remove(path)
        log = opened(files)
    again = log.append(batch, leader_epoch=3, now_ms=0)
    assert (again.duplicate, again.base_offset) == (True, 0)


def test_the_empty_batch_of_a_producer_goes_once_it_has_sent_another() -> None:
    log = opened(MemoryFiles())
    for n in range(3):
        put(log, ("a", f"{n}"), producer=Producer(9, 0, n))
    log.roll(0)
    clean(log)
    assert [h.base_offset for h in headers(log)] == [2]


def test_the_marker_that_alone_tells_of_a_producers_epoch_stays() -> None:
    log = opened(MemoryFiles())
    marker = build_marker(commit=False, timestamp=5, producer=Producer(9, 4, -1, True))
    log.append(marker, leader_epoch=3, now_ms=0)
    put(log, ("a", "1"))
    log.roll(0)
    for now_ms in (0, 5_000, 50_000):
        clean(log, now_ms=now_ms)
        assert headers(log)[0].producer_epoch == 4


# Reading, and what follows


def test_a_reader_whose_next_record_is_gone_goes_on_with_the_one_after_it() -> None:
    log = filled(MemoryFiles())
    clean(log)
    for offset in range(90):
        at = offset
        while not (columns := decode(log.read(at, 1, up_to=90)[0], 1_000)).offsets:
            at = parse_header(log.read(at, 1, up_to=90)[0]).last_offset + 1
        assert columns.offsets[-1] >= max(86, offset) >= columns.offsets[0] or columns.offsets[0] == 86


def test_the_end_of_the_log_is_known_when_its_last_records_are_gone() -> None:
    files = MemoryFiles()
    log = opened(files)
    put(log, ("a", "1"))
    transact(log, 2, 0, [("a", "aborted")], commit=False)
    put(log, (None, "x"))
    log.roll(0)
    clean(log)
    log = opened(files, recovery_point=4)
    assert (log.log_end_offset, log.quarantined) == (4, [])
    assert rows(log) == [(0, "a", "1")]
    assert put(log, ("b", "1")) == 4


def test_times_are_found_in_a_cleaned_log() -> None:
    log = opened(MemoryFiles())
    for n in range(40):
        put(log, (f"k{n % 10}", f"{n}"), at_ms=100 * n)
    log.roll(0)
    clean(log)
    assert log.max_timestamp == 3_900
    assert log.offset_for_timestamp(0, 40) == (30, 3_000)
    assert log.offset_for_timestamp(3_101, 40) == (32, 3_200)
    assert log.offset_for_timestamp(3_901, 40) is None


def test_a_batch_without_records_is_nobodys_newest() -> None:
    log = opened(MemoryFiles())
    put(log, ("a", "1"), at_ms=5)
    put(log, ("b", "1"), at_ms=900, producer=Producer(9, 0, 0))
    put(log, ("b", "2"), at_ms=7)
    log.roll(0)
    clean(log)
    assert log.max_timestamp == 7
    assert log.offset_for_timestamp(8, 3) is None


@pytest.mark.parametrize("codec", range(5))
def test_batches_keep_their_codec(codec: int) -> None:
    log = opened(MemoryFiles())
    put(log, ("a", "1"), ("b", "1"), codec=codec)
    put(log, ("a", "2"), codec=codec)
    log.roll(0)
    clean(log)
    assert [(h.codec, h.count, h.leader_epoch) for h in headers(log)] == [(codec, 1, 3), (codec, 1, 3)]
    assert rows(log) == [(1, "b", "1"), (2, "a", "2")]


def test_a_batch_nobody_can_open_stays_as_it_is() -> None:
    log = opened(MemoryFiles())
    batch = build_batch([b"a"], [b"1"], [5])
    batch[61] ^= 0xFF  # The record's length.
    batch[17:21] = crc32c(bytes(batch[21:])).to_bytes(4, "big")
    put(log, ("a", "0"))
    log.append(batch, leader_epoch=3, now_ms=0)
    put(log, ("a", "2"))
    log.roll(0)
    clean(log)
    assert [h.base_offset for h in headers(log)] == [1, 2]


# What doesn't fit, is damaged, or comes between


def test_when_the_keys_do_not_fit_the_next_run_goes_on() -> None:
    log = opened(MemoryFiles())
    for n in range(60):
        put(log, (f"key-{n % 30}", f"{n}"))
    log.roll(0)
    little = replace(CONFIG, map_bytes_max=2_000)
    before, runs = -1, 0
    while (dirty := log.dirt(little, 60, 10)).dirty_bytes and dirty.first > before:
        before, runs = dirty.first, runs + 1
        clean(log, little)
    assert runs > 3
    assert rows(log) == [(n, f"key-{n % 30}", f"{n}") for n in range(30, 60)]


def test_segments_with_damage_stay_as_they_are_and_markers_behind_them_too() -> None:
    files = MemoryFiles()
    log = filled(files)
    transact(log, 2, 0, [("x", "1")], commit=True)
    transact(log, 2, 1, [("x", "2")], commit=True)
    log.roll(0)
    log.close()
    damaged = sorted(p for p in files.content if p.endswith(".log"))[2]
    files.content[damaged][150] ^= 1
    bytes_before = bytes(files.content[damaged])
    log = opened(files, recovery_point=94, clean=True)
    for now_ms in (0, 5_000, 10_000):
        clean(log, now_ms=now_ms)
        put(log, ("z", "z"))
        log.roll(0)
    assert bytes(files.content[damaged]) == bytes_before
    assert len(log.quarantined) == 1, "reported once"
    log.accept_loss()
    assert [h.base_offset for h in headers(log) if h.control] == [91, 93]
    assert [r for r in rows(log) if r[0] in (86, 87, 88, 89)] == [(n, f"k{n % 4}", f"{n}") for n in range(86, 90)]


@pytest.mark.parametrize("steps", range(0, 60, 3))
def test_records_deleted_and_read_during_a_run_are_as_without_it(steps: int) -> None:
    """A run that is stopped anywhere leaves the log as before, or cleaned up to some segment."""
    log = filled(MemoryFiles())
    run = log.compaction(CONFIG, 90, 10)
    for _ in range(steps):
        run.advance(1)
        assert rows(log)[-4:] == [(n, f"k{n % 4}", f"{n}") for n in range(86, 90)]
        run.apply()
        assert rows(log)[-4:] == [(n, f"k{n % 4}", f"{n}") for n in range(86, 90)]
    log.delete_before(40)
    assert log.log_start_offset == 40
    run.advance(1)
    assert run.done
    assert [r for r in rows(log) if r[0] >= 86] == [(n, f"k{n % 4}", f"{n}") for n in range(86, 90)]
    clean(log)
    assert rows(log) == [(n, f"k{n % 4}", f"{n}") for n in range(86, 90)]


@pytest.mark.parametrize("steps", range(0, 60, 3))
def test_a_log_truncated_during_a_run_ends_where_it_was_told(steps: int) -> None:
    files = MemoryFiles()
    log = filled(files)
    run = log.compaction(CONFIG, 60, 10)
    for _ in range(steps):
        run.advance(1)
        run.apply()
    log.truncate_to(75)
    assert log.log_end_offset == 75
    put(log, ("new", "1"))
    log = opened(files, recovery_point=75)
    assert (log.log_end_offset, rows(log)[-1], log.quarantined) == (76, (75, "new", "1"), [])


def test_a_run_that_changes_nothing_writes_nothing() -> None:
    files = MemoryFiles()
    log = opened(files)
    put(log, ("a", "1"), ("b", "1"))
    log.roll(0)
    before = bytes(files.content[f"{DIRECTORY}/{0:020d}.log"])
    clean(log)
    assert bytes(files.content[f"{DIRECTORY}/{0:020d}.log"]) == before
    assert not [p for p in files.content if p.endswith((".cleaned", ".swap"))]
    assert log.dirt(CONFIG, 99, 10).dirty_bytes == 0
