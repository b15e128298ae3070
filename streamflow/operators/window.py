"""Event-time windows: which windows an event belongs to, when they are complete, what is too late. PURE.

Windows are aligned to the epoch. A window is complete once the watermark has passed its end plus the grace; it is
then emitted once, as final, and forgotten. An event is late for a window that is complete when it is read; late for
all its windows, it is counted in `late_records` and otherwise ignored.

Windows that begin together end together: `_windows` holds them by their start, so closing looks at nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from sortedcontainers import SortedDict

from streamflow.codecs import exact, pack, unpack
from streamflow.errors import ConfigError
from streamflow.event import TIMESTAMP_MS_MAX, Batch
from streamflow.operators.accumulate import Accs, Accumulators, row_type
from streamflow.operators.aggregate import Aggregate
from streamflow.operators.base import Change, Operator
from streamflow.operators.watermark import START_MS
from streamflow.schedule import Duration, duration_ms

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FOREVER = 2 * TIMESTAMP_MS_MAX
_LATE = pack("late")
_encode = msgspec.msgpack.Encoder().encode
_NO_KEYS: Mapping[Any, Accs] = {}


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


def result_type(
    name: str, aggregates: Mapping[str, Aggregate], *, windowed: bool, value_type: Any = Any, key_type: Any = Any
) -> Any:
    """The type of a result: `key`, for windows `start`, `end` and `final`, then one field an aggregate.

    Raises: ConfigError for an aggregate that bears one of these names, or reads a field that values of this type don't
        have, or when there is none.
    """
    bounds = [("start", datetime), ("end", datetime), ("final", bool)] if windowed else []
    return row_type(name, [("key", key_type), *bounds], aggregates, value_type)


class WindowAggregate(Operator):
    """Aggregates by key and window. `value_type` is that of the events' values, where it is known."""

    def __init__(
        self,
        spec: WindowSpec,
        grace_ms: int,
        aggregates: Mapping[str, Aggregate],
        row: Callable[..., Any],
        *,
        emit: Literal["final", "updates"] = "final",
        value_type: Any = Any,
    ) -> None:
        if emit not in ("final", "updates"):
            raise ConfigError(f"emit={emit!r}; use 'final' or 'updates'")
        self.late_records = 0
        self.watermark_delay_ms = grace_ms
        self._size, self._step, self._grace = spec.size_ms, spec.step_ms, grace_ms
        self._accs = Accumulators(aggregates, value_type)
        self._row = row
        self._updates = emit == "updates"
        self._windows: SortedDict[int, dict[Any, Accs]] = SortedDict()
        self._changed: dict[int, dict[Any, None]] = {}
        self._late_kept = 0
        self._watermark = START_MS

    # Events

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        """Raises: OperatorFailed where a user's function did, the state being left as it was."""
        columns = self._accs.columns(batch.values)
        members, late = self._members(batch)
        fresh: dict[int, dict[Any, Accs]] = {}
        for start, at in members.items():
            groups = self._accs.group(batch.keys, at)
            fresh[start] = self._accs.add(self._windows.get(start, _NO_KEYS), groups, columns)
        for start, keys in fresh.items():
            self._windows.setdefault(start, {}).update(keys)
            self._changed.setdefault(start, {}).update(dict.fromkeys(keys))
        self.late_records += late
        return self._results(fresh.items(), final=False) if self._updates and fresh else None

    def _members(self, batch: Batch) -> tuple[Mapping[int, list[int] | None], int]:
        """Where in the batch each window's events are (None: all of them), and how many are late for all theirs."""
        size, step, timestamps = self._size, self._step, batch.timestamps
        earliest, latest = min(timestamps), max(timestamps)
        if latest >= TIMESTAMP_MS_MAX:  # one record's nonsense is counted in the last window there is
            timestamps = [t if t < TIMESTAMP_MS_MAX else TIMESTAMP_MS_MAX - 1 for t in timestamps]
            latest = TIMESTAMP_MS_MAX - 1
        furthest = self._watermark if batch.watermarks is None else max(self._watermark, batch.watermarks[-1])
        members: defaultdict[int, list[int]] = defaultdict(list)
        first_start = (earliest - size) // step * step + step
        if first_start + size <= self._complete(furthest):
            return members, self._members_in_time(timestamps, batch.watermarks, members)
        if size != step:
            for at, t in enumerate(timestamps):
                for start in range(t - t % step, t - size, -step):
                    members[start].append(at)
        elif latest - latest % size == first_start:
            return {first_start: None}, 0
        else:
            for at, t in enumerate(timestamps):
                members[t - t % size].append(at)
        return members, 0

    def _members_in_time(
        self, timestamps: list[int], watermarks: list[int] | None, members: defaultdict[int, list[int]]
    ) -> int:
        """As above, looking at each event's lateness; returns how many are late."""
        late, size, step = 0, self._size, self._step
        for at, t in enumerate(timestamps):
            read_at = self._watermark if watermarks is None else max(self._watermark, watermarks[at])
            complete = self._complete(read_at)
            in_time = [start for start in range(t - t % step, t - size, -step) if start + size > complete]
            late += not in_time
            for start in in_time:
                members[start].append(at)
        return late

    # Time

    def on_watermark(self, watermark_ms: int) -> Batch | None:
        self._watermark = max(self._watermark, watermark_ms)
        complete = self._complete(watermark_ms) - self._size
        closed: list[tuple[int, dict[Any, Accs]]] = []
        while self._windows and self._windows.peekitem(0)[0] <= complete:
            start, keys = self._windows.popitem(0)
            closed.append((start, keys))
            self._changed.setdefault(start, {}).update(dict.fromkeys(keys))
        return self._results(closed, final=True) if closed else None

    def _complete(self, watermark_ms: int) -> int:
        """Windows that end by then are complete; once nothing more will come, all are."""
        return _FOREVER if watermark_ms >= TIMESTAMP_MS_MAX else watermark_ms - self._grace

    def _results(self, windows: Iterable[tuple[int, dict[Any, Accs]]], *, final: bool) -> Batch:
        row, values = self._row, self._accs.values
        keys: list[Any] = []
        rows: list[Any] = []
        timestamps: list[int] = []
        for start, state in windows:
            first, end = _utc(start), _utc(start + self._size)
            keys += state
            rows += [row(key, first, end, final, *values(accs)) for key, accs in state.items()]
            timestamps += [min(start + self._size, TIMESTAMP_MS_MAX) - 1] * len(state)
        # Negative, so that nobody takes a row for the record that happens to be at this offset of the input.
        return Batch(keys, rows, timestamps, range(-len(rows), 0))

    # State

    def snapshot(self) -> list[Change]:
        changed, self._changed = self._changed, {}
        changes: list[Change] = []
        for start, keys in changed.items():
            window = self._windows.get(start, _NO_KEYS)
            for key in keys:
                accs = window.get(key)
                changes.append((_encode((start, exact(key))), None if accs is None else self._accs.pack(accs)))
        if self.late_records != self._late_kept:
            self._late_kept = self.late_records
            changes.append((_LATE, pack(self.late_records)))
        return changes

    def restore(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """Raises: DecodeError for what other aggregates kept."""
        for key, value in changes:
            if key == _LATE:
                self.late_records = self._late_kept = unpack(value)
                continue
            start, name = unpack(key)
            self._windows.setdefault(start, {})[name] = self._accs.unpack(value)


def _utc(ms: int) -> datetime:
    """Years datetime can't name are shown as its first or last: event time may be anything a producer wrote."""
    try:
        return _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return (datetime.min if ms < 0 else datetime.max).replace(tzinfo=UTC)
