"""Running aggregates by key: one row a key that keeps growing. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

from streamflow.codecs import pack, unpack
from streamflow.event import Batch
from streamflow.operators.accumulate import Accs, Accumulators
from streamflow.operators.aggregate import Aggregate
from streamflow.operators.base import Change, Operator


class KeyedAggregate(Operator):
    """Emits, for each batch, the new row of every key that had events in it, with the last one's time and offset, in
    the order of these."""

    def __init__(self, aggregates: Mapping[str, Aggregate], row: Callable[..., Any], *, value_type: Any = Any) -> None:
        self._accs = Accumulators(aggregates, value_type)
        self._row = row
        self._state: dict[Any, Accs] = {}
        self._changed: dict[Any, None] = {}

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        """Raises: OperatorFailed where a user's function did, the state being left as it was."""
        columns = self._accs.columns(batch.values)
        groups = self._accs.group(batch.keys)
        fresh = self._accs.add(self._state, groups, columns)
        self._state.update(fresh)
        self._changed.update(dict.fromkeys(fresh))
        last = sorted(dict(zip(batch.keys, range(len(batch)), strict=True)).items(), key=itemgetter(1))
        keys = [key for key, _ in last]
        return Batch(
            keys,
            [self._row(key, *self._accs.values(fresh[key])) for key in keys],
            [batch.timestamps[at] for _, at in last],
            [batch.offsets[at] for _, at in last],
            None,
            None if batch.watermarks is None else [batch.watermarks[at] for _, at in last],
        )

    def snapshot(self) -> list[Change]:
        changed, self._changed = self._changed, {}
        return [(pack(key), self._accs.pack(self._state[key])) for key in changed]

    def restore(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """Raises: DecodeError for what other aggregates kept."""
        for key, accs in changes:
            self._state[unpack(key)] = self._accs.unpack(accs)
