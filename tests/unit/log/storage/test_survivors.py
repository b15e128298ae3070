"""What compaction leaves of one batch, held against what a reader of records would keep."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.records import (
    LOG_APPEND_TIME,
    NOBODY,
    Producer,
    build_batch,
    check_crc,
    decode,
    pack_batch,
    parse_header,
    set_append_time,
    stamp,
)
from streamflow.log.storage.offset_map import OffsetMap
from streamflow.log.storage.passed_transactions import PassedTransactions
from streamflow.log.storage.survivors import Survival, placeholder

BASE = 100
BYTES_MAX = 1 << 20

keys = st.sampled_from([None, b"a", b"b", b"c"])
values = st.sampled_from([None, b"1", b"22"])
rows = st.lists(st.tuples(keys, values, st.integers(-100, 100)), min_size=1, max_size=8)


def survival(newest: dict[bytes, int], *, last: dict[int, tuple[int, int]] | None = None, now_ms: int = 50) -> Survival:
    offsets = OffsetMap(1 << 20)
    offsets.put(list(newest), list(newest.values()))
    offsets.last_offset = 1_000
    return Survival(
        newest=offsets,
        now_ms=now_ms,
        delete_retention_ms=10,
        last_of_producers=last or {},
        held_markers=frozenset(),
    )


def left_of(batch: bytearray, judge: Survival):
    stamp(batch, BASE, 7)
    header = parse_header(batch)
    left = judge.of(header, memoryview(batch), PassedTransactions([]))
    if left is not None:
        check_crc(left, parse_header(left))
    return left


@given(
    rows, st.dictionaries(st.sampled_from([b"a", b"b", b"c"]), st.integers(BASE - 2, BASE + 9)), st.sampled_from([0, 1])
)
def test_records_that_are_their_keys_newest_stay_as_they_are(rows: list, newest: dict, codec: int) -> None:
    batch = build_batch(*map(list, zip(*rows, strict=True)), codec=codec)
    wanted = [
        (BASE + n, *row) for n, row in enumerate(rows) if row[0] is not None and newest.get(row[0], 0) <= BASE + n
    ]
    left = left_of(batch, survival(newest))
    if left is None:
        assert wanted == []
        return
    columns, header = decode(left, BYTES_MAX), parse_header(left)
    assert list(zip(columns.offsets, columns.keys, columns.values, columns.timestamps, strict=True)) == wanted
    assert (header.base_offset, header.last_offset_delta, header.codec) == (BASE, len(rows) - 1, codec)
    assert header.leader_epoch == 7
    assert header.max_timestamp == max(row[3] for row in wanted)
    tombstones = any(row[2] is None for row in wanted)
    assert header.delete_horizon_ms == (60 if tombstones else None)


def test_a_batch_of_which_all_stays_is_the_very_same() -> None:
    batch = build_batch([b"a"], [b"1"], [5])
    stamp(batch, BASE, 0)
    view = memoryview(batch)
    assert survival({}).of(parse_header(batch), view, PassedTransactions([])) is view


def test_the_logs_own_time_stays_the_batchs() -> None:
    batch = build_batch([b"a", b"b"], [b"1", None], [5, 6])
    set_append_time(batch, parse_header(batch), 777)
    left = left_of(batch, survival({b"a": 900}))
    assert left is not None
    assert parse_header(left).attributes & LOG_APPEND_TIME
    assert decode(left, BYTES_MAX).timestamps == [777]


def test_what_is_left_empty_says_its_offsets_and_its_producers_sequence_and_no_more() -> None:
    batch = build_batch([b"a", b"a"], [b"1", b"2"], [5, 6], codec=1, producer=Producer(9, 2, 40, True))
    left = left_of(batch, survival({b"a": 900}, last={9: (BASE + 1, 2)}))
    assert left is not None
    header = parse_header(left)
    assert (header.base_offset, header.last_offset, header.count, header.codec) == (BASE, BASE + 1, 0, 0)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (9, 2, 40)
    assert (header.transactional, header.max_timestamp) == (True, 6)
    assert decode(left, 0).keys == []


def test_a_record_too_far_from_any_horizon_stays_without_one() -> None:
    for at_ms in (2**62 + 5, -(2**62) - 5):
        left = left_of(build_batch([b"a"], [None], [at_ms]), survival({}))
        assert left is not None
        assert decode(left, BYTES_MAX).timestamps == [at_ms]


def test_a_batch_that_inflates_beyond_the_bound_or_contradicts_itself_stays() -> None:
    for records in (b"\xff" * 30, b"\x02", b"\x40" + b"\0" * 10):
        broken = pack_batch(parse_header(build_batch([b"a"], [b"1"], [5])), records)
        stamp(broken, BASE, 0)
        view = memoryview(broken)
        assert survival({b"a": 900}).of(parse_header(broken), view, PassedTransactions([])) is view


def test_a_placeholder_is_nobodys() -> None:
    batch = build_batch([b"a", b"b"], [b"1", b"2"], [5, 6], producer=Producer(9, 2, 40, True))
    stamp(batch, BASE, 3)
    made = placeholder(parse_header(batch))
    header = parse_header(made)
    check_crc(made, header)
    assert (header.base_offset, header.last_offset, header.leader_epoch, header.count) == (BASE, BASE + 1, 3, 0)
    assert Producer(header.producer_id, header.producer_epoch, header.base_sequence, header.transactional) == NOBODY
