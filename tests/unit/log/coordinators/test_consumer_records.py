"""Formats against Apache Kafka's message definitions (`group-coordinator/…/message/ConsumerGroup*.json`)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.coordinators.consumer_records import (
    OF_MEMBERS,
    CurrentAssignment,
    GroupEpoch,
    Key,
    MemberState,
    RecordKind,
    Subscription,
    TargetEpoch,
    Value,
    decode_key,
    decode_value,
    encode_key,
    encode_value,
)
from streamflow.log.coordinators.topic_view import TopicIdPartition
from streamflow.log.errors import CorruptBatchError

K = RecordKind
ID = bytes(range(16))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
i32 = st.integers(-(2**31), 2**31 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
wheres = st.builds(TopicIdPartition, st.binary(min_size=16, max_size=16), st.integers(0, 2**31 - 1))
epochs = st.dictionaries(wheres, i32, max_size=5)
keys = st.sampled_from(K).flatmap(
    lambda k: st.builds(Key, st.just(k), texts, texts if k in OF_MEMBERS else st.just(""))
)
values: dict[RecordKind, st.SearchStrategy[Value]] = {
    K.GROUP: st.builds(GroupEpoch, epoch=i32, metadata_hash=i64),
    K.MEMBER: st.builds(
        Subscription,
        instance_id=st.none() | texts,
        rack_id=st.none() | texts,
        client_id=texts,
        client_host=texts,
        topics=st.lists(texts, max_size=4).map(tuple),
        pattern=st.none() | texts,
        rebalance_timeout_ms=i32,
        assignor=st.none() | texts,
    ),
    K.TARGET: st.builds(TargetEpoch, epoch=i32, computed_ms=i64),
    K.TARGET_MEMBER: st.frozensets(wheres, max_size=5),
    K.CURRENT: st.builds(
        CurrentAssignment,
        epoch=i32,
        previous_epoch=i32,
        state=st.sampled_from(MemberState),
        assigned=epochs,
        revoking=epochs,
    ),
}
kinds_and_values = st.sampled_from(K).flatmap(lambda kind: st.tuples(st.just(kind), values[kind]))


@given(key=keys)
def test_a_key_reads_back(key: Key) -> None:
    assert decode_key(encode_key(key)) == key


@given(of=kinds_and_values)
def test_a_value_reads_back(of: tuple[RecordKind, Value]) -> None:
    kind, value = of
    assert decode_value(kind, encode_value(value)) == value


@given(of=kinds_and_values, data=st.data())
def test_a_value_cut_short_is_damage(of: tuple[RecordKind, Value], data: st.DataObject) -> None:
    kind, value = of
    whole = encode_value(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(CorruptBatchError):
        decode_value(kind, whole[:cut])


@given(kind=st.sampled_from(K), junk=st.binary(max_size=60))
def test_junk_is_damage_or_a_value_and_nothing_else(kind: RecordKind, junk: bytes) -> None:
    with suppress(CorruptBatchError):
        decode_value(kind, b"\0\0" + junk)


def test_keys_are_as_kafka_writes_them() -> None:
    assert encode_key(Key(K.GROUP, "g")) == bytes.fromhex("0003 0001 67")
    assert encode_key(Key(K.MEMBER, "g", "m")) == bytes.fromhex("0005 0001 67 0001 6d")
    assert encode_key(Key(K.TARGET, "g")) == bytes.fromhex("0006 0001 67")
    assert encode_key(Key(K.TARGET_MEMBER, "g", "m")) == bytes.fromhex("0007 0001 67 0001 6d")
    assert encode_key(Key(K.CURRENT, "g", "m")) == bytes.fromhex("0008 0001 67 0001 6d")


def test_values_are_as_kafka_writes_them() -> None:
    assert encode_value(GroupEpoch(epoch=7, metadata_hash=1)) == bytes.fromhex(
        "0000 00000007 01 00 08 0000000000000001"
    )
    assert encode_value(
        Subscription(instance_id="i", client_id="c", client_host="h", topics=("t",), rebalance_timeout_ms=9)
    ) == bytes.fromhex("0000 0269 00 0263 0268 02 0274 00 00000009 00 00")
    assert encode_value(TargetEpoch(epoch=7, computed_ms=2)) == bytes.fromhex("0000 00000007 01 00 08 0000000000000002")
    assert encode_value(frozenset({TopicIdPartition(ID, 1), TopicIdPartition(ID, 0)})) == bytes.fromhex(
        f"0000 02 {ID.hex()} 03 00000000 00000001 00 00"
    )
    assert encode_value(
        CurrentAssignment(epoch=5, previous_epoch=4, assigned={TopicIdPartition(ID, 3): 5})
    ) == bytes.fromhex(f"0000 00000005 00000004 00 02 {ID.hex()} 02 00000003 01 00 05 02 00000005 01 00")


def test_values_without_the_newer_tags_read_as_their_defaults() -> None:
    """Kafka before 4.1 (hash), 4.3 (time, assignment epochs)."""
    assert decode_value(K.GROUP, bytes.fromhex("0000 00000007 00")) == GroupEpoch(epoch=7, metadata_hash=0)
    assert decode_value(K.TARGET, bytes.fromhex("0000 00000007 00")) == TargetEpoch(epoch=7, computed_ms=0)
    old = bytes.fromhex(f"0000 00000005 00000004 00 02 {ID.hex()} 02 00000003 00 01 00")
    value = decode_value(K.CURRENT, old)
    assert isinstance(value, CurrentAssignment)
    assert value.assigned == {TopicIdPartition(ID, 3): 0}


def test_tags_of_a_later_kafka_are_passed_over() -> None:
    assert decode_value(K.GROUP, bytes.fromhex("0000 00000007 02 00 08 0000000000000001 09 02 ffff")) == GroupEpoch(
        epoch=7, metadata_hash=1
    )


@pytest.mark.parametrize("version", [0, 1, 2, 4, 9, 16, -1])
def test_keys_of_other_records_are_nothing(version: int) -> None:
    assert decode_key(version.to_bytes(2, "big", signed=True) + b"\0\1g") is None


def test_values_of_other_versions_and_states_are_damage() -> None:
    with pytest.raises(CorruptBatchError, match="version 1"):
        decode_value(K.GROUP, bytes.fromhex("0001 00000007 00"))
    with pytest.raises(CorruptBatchError, match="127"):
        decode_value(K.CURRENT, bytes.fromhex("0000 00000005 00000004 7f 01 01 00"))
    with pytest.raises(CorruptBatchError):
        decode_key(b"\0\3\0\5g")
