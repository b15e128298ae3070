"""Small files with a checksum."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.storage.checksummed import unwrap, wrap


@given(st.binary(max_size=50), st.integers(0), st.integers(1, 255))
def test_content_comes_back_and_no_other_does(content: bytes, at: int, change: int) -> None:
    data = bytearray(wrap(content))
    assert unwrap(bytes(data)) == content
    assert all(unwrap(bytes(data[:size])) is None for size in range(len(data)))
    data[at % len(data)] ^= change
    assert unwrap(bytes(data)) is None
