"""The cleaner: of each key of a compacted partition, the newest record stays. (Kafka's LogCleaner; KIP-58, 354, 534)

A run reads what is dirty, noting each key's newest offset; then it writes the log anew from its start up to there,
segment by segment or several small ones in one, and swaps them. What stays of a batch is for `survivors`, what isn't
lost in a crash for `swap`.

Promises:

- Offsets, the log's start and its end don't change; a reader whose next record is gone goes on with the one after it.
- The active segment, what isn't committed yet, and what is younger than it may be stays as it is.
- What doesn't verify is never cleaned away: its segment stays as it is, and so do markers behind it.
- Memory is bounded: when the keys don't fit, the run ends where they did, and the next goes on from there.

`advance` blocks and is for a thread; everything else is for the thread that owns the log. Nothing else removes or
truncates segments during a run: whoever does stops it first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from threading import Lock

from streamflow.log.records import BatchHeader, unpack
from streamflow.log.storage.history import History
from streamflow.log.storage.kept import Kept
from streamflow.log.storage.offset_map import OffsetMap
from streamflow.log.storage.outline import outline
from streamflow.log.storage.passed_transactions import PassedTransactions
from streamflow.log.storage.recovery import quarantine_damage
from streamflow.log.storage.segment import SCAN_BYTES, Damage, Segment
from streamflow.log.storage.segments import Segments
from streamflow.log.storage.survivors import UNPACKED_BYTES_MAX, UNREADABLE, Survival
from streamflow.log.storage.swap import Stage, Swap

INT64_MAX = 2**63 - 1
FORGETTING_BYTES = 16 << 10
"""What giving back a part of the memory takes the time of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionConfig:
    """When and how a partition is compacted. Kafka's names in brackets."""

    dirty_ratio_min: float = 0.5
    """[min.cleanable.dirty.ratio]"""
    lag_ms_min: int = 0
    """[min.compaction.lag.ms]"""
    lag_ms_max: int = INT64_MAX
    """[max.compaction.lag.ms]"""
    delete_retention_ms: int = 86_400_000
    """[delete.retention.ms]"""
    segment_bytes: int = 128 << 20
    """[segment.bytes] Small segments are put together up to it."""
    index_interval_bytes: int = 16 << 10
    """[index.interval.bytes]"""
    map_bytes_max: int = 128 << 20
    """[log.cleaner.dedupe.buffer.size]"""


@dataclass(frozen=True, slots=True)
class Dirt:
    """From `first` to below `end` may be cleaned, and wasn't. `overdue`: longer than it may be."""

    first: int
    end: int
    clean_bytes: int
    dirty_bytes: int
    overdue: bool

    @property
    def ratio(self) -> float:
        return self.dirty_bytes / max(1, self.clean_bytes + self.dirty_bytes)


def dirt(segments: Segments, cleaned_to: int, limit: int, config: CompactionConfig, now_ms: int) -> Dirt:
    """Whole segments, none of them active or above the limit, nor younger than they may be."""
    first = max(cleaned_to, segments.bases[0])
    sealed = segments.all[:-1]
    end, clean, dirty = segments.bases[0], 0, list[Segment]()
    for segment, following in zip(sealed, segments.bases[1:], strict=True):
        young = segment.max_timestamp > now_ms - config.lag_ms_min
        if following > limit or (following > first and config.lag_ms_min and young):
            break
        end = following
        if following > first:
            dirty.append(segment)
        else:
            clean += segment.size
    overdue = False
    if dirty and config.lag_ms_max < INT64_MAX:
        segments.keep_warm(dirty[0])
        oldest = dirty[0].first_timestamp()
        overdue = oldest is not None and now_ms - oldest > config.lag_ms_max
    return Dirt(first, end, clean, sum(s.size for s in dirty), overdue)


@dataclass(slots=True)
class CompactionFigures:
    """What a run came to, in bytes of the log's files."""

    read_bytes: int = 0
    written_bytes: int = 0
    removed_bytes: int = 0

    @property
    def io_bytes(self) -> int:
        return self.read_bytes + self.written_bytes


@dataclass(frozen=True, slots=True)
class _Source:
    """A segment as the log knows it, and another on the same file, for the run's thread."""

    original: Segment
    reader: Segment
    following: int
    size: int


Apply = Callable[[], None]
"""What changes the log for its readers, and so isn't for the run's thread."""
Steps = Generator[int | Apply, None, None]
"""Bytes of records that were gone through, or what is to be applied before the run goes on."""


class Compaction:
    """One run over one partition. `done` once nothing is left to do, `complete` if it wasn't stopped."""

    def __init__(
        self, segments: Segments, kept: Kept, history: History, config: CompactionConfig, end: int, now_ms: int
    ) -> None:
        """Args: end: below is what may be cleaned, as in `Dirt`."""
        self.done = self.complete = False
        self.figures = CompactionFigures()
        self._segments = segments
        self._kept = kept
        self._history = history
        self._config = config
        self._now_ms = now_ms
        self._first_dirty = kept.cleaned_to
        self._end = end
        self._aborted = history.producers.aborted(0, end)
        self._last_batches = history.producers.last_batches()
        self._sources = [self._source(segment) for segment in segments.all if segments.end_of(segment) <= end]
        self._whole = {s.original.base_offset for s in self._sources if self._is_whole(s)}
        self._newest = OffsetMap(config.map_bytes_max)
        self._passed = PassedTransactions(self._aborted)
        self._swap: Swap | None = None
        self._steps = self._run()
        self._pending: Apply | None = None
        self._turn = Lock()

    def _source(self, segment: Segment) -> _Source:
        row = self._segments
        reader = Segment(row.files, row.directory, row.identity, segment.base_offset, 0, path=segment.path)
        reader.size = segment.size
        return _Source(segment, reader, row.end_of(segment), segment.size)

    def _is_whole(self, source: _Source) -> bool:
        first, after = source.original.base_offset, source.following
        lost = any(q.first_offset < after and q.next_offset > first for q in self._kept.quarantined)
        return not lost and not source.original.damages and source.original.next_offset == after

    # From without

    def advance(self, bytes_max: int) -> None:
        """Goes on, for about so many bytes of records. What it leaves to `apply` comes before anything else.

        Raises: LogError: the run is over then, and the log as sound as before.
        """
        with self._turn:
            done_bytes = 0
            try:
                while not self._pending and done_bytes < bytes_max:
                    step = next(self._steps, None)
                    if step is None:
                        self.done = True
                        return
                    if isinstance(step, int):
                        done_bytes += step
                    else:
                        self._pending = step
            except BaseException:
                self.done = True
                if self._swap is not None:
                    self._swap.abandon()
                raise

    @property
    def waits(self) -> bool:
        """For `apply`."""
        return self._pending is not None

    def apply(self) -> None:
        """Does what changes the log for its readers, if anything is to be done."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending()

    def stop(self) -> None:
        """No segment is half swapped when it returns, and no thread is at it any more. Blocks as long as one step."""
        with self._turn:
            self.done = True
            self._steps.close()
            self._pending = None
            for source in self._sources:
                source.reader.close()
            if self._swap is not None:
                self._swap.abandon()
                self._swap.finish()

    # The run

    def _run(self) -> Steps:
        held = frozenset((a.producer_id, a.last_offset) for a in (*self._aborted, *self._history.saved_aborted()))
        yield from self._read_keys()
        survival = Survival(
            newest=self._newest,
            now_ms=self._now_ms,
            delete_retention_ms=self._config.delete_retention_ms,
            last_of_producers=self._last_batches,
            held_markers=held,
        )
        for group in self._groups():
            if group[0].original.base_offset in self._whole:
                yield from self._rewrite(group, survival)
            else:
                yield from self._pass_over(group[0])
        yield self._note
        while self._newest.forget_some():
            yield FORGETTING_BYTES

    def _read_keys(self) -> Steps:
        passed = PassedTransactions(self._aborted)
        for source in self._sources:
            if source.following <= self._first_dirty:
                continue
            for found in source.reader.walk(read_bytes=SCAN_BYTES):
                if isinstance(found, Damage):
                    yield self._damaged(source, found)
                    continue
                header = found.header
                if self._newest.full:
                    source.reader.close()
                    return
                self.figures.read_bytes += header.size
                if not header.control and not passed.data(header) and header.last_offset >= self._first_dirty:
                    yield self._put(header, found.data)
                self._newest.last_offset = max(self._newest.last_offset, header.last_offset)
            source.reader.close()
        self._newest.last_offset = self._end - 1

    def _put(self, header: BatchHeader, batch: memoryview) -> int:
        try:
            data = unpack(batch, header, UNPACKED_BYTES_MAX)
            found = outline(data, header)
        except UNREADABLE:
            return header.size
        offsets = [header.base_offset + delta for delta in found.deltas]
        self._newest.put(found.keys, offsets)
        return len(data)

    def _groups(self) -> Iterator[list[_Source]]:
        """Neighbours that are written into one; what isn't whole by itself."""
        group: list[_Source] = []
        size = 0
        for source in self._sources:
            if source.original.base_offset > self._newest.last_offset:
                break
            whole = source.original.base_offset in self._whole
            if group and (not whole or size + source.size > self._config.segment_bytes):
                yield group
                group, size = [], 0
            if whole:
                group, size = [*group, source], size + source.size
            else:
                yield [source]
        if group:
            yield group

    def _rewrite(self, group: list[_Source], survival: Survival) -> Steps:
        old, following = [source.original for source in group], group[-1].following
        swap = self._swap = Swap(self._segments, old, following, self._config.index_interval_bytes)
        changed, last = len(group) > 1, None
        for source in group:
            for found in source.reader.walk(read_bytes=SCAN_BYTES):
                if isinstance(found, Damage):
                    swap.abandon()
                    yield self._damaged(source, found)
                    continue
                last = found.header
                left = survival.of(last, found.data, self._passed)
                changed = changed or left is not found.data
                if left is not None and swap.stage is Stage.WRITING:
                    swap.append(left)
                self.figures.read_bytes += last.size
                yield last.size
            source.reader.close()
        if not changed or last is None:
            swap.abandon()
        if swap.stage is not Stage.WRITING:
            return
        assert last is not None, "a whole segment has a batch"
        swap.commit(last)
        yield swap.take_place
        swap.remove_old()
        yield swap.settle
        self.figures.written_bytes += swap.size_bytes
        self.figures.removed_bytes += sum(source.size for source in group) - swap.size_bytes

    def _pass_over(self, source: _Source) -> Steps:
        """Nothing of it is changed; its transactions count, and what can't be read may be of any."""
        for found in source.reader.walk(read_bytes=SCAN_BYTES):
            if isinstance(found, Damage):
                yield self._damaged(source, found)
            elif found.header.control:
                self._passed.marker(found.header)
            else:
                self._passed.data(found.header)
                self.figures.read_bytes += found.header.size
                yield found.header.size
        source.reader.close()
        self._passed.lose_sight()

    def _damaged(self, source: _Source, damage: Damage) -> Apply:
        """Reports it as whoever reads it would."""
        self._passed.lose_sight()
        self._whole.discard(source.original.base_offset)

        def report() -> None:
            quarantine_damage(self._kept, source.original, damage, source.following)

        return report

    def _note(self) -> None:
        """The run is over."""
        self._history.producers.forget_aborted(self._passed.over)
        self._kept.clean_to(self._newest.last_offset + 1)
        self.complete = True
