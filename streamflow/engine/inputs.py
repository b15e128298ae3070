"""What a task reads next, and how far event time has come on each of its inputs. PURE.

Inputs of one task are merged in event-time order (KIP-353, KIP-695): the record with the earliest timestamp goes
first, tables before streams on a tie, and an input known to hold more than has been fetched is waited for. So the
result of a join doesn't depend on how fast its topics happened to be fetched.

Invariant: `Input.position` is the offset after the last record handed out; nothing below it is handed out again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from streamflow.event import TIMESTAMP_MS_MAX, Batch
from streamflow.operators.regroup import Mark, split_marks
from streamflow.operators.watermark import START_MS, MergedWatermark, WatermarkTracker
from streamflow.topology import SourceNode, TableNode

IDLE_AFTER_MS = 5_000
"""An input read to its end and silent for this long holds nobody's watermark back. Precedent: Pathway and Flink
ask for it in each app; a default beats a window that never closes."""

CLOCK_STEP_MS = 1_000
"""How often a silent live input follows the clock at first; the steps grow to a twentieth of the silence."""

LIVE_WITHIN_MS = 60_000
"""Event time this close to the clock is live: when such an input falls silent, its watermark follows the clock.
A replay of older events waits for its next event instead, however slow the machine."""


class Progress(msgspec.Struct, omit_defaults=True):
    """What a task remembers of an input beside its offset; kept in the committed offset's metadata."""

    watermark: int | None = None
    live: bool = False
    upstream: dict[int, int] | None = None


class Input:
    """One source of one task: fetched records not handed out yet, and its watermark."""

    def __init__(self, source: SourceNode, upstream_partitions: int) -> None:
        self.source = source
        self.is_table = any(isinstance(child, TableNode) for child in source.children)
        self.position = 0
        self.drained = False
        self.buffered = 0
        self.idle = False
        self._queue: deque[Batch | Mark] = deque()
        self._ends: deque[tuple[int, int]] = deque()
        self._tracker = WatermarkTracker(source.topic.disorder_ms)
        self._merged = MergedWatermark(range(upstream_partitions)) if source.topic.marks else None
        self._clock_watermark: int | None = None
        self._quiet_since: int | None = None
        self._next_tick: int | None = None
        self._live = False
        self._ended = False

    @property
    def watermark_ms(self) -> int:
        if self._ended:
            return TIMESTAMP_MS_MAX
        if self._merged is not None:
            return self._merged.watermark_ms
        if self._clock_watermark is not None:
            return max(self._tracker.watermark_ms, self._clock_watermark)
        return self._tracker.watermark_ms

    def add(self, batch: Batch, next_offset: int) -> None:
        """Records as fetched; `next_offset` is the reader's position behind them."""
        items: Iterable[Batch | Mark] = split_marks(batch) if self._merged is not None else (batch,)
        for item in items:
            self._queue.append(item)
            self.buffered += len(item) if isinstance(item, Batch) else 1
        if len(batch):
            self._ends.append((batch.offsets[-1], next_offset))

    def column(self, timestamps: list[int], now_ms: int) -> list[int] | None:
        """The watermark at each of these event times, in the order read; None where it comes in-band."""
        self._quiet_since, self._next_tick, self.idle = now_ms, now_ms + IDLE_AFTER_MS, False
        if self._merged is not None:
            return None
        watermarks = self._tracker.column(timestamps)
        if timestamps:
            self._live = abs(now_ms - timestamps[-1]) <= LIVE_WITHIN_MS
        if self._clock_watermark is not None and watermarks and watermarks[0] < self._clock_watermark:
            floor = self._clock_watermark
            watermarks = [w if w > floor else floor for w in watermarks]
        return watermarks

    def mark(self, mark: Mark) -> None:
        """An upstream task says how far it has come."""
        assert self._merged is not None, "marks travel in repartition topics only"
        self._merged.update(mark.source_partition, mark.watermark_ms, idle=mark.idle)

    def tick(self, now_ms: int) -> None:
        """Processing time passed: a silent input turns idle, and a live one follows the clock."""
        if self._queue or not self.drained:
            return
        if self._quiet_since is None or self._next_tick is None:
            self._quiet_since, self._next_tick = now_ms, now_ms + IDLE_AFTER_MS
        if now_ms < self._next_tick:
            return
        self.idle = True
        if self._live and self._merged is None:
            self._clock_watermark = now_ms - IDLE_AFTER_MS - self.source.topic.disorder_ms
            self._next_tick = now_ms + max(CLOCK_STEP_MS, (now_ms - self._quiet_since) // 20)

    def deadline_ms(self) -> int | None:
        """When silence would next matter."""
        if self._queue or not self.drained or self._ended:
            return None
        if self._next_tick is None:
            return -TIMESTAMP_MS_MAX
        follows = self._live and self._merged is None
        return self._next_tick if follows or not self.idle else None

    def end(self) -> None:
        self._ended = True

    def head_ms(self) -> int | None:
        """The timestamp of the next record; a mark comes before any record."""
        if not self._queue:
            return None
        head = self._queue[0]
        return -TIMESTAMP_MS_MAX if isinstance(head, Mark) else head.timestamps[0]

    def take(self, count_max: int, until_ms: int | None) -> Batch | Mark:
        """The next mark, or up to `count_max` records no later than `until_ms` (the first one always)."""
        head = self._queue.popleft()
        if isinstance(head, Mark):
            self.buffered -= 1
            self._advance(head.offset)
            return head
        parts = [head]
        count = len(head)
        while count < count_max and self._queue and isinstance(following := self._queue[0], Batch):
            self._queue.popleft()
            parts.append(following)
            count += len(following)
        head = Batch.concat(parts)
        stop = min(len(head), count_max)
        if until_ms is not None and head.timestamps[stop - 1] > until_ms:
            late = (i for i, t in enumerate(head.timestamps) if t > until_ms)
            stop = min(stop, max(1, next(late, stop)))
        if stop < len(head):
            self._queue.appendleft(head.slice(stop, len(head)))
            head = head.slice(0, stop)
        self.buffered -= stop
        self._advance(head.offsets[-1])
        return head

    def _advance(self, offset: int) -> None:
        self.position = offset + 1
        while self._ends and self._ends[0][0] <= offset:
            self.position = self._ends.popleft()[1]

    def progress(self) -> str:
        """What to keep with the committed offset, as text."""
        merged = self._merged.snapshot() if self._merged is not None else None
        return msgspec.json.encode(Progress(watermark=self.watermark_ms, live=self._live, upstream=merged)).decode()

    def restore(self, offset: int, metadata: str) -> None:
        """Where a task before this one stopped."""
        self.position = offset
        if not metadata:
            return
        kept = msgspec.json.decode(metadata, type=Progress)
        if kept.watermark is not None:
            self._tracker.restore(kept.watermark)
            self._ended = kept.watermark >= TIMESTAMP_MS_MAX
        self._live = kept.live
        if self._merged is not None and kept.upstream is not None:
            self._merged.restore(kept.upstream, kept.watermark or START_MS)


def choose(inputs: list[Input]) -> tuple[Input, int | None] | None:
    """The input to take from next and the timestamp to stop at; None when one must be waited for."""
    if len(inputs) == 1:
        return (inputs[0], None) if inputs[0].buffered else None
    if any(not i.buffered and not i.drained for i in inputs):
        return None
    ready = [(head, not i.is_table, n) for n, i in enumerate(inputs) if (head := i.head_ms()) is not None]
    if not ready:
        return None
    ready.sort()
    first = inputs[ready[0][2]]
    # A stream stops short of a table's next record, even at the same time: the table's goes first.
    limits = [head - 1 if inputs[n].is_table and not first.is_table else head for head, _, n in ready[1:]]
    return first, min(limits, default=None)
