"""Every message in every version: `kio` is the foreign implementation that must agree, byte by byte."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.serial import entity_reader, entity_writer

from streamflow.log.protocol import messages
from streamflow.log.protocol.messages import codec_of, fetch_response, produce_request, structures
from streamflow.log.protocol.schema import Schema, Side, schema_of

sys.path.insert(0, str(Path(__file__).parent))
from samples import APIS, SIDES, kio_class, message, plain, to_kio, versions


def written(api: str, version: int, side: Side, value: Any) -> bytes:
    out: list[Any] = []
    codec_of(api, version, side).write(out, value)
    return b"".join(out)


def written_by_kio(entity: Any) -> bytes:
    into = io.BytesIO()
    entity_writer(type(entity))(into, entity)
    return into.getvalue()


@pytest.mark.parametrize("api", APIS)
@settings(max_examples=4)
@given(seed=st.integers(0, 2**32))
def test_a_message_is_the_same_to_us_and_to_kio_in_every_version(api: str, seed: int) -> None:
    for side in SIDES:
        for version in versions(api, side):
            value = message(Random(seed), api, version, side)
            entity = to_kio(value, kio_class(api, version, side))
            ours, theirs = written(api, version, side, value), written_by_kio(entity)
            where = f"{api} {side} {version}"
            for data in (ours, theirs):
                read, end = codec_of(api, version, side).read(memoryview(data), 0)
                assert end == len(data), where
                assert plain(read) == plain(value), where
            assert entity_reader(type(entity))(ours, 0) == (entity, len(ours)), where


@pytest.mark.parametrize("api", APIS)
def test_a_message_has_a_field_for_everything_that_any_version_has(api: str) -> None:
    def missing(schema: Schema, path: str) -> list[str]:
        known = structures(api, side)[path].__struct_fields__
        lost = [f"{path}.{f.name}" for f in schema.fields if f.name not in known]
        for field in schema.fields:
            if field.struct is not None:
                lost += missing(field.struct, f"{path}.{field.name}" if path else field.name)
        return lost

    for side in SIDES:
        for version in versions(api, side):
            assert missing(schema_of(api, version, side), "") == [], (
                f"{api} {side} {version}: a row is missing in FORKS"
            )


def test_what_a_version_lacks_has_its_default_after_reading_and_is_not_written() -> None:
    newest = fetch_response.FetchResponse(throttle_time_ms=5, session_id=9)
    for version, session in ((4, 0), (7, 9)):
        read, _ = codec_of("fetch", version, "response").read(
            memoryview(written("fetch", version, "response", newest)), 0
        )
        assert (read.throttle_time_ms, read.session_id, read.responses) == (5, session, [])


def test_defaults_are_each_messages_own() -> None:
    first, second = fetch_response.FetchResponse(), fetch_response.FetchResponse()
    first.responses.append(fetch_response.FetchableTopicResponse())
    assert second.responses == []


def test_records_are_a_view_of_the_frame_and_are_written_uncopied() -> None:
    batches = [b"one", b"two"]
    partition = produce_request.PartitionProduceData(index=0, records=batches)
    topic = produce_request.TopicProduceData(name="t", partition_data=[partition])
    value = produce_request.ProduceRequest(acks=-1, topic_data=[topic])
    out: list[Any] = []
    codec_of("produce", 9, "request").write(out, value)
    assert any(part is batches[0] for part in out)
    frame = memoryview(b"".join(out))
    read = messages.read_request("produce", 9, frame, 0)
    records = read.topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    assert records.obj is frame.obj
    assert bytes(records) == b"onetwo"


def test_a_name_that_is_no_message_is_no_attribute() -> None:
    for name in ("fetch", "nothing_request", "fetch_answer"):
        with pytest.raises(AttributeError, match=name):
            getattr(messages, name)
