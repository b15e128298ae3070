"""Running aggregates by key: one row a key that keeps growing. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from streamflow.codecs import hashable
from streamflow.event import Batch
from streamflow.operators.aggregate import Aggregate
from streamflow.operators.base import Change, Operator

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


class KeyedAggregate(Operator):
    """Emits, for each batch, the new row of every key that had events in it."""

    replayable = False

    def __init__(self, aggregates: Mapping[str, Aggregate], row: Callable[..., Any]) -> None:
        self._aggregates = list(aggregates.values())
        self._row = row
        self._state: dict[Any, list[Any]] = {}
        self._changed: dict[Any, None] = {}

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        groups: dict[Any, list[Any]] = {}
        newest: dict[Any, int] = {}
        for key, value, timestamp in zip(batch.keys, batch.values, batch.timestamps, strict=True):
            if key in groups:
                groups[key].append(value)
            else:
                groups[key] = [value]
            newest[key] = timestamp
        rows = []
        for key, values in groups.items():
            accs = self._state.get(key) or [a.initial for a in self._aggregates]
            accs = [a.add_many(acc, values) for a, acc in zip(self._aggregates, accs, strict=True)]
            self._state[key] = accs
            self._changed[key] = None
            rows.append(self._row(key, *(a.value(acc) for a, acc in zip(self._aggregates, accs, strict=True))))
        return Batch(list(groups), rows, list(newest.values()), range(len(rows)))

    def snapshot(self) -> list[Change]:
        changed, self._changed = self._changed, {}
        return [(_pack(key), _pack(self._state[key])) for key in changed]

    def restore(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        for key, accs in changes:
            self._state[hashable(_unpack(key))] = _unpack(accs)
