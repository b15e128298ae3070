"""Event-time windows: which windows an event belongs to, when they are complete, what is too late. PURE.

Windows are aligned to the epoch. A window is complete once the watermark has passed its end plus the grace; it is
then emitted once, as final, and forgotten. An event is late for a window that is complete when it is read; late for
all its windows, it is counted in `late_records` and otherwise ignored.

Invariant: `_ends[end]` names exactly the windows in `_state` that end there, so closing looks at nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from sortedcontainers import SortedDict

from streamflow.codecs import hashable
from streamflow.errors import ConfigError
from streamflow.event import TIMESTAMP_MS_MAX, Batch
from streamflow.operators.aggregate import Aggregate, Count
from streamflow.operators.base import Change, Operator
from streamflow.operators.watermark import START_MS
from streamflow.schedule import Duration, duration_ms

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATE = _pack("late")


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """Windows of `size_ms`, one beginning every `step_ms`."""

    size_ms: int
    step_ms: int


def tumbling(size: Duration) -> WindowSpec:
    """Windows side by side. Raises: ConfigError for a size that isn't above zero."""
    ms = duration_ms(size, what="tumbling window", allow_zero=False)
    return WindowSpec(ms, ms)


def hopping(size: Duration, step: Duration) -> WindowSpec:
    """Windows of `size` beginning every `step`, overlapping where the step is the smaller one.

    Raises: ConfigError for durations that aren't above zero, or a step above the size (events would fall between).
    """
    size_ms = duration_ms(size, what="hopping window", allow_zero=False)
    step_ms = duration_ms(step, what="hopping step", allow_zero=False)
    if step_ms > size_ms:
        raise ConfigError(f"hopping({size!r}, {step!r}): events would fall between windows; step by the size at most")
    return WindowSpec(size_ms, step_ms)


def result_type(name: str, aggregates: Mapping[str, Aggregate], *, windowed: bool) -> Any:
    """The type of a result: `key`, for windows `start`, `end` and `final`, then one field an aggregate.

    Raises: ConfigError for an aggregate that bears one of these names, or when there is none.
    """
    own: list[tuple[str, Any]] = [("key", Any)]
    if windowed:
        own += [("start", datetime), ("end", datetime), ("final", bool)]
    if not aggregates:
        raise ConfigError("aggregate() computes nothing; name at least one, e.g. aggregate(n=sf.count())")
    for field in aggregates:
        if field in dict(own):
            raise ConfigError(f"aggregate '{field}' bears the name of a result's own field; call it something else")
    return msgspec.defstruct(name, [*own, *((f, a.result) for f, a in aggregates.items())], frozen=True)


class WindowAggregate(Operator):
    """Aggregates by key and window."""

    replayable = False

    def __init__(
        self,
        spec: WindowSpec,
        grace_ms: int,
        aggregates: Mapping[str, Aggregate],
        row: Callable[..., Any],
        *,
        emit: Literal["final", "updates"] = "final",
    ) -> None:
        if emit not in ("final", "updates"):
            raise ConfigError(f"emit={emit!r}; use 'final' or 'updates'")
        self.late_records = 0
        self.watermark_delay_ms = grace_ms
        self._size, self._step, self._grace = spec.size_ms, spec.step_ms, grace_ms
        self._aggregates = list(aggregates.values())
        self._only_count = len(self._aggregates) == 1 and type(self._aggregates[0]) is Count and self._aggregates[0].all
        self._row = row
        self._updates = emit == "updates"
        self._state: dict[tuple[int, Any], list[Any]] = {}
        self._ends: SortedDict[int, dict[Any, None]] = SortedDict()
        self._changed: dict[tuple[int, Any], None] = {}
        self._late_kept = 0
        self._watermark = START_MS

    # Events

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        """Raises: what a user's `fold` or field function raises."""
        groups = self._groups(batch)
        state, aggregates = self._state, self._aggregates
        for window, values in groups.items():
            accs = state.get(window)
            if accs is None:
                accs = [a.initial for a in aggregates]
                self._open(window)
            if self._only_count:
                state[window] = [accs[0] + values]
            else:
                state[window] = [a.add_many(acc, values) for a, acc in zip(aggregates, accs, strict=True)]
        self._changed.update(dict.fromkeys(groups))
        if not self._updates:
            return None
        return self._results([(window, state[window]) for window in groups], final=False)

    def _groups(self, batch: Batch) -> Mapping[tuple[int, Any], Any]:
        """Values by window (counts, where nothing else is asked), late ones left out and counted."""
        size, step, timestamps = self._size, self._step, batch.timestamps
        earliest = min(timestamps)
        furthest = self._watermark if batch.watermarks is None else max(self._watermark, batch.watermarks[-1])
        first_end = (earliest - size) // step * step + step + size
        if first_end + self._grace <= furthest:
            return self._groups_checking(batch)
        if size != step:
            windows = [
                (start, k, v)
                for k, v, t in zip(batch.keys, batch.values, timestamps, strict=True)
                for start in range(t - t % step, t - size, -step)
            ]
            return self._grouped([(s, k) for s, k, _ in windows], [v for _, _, v in windows])
        if earliest - earliest % size == (latest := max(timestamps)) - latest % size:
            start = earliest - earliest % size
            if self._only_count:
                return {(start, k): n for k, n in Counter(batch.keys).items()}
            return {(start, k): v for k, v in _by(batch.keys, batch.values).items()}
        return self._grouped([(t - t % size, k) for k, t in zip(batch.keys, timestamps, strict=True)], batch.values)

    def _groups_checking(self, batch: Batch) -> Mapping[tuple[int, Any], Any]:
        """As above, looking at each event's lateness."""
        size, step = self._size, self._step
        watermarks = batch.watermarks or [self._watermark] * len(batch)
        windows: list[tuple[int, Any]] = []
        values: list[Any] = []
        for key, value, t, read_at in zip(batch.keys, batch.values, batch.timestamps, watermarks, strict=True):
            complete = max(read_at, self._watermark) - self._grace
            in_time = [s for s in range(t - t % step, t - size, -step) if s + size > complete]
            if not in_time:
                self.late_records += 1
            for start in in_time:
                windows.append((start, key))
                values.append(value)
        return self._grouped(windows, values)

    def _grouped(self, windows: list[tuple[int, Any]], values: list[Any]) -> Mapping[tuple[int, Any], Any]:
        return Counter(windows) if self._only_count else _by(windows, values)

    def _open(self, window: tuple[int, Any]) -> None:
        self._ends.setdefault(window[0] + self._size, {})[window[1]] = None

    # Time

    def on_watermark(self, watermark_ms: int) -> Batch | None:
        self._watermark = max(self._watermark, watermark_ms)
        complete = watermark_ms if watermark_ms >= TIMESTAMP_MS_MAX else watermark_ms - self._grace
        closed: list[tuple[tuple[int, Any], list[Any]]] = []
        while self._ends and self._ends.peekitem(0)[0] <= complete:
            end, keys = self._ends.popitem(0)
            for key in keys:
                window = (end - self._size, key)
                closed.append((window, self._state.pop(window)))
                self._changed[window] = None
        return self._results(closed, final=True) if closed else None

    def _results(self, windows: list[tuple[tuple[int, Any], list[Any]]], *, final: bool) -> Batch:
        aggregates, size, row = self._aggregates, self._size, self._row
        times: dict[int, tuple[datetime, datetime]] = {}
        rows = []
        for (start, key), accs in windows:
            bounds = times.get(start)
            if bounds is None:
                bounds = times[start] = (_utc(start), _utc(start + size))
            results = [a.value(acc) for a, acc in zip(aggregates, accs, strict=True)]
            rows.append(row(key, *bounds, final, *results))
        keys = [key for (_, key), _ in windows]
        return Batch(keys, rows, [start + size - 1 for (start, _), _ in windows], range(len(rows)))

    # State

    def snapshot(self) -> list[Change]:
        changed, self._changed = self._changed, {}
        changes: list[Change] = []
        for window in changed:
            accs = self._state.get(window)
            changes.append((_pack(window), None if accs is None else _pack(accs)))
        if self.late_records != self._late_kept:
            self._late_kept = self.late_records
            changes.append((_LATE, _pack(self.late_records)))
        return changes

    def restore(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        for key, value in changes:
            if key == _LATE:
                self.late_records = self._late_kept = _unpack(value)
                continue
            start, name = _unpack(key)
            window = (start, hashable(name))
            self._state[window] = _unpack(value)
            self._open(window)


def _by(keys: Iterable[Any], values: Iterable[Any]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for key, value in zip(keys, values, strict=True):
        if key in groups:
            groups[key].append(value)
        else:
            groups[key] = [value]
    return groups


def _utc(ms: int) -> datetime:
    """Years datetime can't name are shown as its first or last: event time may be anything a producer wrote."""
    try:
        return _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return (datetime.min if ms < 0 else datetime.max).replace(tzinfo=UTC)
