"""A partition's log against a model, through any sequence of what may happen to it.

Append (plain, idempotent, transactional, as a follower), sent again, begin anew, roll, flush, compact, delete by
age, size and offset, truncate, rot and repair, close and open, and the power lost in the middle of any of these, at any
of the disk's operations. Whatever happened,
the log gives what the model gives: records by offset, its start and its end, what producers have sent and which
transactions are open, what readers of committed records see from wherever they begin, and where times are found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from streamflow.log.epochs import EpochStarts
from streamflow.log.errors import CorruptBatchError
from streamflow.log.model import Aborted, Identity
from streamflow.log.node.times import first_record_since
from streamflow.log.records import (
    NOBODY,
    Producer,
    build_batch,
    build_marker,
    decode,
    marker_commits,
    parse_header,
    stamp,
)
from streamflow.log.storage.compaction import CompactionConfig
from streamflow.log.storage.partition import PartitionLog, SegmentConfig
from streamflow.log.storage.segment import FRAME_BYTES, Stored

sys.path.insert(0, str(Path(__file__).parent))
from disk import PowerLost, SimulatedDisk

WHO = Identity("events", UUID(int=7), 0)
CONFIG = SegmentConfig(segment_bytes=700, index_interval_bytes=150, retention_bytes=2_500, retention_ms=400)
COMPACT = CompactionConfig(segment_bytes=700, index_interval_bytes=150, delete_retention_ms=30)
BYTES_MAX = 1 << 20
READ_BYTES = 300

Row = tuple[bytes | None, bytes | None, int]
"""Key, value, timestamp."""


@dataclass
class Batch:
    base: int
    last: int
    producer: Producer
    rows: dict[int, Row]
    """Those that are left. A marker's is its own."""
    leader_epoch: int
    commits: bool | None = None
    """Of a marker."""
    horizon: int | None = None
    data: bytes = b""
    """As its producer sent it."""

    @property
    def marker(self) -> bool:
        return self.commits is not None


@dataclass
class Model:
    """What was appended and not truncated, in order, and what is left of it."""

    batches: list[Batch] = field(default_factory=list)
    start: int = 0
    epochs: EpochStarts = field(default_factory=EpochStarts)

    @property
    def end(self) -> int:
        return max(self.start, self.batches[-1].last + 1) if self.batches else self.start

    def append(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.epochs.assign(batch.leader_epoch, batch.base)

    def begin_at(self, start: int) -> None:
        self.start = start
        self.epochs.begin_at(start)

    def end_at(self, end: int) -> None:
        self.batches = [b for b in self.batches if b.last < end]
        self.epochs.truncate_to(self.end)
        if (self.batches[-1].last + 1 if self.batches else 0) < self.start:
            self.begin_anew()

    def begin_anew(self) -> None:
        """Nothing of what there was is left."""
        self.batches, self.epochs = [], EpochStarts()

    def aborted(self) -> list[Aborted]:
        """By their markers, all that ever were."""
        first: dict[int, int] = {}
        found = []
        for batch in self.batches:
            pid = batch.producer.id
            if batch.marker:
                begun = first.pop(pid, None)
                if begun is not None and not batch.commits:
                    found.append(Aborted(pid, begun, batch.last))
            elif batch.producer.transactional:
                first.setdefault(pid, batch.base)
        return found

    def open(self) -> dict[int, int]:
        """Where open transactions begin, by producer."""
        first: dict[int, int] = {}
        for batch in self.batches:
            if batch.marker:
                first.pop(batch.producer.id, None)
            elif batch.producer.transactional:
                first.setdefault(batch.producer.id, batch.base)
        return first

    def last_stable(self) -> int:
        return min([*self.open().values(), self.end])

    def was_aborted(self) -> Callable[[Batch], bool]:
        aborted = self.aborted()
        return lambda b: (
            b.producer.transactional
            and any(a.producer_id == b.producer.id and a.first_offset <= b.base < a.last_offset for a in aborted)
        )

    def rows(self) -> dict[int, Row]:
        """All there is, markers too."""
        return {o: row for b in self.batches for o, row in b.rows.items() if o >= self.start}

    def committed(self, start: int) -> dict[int, Row]:
        aborted, end = self.was_aborted(), self.last_stable()
        return {
            o: row
            for b in self.batches
            if not b.marker and not aborted(b)
            for o, row in b.rows.items()
            if start <= o < end
        }

    def producers(self) -> dict[int, tuple[int, int, int]]:
        """Epoch, last sequence, and where the open transaction begins, by producer; -1 for nothing."""
        known: dict[int, tuple[int, int]] = {}
        for batch in self.batches:
            pid, epoch = batch.producer.id, batch.producer.epoch
            if pid < 0:
                continue
            if pid not in known or epoch > known[pid][0]:
                known[pid] = (epoch, -1)
            if not batch.marker:
                known[pid] = (epoch, batch.producer.sequence + batch.last - batch.base)
        begun = self.open()
        return {pid: (*of, begun.get(pid, -1)) for pid, of in known.items()}

    def compact(self, mapped: int, rewritten: int, now_ms: int) -> None:
        """Args: mapped: below, keys are compared. rewritten: below, what was aborted goes too."""
        aborted, newest = self.was_aborted(), dict[bytes | None, int]()
        for batch in self.batches:
            if not batch.marker and not aborted(batch) and batch.base < mapped:
                newest.update((row[0], o) for o, row in batch.rows.items())
        for batch in self.batches:
            if batch.marker:
                continue
            if aborted(batch):
                batch.rows = {} if batch.base < rewritten else batch.rows
            elif batch.base < mapped:
                passed = batch.horizon is not None and batch.horizon <= now_ms
                rows = batch.rows.items()
                kept = {
                    o: r for o, r in rows if r[0] is not None and newest[r[0]] <= o and not (passed and r[1] is None)
                }
                if batch.horizon is None and any(row[1] is None for row in kept.values()):
                    batch.horizon = now_ms + COMPACT.delete_retention_ms
                batch.rows = kept


@dataclass
class Found:
    """What is in the log, read as a client reads it."""

    rows: dict[int, Row] = field(default_factory=dict)
    markers: set[int] = field(default_factory=set)
    horizons: dict[int, int] = field(default_factory=dict)
    data: set[int] = field(default_factory=set)
    """Where batches begin that aren't markers, empty ones too."""


def read(log: PartitionLog) -> Found:
    found, at = Found(), log.log_start_offset
    while at < log.log_end_offset:
        batches = log.read(at, READ_BYTES, up_to=log.log_end_offset)
        assert batches, f"nothing at {at} of {log}"
        for data in batches:
            header, columns = parse_header(data), decode(data, BYTES_MAX)
            assert header.last_offset >= at, "what is read is at the offset asked for, or behind it"
            at = header.last_offset + 1
            columns_by_row = zip(columns.keys, columns.values, columns.timestamps, strict=True)
            found.rows.update(zip(columns.offsets, columns_by_row, strict=True))
            if header.control:
                found.markers.add(header.base_offset)
            else:
                found.data.add(header.base_offset)
            if header.delete_horizon_ms is not None:
                found.horizons[header.base_offset] = header.delete_horizon_ms
    found.rows = {o: row for o, row in found.rows.items() if o >= log.log_start_offset}
    return found


def read_committed(log: PartitionLog, start: int) -> dict[int, Row]:
    """As Kafka's consumers do: a fetch at a time, with the aborted transactions it comes with."""
    found: dict[int, Row] = {}
    at, end = start, log.last_stable_offset(log.log_end_offset)
    while at < end:
        batches = log.read(at, READ_BYTES, up_to=end)
        assert batches, f"nothing at {at} of {log}"
        aborted, skipped = log.snapshot_aborted(at, end), set[int]()
        for data in batches:
            header = parse_header(data)
            while aborted and aborted[0].first_offset <= header.last_offset:
                skipped.add(aborted.pop(0).producer_id)
            if header.control:
                if not marker_commits(data):
                    skipped.discard(header.producer_id)
            elif not (header.transactional and header.producer_id in skipped):
                columns = decode(data, BYTES_MAX)
                by_row = zip(columns.keys, columns.values, columns.timestamps, strict=True)
                found.update((o, row) for o, row in zip(columns.offsets, by_row, strict=True) if o >= at)
            at = header.last_offset + 1
    return found


keys = st.sampled_from([b"a", b"b", b"c", b"d", b"a long key, longer than forty bytes for certain"])
values = st.one_of(st.none(), st.binary(max_size=60))
rows = st.lists(st.tuples(keys, values, st.integers(0, 99)), min_size=1, max_size=4)
pids = st.integers(1, 3)
"""A producer id is of one kind: these are idempotent, and ten more are transactional."""
shares = st.floats(0, 1)


class StorageMachine(RuleBasedStateMachine):
    """Each step is done whole, or power is lost in it (`crash_in`). The model takes it before the log does."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.now = 0
        self.flushed = 0
        self.noted = 0
        self.epoch = 0
        self.committed = 0
        """What deleting and compacting took for it: a high watermark, at least."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.disk = SimulatedDisk(Random(seed))
        self.log = self.opened(clean=False)

    def opened(self, *, clean: bool) -> PartitionLog:
        return PartitionLog.open(
            self.disk, "t/events", WHO, CONFIG, recovery_point=self.noted, clean=clean, now_ms=self.now
        )

    # What may happen

    @rule(rows=rows, codec=st.sampled_from([0, 0, 1, 3]), later=st.integers(0, 20))
    def append(self, rows: list[Row], codec: int, later: int) -> None:
        self.now += later
        self._append(rows, NOBODY, codec)

    @rule(rows=rows, pid=pids, transactional=st.booleans(), bump=st.integers(0, 9))
    def append_in_sequence(self, rows: list[Row], pid: int, transactional: bool, bump: int) -> None:
        pid += 10 * transactional
        epoch, last, begun = self.model.producers().get(pid, (0, -1, -1))
        if bump == 0 and begun < 0:
            epoch, last = epoch + 1, -1
        self._append(rows, Producer(pid, epoch, last + 1, transactional), 0)

    def _append(self, rows: list[Row], producer: Producer, codec: int) -> None:
        data = build_batch(*(list(column) for column in zip(*rows, strict=True)), producer=producer, codec=codec)
        base = self.model.end
        batch = Batch(base, base + len(rows) - 1, producer, dict(enumerate(rows, base)), self.epoch, data=bytes(data))
        self.model.append(batch)
        info = self.log.append(data, leader_epoch=self.epoch, now_ms=self.now)
        assert (info.base_offset, info.last_offset, info.duplicate) == (base, batch.last, False)

    @rule(
        sent=st.lists(rows, min_size=1, max_size=3),
        gaps=st.lists(st.integers(0, 3), min_size=3, max_size=3),
        later=st.integers(0, 1),
        cut=st.integers(0, 80),
    )
    def append_fetched(self, sent: list[list[Row]], gaps: list[int], later: int, cut: int) -> None:
        """As a follower: offsets left out, newer epochs, and the beginning of a batch that isn't whole."""
        self.epoch += later
        data, base = bytearray(), self.model.end
        for rows, gap in zip(sent, gaps, strict=False):
            made = build_batch(*(list(column) for column in zip(*rows, strict=True)))
            base += gap
            stamp(made, base, self.epoch)
            data += made
            self.model.append(Batch(base, base + len(rows) - 1, NOBODY, dict(enumerate(rows, base)), self.epoch))
            base += len(rows)
        first = parse_header(data).base_offset
        changed = data[:-1] + bytes([data[-1] ^ 1])
        with pytest.raises(CorruptBatchError):
            self.log.append_fetched(changed, self.now)
        info = self.log.append_fetched(data + made[: min(cut, len(made) - 1)], self.now)
        assert (info.base_offset, info.last_offset) == (first, base - 1)

    @rule(ahead=st.integers(-20, 20))
    def start_anew(self, ahead: int) -> None:
        offset = max(0, self.model.end + ahead)
        self.model.begin_anew()
        self.model.start, self.anew = offset, True
        self.noted = min(self.noted, offset)
        self.flushed = self.committed = offset
        self.log.start_anew(offset)

    @rule(which=shares, where=shares, change=st.integers(1, 255), then=st.sampled_from(["read", "reopen", "kill"]))
    def rot(self, which: float, where: float, change: int, then: str) -> None:
        """A byte of a batch isn't what it was; another replica has it."""
        whole = [bytes(b) for b in self.raw()]
        stored = [
            (s, f) for s in self.log._segments.all for f in s.walk()
            if isinstance(f, Stored) and f.header.last_offset >= self.model.start
        ]  # fmt: skip
        if not stored:
            return
        self.log.flush()
        segment, found = stored[round(which * (len(stored) - 1))]
        at = found.position + round(where * (FRAME_BYTES + found.header.size - 1))
        self.disk.rot(segment.path, at, change)
        if then != "read":
            self.noted = self.log.recovery_point
            self.log.close() if then == "reopen" else self.log.release()
            self.log = self.opened(clean=then == "reopen")
        self.find_damage()
        for lost in self.log.quarantined:
            assert self.log.repair(lost.first_offset, b"".join(whole))
            assert not self.log.repair(lost.first_offset, b"".join(whole))
        self.flushed = max(self.flushed, self.log.recovery_point)
        assert [bytes(b) for b in self.raw() if parse_header(b).producer_id >= 0 or parse_header(b).count] == [
            b for b in whole if parse_header(b).producer_id >= 0 or parse_header(b).count
        ]

    def raw(self) -> list[memoryview]:
        found, at = list[memoryview](), self.log.log_start_offset
        while at < self.log.log_end_offset:
            found += self.log.read(at, READ_BYTES, up_to=self.log.log_end_offset)
            at = parse_header(found[-1]).last_offset + 1
        return found

    def find_damage(self) -> None:
        at = self.log.log_start_offset
        while at < self.log.log_end_offset:
            try:
                at = parse_header(self.log.read(at, READ_BYTES, up_to=self.log.log_end_offset)[-1]).last_offset + 1
            except CorruptBatchError:
                at = next(q.next_offset for q in self.log.quarantined if q.first_offset <= at < q.next_offset)

    @rule(pid=pids, commits=st.booleans())
    def end_transaction(self, pid: int, commits: bool) -> None:
        pid += 10
        if pid not in self.model.open():
            return
        producer = Producer(pid, self.model.producers()[pid][0], -1, True)
        marker = build_marker(commit=commits, timestamp=self.now, producer=producer)
        columns, base = decode(marker, BYTES_MAX), self.model.end
        row = (columns.keys[0], columns.values[0], self.now)
        self.model.append(Batch(base, base, producer, {base: row}, self.epoch, commits))
        self.log.append(marker, leader_epoch=self.epoch, now_ms=self.now)

    @rule(pid=pids, transactional=st.booleans())
    def send_again(self, pid: int, transactional: bool) -> None:
        """The last batch, of which the answer was lost."""
        pid += 10 * transactional
        sent = [b for b in self.model.batches if b.producer.id == pid and not b.marker]
        epoch, last, _ = self.model.producers().get(pid, (-1, -1, -1))
        if not sent or last < 0 or sent[-1].producer.epoch != epoch:
            return
        info = self.log.append(sent[-1].data, leader_epoch=self.epoch, now_ms=self.now)
        assert (info.duplicate, info.base_offset, info.last_offset) == (True, sent[-1].base, sent[-1].last)

    @rule()
    def lead_anew(self) -> None:
        self.epoch += 1

    @rule(noted=st.booleans())
    def flush(self, noted: bool) -> None:
        self.flushed = self.log.flush()
        assert self.flushed == self.model.end
        if noted:
            self.noted = self.flushed

    @rule()
    def roll(self) -> None:
        self.log.roll(self.now)
        self.flushed = max(self.flushed, self.log.recovery_point)

    @rule(share=shares)
    def delete(self, share: float) -> None:
        offset = self.model.start + round(share * (self.flushed - self.model.start))
        if offset > self.model.start:
            self.model.begin_at(offset)
            self.committed = max(self.committed, offset)
        self.log.delete_before(offset)

    def stable(self) -> int:
        """How far a log may be deleted or compacted."""
        self.committed = max(self.committed, self.flushed)
        return min(self.flushed, self.model.last_stable())

    @rule(later=st.sampled_from([0, 100, 500]))
    def retain(self, later: int) -> None:
        """What is too old or too much is for the log to say; it may be whole segments that are flushed and stable."""
        self.now += later
        limit = self.stable()
        starts = [base for base in self.log._segments.bases if base <= limit]
        self.may_begin_at = {*starts, self.model.start}
        self.log.apply_retention(self.now, limit)
        assert self.log.log_start_offset in self.may_begin_at
        if self.log.log_start_offset > self.model.start:
            self.model.begin_at(self.log.log_start_offset)

    @rule(later=st.sampled_from([0, 10, 40]), keys=st.sampled_from([1, 3, 1_000]), step=st.sampled_from([1, 10_000]))
    def compact(self, later: int, keys: int, step: int) -> None:
        """Args: keys: how many are remembered at a time, more or less."""
        self.now += later
        config = replace(COMPACT, map_bytes_max=keys * 150)
        dirt = self.log.dirt(config, self.stable(), self.now)
        end = dirt.end
        if not dirt.dirty_bytes:
            return
        bases, before = [*self.log._segments.bases], deepcopy(self.model)
        self.model.compact(end, end, self.now)
        run = self.log.compaction(config, end, self.now)
        while not run.done:
            run.advance(step)
            run.apply()
        mapped = self.log._kept.cleaned_to
        assert mapped <= end and (mapped == end or keys < 1_000)
        self.model = before
        self.model.compact(mapped, next(base for base in [*bases, mapped] if base >= mapped), self.now)
        self.take_markers(read(self.log))

    def take_markers(self, found: Found) -> None:
        """A marker may go when no batch of its transaction is left; when it does is for the log to say."""
        left: dict[int, list[int]] = {}
        for batch in self.model.batches:
            of = left.setdefault(batch.producer.id, [])
            if not batch.marker:
                of += [batch.base] if batch.base in found.data else []
                continue
            if batch.rows and batch.base >= self.model.start and batch.base not in found.markers:
                assert not of, f"the marker at {batch.base} ended what is at {of}"
                batch.rows = {}
            of.clear()

    @rule(share=shares)
    def truncate(self, share: float) -> None:
        """Never what was committed: only that may be deleted or compacted."""
        floor = max(self.model.start, self.committed)
        offset = floor + round(share * (self.model.end - floor))
        if offset >= self.model.end:
            return
        self.model.end_at(offset)
        self.noted, self.flushed = min(self.noted, self.model.end), min(self.flushed, self.model.end)
        self.log.truncate_to(offset)
        self.take_epochs_of_nothing()

    def take_epochs_of_nothing(self) -> None:
        """A log without records may still know in which epoch the last was written."""
        if self.model.end == self.model.start:
            assert len(self.log.epochs.entries) <= 1
            self.model.epochs = EpochStarts(self.log.epochs.entries)

    @rule()
    def reopen(self) -> None:
        self.log.close()
        self.flushed = self.noted = self.log.recovery_point
        self.log = self.opened(clean=True)

    @rule()
    def kill(self) -> None:
        """The process, not the machine: what was written is there."""
        self.log.release()
        self.log = self.opened(clean=False)
        self.flushed = self.model.end

    # The power goes

    @rule(data=st.data(), operations=st.integers(0, 25))
    def crash_in(self, data: st.DataObject, operations: int) -> None:
        """In one of the others, once the disk has done so many operations in it, or after it."""
        name = data.draw(st.sampled_from(sorted(ARGUMENTS)), label="in")
        given = {of: data.draw(values, label=of) for of, values in ARGUMENTS[name].items()}
        before, flushed = deepcopy(self.model), self.flushed
        self.may_begin_at, self.anew = set[int](), False
        self.disk.crash_at = self.disk.operations + operations
        with suppress(PowerLost):
            getattr(self, name)(**given)
        self.disk.restart()
        removes = name in ("truncate", "start_anew")
        self.recover(before, min(flushed, self.model.end) if removes else flushed)

    def recover(self, before: Model, flushed: int) -> None:
        """What is left is from before the step, or from after it, or of both where it has parts."""
        after = self.model
        self.log = self.opened(clean=False)
        start, end = self.log.log_start_offset, self.log.log_end_offset
        if self.anew and (start, end) == (after.start, after.end):
            before = after
        elif self.anew:
            after = before
        assert self.log.quarantined == [], "a disk that loses power isn't taken for one that rots"
        assert start in {before.start, after.start, *self.may_begin_at}
        assert end >= flushed
        longer = max(before, after, key=lambda m: m.end)
        self.model = replace(longer, batches=[b for b in longer.batches if b.last < end], start=0)
        self.model.epochs.truncate_to(end)
        if end == start and (not self.model.batches or self.model.batches[-1].last + 1 < end):
            self.model.begin_anew()
        assert end in (self.model.end, start), "it ends with a batch"
        self.model.begin_at(start)
        found, least, most = read(self.log), after.rows(), {**after.rows(), **before.rows()}
        markers = {b.base for b in longer.batches if b.marker}
        assert found.rows.items() <= most.items()
        assert {o for o in least if start <= o < end} - markers <= found.rows.keys()
        self.take_markers(found)
        for batch in self.model.batches:
            batch.rows = {o: r for o, r in sorted(most.items()) if batch.base <= o <= batch.last and o in found.rows}
            batch.horizon = found.horizons.get(batch.base)
        self.take_epochs_of_nothing()
        self.flushed, self.noted = end, min(self.noted, end)

    # What holds then

    @invariant()
    def the_log_is_the_models(self) -> None:
        if not hasattr(self, "log"):
            return
        log, model = self.log, self.model
        assert (log.log_start_offset, log.log_end_offset) == (model.start, model.end)
        found = read(log)
        assert found.rows == model.rows()
        for batch in model.batches:
            if batch.rows and batch.base >= model.start and not batch.marker:
                assert found.horizons.get(batch.base) == batch.horizon
        assert log.quarantined == []

    @invariant()
    def producers_and_transactions_are_the_models(self) -> None:
        if not hasattr(self, "log"):
            return
        log, model = self.log, self.model
        states = {s.producer_id: (s.epoch, s.last_sequence, s.open_since) for s in log.producers.states()}
        assert states == model.producers(), f"{states} != {model.producers()}"
        assert log.last_stable_offset(model.end) == model.last_stable()
        assert log.epochs.entries == model.epochs.entries
        assert set(log.snapshot_aborted(0, model.end)) <= set(model.aborted())

    @invariant()
    def committed_readers_see_what_was_committed_from_wherever_they_begin(self) -> None:
        if not hasattr(self, "log"):
            return
        model = self.model
        for start in {model.start, (model.start + model.end) // 2, max(model.start, model.end - 3)}:
            assert read_committed(self.log, start) == model.committed(start)

    @invariant()
    def times_are_found_where_the_records_are(self) -> None:
        if not hasattr(self, "log"):
            return
        rows = self.model.rows()
        for timestamp in (0, 50, 99, 300):
            first = min((o for o, row in rows.items() if row[2] >= timestamp), default=None)
            wanted = None if first is None else (first, rows[first][2])
            assert first_record_since(self.log, timestamp, self.model.end) == wanted


ARGUMENTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "append": {"rows": rows, "codec": st.just(0), "later": st.just(1)},
    "append_in_sequence": {"rows": rows, "pid": pids, "transactional": st.booleans(), "bump": st.integers(0, 9)},
    "end_transaction": {"pid": pids, "commits": st.booleans()},
    "flush": {"noted": st.booleans()},
    "roll": {},
    "delete": {"share": shares},
    "retain": {"later": st.sampled_from([0, 500])},
    "compact": {"later": st.sampled_from([0, 40]), "keys": st.sampled_from([1, 1_000]), "step": st.just(1)},
    "truncate": {"share": shares},
    "append_fetched": {
        "sent": st.lists(rows, min_size=1, max_size=3),
        "gaps": st.just([1, 0, 2]),
        "later": st.integers(0, 1),
        "cut": st.just(10),
    },
    "start_anew": {"ahead": st.integers(-20, 20)},
    "reopen": {},
}
"""Of the steps that power may be lost in."""

TestStorage = StorageMachine.TestCase
TestStorage.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_however_long_the_sequence() -> None:
    run_state_machine_as_test(
        StorageMachine,
        settings=settings(
            max_examples=400,
            stateful_step_count=80,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),  # Shrinking would take longer than all else.
            derandomize=True,
        ),
    )
