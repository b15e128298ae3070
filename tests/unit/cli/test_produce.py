"""Lines of standard input as records."""

from __future__ import annotations

import io

import pytest

from streamflow.cli.consume import parsed, plain
from streamflow.cli.produce import Lines, chunks, spread
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
    assert list(chunks(io.BytesIO(b"a\r\n\nb\nc"))) == [[(1, b"a"), (3, b"b"), (4, b"c")]]


def test_equal_keys_go_where_kafka_puts_them_and_keyless_lines_together() -> None:
    batches = spread([(b"card-3", b"x"), (None, b"y"), (b"card-3", b"z")], 4, 0)
    assert partition_for(b"card-3", 4) != 0
    assert batches[partition_for(b"card-3", 4)].values == [b"x", b"z"]
    assert batches[0].values == [b"y"]


def test_values_are_shown_as_json_text_or_marked_base64() -> None:
    assert bytes(parsed(b'{"a":1}')) == b'{"a":1}'
    assert parsed(b"plain") == "plain"
    assert plain(b"\xff") == {"base64": "/w=="}
