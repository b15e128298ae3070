"""A partition's log: segments in a row, append at the end, read anywhere.

Promises:

- Append and seek cost the same however much is stored: a bisection, and one write or a read of what is asked for.
- What was flushed is there after any crash, byte for byte and in order. After an unclean stop a torn tail is cut where
  nothing says that it was flushed: neither the recovery point nor a batch behind it. Anything else that doesn't verify
  is quarantined: kept where it is, reported, never read as records, never silently skipped. What follows it stays
  readable.
- Every read is verified against checksums that cover the batch's identity and place as well as its bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
import structlog

from streamflow.log.epochs import EpochStarts
from streamflow.log.errors import CorruptBatchError, OffsetOutOfRangeError, RecordTooLargeError
from streamflow.log.model import Aborted, Identity
from streamflow.log.records import LOG_APPEND_TIME, BatchHeader, check_crc, marker_commits, parse_header, stamp
from streamflow.log.storage.files import Files
from streamflow.log.storage.producers import Producers
from streamflow.log.storage.segment import Damage, Segment, Stored

log = structlog.get_logger("streamflow.log")

READ_BYTES_MAX = 8 * 1024 * 1024


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


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Offsets whose bytes don't verify: from `first_offset` to `next_offset` - 1."""

    first_offset: int
    next_offset: int
    path: str
    reason: str
    accepted: bool = False


class _Kept(msgspec.Struct, array_like=True):
    """What is known of a partition beside its segments. The rest can be made anew from them; this can't."""

    log_start_offset: int = 0
    quarantined: list[tuple[int, int, str, str, bool]] = []


class _State(msgspec.Struct, array_like=True):
    """What the batches below `offset` come to: a reading aid, saved when a segment is sealed."""

    offset: int
    producers: bytes
    epochs: list[tuple[int, int]]


class PartitionLog:
    """See the module. Not safe for use by several threads, but for `flush`, which may run beside reads."""

    def __init__(self, files: Files, path: str, identity: Identity, config: SegmentConfig) -> None:
        self.identity = identity
        self.config = config
        self.recovery_point = 0
        self.log_start_offset = 0
        self.epochs = EpochStarts()
        self._files = files
        self._path = path
        self._segments: list[Segment] = []
        self._bases: list[int] = []
        self._producers = Producers()
        self._quarantined: dict[int, Quarantine] = {}
        self._sealed_unsynced: list[Segment] = []
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
        self = cls(files, path, identity, config)
        self._rolled_ms = now_ms
        self.recovery_point = recovery_point
        files.make_directory(path)
        self._load_kept()
        bases = sorted(int(n[:-4]) for n in files.names(path) if n.endswith(".log"))
        self._segments = [Segment(files, path, identity, b, config.index_interval_bytes) for b in bases]
        self._bases = bases
        if not bases:
            self._add_segment(self.log_start_offset)
        else:
            self._recover(recovery_point, clean)
        self.recovery_point = self.log_end_offset
        return self

    def _load_kept(self) -> None:
        data = self._files.read(f"{self._path}/kept")
        kept = msgspec.msgpack.decode(data, type=_Kept) if data is not None else _Kept()
        self.log_start_offset = kept.log_start_offset
        self._quarantined = {q[0]: Quarantine(*q) for q in kept.quarantined}

    def _save_kept(self) -> None:
        found = [(q.first_offset, q.next_offset, q.path, q.reason, q.accepted) for q in self._quarantined.values()]
        self._files.replace(f"{self._path}/kept", msgspec.msgpack.encode(_Kept(self.log_start_offset, found)))

    def _recover(self, recovery_point: int, clean: bool) -> None:
        """Makes sure of the end of the log, and learns what its producers have done."""
        doubtful = 0
        if clean and self._segments[-1].load_index():
            doubtful = len(self._segments)
        else:
            doubtful = max(0, bisect_right(self._bases, recovery_point) - 1)
        for segment, following in zip(self._segments[:doubtful], self._bases[1:], strict=False):
            if not segment.load_index():
                list(segment.scan())
            segment.next_offset = following
        self._replay(doubtful, recovery_point)
        self._segments[-1].file  # noqa: B018  opened now, so that a missing file is an error of opening

    def _replay(self, doubtful: int, recovery_point: int) -> None:
        """Brings producers and epochs up to the end, scanning the doubtful segments whole."""
        first = self._load_state(self._bases[doubtful] if doubtful < len(self._bases) else None)
        for number, segment in enumerate(list(self._segments)):
            last = number == len(self._segments) - 1
            if number >= doubtful:
                self._scan(segment, recovery_point, last=last)
            elif segment.next_offset > first:
                for found in segment.walk(segment.position_of(first)):
                    if isinstance(found, Stored) and found.header.base_offset >= first:
                        self._learn(found.header, found.data)

    def _load_state(self, base: int | None) -> int:
        """The newest saved reading that is no newer than the doubtful part; where to go on from."""
        names = [n for n in self._files.names(self._path) if n.endswith(".state")]
        for name in sorted(names, reverse=True):
            if base is not None and int(name[:-6]) > base:
                continue
            data = self._files.read(f"{self._path}/{name}")
            try:
                state = msgspec.msgpack.decode(data or b"", type=_State)
                producers = Producers.restored(state.producers)
            except msgspec.MsgspecError as error:
                log.warning(
                    "saved producer state can't be read, made anew", path=f"{self._path}/{name}", error=str(error)
                )
                continue
            if base is None and state.offset > self.log_end_offset:
                continue
            self._producers = producers
            self.epochs = EpochStarts(state.epochs)
            return state.offset
        return 0

    def _scan(self, segment: Segment, recovery_point: int, *, last: bool) -> None:
        if not segment.sound_header():
            self._unreadable(segment, recovery_point, last=last)
            return
        tail: Damage | None = None
        for found in segment.scan():
            if isinstance(found, Stored):
                self._learn(found.header, found.data)
            elif last and max(recovery_point, segment.durable_behind(found)) <= found.offset:
                log.warning(
                    "torn tail cut: what was written last and not flushed",
                    partition=str(self.identity),
                    offset=found.offset,
                    bytes=segment.file.size() - found.position,
                )
                segment.cut(found.position)
            elif found.next_offset is not None:
                self._quarantine(segment, found)
            else:
                tail = found
        if tail is not None:
            self._keep_tail(segment, tail, last=last)
        segment.sync()

    def _keep_tail(self, segment: Segment, damage: Damage, *, last: bool) -> None:
        """The end of a segment doesn't verify though it was flushed: nothing is written behind it any more."""
        after = self._quarantine(segment, damage).next_offset
        segment.keep_tail()
        segment.next_offset = after
        if last:
            self._add_segment(after)

    def _unreadable(self, segment: Segment, recovery_point: int, *, last: bool) -> None:
        """A segment whose own header doesn't verify."""
        if last and segment.base_offset >= recovery_point and segment.file.size() <= 64:
            segment.create()
            segment.sync()
            return
        damage = Damage(
            segment.base_offset, 0, "the segment's header isn't this partition's", None, segment.file.size()
        )
        segment.damages.append(damage)
        self._keep_tail(segment, damage, last=last)

    def _quarantine(self, segment: Segment, damage: Damage) -> Quarantine:
        known = self._quarantined.get(damage.offset)
        if known is not None:
            return known
        after = damage.next_offset
        if after is None:
            following = [b for b in self._bases if b > segment.base_offset]
            after = following[0] if following else max(segment.next_offset, damage.offset + 1, self.recovery_point)
        found = Quarantine(damage.offset, after, segment.path, damage.reason)
        self._quarantined[damage.offset] = found
        self._save_kept()
        log.error(
            "corrupt records quarantined",
            partition=str(self.identity),
            first_offset=found.first_offset,
            next_offset=found.next_offset,
            path=found.path,
            reason=found.reason,
        )
        return found

    def close(self) -> None:
        """Flushes, and saves what makes the next start quick."""
        self.flush()
        self._segments[-1].save_index()
        self._save_state()
        self.release()

    def release(self) -> None:
        """Closes the files as they are."""
        for segment in self._segments:
            segment.close()

    def _save_state(self) -> None:
        state = _State(self.log_end_offset, self._producers.snapshot(), self.epochs.entries)
        self._files.replace(f"{self._path}/{self._bases[-1]:020d}.state", msgspec.msgpack.encode(state))

    # What there is

    @property
    def log_end_offset(self) -> int:
        return self._segments[-1].next_offset

    @property
    def size_bytes(self) -> int:
        return sum(s.size for s in self._segments)

    @property
    def segment_count(self) -> int:
        return len(self._segments)

    @property
    def quarantined(self) -> list[Quarantine]:
        return sorted(self._quarantined.values(), key=lambda q: q.first_offset)

    def last_stable_offset(self, high_watermark: int) -> int:
        """How far committed readers may go: the first open transaction, or the high watermark."""
        first = self._producers.first_open()
        return high_watermark if first is None else min(first, high_watermark)

    def open_transaction(self, producer_id: int) -> int | None:
        """Where the producer's open transaction begins here; None when it has none."""
        return self._producers.open_since(producer_id)

    def open_transactions(self) -> list[tuple[int, int]]:
        """Producer id and epoch of every transaction without a marker here."""
        return self._producers.open_transactions()

    def snapshot_aborted(self, start: int, end: int) -> list[Aborted]:
        """Aborted transactions that touch [start, end), by first offset."""
        return self._producers.aborted(start, end)

    # Writing

    def append(self, batches: bytes | bytearray | memoryview, *, leader_epoch: int, now_ms: int) -> AppendInfo:
        """Appends one batch or more as the leader: checks them, gives them their offsets, writes once.

        Raises: CorruptBatchError, RecordTooLargeError, ProducerFencedError, OutOfOrderSequenceError, StorageFullError,
        StorageFailedError; nothing of them is in the log then.
        """
        data = bytearray(batches)
        headers, duplicate = self._accept(data)
        if duplicate is not None:
            return AppendInfo(duplicate[0], duplicate[1], -1, duplicate=True)
        first = offset = self.log_end_offset
        view, at, placed = memoryview(data), 0, []
        for header in headers:
            stamp(data, offset, leader_epoch, at)
            if self.config.append_time and not header.control:
                _set_append_time(data, at, header, now_ms)
            placed.append((parse_header(view, at), view[at : at + header.size]))
            offset += header.last_offset_delta + 1
            at += header.size
        self._roll_if_due(len(data), now_ms)
        self._segments[-1].append(placed, self.recovery_point)
        for header, batch in placed:
            self._learn(header, batch)
        return AppendInfo(first, offset - 1, max(h.max_timestamp for h, _ in placed))

    def _accept(self, data: bytearray) -> tuple[list[BatchHeader], tuple[int, int] | None]:
        headers: list[BatchHeader] = []
        at = 0
        while at < len(data):
            header = parse_header(data, at)
            check_crc(data, header, at)
            if header.size > self.config.message_bytes_max:
                raise RecordTooLargeError(
                    f"a batch of {header.size} bytes for {self.identity}: max.message.bytes is "
                    f"{self.config.message_bytes_max}; send smaller records, or raise it"
                )
            if header.count != header.last_offset_delta + 1 or not header.count:
                raise CorruptBatchError(f"a batch of {header.count} records ends at delta {header.last_offset_delta}")
            duplicate = self._producers.check(header)
            if duplicate is not None:
                return headers, duplicate
            headers.append(header)
            at += header.size
        if not headers:
            raise CorruptBatchError(f"nothing to append to {self.identity}")
        return headers, None

    def _learn(self, header: BatchHeader, batch: memoryview) -> None:
        commits = marker_commits(batch) if header.control else None
        self._producers.appended(header, header.base_offset, commits=commits)
        self.epochs.assign(header.leader_epoch, header.base_offset)

    def _roll_if_due(self, size: int, now_ms: int) -> None:
        active = self._segments[-1]
        if active.next_offset == active.base_offset:
            self._rolled_ms = now_ms
            return
        full = active.size + size > self.config.segment_bytes
        if full or now_ms - self._rolled_ms >= self.config.segment_ms:
            self.roll(now_ms)

    def roll(self, now_ms: int) -> None:
        """Seals the active segment and begins another."""
        self.flush()
        self._segments[-1].save_index()
        self._add_segment(self.log_end_offset)
        self._save_state()
        self._rolled_ms = now_ms

    def _add_segment(self, base_offset: int) -> None:
        segment = Segment(self._files, self._path, self.identity, base_offset, self.config.index_interval_bytes)
        segment.create()
        segment.sync()
        self._files.sync_directory(self._path)
        self._segments.append(segment)
        self._bases.append(base_offset)

    def flush(self) -> int:
        """Everything appended before the call is durable when it returns. Returns: the new recovery point."""
        end = self.log_end_offset
        if end > self.recovery_point:
            self._segments[-1].sync()
            self.recovery_point = max(self.recovery_point, end)
        return self.recovery_point

    # Reading

    def read(self, offset: int, max_bytes: int, *, up_to: int) -> list[memoryview]:
        """Whole batches from the one that holds `offset`, below `up_to`: `max_bytes` or somewhat more, and one at
        least where there is one.

        Raises: OffsetOutOfRangeError; CorruptBatchError where the bytes don't verify.
        """
        if offset < self.log_start_offset or offset > self.log_end_offset:
            raise OffsetOutOfRangeError(str(self.identity), offset, self.log_start_offset, self.log_end_offset)
        batches: list[memoryview] = []
        size = 0
        for found in self._from(offset, min(max_bytes, READ_BYTES_MAX)):
            if isinstance(found, Quarantine):
                if found.accepted:
                    continue
                if batches:
                    break
                raise self._corrupt(found)
            if found.header.base_offset >= up_to or (batches and size + found.header.size > max_bytes):
                break
            if found.header.last_offset >= offset:
                batches.append(found.data)
                size += found.header.size
                if size >= max_bytes:
                    break
        return batches

    def _from(self, offset: int, read_bytes: int) -> Iterator[Stored | Quarantine]:
        """Batches and quarantined ranges from the one that holds the offset."""
        number = max(0, bisect_right(self._bases, offset) - 1)
        for segment in self._segments[number:]:
            if self._quarantined and segment.damages and segment.damages[0].position == 0:
                yield self._quarantine(segment, segment.damages[0])
                continue
            for found in segment.walk(segment.position_of(offset), max(read_bytes, 4096)):
                if isinstance(found, Stored):
                    yield found
                    continue
                quarantine = self._quarantine(segment, found)
                if quarantine.next_offset > offset:
                    yield quarantine

    def _corrupt(self, found: Quarantine) -> CorruptBatchError:
        return CorruptBatchError(
            f"offsets {found.first_offset} to {found.next_offset - 1} of {self.identity} can't be read: {found.reason} "
            f"({found.path}). The bytes are kept. To go on without them: streamflow topic accept-loss "
            f"{self.identity.topic} --partition {self.identity.partition}"
        )

    def offset_for_timestamp(self, timestamp: int, up_to: int) -> tuple[int, int] | None:
        """The first batch below `up_to` whose newest record is at or after the timestamp: its base offset and that
        timestamp, for the caller to look inside; None when there is none."""
        for segment in self._segments:
            if segment.max_timestamp < timestamp and segment is not self._segments[-1]:
                continue
            for found in segment.walk(segment.position_of_time(timestamp)):
                if isinstance(found, Damage):
                    self._quarantine(segment, found)
                elif found.header.base_offset >= up_to:
                    return None
                elif found.header.max_timestamp >= timestamp and found.header.last_offset >= self.log_start_offset:
                    return found.header.base_offset, found.header.max_timestamp
        return None

    def accept_loss(self) -> list[Quarantine]:
        """Quarantined ranges are read over from now on. Returns: those that weren't before."""
        found = [q for q in self.quarantined if not q.accepted]
        for q in found:
            self._quarantined[q.first_offset] = Quarantine(q.first_offset, q.next_offset, q.path, q.reason, True)
        if found:
            self._save_kept()
        return found

    # Removing

    def delete_before(self, offset: int) -> None:
        """The log begins at `offset` now; segments wholly below are deleted."""
        if not self.log_start_offset < offset <= self.log_end_offset:
            return
        self.log_start_offset = offset
        self._save_kept()
        while len(self._segments) > 1 and self._bases[1] <= offset:
            self._drop_first()
        self._producers.forget_before(offset)

    def _drop_first(self) -> None:
        base = self._bases.pop(0)
        self._segments.pop(0).remove()
        self._files.remove(f"{self._path}/{base:020d}.state")

    def apply_retention(self, now_ms: int, limit_offset: int) -> int:
        """Deletes segments too old or too many, never the active one or one above the limit. Returns: how many."""
        deleted = 0
        while len(self._segments) > 1 and self._bases[1] <= limit_offset:
            first = self._segments[0]
            old = 0 <= self.config.retention_ms < now_ms - first.max_timestamp
            many = 0 <= self.config.retention_bytes < self.size_bytes - first.size
            if not (old or many):
                break
            self.log_start_offset = max(self.log_start_offset, self._bases[1])
            self._save_kept()
            self._drop_first()
            deleted += 1
        return deleted


def _set_append_time(data: bytearray, at: int, header: BatchHeader, now_ms: int) -> None:
    """The log's time instead of the producer's. Both fields are under the CRC, which is made anew."""
    import struct

    from crc32c import crc32c

    struct.pack_into(">h", data, at + 21, header.attributes | LOG_APPEND_TIME)
    struct.pack_into(">q", data, at + 35, now_ms)
    with memoryview(data) as view:
        struct.pack_into(">I", data, at + 17, crc32c(view[at + 21 : at + header.size]))


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
