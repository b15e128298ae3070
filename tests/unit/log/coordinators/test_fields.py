"""The flexible fields of KIP-482."""

from __future__ import annotations

from struct import error

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.coordinators.fields import Cursor, compact_string, string, tagged, uvarint


@given(st.integers(0, 2**32 - 1))
def test_what_is_written_as_a_varint_is_read_again(value: int) -> None:
    assert Cursor(uvarint(value)).uvarint() == value


def test_varints_are_kafkas() -> None:
    assert [uvarint(n) for n in (0, 127, 128, 300)] == [b"\0", b"\x7f", b"\x80\x01", b"\xac\x02"]


@given(st.text(), st.dictionaries(st.integers(0, 300), st.binary(max_size=200), max_size=4))
def test_texts_and_tags_are_read_again(text: str, tags: dict[int, bytes]) -> None:
    cursor = Cursor(string(text) + compact_string(text) + tagged(tags))
    assert (cursor.string(), cursor.compact_string(), cursor.tagged()) == (text, text, tags)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 6, b"\x05ab", b"\x00"])
def test_what_ends_too_early_or_is_too_long_is_refused(data: bytes) -> None:
    with pytest.raises(error):
        Cursor(data).compact_string()
