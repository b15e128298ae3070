"""Titles name the schemas of Apache Kafka's `TransactionLogKey.json` and `TransactionLogValue.json`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.event import TopicPartition
from streamflow.log.coordinators.transaction_records import (
    TransactionStatus,
    TransactionValue,
    TransactionVersion,
    decode_transaction_key,
    decode_transaction_value,
    encode_transaction_key,
    encode_transaction_value,
)
from streamflow.log.errors import CorruptBatchError

S, V = TransactionStatus, TransactionVersion
A, B = TopicPartition("a", 0), TopicPartition("b", 1)
TIMES = (6).to_bytes(8) + (5).to_bytes(8)
HEAD = (101).to_bytes(8) + (7).to_bytes(2) + (60).to_bytes(4)


def value(version: TransactionVersion, **more: int) -> TransactionValue:
    return TransactionValue(
        producer_id=101,
        producer_epoch=7,
        timeout_ms=60,
        status=S.PREPARE_COMMIT,
        partitions=frozenset((B, A)),
        updated_ms=6,
        started_ms=5,
        version=version,
        **more,
    )


def test_an_embedded_producers_value_is_of_version_0() -> None:
    data = encode_transaction_value(value(V.EMBEDDED))
    parts = b"\0\0\0\2\0\1a\0\0\0\1\0\0\0\0\0\1b\0\0\0\1\0\0\0\1"
    assert data == b"\0\0" + HEAD + b"\2" + parts + TIMES


def test_a_clients_value_is_of_version_1_and_tags_what_is_not_the_default() -> None:
    parts = b"\3\2a\2\0\0\0\0\0\2b\2\0\0\0\1\0"
    assert encode_transaction_value(value(V.V1)) == b"\0\1" + HEAD + b"\2" + parts + TIMES + b"\0"
    data = encode_transaction_value(value(V.V2, previous_producer_id=3, next_producer_id=4))
    tags = b"\3" + b"\0\x08" + (3).to_bytes(8) + b"\1\x08" + (4).to_bytes(8) + b"\2\2\0\2"
    assert data == b"\0\1" + HEAD + b"\2" + parts + TIMES + tags


def test_a_tag_of_a_later_kafka_is_passed_over() -> None:
    data = encode_transaction_value(value(V.V1))
    assert decode_transaction_value(data[:-1] + b"\1\3\2\0\1") == value(V.V1)


values = st.builds(
    TransactionValue,
    producer_id=st.integers(0, 2**63 - 1),
    producer_epoch=st.integers(0, 2**15 - 1),
    timeout_ms=st.integers(0, 2**31 - 1),
    status=st.sampled_from([s for s in S if s is not S.EMPTY]),
    partitions=st.frozensets(st.builds(TopicPartition, st.text(max_size=200), st.integers(0, 300)), max_size=200),
    updated_ms=st.integers(-1, 2**63 - 1),
    started_ms=st.integers(-1, 2**63 - 1),
    version=st.sampled_from([V.V1, V.V2]),
    previous_producer_id=st.integers(-1, 2**63 - 1),
    next_producer_id=st.integers(-1, 2**63 - 1),
)


@given(values)
def test_what_is_written_is_read_again(value: TransactionValue) -> None:
    assert decode_transaction_value(encode_transaction_value(value)) == value


@given(st.text(max_size=300))
def test_a_key_is_read_again(name: str) -> None:
    assert decode_transaction_key(encode_transaction_key(name)) == name


@given(values, st.data())
def test_a_value_cut_short_is_refused(value: TransactionValue, data: st.DataObject) -> None:
    whole = encode_transaction_value(value)
    with pytest.raises(CorruptBatchError, match="__transaction_state"):
        decode_transaction_value(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_other_versions_of_values_are_refused_and_of_keys_passed_over() -> None:
    data = encode_transaction_value(value(V.V1))
    for wrong in (b"\0\2" + data[2:], data[:16] + b"\x09" + data[17:]):
        with pytest.raises(CorruptBatchError):
            decode_transaction_value(wrong)
    assert decode_transaction_key(b"\0\1\0\1a") is None
