"""How far event time has come: on one partition, and over several. PURE. Watermarks only move forward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate

from streamflow.event import TIMESTAMP_MS_MAX

START_MS = -TIMESTAMP_MS_MAX
"""Before any event."""


class WatermarkTracker:
    """Of one partition: the newest event time less the disorder allowed."""

    def __init__(self, disorder_ms: int = 0) -> None:
        self._disorder_ms = disorder_ms
        self.watermark_ms = START_MS

    def column(self, timestamps: list[int]) -> list[int]:
        """The watermark at each event, its own time included; the last one is the new `watermark_ms`."""
        if not timestamps:
            return []
        disorder = self._disorder_ms
        reached = [t - disorder for t in timestamps] if disorder else timestamps
        if max(timestamps) >= TIMESTAMP_MS_MAX:  # one record's nonsense must not end time for its partition
            reached = [t - disorder if t < TIMESTAMP_MS_MAX else START_MS for t in timestamps]
        running = list(accumulate(reached, max, initial=self.watermark_ms))[1:]
        self.watermark_ms = running[-1]
        return running

    def restore(self, watermark_ms: int) -> None:
        self.watermark_ms = watermark_ms


class MergedWatermark:
    """Over several inputs: the least of those that aren't idle; when all are, the furthest."""

    def __init__(self, inputs: Iterable[int]) -> None:
        self._reached = dict.fromkeys(inputs, START_MS)
        self._idle: set[int] = set()
        self.watermark_ms = START_MS

    def update(self, source: int, watermark_ms: int, *, idle: bool = False) -> int:
        """The merged watermark, an input having reached this."""
        self._reached[source] = max(self._reached.get(source, START_MS), watermark_ms)
        if idle:
            self._idle.add(source)
        else:
            self._idle.discard(source)
        awake = [w for s, w in self._reached.items() if s not in self._idle]
        self.watermark_ms = max(self.watermark_ms, min(awake) if awake else max(self._reached.values()))
        return self.watermark_ms

    def snapshot(self) -> dict[int, int]:
        """What each input has reached; an idle one is awake again until it says otherwise."""
        return dict(self._reached)

    def restore(self, reached: Mapping[int, int], watermark_ms: int) -> None:
        self._reached.update(reached)
        self.watermark_ms = watermark_ms
