"""A store in memory: a dict that knows what changed since it was last asked.

Values that can be edited in place count as changed once they were handed out: an edit must never be lost. Changes
made while an event is in hand go into the journal of who holds it, so that they can be put back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

MISSING: Any = object()

_FROZEN = frozenset(
    {str, int, float, bool, bytes, type(None), tuple, frozenset, datetime, date, time, timedelta, Decimal, UUID}
)

Journal = list[tuple["MemoryStore", Any, Any]]
"""(store, key, value before), oldest first."""


class MemoryStore:
    """Keys are hashable. Not for use by several threads."""

    __slots__ = ("_changed", "_data", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._data: dict[Any, Any] = {}
        self._changed: dict[Any, None] = {}

    def __repr__(self) -> str:
        return f"<MemoryStore {self.name}: {len(self._data)} keys, {len(self._changed)} changed>"

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: Any) -> bool:
        return key in self._data

    def get(self, key: Any, default: Any = None, journal: Journal | None = None) -> Any:
        """With a journal, a value that can be edited in place is copied into it first."""
        value = self._data.get(key, MISSING)
        if value is MISSING:
            return default
        if type(value) not in _FROZEN and not _is_frozen_struct(value):
            self._changed[key] = None
            if journal is not None:
                journal.append((self, key, deepcopy(value)))
        return value

    def set(self, key: Any, value: Any, journal: Journal | None = None) -> None:
        if journal is not None:
            journal.append((self, key, self._data.get(key, MISSING)))
        self._data[key] = value
        self._changed[key] = None

    def delete(self, key: Any, journal: Journal | None = None) -> None:
        if key in self._data:
            if journal is not None:
                journal.append((self, key, self._data[key]))
            del self._data[key]
            self._changed[key] = None

    def offer(self, key: Any, value: Any, journal: Journal | None = None) -> None:
        """A default was handed out: it is kept if it can be edited in place."""
        if type(value) not in _FROZEN and not _is_frozen_struct(value):
            self.set(key, value, journal)

    def put_back(self, key: Any, value: Any) -> None:
        """Undoes a change that was journalled."""
        if value is MISSING:
            self._data.pop(key, None)
        else:
            self._data[key] = value

    def items(self, journal: Journal | None = None) -> Iterator[tuple[Any, Any]]:
        for key in self._data:
            yield key, self.get(key, None, journal)

    def changes(self) -> list[tuple[Any, Any]]:
        """(key, value, or MISSING where deleted) of what changed since the last call, in the order it first did."""
        changed, self._changed = self._changed, {}
        return [(key, self._data.get(key, MISSING)) for key in changed]

    def load(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """State as it was committed."""
        self._data.update(pairs)


def _is_frozen_struct(value: Any) -> bool:
    config = getattr(type(value), "__struct_config__", None)
    return config is not None and bool(config.frozen)
