"""Tables: keyed state, partitioned like the events that change it.

Inside an agent a table is the slice that belongs to the partition of the event in hand: reading and writing a key is
a dictionary access, and what changed is committed with the event's offset (to a compacted changelog topic). An edit
inside a mutable value counts as a change. Outside agents (timers, tests, the command) a table is read-only and looks
into every partition on this worker.

Values come back after a restart as they were. They are None, str, int, float, bool, bytes, dates and times, Decimal,
UUID, and tuples, lists, sets and dicts of these; of what else they are (a `Record`, a list of records) is declared.
None is a value like others; `del table[key]` deletes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from streamflow.agent import Hand, in_hand
from streamflow.errors import AppError
from streamflow.state.memory import MemoryStore

if TYPE_CHECKING:
    from streamflow.app import App
    from streamflow.topology import SourceNode, TableNode

V = TypeVar("V")

_MISSING: Any = object()


class Table(Generic[V]):
    """Declared by `app.table`. Keys are str, int, float, bool, bytes, None or tuples of them."""

    def __init__(self, app: App, name: str, default: Callable[[], V] | None, value_type: Any) -> None:
        self.app = app
        self.name = name
        self.default = default
        self.value_type = value_type
        self.source: SourceNode | None = None
        self.node: TableNode | None = None

    def __repr__(self) -> str:
        return f"<Table {self.name}>"

    def __getitem__(self, key: Any) -> V:
        """The key's value, or the table's default (which isn't stored until it is assigned or edited in place).

        Raises: KeyError when there is neither.
        """
        hand = in_hand.get()
        if hand is None:
            value = self._anywhere(key)
        else:
            value = hand.stores[self.name].get(key, _MISSING, hand.edits)
        if value is not _MISSING:
            found: V = value
            return found
        if self.default is None:
            raise KeyError(key)
        fresh = self.default()
        if hand is not None:
            hand.stores[self.name].offer(key, fresh, hand.journal)
        return fresh

    def __setitem__(self, key: Any, value: V) -> None:
        hand = self._hand()
        hand.stores[self.name].set(key, value, hand.journal)

    def __delitem__(self, key: Any) -> None:
        """Raises: KeyError when the key isn't there."""
        hand = self._hand()
        if key not in hand.stores[self.name]:
            raise KeyError(key)
        hand.stores[self.name].delete(key, hand.journal)

    def __contains__(self, key: Any) -> bool:
        hand = in_hand.get()
        if hand is not None:
            return key in hand.stores[self.name]
        return self._anywhere(key) is not _MISSING

    def get(self, key: Any, default: Any = None) -> Any:
        """The key's value, or `default`: the table's own default doesn't apply."""
        hand = in_hand.get()
        value = self._anywhere(key) if hand is None else hand.stores[self.name].get(key, _MISSING, hand.edits)
        return default if value is _MISSING else value

    def pop(self, key: Any, default: Any = None) -> Any:
        hand = self._hand()
        value = hand.stores[self.name].get(key, default, hand.edits)
        hand.stores[self.name].delete(key, hand.journal)
        return value

    def items(self) -> Iterator[tuple[Any, V]]:
        """Of the event's partition inside an agent, of every partition outside."""
        hand = in_hand.get()
        for store in self._slices():
            yield from list(store.items(hand.edits if hand is not None else None))

    def keys(self) -> Iterator[Any]:
        return (key for key, _ in self.items())

    def values(self) -> Iterator[V]:
        return (value for _, value in self.items())

    def __iter__(self) -> Iterator[Any]:
        return self.keys()

    def __len__(self) -> int:
        return sum(len(store) for store in self._slices())

    def as_dict(self) -> dict[Any, V]:
        return dict(self.items())

    def _slices(self) -> list[MemoryStore]:
        hand = in_hand.get()
        return [hand.stores[self.name]] if hand is not None else self.app.runtime.stores_of(self.name)

    def _hand(self) -> Hand:
        hand = in_hand.get()
        if hand is None:
            raise AppError(
                f"table '{self.name}' was changed outside an agent; a change belongs to an event and is committed "
                "with it, so send an event and change the table where it is read"
            )
        return hand

    def _anywhere(self, key: Any) -> Any:
        found = [s for s in self.app.runtime.stores_of(self.name) if key in s]
        if len(found) > 1:
            raise AppError(
                f"key {key!r} of table '{self.name}' lives in {len(found)} partitions: the agent that writes it reads "
                "a topic that isn't keyed alike. Put .group_by(…) before it"
            )
        return found[0].get(key, _MISSING) if found else _MISSING
