from __future__ import annotations

import pytest

from streamflow.event import TopicPartition
from streamflow.log.coordinators.offsets import GroupOffsets
from streamflow.log.coordinators.records import (
    OffsetKey,
    OffsetValue,
    decode_offset_key,
    decode_offset_value,
    encode_offset_key,
    encode_offset_value,
)
from streamflow.log.errors import CorruptBatchError

A, B = TopicPartition("a", 0), TopicPartition("b", 1)


def test_a_key_is_kafkas_offset_commit_key_version_1() -> None:
    assert encode_offset_key(OffsetKey(group="g", partition=A)) == (
        b"\x00\x01" + b"\x00\x01g" + b"\x00\x01a" + b"\x00\x00\x00\x00"
    )


def test_a_value_is_kafkas_offset_commit_value_version_3() -> None:
    value = OffsetValue(offset=5, metadata="m", leader_epoch=2, commit_timestamp_ms=9)
    assert encode_offset_value(value) == (
        b"\x00\x03" + (5).to_bytes(8) + (2).to_bytes(4) + b"\x00\x01m" + (9).to_bytes(8)
    )


def test_keys_and_values_are_read_back() -> None:
    key = OffsetKey(group="gruppe-ä", partition=B)
    value = OffsetValue(offset=2**40, metadata="ü" * 300, leader_epoch=-1, commit_timestamp_ms=1)
    assert decode_offset_key(encode_offset_key(key)) == key
    assert decode_offset_value(encode_offset_value(value)) == value


def test_a_key_of_group_metadata_is_left_alone() -> None:
    assert decode_offset_key(b"\x00\x02\x00\x01g") is None


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x01\x00\x09g", b"\x00\x01\xff\xffg", b"\x00\x01\x00\x01\xff"])
def test_bytes_that_are_no_key_are_an_error(data: bytes) -> None:
    with pytest.raises(CorruptBatchError):
        decode_offset_key(data)


def offsets_of(fold: GroupOffsets, group: str) -> dict[TopicPartition, int]:
    return {where: value.offset for where, value in fold.committed(group).items()}


def test_the_newest_commit_wins() -> None:
    fold = GroupOffsets()
    fold.written(fold.commit("g", {A: OffsetValue(offset=1), B: OffsetValue(offset=2)}), None)
    fold.written(fold.commit("g", {A: OffsetValue(offset=3)}), None)
    assert offsets_of(fold, "g") == {A: 3, B: 2}
    assert fold.groups() == ["g"]


def test_offsets_of_a_transaction_wait_for_its_commit() -> None:
    fold = GroupOffsets()
    fold.written(fold.commit("g", {A: OffsetValue(offset=1)}), 7)
    assert offsets_of(fold, "g") == {}
    fold.ended(7, committed=True)
    assert offsets_of(fold, "g") == {A: 1}


def test_offsets_of_an_aborted_transaction_are_dropped() -> None:
    fold = GroupOffsets()
    fold.written(fold.commit("g", {A: OffsetValue(offset=1)}), 7)
    fold.written(fold.commit("g", {A: OffsetValue(offset=2)}), 8)
    fold.ended(7, committed=False)
    fold.ended(8, committed=True)
    assert offsets_of(fold, "g") == {A: 2}


def test_a_forgotten_group_is_gone_for_good() -> None:
    fold = GroupOffsets()
    fold.written(fold.commit("g", {A: OffsetValue(offset=1), B: OffsetValue(offset=2)}), None)
    fold.written(fold.forget_group("g"), None)
    assert fold.groups() == []
    assert fold.size == 0


def test_a_deleted_topics_offsets_are_forgotten_in_every_group() -> None:
    fold = GroupOffsets()
    for group in ("g", "h"):
        fold.written(fold.commit(group, {A: OffsetValue(offset=1), B: OffsetValue(offset=2)}), None)
    fold.written(fold.forget_topic("a"), None)
    assert [offsets_of(fold, g) for g in ("g", "h")] == [{B: 2}, {B: 2}]


def test_what_is_forgotten_doesnt_come_back_with_a_transaction() -> None:
    for wish in ("forget_group", "forget_topic"):
        fold = GroupOffsets()
        fold.written(fold.commit("g", {A: OffsetValue(offset=1)}), 7)
        fold.written(getattr(fold, wish)({"forget_group": "g", "forget_topic": "a"}[wish]), None)
        fold.ended(7, committed=True)
        assert not fold.knows("g")


def test_what_an_open_transaction_may_change_is_unstable() -> None:
    """KIP-447."""
    fold = GroupOffsets()
    fold.written(fold.commit("g", {A: OffsetValue(offset=1), B: OffsetValue(offset=1)}), None)
    fold.written(fold.commit("g", {A: OffsetValue(offset=2)}), 7)
    assert fold.unstable("g") == {A}
    assert fold.unstable("h") == frozenset()
    fold.ended(7, committed=False)
    assert fold.unstable("g") == frozenset()


def test_single_offsets_are_forgotten() -> None:
    fold = GroupOffsets()
    fold.written(fold.commit("g", {A: OffsetValue(offset=1), B: OffsetValue(offset=2)}), None)
    rows = fold.forget("g", [A, A, TopicPartition("nowhere", 0)])
    assert len(rows) == 1
    fold.written(rows, None)
    assert offsets_of(fold, "g") == {B: 2}


def test_rows_about_other_things_are_handed_back() -> None:
    fold = GroupOffsets()
    other = (b"\x00\x02\x00\x01g", b"a group")
    assert fold.written([other, *fold.commit("g", {A: OffsetValue(offset=1)}), (None, b"")], None) == [other]


def test_a_snapshot_folds_to_the_same() -> None:
    fold, again = GroupOffsets(), GroupOffsets()
    fold.written(fold.commit("g", {A: OffsetValue(offset=1, metadata="x")}), None)
    fold.written(fold.commit("h", {B: OffsetValue(offset=2)}), None)
    again.written(fold.snapshot(), None)
    assert {g: again.committed(g) for g in again.groups()} == {g: fold.committed(g) for g in fold.groups()}
