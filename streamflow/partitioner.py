"""Which partition a key belongs to: Kafka's default partitioner, so keys land where the Java client puts them.

Promises: `partition_for(key, n)` is `toPositive(murmur2(key)) % n` of `org.apache.kafka.common.utils.Utils`, for ever:
data already in a log was placed by it. Keys are remembered, so a repeated key costs a dictionary lookup.

Where a record without a key goes is its sender's choice; it doesn't come here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from struct import Struct

SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_WORDS = tuple(Struct(f"<{n}I").unpack_from for n in range(64))

REMEMBERED_MAX = 65_536
"""Keys remembered: some 10 MB at worst for keys of 64 bytes, and far fewer misses than hits on skewed keys."""


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2, as the signed int Java gives."""
    length = len(data)
    count = length >> 2
    h = SEED ^ length
    for k in _WORDS[count](data) if count < 64 else Struct(f"<{count}I").unpack_from(data):
        k = k * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    rest = data[count << 2 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    h ^= h >> 15
    return h - 0x100000000 if h & 0x80000000 else h


@lru_cache(maxsize=REMEMBERED_MAX)
def _positive(key: bytes) -> int:
    return murmur2(key) & 0x7FFFFFFF


def partition_for(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic of `partitions`, from 0."""
    return _positive(key) % partitions


def partition_all(keys: Iterable[bytes], partitions: int) -> list[int]:
    """`partition_for` of each key."""
    if partitions == 1:
        return [0 for _ in keys]
    return [h % partitions for h in map(_positive, keys)]


__all__ = ["murmur2", "partition_all", "partition_for"]
