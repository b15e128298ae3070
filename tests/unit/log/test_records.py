"""Record batch v2: the bytes are Kafka's, what lies is refused before it costs anything, and every value survives."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.compression import NAMES, compress
from streamflow.log.errors import CorruptBatchError, RecordTooLargeError
from streamflow.log.records import (
    HEADER_BYTES,
    LOG_APPEND_TIME,
    Columns,
    Producer,
    build_batch,
    build_marker,
    check_count,
    check_crc,
    decode,
    marker_commits,
    parse_header,
    stamp,
)

BYTES_MAX = 1 << 20
CODECS = range(5)

MIXED = {
    0: bytes.fromhex(
        "00000000000000000000006dffffffff02e2ef88f20010000000030000018bcfe568000000018bcfe5680500000000000012"
        "6700030000004d0000000426000000046b311666697273742076616c7565002e000a02010c7365636f6e6404026802780a65"
        "6d7074790110001304046b3301000c000006000000"
    ),
    1: bytes.fromhex(
        "000000000000000000000080ffffffff021b0e5fd60011000000030000018bcfe568000000018bcfe5680500000000000012"
        "6700030000004d000000041f8b08002cf7036b02ff5363606060c936144bcb2c2a2e51284bcc294d65d063e06262e4294e4d"
        "cecf4b6161ca60aae04acd2d28a9641460106661c9366664e061606003ea0300762c6a6b3c000000"
    ),
    2: bytes.fromhex(
        "000000000000000000000083ffffffff0273f138650012000000030000018bcfe568000000018bcfe5680500000000000012"
        "6700030000004d0000000482534e415050590000000001000000010000003e3cec26000000046b311666697273742076616c"
        "7565002e000a02010c7365636f6e6404026802780a656d7074790110001304046b3301000c000006000000"
    ),
    3: bytes.fromhex(
        "000000000000000000000080ffffffff02f51953e50013000000030000018bcfe568000000018bcfe5680500000000000012"
        "6700030000004d0000000404224d187040ad3c00008026000000046b311666697273742076616c7565002e000a02010c7365"
        "636f6e6404026802780a656d7074790110001304046b3301000c0000060000007fc2061900000000"
    ),
    4: bytes.fromhex(
        "000000000000000000000076ffffffff02b636cd7e0014000000030000018bcfe568000000018bcfe5680500000000000012"
        "6700030000004d0000000428b52ffd203ce1010026000000046b311666697273742076616c7565002e000a02010c7365636f"
        "6e6404026802780a656d7074790110001304046b3301000c000006000000"
    ),
}
PLAIN = bytes.fromhex(
    "0000000000000000000001bdffffffff02f41d640a0000000000020000018bcfe568000000018bcfe56802ffffffffffffff"
    "ffffffffffffff000000038402000000066b6579f00176616c75652076616c75652076616c75652076616c75652076616c75"
    "652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c756520"
    "76616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c756520008402000202066b"
    "6579f00176616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75"
    "652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c756520"
    "76616c75652076616c75652076616c75652076616c756520008402000404066b6579f00176616c75652076616c7565207661"
    "6c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75"
    "652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c75652076616c756520"
    "76616c75652000"
)
"""Four records by aiokafka's builder, transactional, producer 4711 at epoch 3 from sequence 77, in each codec; and
three large ones, by nobody."""

MARKERS = {
    True: bytes.fromhex(
        "000000000000000000000042ffffffff02b20cec680030000000000000000000000005000000000000000500000000000000"
        "070002ffffffff000000012000000008000000010c00000000000900"
    ),
    False: bytes.fromhex(
        "000000000000000000000042ffffffff0246323a200030000000000000000000000005000000000000000500000000000000"
        "070002ffffffff000000012000000008000000000c00000000000900"
    ),
}
"""Commit and abort, by the same builder with the control bit set."""

MIXED_COLUMNS = Columns(
    keys=[b"k1", None, b"k3", b""],
    values=[b"first value", b"second", None, b""],
    timestamps=[1_700_000_000_000, 1_700_000_000_005, 1_699_999_999_990, 1_700_000_000_000],
    offsets=range(4),
    headers=[(), (("h", b"x"), ("empty", None)), (), ()],
)
PRODUCER = Producer(4711, 3, 77, transactional=True)

timestamps = st.integers(-(2**62) + 1, 2**62)
blobs = st.none() | st.binary(max_size=40) | st.binary(min_size=60, max_size=70) | st.just(b"x" * 9_000)
headers = st.lists(st.tuples(st.text(max_size=70), blobs), max_size=3).map(tuple)
rows = st.lists(st.tuples(blobs, blobs, timestamps, headers), min_size=1, max_size=150)


def varint(n: int) -> bytes:
    """Written as in the protocol's description, to check the tables and inlined cases against."""
    n = n << 1 if n >= 0 else (-n << 1) - 1
    out = b""
    while n >= 128:
        out, n = out + bytes([n % 128 + 128]), n // 128
    return out + bytes([n])


def by_hand(records: bytes, *, count: int, last_delta: int | None = None, attributes: int = 0, base: int = 0) -> bytes:
    """A batch with whatever records and claims, and a right CRC."""
    last_delta = count - 1 if last_delta is None else last_delta
    body = struct.pack(">hiqqqhii", attributes, last_delta, 1000, 2000, -1, -1, -1, count) + records
    return struct.pack(">qiibI", base, len(body) + 9, -1, 2, crc32c(body)) + body


def record(delta: int, *, key: bytes = b"k", value: bytes = b"v", time: int = 0, tail: bytes = b"\0") -> bytes:
    body = b"\0" + varint(time) + varint(delta) + varint(len(key)) + key + varint(len(value)) + value + tail
    return varint(len(body)) + body


# The bytes are Kafka's


@pytest.mark.parametrize("codec", CODECS, ids=NAMES)
def test_a_batch_of_another_builder_is_read(codec: int) -> None:
    batch = MIXED[codec]
    header = parse_header(batch)
    check_crc(batch, header)
    assert (header.codec, header.transactional, header.control, header.count) == (codec, True, False, 4)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (4711, 3, 77)
    assert (header.base_timestamp, header.max_timestamp) == (1_700_000_000_000, 1_700_000_000_005)
    assert decode(batch, BYTES_MAX) == MIXED_COLUMNS


def test_a_batch_built_here_is_that_of_another_builder_byte_for_byte() -> None:
    keys, values, times, _, pairs = MIXED_COLUMNS
    assert build_batch(keys, values, times, pairs, producer=PRODUCER) == MIXED[0]
    times = [1_700_000_000_000 + n for n in range(3)]
    assert build_batch([b"key"] * 3, [b"value " * 20] * 3, times) == PLAIN


def test_a_marker_is_the_control_record_of_kip_98() -> None:
    producer = Producer(7, 2)
    for commit in (True, False):
        batch = build_marker(commit=commit, timestamp=5, producer=producer, coordinator_epoch=9)
        assert batch == MARKERS[commit]
        header = parse_header(batch)
        check_crc(batch, header)
        assert header.control and header.transactional and (header.producer_id, header.producer_epoch) == (7, 2)
        columns = decode(batch, BYTES_MAX)
        assert columns.keys == [struct.pack(">hh", 0, int(commit))], "version, type"
        assert columns.values == [struct.pack(">hi", 0, 9)], "version, coordinator epoch"
        assert marker_commits(bytes(batch)) is commit


@pytest.mark.parametrize("key", [b"", b"\0\0\0", b"\0\0\0\2"])
def test_a_control_record_that_is_not_a_marker_is_refused(key: bytes) -> None:
    with pytest.raises(CorruptBatchError, match="transaction marker"):
        marker_commits(by_hand(record(0, key=key), count=1, attributes=0x30))
    with pytest.raises(CorruptBatchError, match="transaction marker"):
        marker_commits(by_hand(b"", count=0, last_delta=0, attributes=0x30))


# Every value survives


@pytest.mark.parametrize("codec", CODECS, ids=NAMES)
@given(rows=rows)
def test_what_is_built_is_decoded_as_it_was(codec: int, rows: list[tuple]) -> None:
    keys, values, times, pairs = map(list, zip(*rows, strict=True))
    batch = build_batch(keys, values, times, pairs, codec=codec)
    columns = decode(batch, 1 << 24)
    assert (columns.keys, columns.values, columns.timestamps) == (keys, values, times)
    assert columns.offsets == range(len(rows))
    assert columns.headers == (pairs if any(pairs) else None)
    header = parse_header(batch)
    check_crc(batch, header)
    assert (header.base_timestamp, header.max_timestamp) == (times[0], max(times))


@given(rows)
def test_the_path_without_headers_writes_the_same_bytes(rows: list[tuple]) -> None:
    keys, values, times, _ = map(list, zip(*rows, strict=True))
    assert build_batch(keys, values, times) == build_batch(keys, values, times, [()] * len(rows))


@pytest.mark.parametrize("count", [63, 64, 65, 8_191, 8_192, 8_193, 20_000])
def test_lengths_and_deltas_survive_where_a_varint_grows(count: int) -> None:
    sizes = [n % 200 + 8_150 * (n % 97 == 0) for n in range(count)]
    values: list[bytes | None] = [b"v" * n for n in sizes]
    times = [n * n for n in range(count)]
    columns = decode(build_batch([None] * count, values, times), 1 << 26)
    assert columns.values == values
    assert columns.timestamps == times


@given(st.integers(0, 2**62), st.integers(0, 2**31 - 1))
def test_stamping_moves_a_batch_without_touching_its_checksum(base_offset: int, leader_epoch: int) -> None:
    batch = bytearray(MIXED[0])
    stamp(batch, base_offset, leader_epoch)
    header = parse_header(batch)
    check_crc(batch, header)
    assert (header.base_offset, header.leader_epoch) == (base_offset, leader_epoch)
    assert decode(batch, BYTES_MAX)._replace(offsets=range(4)) == MIXED_COLUMNS
    assert list(decode(batch, BYTES_MAX).offsets) == [base_offset + n for n in range(4)]


def test_the_logs_own_time_replaces_each_records() -> None:
    batch = by_hand(record(0, time=5) + record(1, time=9), count=2, attributes=LOG_APPEND_TIME)
    assert decode(batch, BYTES_MAX).timestamps == [2000, 2000]


def test_offsets_have_holes_where_records_were_compacted_away() -> None:
    batch = by_hand(record(2) + record(3) + record(70), count=3, last_delta=99, base=1_000)
    assert decode(batch, BYTES_MAX).offsets == [1_002, 1_003, 1_070]
    assert list(decode(by_hand(record(0), count=1, last_delta=9, base=5), BYTES_MAX).offsets) == [5]
    assert decode(by_hand(b"", count=0, last_delta=9), BYTES_MAX).values == []


# What lies is refused


def test_records_out_of_order_or_beyond_the_last_offset_are_refused() -> None:
    for deltas, last in (((1, 0), 5), ((0, 0), 5), ((-1, 0), 5), ((0, 6), 5), ((0, 1, 2), 1)):
        batch = by_hand(b"".join(record(d) for d in deltas), count=len(deltas), last_delta=last)
        with pytest.raises(CorruptBatchError, match=r"order of their offsets|go beyond"):
            decode(batch, BYTES_MAX)


@pytest.mark.parametrize("magic", [0, 1, 3])
def test_other_batch_formats_are_refused_by_name(magic: int) -> None:
    batch = bytearray(PLAIN)
    batch[16] = magic
    with pytest.raises(CorruptBatchError, match=f"format v{magic} isn't supported"):
        parse_header(batch)


@pytest.mark.parametrize("length", [-(2**31), -13, 0, 48, 446, 2**31 - 1])
def test_a_length_that_is_not_there_is_refused(length: int) -> None:
    batch = bytearray(PLAIN)
    struct.pack_into(">i", batch, 8, length)
    with pytest.raises(CorruptBatchError, match=f"claims {length + 12} bytes, 457 are there"):
        parse_header(batch)


@pytest.mark.parametrize(("at", "form", "value"), [(57, ">i", -1), (23, ">i", -1), (0, ">q", -5)])
def test_counts_and_offsets_below_nothing_are_refused(at: int, form: str, value: int) -> None:
    batch = bytearray(PLAIN)
    struct.pack_into(form, batch, at, value)
    with pytest.raises(CorruptBatchError, match="claims"):
        parse_header(batch)


def test_a_count_of_two_billion_costs_nothing() -> None:
    batch = by_hand(record(0) * 3, count=2**31 - 1)
    tracemalloc.start()
    with pytest.raises(CorruptBatchError, match="claims 2147483647 records"):
        decode(batch, BYTES_MAX)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@pytest.mark.parametrize(("count", "last_delta"), [(0, 0), (1, 1), (2, 0), (2, 2), (3, 2)])
def test_a_producers_batch_has_no_holes_and_no_records_that_cannot_be_in_its_bytes(count: int, last_delta: int) -> None:
    check_count(parse_header(by_hand(record(0) + record(1), count=2)))
    short = varint(6) + b"\0" * 6
    with pytest.raises(CorruptBatchError, match=r"ends at delta|claims 3 records in 14 bytes"):
        check_count(parse_header(by_hand(short * 2, count=count, last_delta=last_delta)))


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5])
def test_a_count_that_is_not_that_of_the_records_is_refused(count: int) -> None:
    with pytest.raises(CorruptBatchError):
        decode(by_hand(record(0) + record(1) + record(2), count=count, last_delta=9), BYTES_MAX)


@pytest.mark.parametrize(
    "records",
    [
        varint(100) + b"\0" * 20,
        varint(-1) + b"\0" * 20,
        varint(7) + b"\0\0\0" + varint(1_000) + b"\0\0\0",
        b"\xff" * 30,
        record(0, tail=varint(1)),
        record(0, tail=varint(2**40)),
        record(0, tail=varint(-1)),
        record(0, tail=varint(1) + varint(-1) + varint(0) + b"\0"),
        record(0, tail=varint(1) + varint(50) + b"n"),
        record(0, tail=varint(1) + varint(1) + b"n" + varint(50) + b"v"),
        record(0, tail=varint(1) + varint(2) + b"\xff\xff" + varint(0)),
        record(0, tail=b"\0\0"),
    ],
    ids=[
        "record longer than the batch",
        "record of negative length",
        "key longer than the record",
        "endless varint",
        "header missing",
        "a trillion headers",
        "headers of negative count",
        "header without a name",
        "header name too long",
        "header value too long",
        "header name that isn't text",
        "bytes behind the headers",
    ],
)
def test_records_that_contradict_themselves_are_refused(records: bytes) -> None:
    with pytest.raises(CorruptBatchError):
        decode(by_hand(records, count=1), BYTES_MAX)


@given(st.integers(0, len(MIXED[0]) - HEADER_BYTES - 1), st.integers(1, 255))
def test_records_with_a_changed_byte_decode_or_are_refused_and_nothing_else(at: int, change: int) -> None:
    records = bytearray(MIXED[0][HEADER_BYTES:])
    records[at] ^= change
    with contextlib.suppress(CorruptBatchError):
        assert len(decode(by_hand(bytes(records), count=4), BYTES_MAX).values) == 4


@pytest.mark.parametrize("codec", CODECS, ids=NAMES)
def test_any_changed_bit_under_a_right_checksum_decodes_or_is_refused_and_nothing_else(codec: int) -> None:
    records = MIXED[codec][HEADER_BYTES:]
    refused = 0
    for bit in range(len(records) * 8):
        garbled = bytearray(records)
        garbled[bit // 8] ^= 1 << bit % 8
        try:
            assert len(decode(by_hand(bytes(garbled), count=4, attributes=codec), 10_000).values) == 4
        except (CorruptBatchError, RecordTooLargeError):
            refused += 1
    assert refused > len(records), "the rest is in keys, values and times"


@pytest.mark.parametrize("codec", CODECS, ids=NAMES)
def test_records_cut_after_any_byte_are_refused_and_so_is_a_batch(codec: int) -> None:
    batch = MIXED[codec]
    for size in range(len(batch) - HEADER_BYTES):
        with pytest.raises(CorruptBatchError):
            decode(by_hand(batch[HEADER_BYTES : HEADER_BYTES + size], count=4, attributes=codec), BYTES_MAX)
    for size in range(len(batch)):
        with pytest.raises(CorruptBatchError):
            parse_header(batch[:size])


@pytest.mark.parametrize("codec", CODECS, ids=NAMES)
def test_a_changed_byte_anywhere_under_the_checksum_is_noticed(codec: int) -> None:
    for at in range(17, len(MIXED[codec])):
        batch = bytearray(MIXED[codec])
        batch[at] ^= 0x10
        with pytest.raises(CorruptBatchError):
            check_crc(batch, parse_header(batch))


@pytest.mark.parametrize("codec", [1, 2, 3, 4], ids=NAMES[1:])
def test_a_batch_that_unpacks_beyond_its_bound_is_refused(codec: int) -> None:
    packed = compress(codec, record(0, value=bytes(1 << 20)))
    with pytest.raises(RecordTooLargeError):
        decode(by_hand(packed, count=1, attributes=codec), 1 << 20)


def test_the_delete_horizon_and_unknown_attributes_change_nothing() -> None:
    assert decode(by_hand(record(0), count=1, attributes=0x40), BYTES_MAX).values == [b"v"]


def test_timestamps_too_far_apart_for_a_delta_are_refused() -> None:
    with pytest.raises(CorruptBatchError, match="too far apart"):
        build_batch([None, None], [b"a", b"b"], [-(2**62), 2**62])
