"""Where records stand in a batch, held against the decoder that reads them whole."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import CorruptBatchError
from streamflow.log.records import build_batch, decode, pack_batch, parse_header, unpack
from streamflow.log.storage.outline import number_at, outline, timestamp_delta, with_timestamp_delta

BYTES_MAX = 1 << 20

keys = st.one_of(st.none(), st.binary(max_size=70), st.integers(120, 20_000).map(bytes))
values = st.one_of(st.none(), st.binary(max_size=200), st.just(bytes(9_000)))
times = st.one_of(st.integers(0, 5), st.integers(-(2**40), 2**40))
headers = st.lists(st.tuples(st.text(max_size=3), st.one_of(st.none(), st.binary(max_size=3))), max_size=2).map(tuple)
rows = st.lists(st.tuples(keys, values, times, headers), min_size=1, max_size=150)


def built(rows: list, codec: int = 0) -> bytearray:
    columns = zip(*rows, strict=True)
    return build_batch(*map(list, columns), codec=codec)


@given(rows, st.sampled_from([0, 1, 3]))
def test_it_finds_what_the_decoder_finds(rows: list, codec: int) -> None:
    batch = built(rows, codec)
    header, columns = parse_header(batch), decode(batch, BYTES_MAX * 4)
    data = unpack(batch, header, BYTES_MAX * 4)
    found = outline(data, header)
    assert found.keys == columns.keys
    assert [header.base_offset + d for d in found.deltas] == list(columns.offsets)
    assert found.tombstones == [n for n, value in enumerate(columns.values) if value is None]
    deltas = [timestamp_delta(data, start)[0] for start in found.ends[:-1]]
    assert [header.base_timestamp + d for d in deltas] == columns.timestamps


@given(rows, st.data())
def test_a_batch_of_some_of_the_records_is_read_as_these_at_their_offsets(rows: list, data: st.DataObject) -> None:
    batch = built(rows)
    header = parse_header(batch)
    plain = unpack(batch, header, BYTES_MAX * 4)
    ends = outline(plain, header).ends
    kept = data.draw(st.sets(st.integers(0, len(rows) - 1)).map(sorted))
    body = b"".join(plain[ends[n] : ends[n + 1]] for n in kept)
    fields = {f: getattr(header, f) for f in header.__dataclass_fields__} | {"count": len(kept)}
    some = pack_batch(type(header)(**fields), body)
    again = outline(body, parse_header(some))
    assert list(again.deltas) == kept == list(decode(some, BYTES_MAX * 4).offsets)
    assert again.keys == [rows[n][0] for n in kept]


@given(rows, st.integers(-(2**41), 2**41))
def test_records_moved_to_another_base_time_keep_their_own(rows: list, base: int) -> None:
    batch = built(rows)
    header = parse_header(batch)
    plain = unpack(batch, header, BYTES_MAX * 4)
    ends = outline(plain, header).ends
    by = header.base_timestamp - base
    body = b"".join(with_timestamp_delta(plain, a, b, by) for a, b in pairwise(ends))
    fields = {f: getattr(header, f) for f in header.__dataclass_fields__} | {"base_timestamp": base}
    assert decode(pack_batch(type(header)(**fields), body), BYTES_MAX * 4) == decode(batch, BYTES_MAX * 4)


@given(rows, st.data())
def test_garbled_records_are_refused_or_read_and_nothing_else_happens(rows: list, data: st.DataObject) -> None:
    batch = built(rows)
    header = parse_header(batch)
    plain = bytearray(unpack(batch, header, BYTES_MAX * 4))
    for _ in range(data.draw(st.integers(1, 3))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    plain = plain[: data.draw(st.integers(0, len(plain)))]
    try:
        found = outline(bytes(plain), header)
    except CorruptBatchError:
        return
    assert found.ends == sorted(found.ends) and found.ends[-1] == len(plain)
    assert list(found.deltas) == sorted(set(found.deltas)) and found.deltas[-1] <= header.last_offset_delta


@given(rows, st.data())
def test_what_the_decoder_reads_of_garbled_records_is_found_alike(rows: list, data: st.DataObject) -> None:
    batch = built(rows)
    header = parse_header(batch)
    plain = bytearray(unpack(batch, header, BYTES_MAX * 4))
    plain[data.draw(st.integers(0, len(plain) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        columns = decode(pack_batch(header, bytes(plain)), BYTES_MAX * 4)
    except CorruptBatchError:
        return
    found = outline(bytes(plain), header)
    assert found.keys == columns.keys
    assert [header.base_offset + d for d in found.deltas] == list(columns.offsets)


def test_a_number_without_an_end_is_refused() -> None:
    with pytest.raises(CorruptBatchError, match="longer than ten bytes"):
        number_at(b"\xff" * 11, 0)
