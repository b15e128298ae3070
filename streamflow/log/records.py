"""Record batch v2: header, CRC, build, decode. PURE. (KIP-98; Apache Kafka's documentation, "Message Format")

    base offset i64 | length i32 | leader epoch i32 | magic i8 | crc u32 | attributes i16 | last offset delta i32 |
    base timestamp i64 | max timestamp i64 | producer id i64 | producer epoch i16 | base sequence i32 | count i32 |
    records

The CRC (Castagnoli) covers attributes to end, so a log may stamp base offset and leader epoch without touching it.

Rules for whoever edits this: nothing is allocated by a number that wasn't held against the bytes that are there; the
decode loop is the framework's hottest, so measure it before and after.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from crc32c import crc32c

from streamflow.log.compression import compress, decompress
from streamflow.log.errors import CorruptBatchError

Headers = tuple[tuple[str, bytes | None], ...]

HEADER_BYTES = 61
LENGTH_BYTES = 12
"""Base offset and length: what `length` doesn't count."""
MAGIC = 2
RECORD_BYTES_MIN = 7
"""Length, attributes, two deltas, key length, value length, header count: a byte each."""

CODEC_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
DELETE_HORIZON = 0x40
"""The base timestamp is when tombstones, or the marker, may go (KIP-534): set by who first compacts the batch."""

_HEADER = struct.Struct(">qiibIhiqqqhii")
_CRC_AT = 17
_ATTRIBUTES_AT = 21
_MAX_TIMESTAMP_AT = 35


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """A batch's header. `size` is the whole batch in bytes."""

    base_offset: int
    size: int
    leader_epoch: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def codec(self) -> int:
        return self.attributes & CODEC_MASK

    @property
    def transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def control(self) -> bool:
        return bool(self.attributes & CONTROL)

    @property
    def delete_horizon_ms(self) -> int | None:
        """From when on its tombstones, or its marker, may go; None when nobody has said so yet."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON else None


class Columns(NamedTuple):
    """The records of a batch, a list a field. `offsets` is a range where the batch has no holes."""

    keys: list[bytes | None]
    values: list[bytes | None]
    timestamps: list[int]
    offsets: Sequence[int]
    headers: list[Headers] | None


@dataclass(frozen=True, slots=True)
class Producer:
    """Whose batch it is: producer id, epoch and the sequence of the first record (KIP-98)."""

    id: int = -1
    epoch: int = -1
    sequence: int = -1
    transactional: bool = False


NOBODY = Producer()


def parse_header(data: bytes | bytearray | memoryview, at: int = 0) -> BatchHeader:
    """The header of the batch at `at`, its claims held against the bytes that are there.

    Raises: CorruptBatchError when it can't be a batch v2 that ends within the data.
    """
    left = len(data) - at
    if left < HEADER_BYTES:
        raise CorruptBatchError(f"{left} bytes can't hold a record batch; its header alone takes {HEADER_BYTES}")
    base_offset, length, leader_epoch, magic, crc, attributes, last_delta, *rest = _HEADER.unpack_from(data, at)
    base_timestamp, max_timestamp, producer_id, producer_epoch, base_sequence, count = rest
    size = length + LENGTH_BYTES
    if magic != MAGIC:
        raise CorruptBatchError(f"record batch format v{magic} isn't supported; producers since Kafka 0.11 write v2")
    if size < HEADER_BYTES or size > left:
        raise CorruptBatchError(f"a record batch claims {size} bytes, {left} are there")
    if count < 0 or last_delta < 0 or base_offset < 0:
        raise CorruptBatchError(
            f"a record batch claims {count} records up to offset delta {last_delta} at {base_offset}"
        )
    return BatchHeader(
        base_offset,
        size,
        leader_epoch,
        crc,
        attributes,
        last_delta,
        base_timestamp,
        max_timestamp,
        producer_id,
        producer_epoch,
        base_sequence,
        count,
    )


def check_crc(data: bytes | bytearray | memoryview, header: BatchHeader, at: int = 0) -> None:
    """Raises: CorruptBatchError when the batch isn't what its producer wrote."""
    with memoryview(data) as view:
        found = crc32c(view[at + _ATTRIBUTES_AT : at + header.size])
    if found != header.crc:
        raise CorruptBatchError(
            f"the batch at offset {header.base_offset} fails its checksum: {found:#010x}, written as {header.crc:#010x}"
        )


def check_count(header: BatchHeader) -> None:
    """For batches as producers send them, without holes. Raises: CorruptBatchError when the header contradicts itself,
    or claims records that can't be in its bytes."""
    if header.count < 1 or header.count != header.last_offset_delta + 1:
        raise CorruptBatchError(f"a batch of {header.count} records ends at delta {header.last_offset_delta}")
    if not header.codec and header.count * RECORD_BYTES_MIN > header.size - HEADER_BYTES:
        raise CorruptBatchError(f"a batch claims {header.count} records in {header.size - HEADER_BYTES} bytes")


def stamp(data: bytearray, base_offset: int, leader_epoch: int, at: int = 0) -> None:
    """Gives a batch its place in the log. Neither field is under the CRC."""
    struct.pack_into(">q", data, at, base_offset)
    struct.pack_into(">i", data, at + LENGTH_BYTES, leader_epoch)


def set_append_time(data: bytearray, header: BatchHeader, now_ms: int, at: int = 0) -> None:
    """The log's time instead of the producer's. Both fields are under the CRC, which is made anew."""
    struct.pack_into(">h", data, at + _ATTRIBUTES_AT, header.attributes | LOG_APPEND_TIME)
    struct.pack_into(">q", data, at + _MAX_TIMESTAMP_AT, now_ms)
    with memoryview(data) as view:
        struct.pack_into(">I", data, at + _CRC_AT, crc32c(view[at + _ATTRIBUTES_AT : at + header.size]))


# Building


def varint(n: int) -> bytes:
    """Of a signed number of 64 bits."""
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


_SMALL = [varint(n) for n in range(16_384)]
_NULL = varint(-1)
_DELTA_MAX = 2**63
"""Of two timestamps: what a varint of 64 bits holds."""


def _number(n: int) -> bytes:
    return _SMALL[n] if 0 <= n < 16_384 else varint(n)


def build_batch(
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    timestamps: Sequence[int],
    headers: Sequence[Headers] | None = None,
    *,
    codec: int = 0,
    producer: Producer = NOBODY,
) -> bytearray:
    """A batch of one record or more, at base offset 0, ready to be stamped. Timestamps in ms."""
    assert len(keys) == len(values) == len(timestamps) > 0, "columns of one length, and not empty"
    base = timestamps[0]
    if max(timestamps) - min(timestamps) >= _DELTA_MAX:
        raise CorruptBatchError(f"timestamps {min(timestamps)} and {max(timestamps)} are too far apart for one batch")
    parts: list[bytes] = []
    add = parts.append
    small, number = _SMALL, _number
    if headers is None:
        for delta, (key, value, timestamp) in enumerate(zip(keys, values, timestamps, strict=True)):
            n = timestamp - base
            body = b"".join(
                (
                    b"\0",
                    small[n] if 0 <= n < 16_384 else varint(n),
                    small[delta] if delta < 16_384 else varint(delta),
                    _NULL if key is None else number(len(key)) + key,
                    _NULL if value is None else number(len(value)) + value,
                    b"\0",
                )
            )
            n = len(body)
            add(small[n] if n < 16_384 else varint(n))
            add(body)
    else:
        rows = zip(keys, values, timestamps, headers, strict=True)
        for delta, (key, value, timestamp, pairs) in enumerate(rows):
            body = b"".join((b"\0", number(timestamp - base), number(delta), _sized(key), _sized(value), _pairs(pairs)))
            add(number(len(body)))
            add(body)
    attributes = codec | (TRANSACTIONAL if producer.transactional else 0)
    return _assemble(b"".join(parts), attributes, timestamps, len(keys), producer, codec)


def build_marker(*, commit: bool, timestamp: int, producer: Producer, coordinator_epoch: int = 0) -> bytearray:
    """The control batch that ends a transaction on a partition (KIP-98, EndTransactionMarker v0)."""
    key = struct.pack(">hh", 0, 1 if commit else 0)
    value = struct.pack(">hi", 0, coordinator_epoch)
    body = b"\0\0\0" + _sized(key) + _sized(value) + b"\0"
    attributes = TRANSACTIONAL | CONTROL
    return _assemble(_number(len(body)) + body, attributes, [timestamp], 1, producer, 0)


class Marker(NamedTuple):
    """What ends a producer's transaction on a partition says."""

    commits: bool
    coordinator_epoch: int


def read_marker(batch: bytes | memoryview) -> Marker:
    """Of a control batch. Raises: CorruptBatchError for another kind of control record."""
    columns = decode(batch, HEADER_BYTES * 4)
    key = columns.keys[0] if columns.keys else None
    value = columns.values[0] if columns.values else None
    if key is None or len(key) < 4 or struct.unpack_from(">h", key, 2)[0] not in (0, 1):
        raise CorruptBatchError(f"control record key {key!r} isn't a transaction marker's")
    if value is None or len(value) < 6:
        raise CorruptBatchError(f"control record value {value!r} isn't a transaction marker's")
    return Marker(bool(struct.unpack_from(">h", key, 2)[0]), struct.unpack_from(">i", value, 2)[0])


def marker_commits(batch: bytes | memoryview) -> bool:
    """Whether a control batch is a commit marker. Raises: as `read_marker`."""
    return read_marker(batch).commits


def _sized(data: bytes | None) -> bytes:
    return _NULL if data is None else _number(len(data)) + data


def _pairs(headers: Headers) -> bytes:
    parts = [_number(len(headers))]
    for name, value in headers:
        plain = name.encode()
        parts += [_number(len(plain)), plain, _sized(value)]
    return b"".join(parts)


def _assemble(
    records: bytes, attributes: int, timestamps: Sequence[int], count: int, producer: Producer, codec: int
) -> bytearray:
    packed = compress(codec, records)
    times = (timestamps[0], max(timestamps))
    return _packed(packed, 0, -1, attributes, count - 1, *times, producer.id, producer.epoch, producer.sequence, count)


def pack_batch(header: BatchHeader, packed: bytes) -> bytearray:
    """A batch of records compressed already, with the header's fields but for its size and CRC."""
    return _packed(
        packed,
        header.base_offset,
        header.leader_epoch,
        header.attributes,
        header.last_offset_delta,
        header.base_timestamp,
        header.max_timestamp,
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
        header.count,
    )


def _packed(packed: bytes, base_offset: int, leader_epoch: int, *covered: int) -> bytearray:
    """Args: covered: the fields under the CRC, in order. Not as a header: making one costs as much as all else."""
    batch = bytearray(HEADER_BYTES + len(packed))
    _HEADER.pack_into(batch, 0, base_offset, len(batch) - LENGTH_BYTES, leader_epoch, MAGIC, 0, *covered)
    batch[HEADER_BYTES:] = packed
    with memoryview(batch) as view:
        crc = crc32c(view[_ATTRIBUTES_AT:])
    struct.pack_into(">I", batch, _CRC_AT, crc)
    return batch


# Decoding


def unpack(batch: bytes | bytearray | memoryview, header: BatchHeader, bytes_max: int) -> bytes:
    """The records of a whole batch, decompressed: `bytes_max` at most, and room in them for as many as it claims.

    Raises: CorruptBatchError, RecordTooLargeError, UnsupportedCompressionError.
    """
    packed = memoryview(batch)[HEADER_BYTES : header.size]
    data = bytes(packed) if not header.codec else decompress(header.codec, packed, bytes_max)
    if header.count * RECORD_BYTES_MIN > len(data):
        raise CorruptBatchError(f"a batch claims {header.count} records in {len(data)} bytes")
    return data


def decode(batch: bytes | bytearray | memoryview, bytes_max: int) -> Columns:
    """The records of a whole batch whose CRC was checked. `bytes_max` bounds what it may unpack to.

    Raises: CorruptBatchError for records that contradict the header or themselves; RecordTooLargeError.
    """
    header = parse_header(batch)
    data = unpack(batch, header, bytes_max)
    try:
        columns = _decode_records(data, header)
    except (IndexError, UnicodeDecodeError, struct.error) as error:
        raise CorruptBatchError(f"the records at offset {header.base_offset} are cut short or garbled") from error
    if header.attributes & LOG_APPEND_TIME:
        columns = columns._replace(timestamps=[header.max_timestamp] * header.count)
    return columns


def _decode_records(data: bytes, header: BatchHeader) -> Columns:
    """One pass with varints of one and two bytes inlined: nearly all lengths and deltas. Lists, not tuples or objects,
    and a look at an offset only where it isn't the next: each of it was measured."""
    keys: list[bytes | None] = []
    values: list[bytes | None] = []
    timestamps: list[int] = []
    moved: dict[int, int] = {}
    headers: dict[int, Headers] = {}
    add_key, add_value, add_timestamp = keys.append, values.append, timestamps.append
    base, at, size = header.base_timestamp, 0, len(data)
    for index in range(header.count):
        n = data[at]
        at += 1
        if n > 127:
            n, at = (n & 127 | data[at] << 7, at + 1) if data[at] < 128 else _rest(data, at, n)
        end = at + (n >> 1)
        if n & 1 or end > size:
            raise CorruptBatchError(f"record {index} at offset {header.base_offset} claims {n >> 1} bytes")
        n = data[at + 1]
        at += 2
        if n > 127:
            n, at = (n & 127 | data[at] << 7, at + 1) if data[at] < 128 else _rest(data, at, n)
        add_timestamp(base - (n >> 1) - 1 if n & 1 else base + (n >> 1))
        n = data[at]
        at += 1
        if n > 127:
            n, at = (n & 127 | data[at] << 7, at + 1) if data[at] < 128 else _rest(data, at, n)
        if n != index + index:
            moved[index] = (n >> 1) ^ -(n & 1)
        n = data[at]
        at += 1
        if n > 127:
            n, at = (n & 127 | data[at] << 7, at + 1) if data[at] < 128 else _rest(data, at, n)
        if n & 1:
            add_key(None)
        else:
            stop = at + (n >> 1)
            add_key(data[at:stop])
            at = stop
        n = data[at]
        at += 1
        if n > 127:
            n, at = (n & 127 | data[at] << 7, at + 1) if data[at] < 128 else _rest(data, at, n)
        if n & 1:
            add_value(None)
        else:
            stop = at + (n >> 1)
            add_value(data[at:stop])
            at = stop
        if data[at]:
            headers[index], at = _decode_headers(data, at, end)
        else:
            at += 1
        if at != end:
            raise CorruptBatchError(f"record {index} at offset {header.base_offset} doesn't end where it says")
    if at != size:
        raise CorruptBatchError(f"{size - at} bytes follow the last record at offset {header.base_offset}")
    column = [headers.get(i, ()) for i in range(header.count)] if headers else None
    return Columns(keys, values, timestamps, _offsets(header, moved), column)


def _offsets(header: BatchHeader, moved: dict[int, int]) -> Sequence[int]:
    """Deltas are 0, 1, 2 … but for those `moved`: records between them were compacted away."""
    deltas: Sequence[int] = range(header.count)
    if moved:
        deltas = [moved.get(i, i) for i in deltas]
        if deltas[0] < 0 or any(b <= a for a, b in pairwise(deltas)):
            raise CorruptBatchError(f"the records at offset {header.base_offset} aren't in the order of their offsets")
    if deltas and deltas[-1] > header.last_offset_delta:
        raise CorruptBatchError(f"the records at offset {header.base_offset} go beyond {header.last_offset}")
    first = header.base_offset
    return [first + d for d in deltas] if moved else range(first, first + header.count)


def _rest(data: bytes, at: int, n: int) -> tuple[int, int]:
    """A varint that goes on behind its first byte `n`: the unsigned number, and where it ends."""
    n &= 0x7F
    for shift in range(7, 70, 7):
        byte = data[at]
        at += 1
        n |= (byte & 0x7F) << shift
        if byte < 128:
            return n, at
    raise CorruptBatchError("a varint is longer than ten bytes")


def _decode_headers(data: bytes, at: int, end: int) -> tuple[Headers, int]:
    """What runs over the record's end is seen by the caller, which looks where they end."""
    n, at = _unsigned(data, at)
    if n & 1 or n > end - at:
        raise CorruptBatchError(f"a record claims {n >> 1} headers in {end - at} bytes")
    pairs: list[tuple[str, bytes | None]] = []
    for _ in range(n >> 1):
        n, at = (data[at], at + 1) if data[at] < 128 else _unsigned(data, at)
        if n & 1:
            raise CorruptBatchError("a record has a header without a name")
        stop = at + (n >> 1)
        name = data[at:stop].decode()
        n, at = (data[stop], stop + 1) if data[stop] < 128 else _unsigned(data, stop)
        if n & 1:
            pairs.append((name, None))
        else:
            stop = at + (n >> 1)
            pairs.append((name, data[at:stop]))
            at = stop
    return tuple(pairs), at


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    n = data[at]
    return (n, at + 1) if n < 128 else _rest(data, at + 1, n)
