"""The newest offset of each key, in bounded memory: what the cleaner compares records with. PURE.

A key of up to 31 bytes stands for itself, a longer one for its hash of 32: two keys are never taken for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

PLAIN_BYTES_MAX = 31
HASH_BYTES = 32
PARTS = 64
"""Python lets nobody else run while a dictionary grows or goes: in parts, that is a millisecond at a time."""
ENTRY_BYTES = 160
"""Of a key in Python's memory beside its bytes: its object, its offset's, and its share of a table that is a third
empty, or two thirds after growing."""


class OffsetMap:
    """Args:
    bytes_max: of memory, more or less; passed by the last batch that is put in.
    """

    def __init__(self, bytes_max: int) -> None:
        self.last_offset = -1
        """Up to here every record is in it."""
        self.size_bytes = 0
        self._bytes_max = bytes_max
        self._parts: list[dict[bytes | None, int]] = [{} for _ in range(PARTS)]

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @property
    def full(self) -> bool:
        return self.size_bytes >= self._bytes_max

    def put(self, keys: Sequence[bytes | None], offsets: Sequence[int]) -> None:
        """Records that come after all that were put in before."""
        if not keys:
            return
        names, before, parts = _names(keys), len(self), self._parts
        for name, offset in zip(names, offsets, strict=True):
            parts[hash(name) % PARTS][name] = offset
        grown = len(self) - before
        self.size_bytes += grown * (ENTRY_BYTES + sum(len(k or b"") for k in names) // len(names))

    def newest(self, keys: Sequence[bytes | None]) -> list[int | None]:
        """Each key's newest offset; None for one that isn't in it."""
        parts = self._parts
        return [parts[hash(name) % PARTS].get(name) for name in _names(keys)]

    def forget_some(self) -> bool:
        """Gives back a part of the memory. Returns: whether there was any."""
        if self._parts:
            self._parts.pop()
        return bool(self._parts)


def _names(keys: Sequence[bytes | None]) -> Sequence[bytes | None]:
    if max((len(k) for k in keys if k is not None), default=0) <= PLAIN_BYTES_MAX:
        return keys
    return [k if k is None or len(k) <= PLAIN_BYTES_MAX else blake2b(k, digest_size=HASH_BYTES).digest() for k in keys]
