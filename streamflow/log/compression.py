"""Kafka's five codecs, with bounded output: a decompressor never decides how much memory a batch takes.

gzip comes with Python; snappy, lz4 and zstd with the extra `compression` (cramjam). What is written, Java's client
reads: snappy in its own framing (xerial; read with or without it), lz4 in frames of independent blocks (it refuses
linked ones; both are read here).
"""

from __future__ import annotations

import struct
import zlib
from types import ModuleType

from streamflow.log.errors import CorruptBatchError, RecordTooLargeError, UnsupportedCompressionError

NAMES = ("none", "gzip", "snappy", "lz4", "zstd")
"""By the number in a batch's attributes."""

GZIP = 31
"""zlib's `wbits` for gzip's framing."""

XERIAL_MAGIC = b"\x82SNAPPY\x00"
XERIAL_HEADER = XERIAL_MAGIC + struct.pack(">ii", 1, 1)
XERIAL_BLOCK_BYTES = 32 * 1024
"""As Java's SnappyOutputStream writes."""

CHUNK_BYTES = 64 * 1024
"""The least that is unpacked into."""

NO_ROOM = "failed to write whole buffer"
"""What cramjam says of a buffer too small for what is unpacked. Only what an error is called depends on these words,
which are no interface: should they change, sound data is still read."""


def codec_number(name: str) -> int:
    """Raises: UnsupportedCompressionError for a name that isn't Kafka's."""
    if name not in NAMES:
        raise UnsupportedCompressionError(f"compression {name!r} isn't known; use one of {', '.join(NAMES)}")
    return NAMES.index(name)


def compress(codec: int, data: bytes) -> bytes:
    """Raises: UnsupportedCompressionError when the codec's library isn't installed."""
    if codec == 0:
        return data
    if codec == 1:
        return zlib.compress(data, wbits=GZIP)
    cramjam = _cramjam(codec)
    if codec == 2:
        return _snappy_framed(cramjam, data)
    if codec == 3:
        worker = cramjam.lz4.Compressor(content_checksum=False, block_linked=False)
        worker.compress(data)
        return bytes(worker.finish())
    return bytes(cramjam.zstd.compress(data))


def decompress(codec: int, data: bytes | memoryview, bytes_max: int) -> bytes:
    """At most `bytes_max` bytes.

    Raises: RecordTooLargeError when there would be more; CorruptBatchError for what the codec can't read;
    UnsupportedCompressionError for a codec unknown or not installed.
    """
    if codec == 0:
        return bytes(data)
    if codec >= len(NAMES):
        raise UnsupportedCompressionError(f"compression codec {codec} isn't one of Kafka's; the batch can't be read")
    try:
        if codec == 1:
            return _gunzip(data, bytes_max)
        cramjam = _cramjam(codec)
        if codec == 2:
            return _unsnappy(cramjam, bytes(data), bytes_max)
        return _bounded(cramjam.lz4 if codec == 3 else cramjam.zstd, bytes(data), bytes_max)
    except zlib.error as error:
        raise CorruptBatchError(f"gzip data can't be read: {error}") from error


def _cramjam(codec: int) -> ModuleType:
    try:
        import cramjam
    except ImportError as error:
        raise UnsupportedCompressionError(
            f"{NAMES[codec]} needs a library that isn't installed: pip install 'streamflow-log[compression]'"
        ) from error
    return cramjam


def _gunzip(data: bytes | memoryview, bytes_max: int) -> bytes:
    worker = zlib.decompressobj(wbits=GZIP)
    plain = worker.decompress(data, bytes_max + 1)
    if len(plain) > bytes_max:
        raise _too_large("gzip", bytes_max)
    if not worker.eof:
        raise CorruptBatchError("gzip data is cut short")
    if worker.unused_data:
        raise CorruptBatchError(f"{len(worker.unused_data)} bytes follow gzip data")
    return plain


def _bounded(module: ModuleType, data: bytes, bytes_max: int) -> bytes:
    """Into a buffer that grows to the bound and no further."""
    import cramjam

    name = module.__name__.rpartition(".")[2]
    size = min(max(len(data) * 4, CHUNK_BYTES), bytes_max)
    while True:
        buffer = bytearray(size)
        try:
            written = module.decompress_into(data, buffer)
        except cramjam.DecompressionError as error:
            if size == bytes_max:
                if str(error) == NO_ROOM:
                    raise _too_large(name, bytes_max) from error
                raise CorruptBatchError(f"{name} data can't be read: {error}") from error
            size = min(size * 4, bytes_max)
        else:
            return bytes(memoryview(buffer)[:written])


def _snappy_framed(cramjam: ModuleType, data: bytes) -> bytes:
    parts = [XERIAL_HEADER]
    for start in range(0, len(data), XERIAL_BLOCK_BYTES):
        block = bytes(cramjam.snappy.compress_raw(data[start : start + XERIAL_BLOCK_BYTES]))
        parts += [struct.pack(">i", len(block)), block]
    return b"".join(parts)


def _unsnappy(cramjam: ModuleType, data: bytes, bytes_max: int) -> bytes:
    if not data.startswith(XERIAL_MAGIC):
        return _snappy_block(cramjam, data, bytes_max, bytes_max)
    if len(data) < len(XERIAL_HEADER):
        raise CorruptBatchError("snappy data ends inside its header")
    parts: list[bytes] = []
    at, left = len(XERIAL_HEADER), bytes_max
    while at < len(data):
        if at + 4 > len(data):
            raise CorruptBatchError("snappy data ends inside a block's length")
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if length < 0 or at + length > len(data):
            raise CorruptBatchError(f"a snappy block claims {length} bytes, {len(data) - at} are left")
        parts.append(_snappy_block(cramjam, data[at : at + length], left, bytes_max))
        left -= len(parts[-1])
        at += length
    return b"".join(parts)


def _snappy_block(cramjam: ModuleType, block: bytes, left: int, bytes_max: int) -> bytes:
    """The size a block claims is checked before a byte is allocated (CVE-2023-34455)."""
    try:
        if cramjam.snappy.decompress_raw_len(block) > left:
            raise _too_large("snappy", bytes_max)
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise CorruptBatchError(f"snappy data can't be read: {error}") from error


def _too_large(codec: str, bytes_max: int) -> RecordTooLargeError:
    return RecordTooLargeError(f"{codec} data grows beyond {bytes_max} bytes; it isn't unpacked further")
