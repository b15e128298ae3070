"""Against Kafka's GroupMetadataKey.json and GroupMetadataValue.json."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.event import TopicPartition
from streamflow.log.coordinators.group_records import (
    GroupMetadata,
    MemberMetadata,
    decode_group_key,
    decode_group_value,
    encode_group_key,
    encode_group_value,
)
from streamflow.log.coordinators.records import OffsetKey, decode_offset_key, encode_offset_key
from streamflow.log.errors import CorruptBatchError, RecordTooLargeError

TEXT = st.text(max_size=12)
I32 = st.integers(-(2**31), 2**31 - 1)
MEMBERS = st.builds(
    MemberMetadata,
    member_id=TEXT,
    instance_id=st.none() | TEXT,
    client_id=TEXT,
    client_host=TEXT,
    rebalance_timeout_ms=I32,
    session_timeout_ms=I32,
    subscription=st.binary(max_size=20),
    assignment=st.binary(max_size=20),
)
GROUPS = st.builds(
    GroupMetadata,
    protocol_type=TEXT,
    generation=I32,
    protocol_name=st.none() | TEXT,
    leader=st.none() | TEXT,
    since_ms=st.integers(-(2**63), 2**63 - 1),
    members=st.lists(MEMBERS, max_size=3).map(tuple),
)


def test_a_group_is_written_as_kafka_writes_it() -> None:
    member = MemberMetadata(
        member_id="m",
        instance_id=None,
        client_id="c",
        client_host="/h",
        rebalance_timeout_ms=1,
        session_timeout_ms=2,
        subscription=b"s",
        assignment=b"as",
    )
    group = GroupMetadata(
        protocol_type="consumer", generation=7, protocol_name="range", leader="m", since_ms=9, members=(member,)
    )
    assert encode_group_key("g") == bytes.fromhex("0002 0001 67")
    assert encode_group_value(group) == bytes.fromhex(
        "0003"  # version
        "0008 636f6e73756d6572"  # protocol type
        "00000007 0005 72616e6765 0001 6d"  # generation, protocol, leader
        "0000000000000009 00000001"  # time of the state, members
        "0001 6d ffff 0001 63 0002 2f68"  # member id, instance id, client id, host
        "00000001 00000002"  # rebalance and session time-out
        "00000001 73 00000002 6173"  # subscription, assignment
    )


@given(GROUPS)
def test_a_group_reads_back_as_it_was_written(group: GroupMetadata) -> None:
    assert decode_group_value(encode_group_value(group)) == group


@given(GROUPS, st.data())
def test_a_group_cut_short_or_of_another_version_is_refused(group: GroupMetadata, data: st.DataObject) -> None:
    whole = encode_group_value(group)
    with pytest.raises(CorruptBatchError):
        decode_group_value(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(CorruptBatchError, match="version 4"):
        decode_group_value(b"\x00\x04" + whole[2:])


def test_keys_of_offsets_and_of_groups_are_told_apart() -> None:
    offset = encode_offset_key(OffsetKey(group="g", partition=TopicPartition("t", 0)))
    assert decode_group_key(offset) is None
    assert decode_offset_key(encode_group_key("g")) is None
    assert decode_group_key(encode_group_key("gruppe-ü")) == "gruppe-ü"
    with pytest.raises(CorruptBatchError):
        decode_group_key(b"\x00")


def test_a_name_that_no_record_can_hold_is_refused() -> None:
    encode_group_key("g" * 32767)
    with pytest.raises(RecordTooLargeError):
        encode_group_key("g" * 32768)
    with pytest.raises(RecordTooLargeError):
        encode_group_key("ü" * 20000)
