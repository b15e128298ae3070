"""A partition's log: segments in a row, append at the end, read anywhere.

Promises:

- Append and seek cost the same however much is stored: a bisection, and one write or a read of what is asked for.
  Open files and memory don't grow with it either.
- What was flushed is there after any crash, byte for byte and in order. What doesn't verify is quarantined: kept where
  it is, reported, never read as records, never silently skipped; what follows it stays readable. (`recovery`)
- Every read is verified against checksums that cover the batch's identity and place as well as its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from streamflow.log.epochs import EpochStarts
from streamflow.log.errors import (
    LogError,
    OffsetOutOfRangeError,
    StorageFullError,
)
from streamflow.log.model import Aborted, Identity
from streamflow.log.records import parse_header, set_append_time, stamp
from streamflow.log.storage.anew import begin_anew, finish_anew
from streamflow.log.storage.arrivals import Placed, from_leader, from_producer
from streamflow.log.storage.compaction import Compaction, CompactionConfig, Dirt, dirt
from streamflow.log.storage.files import Files
from streamflow.log.storage.history import History
from streamflow.log.storage.kept import Kept, Quarantine
from streamflow.log.storage.producers import Producers
from streamflow.log.storage.reader import Reader
from streamflow.log.storage.recovery import Recovery, segment_bases
from streamflow.log.storage.repair import replace_lost, within
from streamflow.log.storage.retention import retained_from
from streamflow.log.storage.segment import Stored
from streamflow.log.storage.segments import Segments
from streamflow.log.storage.swap import finish_swaps


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentConfig:
    """How a partition keeps its log. Kafka's names in brackets; -1 is "no limit"."""

    segment_bytes: int = 128 * 1024 * 1024
    """[segment.bytes] Kafka's 1 GiB less: a restart after a crash scans one segment."""
    segment_ms: int = 7 * 86_400_000
    """[segment.ms]"""
    retention_ms: int = 7 * 86_400_000
    """[retention.ms]"""
    retention_bytes: int = -1
    """[retention.bytes]"""
    message_bytes_max: int = 1_048_588
    """[max.message.bytes] Of a batch."""
    index_interval_bytes: int = 16 * 1024
    """[index.interval.bytes]"""
    append_time: bool = False
    """[message.timestamp.type = LogAppendTime]"""


@dataclass(frozen=True, slots=True)
class AppendInfo:
    """Where records went. A `duplicate` was there already."""

    base_offset: int
    last_offset: int
    max_timestamp: int
    duplicate: bool = False


class PartitionLog:
    """See the module. For one thread, but that `flush` may run on another beside all except `truncate_to`, `start_anew`
    and `repair`."""

    def __init__(self, files: Files, path: str, identity: Identity, config: SegmentConfig, kept: Kept) -> None:
        self.identity = identity
        self.config = config
        self.recovery_point = 0
        self._segments = Segments(files, path, identity)
        self._compaction: Compaction | None = None
        self._kept = kept
        self._history = History(files, path)
        self._reader = Reader(self._segments, kept)
        self._rolled_ms = 0

    def __repr__(self) -> str:
        start, end = self.log_start_offset, self.log_end_offset
        return f"<PartitionLog {self.identity} {start}..{end} flushed {self.recovery_point}>"

    # Opening and closing

    @classmethod
    def open(
        cls,
        files: Files,
        path: str,
        identity: Identity,
        config: SegmentConfig,
        *,
        recovery_point: int,
        clean: bool,
        now_ms: int,
    ) -> PartitionLog:
        """Opens the log, or creates it.

        Args:
            recovery_point: everything below was flushed, as far as was noted.
            clean: the last stop was clean: the end of the log can be trusted.

        Raises: LogError.
        """
        files.make_directory(path)
        finish_anew(files, path, identity)
        finish_swaps(files, path, identity)
        bases = segment_bases(files, path)
        self = cls(files, path, identity, config, Kept(files, path, identity, bases[0] if bases else 0))
        self._rolled_ms = now_ms
        for base in bases:
            self._segments.open(base, config.index_interval_bytes)
        self._segments.drop_below(self.log_start_offset)
        if not bases:
            self._add_segment(self.log_start_offset)
        else:
            end = Recovery(identity, self._segments.all, self._kept, self._history, recovery_point).run(clean=clean)
            if end > self.log_end_offset:
                self._go_on_in_another(end)
            self._begin_anew_if_behind()
            self._segments.drop_below(self.log_start_offset)
        self._history.forget_from(self.log_end_offset)
        self._history.begin_at(self.log_start_offset)
        self.recovery_point = self.log_end_offset
        return self

    def _begin_anew_if_behind(self) -> None:
        """The log's start may lie above all that is left of it: in a batch that was truncated, or above records that
        were deleted, never flushed, and lost. Nothing is known of anybody then."""
        if self.log_end_offset < self.log_start_offset:
            self._history.forget_all()
            self._add_segment(self.log_start_offset)
            self._segments.drop_below(self.log_start_offset)

    def close(self) -> None:
        """Flushes, and saves what makes the next start quick."""
        self.flush()
        self._segments.active.save_index()
        self._history.save(self.log_end_offset, self._segments.bases)
        self.release()

    def release(self) -> None:
        """Closes the files as they are."""
        with suppress(LogError):  # What can't be finished now is finished by the next start.
            self._stop_compaction()
        self._segments.close()

    # What there is

    @property
    def log_start_offset(self) -> int:
        return self._kept.log_start_offset

    @property
    def log_end_offset(self) -> int:
        return self._segments.active.next_offset

    @property
    def epochs(self) -> EpochStarts:
        return self._history.epochs

    @property
    def size_bytes(self) -> int:
        return self._segments.size_bytes

    @property
    def max_timestamp(self) -> int:
        """The newest record's; -1 when none is known."""
        return max(s.max_timestamp for s in self._segments.all)

    @property
    def segment_count(self) -> int:
        return len(self._segments.all)

    @property
    def quarantined(self) -> list[Quarantine]:
        return self._kept.quarantined

    @property
    def producers(self) -> Producers:
        """What is known of who wrote here."""
        return self._history.producers

    def last_stable_offset(self, high_watermark: int) -> int:
        """How far committed readers may go: the first open transaction, or the high watermark."""
        first = self._history.producers.first_open()
        return high_watermark if first is None else min(first, high_watermark)

    def open_transaction(self, producer_id: int) -> int | None:
        """Where the producer's open transaction begins here; None when it has none."""
        return self._history.producers.open_since(producer_id)

    def open_transactions(self) -> list[tuple[int, int]]:
        """Producer id and epoch of every transaction without a marker here."""
        return self._history.producers.open_transactions()

    def snapshot_aborted(self, start: int, end: int) -> list[Aborted]:
        """Aborted transactions that touch [start, end), by first offset."""
        return self._history.producers.aborted(start, end)

    # Writing

    def append(self, batches: bytes | bytearray | memoryview, *, leader_epoch: int, now_ms: int) -> AppendInfo:
        """Appends one batch or more as the leader: checks them, gives them their offsets, writes once.

        Raises: CorruptBatchError, RecordTooLargeError, ProducerFencedError, OutOfOrderSequenceError, StorageFullError,
        StorageFailedError; nothing of them is in the log then.
        """
        data = bytearray(batches)
        headers, duplicate = from_producer(data, self.producers, self.config.message_bytes_max, self.identity)
        if duplicate is not None:
            return AppendInfo(duplicate[0], duplicate[1], -1, duplicate=True)
        first = offset = self.log_end_offset
        view, at, placed = memoryview(data), 0, Placed()
        for header in headers:
            stamp(data, offset, leader_epoch, at)
            if self.config.append_time and not header.control:
                set_append_time(data, header, now_ms, at)
            placed.append((parse_header(view, at), view[at : at + header.size]))
            offset += header.last_offset_delta + 1
            at += header.size
        return self._append(placed, first, now_ms)

    def append_fetched(self, batches: bytes | bytearray | memoryview, now_ms: int) -> AppendInfo:
        """Appends what a leader answered to a fetch, as it is: offsets, epochs and times are the leader's, who has
        decided what may be written. Offsets may be left out where it was compacted. A batch cut short at the end is
        left for the next fetch.

        Raises: CorruptBatchError, also for offsets that are in the log already; StorageFullError, StorageFailedError.
        Nothing of them is in the log then.
        """
        end = self.log_end_offset
        return self._append(from_leader(memoryview(batches), end, self.identity), end, now_ms)

    def _append(self, placed: Placed, first: int, now_ms: int) -> AppendInfo:
        """Args: first: the offset of the first, if there is one."""
        if not placed:
            return AppendInfo(first, first - 1, -1)
        self._roll_if_due(sum(header.size for header, _ in placed), now_ms)
        self._segments.active.append(placed, self.recovery_point)
        for header, batch in placed:
            self._history.learn(header, batch)
        newest = max(header.max_timestamp for header, _ in placed)
        return AppendInfo(placed[0][0].base_offset, placed[-1][0].last_offset, newest)

    def _roll_if_due(self, size: int, now_ms: int) -> None:
        active = self._segments.active
        if active.next_offset == active.base_offset:
            self._rolled_ms = now_ms
            return
        full = active.size + size > self.config.segment_bytes
        if full or now_ms - self._rolled_ms >= self.config.segment_ms:
            self.roll(now_ms)

    def roll(self, now_ms: int) -> None:
        """Seals the active segment, unless it is empty, and begins another. What is sealed is flushed: recovery relies
        on it."""
        active = self._segments.active
        if active.next_offset == active.base_offset:
            return
        self.flush()
        active.save_index()
        self._go_on_in_another(self.log_end_offset)
        self._rolled_ms = now_ms

    def _go_on_in_another(self, base_offset: int) -> None:
        """What came before is noted first: a start that finds the segment finds that too."""
        self._history.save(base_offset, self._segments.bases)
        self._add_segment(base_offset)

    def _add_segment(self, base_offset: int) -> None:
        self._segments.add(base_offset, self.config.index_interval_bytes)

    def flush(self) -> int:
        """Everything appended before the call is durable when it returns. Returns: the new recovery point."""
        end = self.log_end_offset
        if end > self.recovery_point:
            self._segments.active.sync()
            self.recovery_point = max(self.recovery_point, end)
        return self.recovery_point

    # Reading

    def read(self, offset: int, max_bytes: int, *, up_to: int) -> list[memoryview]:
        """Whole batches from the one that holds `offset`, below `up_to`: `max_bytes` or somewhat more, and one at
        least where there is one.

        Raises: OffsetOutOfRangeError; CorruptBatchError where the bytes don't verify.
        """
        return self._reader.read(offset, max_bytes, up_to)

    def offset_for_timestamp(self, timestamp: int, up_to: int) -> tuple[int, int] | None:
        """The first batch below `up_to` whose newest record is at or after the timestamp: its base offset and that
        timestamp, for the caller to look inside; None when there is none."""
        return self._reader.offset_for_timestamp(timestamp, up_to)

    def accept_loss(self) -> list[Quarantine]:
        """Quarantined ranges are read over from now on. Returns: those that weren't before."""
        return self._kept.accept()

    # Removing

    def delete_before(self, offset: int) -> None:
        """The log begins at `offset` now; segments wholly below are deleted."""
        if not self.log_start_offset < offset <= self.log_end_offset:
            return
        self._stop_compaction()
        self._kept.begin_at(offset)
        self._segments.drop_below(offset)
        self._history.begin_at(offset)

    def apply_retention(self, now_ms: int, limit_offset: int) -> int:
        """Deletes segments too old or too many, never the active one or one above the limit. Returns: how many.

        Args: limit_offset: to below it the log is never truncated.
        """
        self._history.forget_below(min(limit_offset, self._segments.active.base_offset))
        config, before = self.config, self.segment_count
        start = retained_from(
            self._segments.all,
            now_ms,
            limit_offset,
            retention_ms=config.retention_ms,
            retention_bytes=config.retention_bytes,
        )
        self.delete_before(start)
        return before - self.segment_count

    def truncate_to(self, offset: int) -> None:
        """Removes the batches that hold records at or above `offset`: another leader doesn't have them (KIP-101).

        Whoever calls has noted a recovery point that isn't above `offset` before: one above tells the next start that
        records are missing. Raises: OffsetOutOfRangeError below the log's start.
        """
        if offset >= self.log_end_offset:
            return
        if offset < self.log_start_offset:
            raise OffsetOutOfRangeError(str(self.identity), offset, self.log_start_offset, self.log_end_offset)
        self._stop_compaction()
        self._history.forget_from(offset)
        self._segments.drop_above(offset)
        active = self._segments.active
        for found in active.walk(active.position_of(offset)):
            end = found.header.last_offset + 1 if isinstance(found, Stored) else found.next_offset
            if end is None or end > offset:
                active.cut(found.position)
                break
        active.sync()
        self._kept.end_at(active.next_offset)
        self._begin_anew_if_behind()
        self.recovery_point = min(self.recovery_point, self.log_end_offset)
        known = self._history.load(self.log_end_offset)
        if known < self.log_end_offset:
            for batch in self._reader.walk(known):
                if isinstance(batch, Stored) and batch.header.base_offset >= known:
                    self._history.learn(batch.header, batch.data)
        self._history.begin_at(self.log_start_offset)
        with suppress(StorageFullError):
            self._save_history(self._segments.active.base_offset, self._rolled_ms)

    def start_anew(self, offset: int) -> None:
        """Removes everything; the log is empty and begins at `offset`: for a follower whose log ends below its
        leader's start. Whoever calls has noted a recovery point that isn't above `offset` before.

        Raises: LogError; nothing is changed then. StorageFailedError: the log must be opened again.
        """
        self._stop_compaction()
        begin_anew(self._segments, offset, self.config.index_interval_bytes)
        self._kept.begin_anew_at(offset)
        self._history.forget_all()
        self.recovery_point = offset

    def repair(self, first_offset: int, batches: bytes | bytearray | memoryview) -> bool:
        """Puts another replica's batches where those that can't be read were. Blocks, for as long as it takes to read
        the log from there: what follows may have to do with them.

        Args:
            first_offset: of a range in `quarantined`.
            batches: all that the other has of the range, as fetched; batches around it are left out.

        Returns: False when there is no such range (any more).
        Raises: CorruptBatchError, StorageFullError, StorageFailedError; nothing is changed then.
        """
        lost = next((q for q in self._kept.quarantined if q.first_offset == first_offset), None)
        if lost is None:
            return False
        found = within(from_leader(memoryview(batches), 0, self.identity), lost)
        self._stop_compaction()
        if lost.next_offset > self._segments.active.base_offset:
            self.roll(self._rolled_ms)
        replace_lost(self._segments, lost, found, self.config.index_interval_bytes)
        self._history.learn_again(first_offset, self._reader.walk)
        self._history.begin_at(self.log_start_offset)
        self._kept.found_again(first_offset)  # At last: cut short, it has to be done again.
        return True

    # Compacting

    def dirt(self, config: CompactionConfig, limit_offset: int, now_ms: int) -> Dirt:
        """What may be compacted below the limit."""
        return dirt(self._segments, self._kept.cleaned_to, limit_offset, config, now_ms)

    def compaction(self, config: CompactionConfig, end: int, now_ms: int) -> Compaction:
        """Begins a run up to `end`, as `dirt` has it. Deleting and truncating stop it; one that runs is stopped.

        Raises: LogError.
        """
        self._stop_compaction()
        self._save_history(end, now_ms)
        self._history.forget_below(end)
        self._compaction = Compaction(self._segments, self._kept, self._history, config, end, now_ms)
        return self._compaction

    def _save_history(self, since: int, now_ms: int) -> None:
        """No start has to learn of producers and epochs from what is below: that may be deleted or compacted."""
        if not self._history.is_saved_within(since, self._segments.active.base_offset):
            self.roll(now_ms)
            self._history.save(self.log_end_offset, self._segments.bases)

    def _stop_compaction(self) -> None:
        if self._compaction is not None:
            self._compaction.stop()
            self._compaction = None


def by_kafka_names(config: Mapping[str, str]) -> SegmentConfig:
    """A topic's settings, those that concern its log. Raises: ValueError for a number that isn't one."""
    names = {
        "segment.bytes": "segment_bytes",
        "segment.ms": "segment_ms",
        "retention.ms": "retention_ms",
        "retention.bytes": "retention_bytes",
        "max.message.bytes": "message_bytes_max",
        "index.interval.bytes": "index_interval_bytes",
    }
    numbers = {field: int(config[name]) for name, field in names.items() if name in config}
    return SegmentConfig(**numbers, append_time=config.get("message.timestamp.type") == "LogAppendTime")
