"""Kafka's codecs: what other clients wrote is read, what isn't data is refused, nothing unpacks beyond its bound."""

from __future__ import annotations

import builtins
import contextlib
import gzip
import struct
import tracemalloc
import zlib

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.compression import NAMES, XERIAL_HEADER, codec_number, compress, decompress
from streamflow.log.errors import CorruptBatchError, RecordTooLargeError, UnsupportedCompressionError

CODECS = range(1, 5)
BYTES_MAX = 1 << 20

RAW_SNAPPY = b"\x05\x10hello"
"""By hand, from the format's description: length 5, then a literal of 5 bytes."""

LINKED_LZ4 = (
    bytes.fromhex("04224d184c40786301000000000012160100007f6c696e6b6564200700")
    + b"\xff" * 82
    + bytes.fromhex("401f780100")
    + b"\xff" * 174
    + bytes.fromhex("8d5078787878786d0000000f0100")
    + b"\xff" * 99
    + bytes.fromhex("c350787878787800000000bed20539")
)
"""By python-lz4: linked blocks, with content size and checksum."""

ZSTD = bytes.fromhex("28b52ffd60f400650000287a737464200100ec508b16")
"""By python-zstandard."""


@pytest.mark.parametrize("codec", range(5), ids=NAMES)
@given(data=st.binary(max_size=3_000), repeat=st.integers(1, 60))
def test_what_was_compressed_comes_back(codec: int, data: bytes, repeat: int) -> None:
    plain = data * repeat
    assert decompress(codec, memoryview(compress(codec, plain)), len(plain)) == plain


def test_frames_of_other_writers_are_read() -> None:
    assert decompress(1, gzip.compress(b"gzip"), 100) == b"gzip"
    assert decompress(2, RAW_SNAPPY, 100) == b"hello"
    assert decompress(2, XERIAL_HEADER + struct.pack(">i", len(RAW_SNAPPY)) + RAW_SNAPPY, 100) == b"hello"
    assert decompress(3, LINKED_LZ4, BYTES_MAX) == b"linked " * 3_000 + b"x" * 70_000
    assert decompress(4, ZSTD, 1_000) == b"zstd " * 100


def test_lz4_is_written_in_independent_blocks_because_javas_client_reads_no_other() -> None:
    flags = compress(3, b"lz4" * 100_000)[4]
    assert flags >> 6 == 1, "version"
    assert flags & 0x20, "block independence"


def test_snappy_is_written_in_javas_framing() -> None:
    written = compress(2, b"s" * 100_000)
    assert written.startswith(b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")
    (length,) = struct.unpack_from(">i", written, 16)
    assert bytes(cramjam.snappy.decompress_raw(written[20 : 20 + length])) == b"s" * 32_768


@pytest.mark.parametrize("codec", CODECS, ids=NAMES[1:])
def test_a_bomb_is_refused_before_it_takes_much_more_than_its_bound(codec: int) -> None:
    bomb = compress(codec, bytes(64 << 20))
    bound = 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(RecordTooLargeError, match=f"{NAMES[codec]} data grows beyond {bound} bytes"):
            decompress(codec, bomb, bound)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * bound + 4 * len(bomb)


@pytest.mark.parametrize("codec", CODECS, ids=NAMES[1:])
def test_data_of_exactly_the_bound_is_read_and_a_byte_more_is_not(codec: int) -> None:
    for plain in (b"ab" * 500_000, bytes(range(256)) * 10):
        packed = compress(codec, plain)
        assert decompress(codec, packed, len(plain)) == plain
        with pytest.raises(RecordTooLargeError):
            decompress(codec, packed, len(plain) - 1)


@pytest.mark.parametrize("codec", CODECS, ids=NAMES[1:])
def test_data_that_shrank_a_lot_is_read_whatever_words_the_library_has_for_a_small_buffer(
    codec: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamflow.log.compression.NO_ROOM", "other words")
    plain = bytes(5 << 20)
    assert decompress(codec, compress(codec, plain), 64 << 20) == plain


def test_a_snappy_block_that_claims_gigabytes_is_refused_by_its_claim() -> None:
    claim = b"\xff\xff\xff\xff\x0f" + b"\x00" * 20
    for data in (claim, XERIAL_HEADER + struct.pack(">i", len(claim)) + claim):
        with pytest.raises(RecordTooLargeError):
            decompress(2, data, BYTES_MAX)


@pytest.mark.parametrize("length", [-1, 100, 2**31 - 1])
def test_a_snappy_frame_that_claims_more_than_is_there_is_corrupt(length: int) -> None:
    with pytest.raises(CorruptBatchError, match=f"claims {length} bytes"):
        decompress(2, XERIAL_HEADER + struct.pack(">i", length) + RAW_SNAPPY, BYTES_MAX)


@pytest.mark.parametrize("codec", CODECS, ids=NAMES[1:])
def test_data_cut_short_is_corrupt_and_never_shorter_data(codec: int) -> None:
    packed = compress(codec, bytes(range(256)) * 2)
    for size in range(len(packed)):
        try:
            short = decompress(codec, packed[:size], BYTES_MAX)
        except CorruptBatchError:
            continue
        assert codec == 2 and size == len(XERIAL_HEADER) and short == b"", "a snappy stream of no blocks is sound"


@given(st.sampled_from(CODECS), st.binary(max_size=200))
def test_garbage_is_corrupt_or_too_large_and_nothing_else(codec: int, garbage: bytes) -> None:
    with contextlib.suppress(CorruptBatchError, RecordTooLargeError):
        decompress(codec, garbage, 10_000)


@given(st.sampled_from(CODECS), st.integers(0), st.integers(1, 255))
def test_a_changed_byte_never_breaks_out(codec: int, at: int, change: int) -> None:
    packed = bytearray(compress(codec, b"some text, some text, and some more text" * 20))
    packed[at % len(packed)] ^= change
    with contextlib.suppress(CorruptBatchError, RecordTooLargeError):
        assert len(decompress(codec, bytes(packed), 10_000)) <= 10_000


def test_bytes_behind_a_gzip_stream_are_corrupt() -> None:
    with pytest.raises(CorruptBatchError, match="4 bytes follow"):
        decompress(1, zlib.compress(b"x", wbits=31) + b"more", 100)


def test_a_codec_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refuse(name: str, *rest: object) -> object:
        if name == "cramjam":
            raise ImportError(name)
        return imported(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    for codec in (2, 3, 4):
        with pytest.raises(UnsupportedCompressionError, match=r"pip install 'streamflow-log\[compression\]'"):
            compress(codec, b"x")
    assert decompress(1, compress(1, b"x"), 10) == b"x"


def test_names_and_numbers_are_kafkas() -> None:
    assert [codec_number(name) for name in ("none", "gzip", "snappy", "lz4", "zstd")] == [0, 1, 2, 3, 4]
    with pytest.raises(UnsupportedCompressionError, match="'brotli' isn't known; use one of none, gzip"):
        codec_number("brotli")
    for number in (5, 6, 7):
        with pytest.raises(UnsupportedCompressionError, match=f"codec {number}"):
            decompress(number, b"x", 10)
