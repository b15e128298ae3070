from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.partitioner import murmur2, partition_all, partition_for

JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""From Kafka's UtilsTest.testMurmur2."""


@pytest.mark.parametrize(("key", "expected"), JAVA.items())
def test_murmur2_gives_what_java_gives(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected


def test_a_key_lands_where_the_java_client_puts_it() -> None:
    # toPositive is `& 0x7fffffff`, not abs: -973932308 becomes 1173551340.
    assert partition_for(b"21", 1000) == 1173551340 % 1000


def _reference(data: bytes) -> int:
    """Utils.murmur2, line by line."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    for i in range(len(data) // 4):
        k = int.from_bytes(data[i * 4 : i * 4 + 4], "little")
        k = k * m & mask
        k ^= k >> 24
        k = k * m & mask
        h = h * m & mask
        h ^= k
    tail = len(data) & ~3
    rest = len(data) % 4
    if rest == 3:
        h ^= data[tail + 2] << 16
    if rest >= 2:
        h ^= data[tail + 1] << 8
    if rest >= 1:
        h ^= data[tail]
        h = h * m & mask
    h ^= h >> 13
    h = h * m & mask
    h ^= h >> 15
    return h - (1 << 32) if h >> 31 else h


@given(st.binary(max_size=400))
def test_murmur2_of_any_length_is_the_reference(data: bytes) -> None:
    assert murmur2(data) == _reference(data)


@given(st.lists(st.binary(max_size=20)), st.integers(1, 50))
def test_the_batch_form_agrees_with_the_single(keys: list[bytes], partitions: int) -> None:
    assert partition_all(keys, partitions) == [partition_for(k, partitions) for k in keys]
