"""Lines of standard input as records."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.cli.consume import parsed, plain
from streamflow.cli.produce import Lines, chunks, read_until_refused, spread
from streamflow.errors import ConfigError
from streamflow.partitioner import partition_for


@pytest.mark.parametrize("path", ["user.id", "$.user.id"])
def test_a_key_is_read_by_its_json_path(path: str) -> None:
    line = b'{"user": {"id": 7}, "x": 1}'
    assert Lines(path, None).read(line, 1) == (b"7", line)


def test_a_key_stands_before_the_separator() -> None:
    assert Lines(None, ":").read(b"k:v:w", 1) == (b"k", b"v:w")


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        (Lines("id", None), b"not json", "line 3 isn't JSON"),
        (Lines("id", None), b'{"x": 1}', "line 3 has no 'id'"),
        (Lines(None, ":"), b"nothing", "line 3 has no ':'"),
    ],
)
def test_a_line_without_its_key_is_named(lines: Lines, line: bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        lines.read(line, 3)


def test_two_ways_to_find_a_key_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match="give one"):
        Lines("id", ":")


def test_lines_keep_their_numbers_and_empty_ones_are_left_out() -> None:
    assert [line for chunk in chunks(io.BytesIO(b"a\r\n\nb\nc")) for line in chunk] == [(1, b"a"), (3, b"b"), (4, b"c")]


@given(st.binary(max_size=60).map(lambda b: b.replace(b"x", b"\n")), st.integers(1, 7))
def test_lines_are_the_same_however_they_arrive(data: bytes, size: int) -> None:
    class Trickle(io.BytesIO):
        def read1(self, _: int | None = -1, /) -> bytes:
            return self.read(size)

    expected = [(n, line.rstrip(b"\r")) for n, line in enumerate(data.split(b"\n"), 1)]
    assert [line for chunk in chunks(Trickle(data)) for line in chunk] == [(n, line) for n, line in expected if line]


def test_a_line_without_an_end_is_refused_before_memory_is_full() -> None:
    class Endless(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return bytes(size or 0)

    with pytest.raises(ConfigError, match="line 1 is longer than 16777216 bytes"):
        next(chunks(Endless()))


def test_what_stands_before_a_line_that_is_refused_is_kept() -> None:
    records, refused = read_until_refused(Lines(None, ":"), [(4, b"a:1"), (5, b"nothing"), (6, b"b:2")])
    assert records == [(b"a", b"1")]
    assert "line 5 has no ':'" in str(refused)


def test_equal_keys_go_where_kafka_puts_them_and_keyless_lines_together() -> None:
    batches = spread([(b"card-3", b"x"), (None, b"y"), (b"card-3", b"z")], 4, 0)
    assert partition_for(b"card-3", 4) != 0
    assert batches[partition_for(b"card-3", 4)].values == [b"x", b"z"]
    assert batches[0].values == [b"y"]


def test_values_are_shown_as_json_text_or_marked_base64() -> None:
    assert bytes(parsed(b'{"a":1}')) == b'{"a":1}'
    assert parsed(b"plain") == "plain"
    assert plain(b"\xff") == {"base64": "/w=="}
