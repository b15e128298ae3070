"""The newest offset of each key, in bounded memory: what the cleaner compares records with. PURE.

A key of up to 31 bytes stands for itself, a longer one for its hash of 32: two keys are never taken for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

PLAIN_BYTES_MAX = 31
HASH_BYTES = 32
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
        self._newest: dict[bytes | None, int] = {}

    def __len__(self) -> int:
        return len(self._newest)

    @property
    def full(self) -> bool:
        return self.size_bytes >= self._bytes_max

    def put(self, keys: Sequence[bytes | None], offsets: Sequence[int]) -> None:
        """Records that come after all that were put in before."""
        if not keys:
            return
        names, before = _names(keys), len(self._newest)
        self._newest.update(zip(names, offsets, strict=True))
        grown = len(self._newest) - before
        self.size_bytes += grown * (ENTRY_BYTES + sum(len(k or b"") for k in names) // len(names))

    def newest(self, keys: Sequence[bytes | None]) -> list[int | None]:
        """Each key's newest offset; None for one that isn't in it."""
        return list(map(self._newest.get, _names(keys)))


def _names(keys: Sequence[bytes | None]) -> Sequence[bytes | None]:
    if max((len(k) for k in keys if k is not None), default=0) <= PLAIN_BYTES_MAX:
        return keys
    return [k if k is None or len(k) <= PLAIN_BYTES_MAX else blake2b(k, digest_size=HASH_BYTES).digest() for k in keys]
