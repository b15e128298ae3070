"""Power lost at every moment of a partition's life: what was flushed is there, and nothing that was never written."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from streamflow.log.errors import CorruptBatchError
from streamflow.log.model import Identity
from streamflow.log.records import NOBODY, Producer, build_batch, decode, parse_header, stamp
from streamflow.log.storage.compaction import CompactionConfig
from streamflow.log.storage.partition import PartitionLog, SegmentConfig
from streamflow.log.storage.segment import Stored

sys.path.insert(0, str(Path(__file__).parent))
from disk import PowerLost, SimulatedDisk

WHO = Identity("events", UUID(int=7), 0)
CONFIG = SegmentConfig(segment_bytes=1_500, index_interval_bytes=200, retention_bytes=6_000, retention_ms=-1)
COMPACT = CompactionConfig(segment_bytes=1_500, index_interval_bytes=200)


def opened(disk: SimulatedDisk, recovery_point: int, *, clean: bool = False) -> PartitionLog:
    return PartitionLog.open(disk, "t/events", WHO, CONFIG, recovery_point=recovery_point, clean=clean, now_ms=0)


class Life:
    """A program that appends, flushes, rolls, truncates and removes at random, and remembers what it was promised."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.written: dict[int, bytes] = {}
        self.sent: dict[int, bytes] = {}
        """Batches by first offset, as their producer would send them again."""
        self.going: dict[int, bytes] = {}
        """What is being truncated: until that returns it may be there or not."""
        self.flushed = 0
        self.noted = 0
        self.start = 0

    def run(self, disk: SimulatedDisk, steps: int = 30) -> None:
        partition = opened(disk, 0)
        for _ in range(steps):
            action = self.chance.choices(
                ["append", "flush", "roll", "delete", "retain", "reopen", "truncate"], [10, 3, 1, 1, 1, 1, 1]
            )[0]
            if action == "append":
                self.append(partition)
            elif action == "flush":
                self.flushed = partition.flush()
                if self.chance.random() < 0.5:
                    self.noted = self.flushed
            elif action == "roll":
                partition.roll(0)
                self.flushed = partition.recovery_point
            elif action == "delete":
                partition.delete_before(self.chance.randint(self.start, max(self.start, self.flushed)))
                self.start = partition.log_start_offset
            elif action == "retain":
                partition.apply_retention(0, self.flushed)
                self.start = max(self.start, partition.log_start_offset)
            elif action == "truncate":
                self.truncate(partition)
            else:
                partition.close()
                self.flushed = self.noted = partition.recovery_point
                partition = opened(disk, self.noted, clean=True)

    def append(self, partition: PartitionLog) -> None:
        count = self.chance.randint(1, 6)
        first = partition.log_end_offset
        values = [f"{n}:{self.chance.random()}".encode() for n in range(first, first + count)]
        self.written.update(zip(range(first, first + count), values, strict=True))
        batch = build_batch([None] * count, values, [0] * count, producer=Producer(9, 0, first))
        self.sent[first] = bytes(batch)
        partition.append(batch, leader_epoch=0, now_ms=0)

    def truncate(self, partition: PartitionLog) -> None:
        offset = self.chance.randint(partition.log_start_offset, partition.log_end_offset)
        end = max((o for o in [*self.sent, partition.log_end_offset] if o <= offset), default=offset)
        self.flushed, self.noted = min(self.flushed, end), min(self.noted, end)
        self.going = {n: v for n, v in self.written.items() if n >= end}
        self.written = {n: v for n, v in self.written.items() if n < end}
        self.sent = {n: v for n, v in self.sent.items() if n < end}
        partition.truncate_to(offset)
        assert partition.log_end_offset == max(end, partition.log_start_offset)
        self.going = {}


def count_of(batch: bytes) -> int:
    return parse_header(batch).count


def read_all(partition: PartitionLog) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = partition.log_start_offset
    while at < partition.log_end_offset:
        batches = partition.read(at, 500, up_to=partition.log_end_offset)
        if not batches:
            break  # nothing but ranges whose loss was accepted
        for data in batches:
            columns = decode(data, 10**6)
            found.update(zip(columns.offsets, columns.values, strict=True))
            at = parse_header(data).last_offset + 1
    return found


@pytest.mark.parametrize("seed", range(24))
def test_at_whatever_moment_the_power_goes_what_was_flushed_is_there(seed: int) -> None:
    whole = SimulatedDisk(Random(seed))
    Life(seed).run(whole)
    for crash_at in range(whole.operations):
        disk, life = SimulatedDisk(Random(seed * 1_000 + crash_at), crash_at), Life(seed)
        with pytest.raises(PowerLost):
            life.run(disk)
        disk.restart()
        partition = opened(disk, life.noted)
        assert partition.log_start_offset >= life.start
        assert partition.log_end_offset >= life.flushed
        check(partition, life)
        again = opened(disk, partition.recovery_point)
        check(again, life)


def check(partition: PartitionLog, life: Life) -> None:
    """Everything flushed reads back; what was never flushed reads back as written, or is cut. Nothing else was lost: a
    disk that loses power isn't taken for one that rots."""
    flushed = {n: v for n, v in life.written.items() if partition.log_start_offset <= n < life.flushed}
    assert partition.quarantined == []
    found = {n: v for n, v in read_all(partition).items() if n >= partition.log_start_offset}
    assert found.keys() >= flushed.keys()
    assert found.items() <= {**life.written, **life.going}.items()
    there = {} if life.going else {n: b for n, b in life.sent.items() if n + count_of(b) <= partition.log_end_offset}
    if there and max(there) >= partition.log_start_offset:
        again = partition.append(there[max(there)], leader_epoch=1, now_ms=0)
        assert (again.duplicate, again.base_offset) == (True, max(there))
    life.sent = there
    before = partition.log_end_offset
    partition.append(build_batch([None], [b"after"], [0]), leader_epoch=1, now_ms=0)
    assert read_all(partition)[before] == b"after"
    life.written, life.going = {**found, before: b"after"}, {}
    life.flushed = max(life.flushed, partition.flush())


@pytest.mark.parametrize("seed", range(4))
def test_at_whatever_moment_of_a_compaction_the_power_goes_the_newest_of_each_key_is_there_once(seed: int) -> None:
    def life(disk: SimulatedDisk) -> None:
        partition = opened(disk, 0)
        for n in range(80):
            partition.append(build_batch([b"%d" % (n % 7)], [b"%d" % n * 30], [0]), leader_epoch=0, now_ms=0)
        partition.roll(0)
        sealed.append(disk.operations)
        run = partition.compaction(COMPACT, 80, 0)
        while not run.done:
            run.advance(1)
            run.apply()

    sealed: list[int] = []
    whole = SimulatedDisk(Random(seed))
    life(whole)
    for crash_at in range(sealed[0], whole.operations):
        disk = SimulatedDisk(Random(seed * 1_000 + crash_at), crash_at)
        with pytest.raises(PowerLost):
            life(disk)
        disk.restart()
        partition = opened(disk, 80)
        assert (partition.log_start_offset, partition.log_end_offset, partition.quarantined) == (0, 80, [])
        found = read_all(partition)
        assert found.items() <= {n: b"%d" % n * 30 for n in range(80)}.items()
        assert found.keys() >= set(range(73, 80))


@pytest.mark.parametrize("ahead", [-30, -1, 0, 25])
def test_at_whatever_moment_the_power_goes_a_log_that_begins_anew_is_the_old_one_or_an_empty_one(ahead: int) -> None:
    def life(disk: SimulatedDisk) -> None:
        partition = opened(disk, 0)
        for n in range(60):
            partition.append(numbered(n, Producer(9, 0, n)), leader_epoch=3, now_ms=0)
        partition.delete_before(7)
        partition.flush()
        filled.append(disk.operations)
        partition.start_anew(60 + ahead)

    filled: list[int] = []
    whole = SimulatedDisk(Random(0))
    life(whole)
    ends = set()
    for crash_at in range(filled[0], whole.operations + 1):
        disk = SimulatedDisk(Random(crash_at), crash_at)
        with suppress(PowerLost):
            life(disk)
        disk.restart()
        partition = opened(disk, min(60, 60 + ahead))
        began = (partition.log_start_offset, partition.log_end_offset)
        ends.add(began)
        assert began in {(7, 60), (60 + ahead, 60 + ahead)} and partition.quarantined == []
        assert read_all(partition) == ({n: b"%d" % n * 30 for n in range(7, 60)} if began == (7, 60) else {})
        assert bool(partition.producers.is_known(9)) == bool(partition.epochs.entries) == (began == (7, 60))
        partition.append_fetched(fetched(partition.log_end_offset + 2), 0)
        partition.close()
        again = opened(disk, partition.recovery_point)
        assert again.log_end_offset == began[1] + 3 and again.quarantined == []
    assert len(ends) == 2


@pytest.mark.parametrize("lost", [0, 30, 59])
def test_at_whatever_moment_of_a_repair_the_power_goes_it_is_done_or_can_be_done_again(lost: int) -> None:
    copies: dict[int, bytes] = {}

    def life(disk: SimulatedDisk) -> None:
        partition = opened(disk, 0)
        for n in range(60):
            partition.append(numbered(n, Producer(9, 0, n)), leader_epoch=n // 20, now_ms=0)
        for n in range(60):
            copies[n] = bytes(partition.read(n, 1, up_to=60)[0])
        partition.close()
        partition = opened(disk, 60, clean=True)
        [segment] = [s for s in partition._segments.all if s.base_offset <= lost < s.next_offset]
        for found in segment.walk():
            assert isinstance(found, Stored)
            if found.header.base_offset in (lost, lost + 2):
                disk.rot(segment.path, found.position + 90, 1)
        partition = opened(disk, 60)
        find_damage(partition)
        broken.append(disk.operations)
        repair(partition)

    def repair(partition: PartitionLog) -> None:
        for quarantine in partition.quarantined[:1]:
            first, after = quarantine.first_offset, quarantine.next_offset
            partition.repair(first, b"".join(copies[n] for n in range(max(0, first - 3), min(60, after + 2))))

    broken: list[int] = []
    whole = SimulatedDisk(Random(0))
    life(whole)
    for crash_at in range(broken[0], whole.operations):
        disk = SimulatedDisk(Random(crash_at), crash_at)
        with pytest.raises(PowerLost):
            life(disk)
        disk.restart()
        partition = opened(disk, 60)
        assert (partition.log_start_offset, partition.log_end_offset) == (0, 60)
        find_damage(partition)
        known = {q.first_offset for q in partition.quarantined}
        assert known <= {lost, lost + 2}
        while partition.quarantined:
            repair(partition)
        assert read_all(partition) == {n: b"%d" % n * 30 for n in range(60)}
        assert [bytes(partition.read(n, 1, up_to=60)[0]) for n in range(60)] == list(copies.values())
        assert partition.epochs.entries == [(0, 0), (1, 20), (2, 40)]
        again = opened(disk, partition.recovery_point)
        find_damage(again)
        assert again.quarantined == [] and read_all(again).keys() == set(range(60))


def numbered(n: int, producer: Producer = NOBODY) -> bytearray:
    return build_batch([None], [b"%d" % n * 30], [0], producer=producer)


def fetched(offset: int) -> bytearray:
    made = numbered(offset)
    stamp(made, offset, 4)
    return made


def find_damage(partition: PartitionLog) -> None:
    for n in range(partition.log_start_offset, partition.log_end_offset):
        with suppress(CorruptBatchError):
            partition.read(n, 1, up_to=partition.log_end_offset)
