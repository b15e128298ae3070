from __future__ import annotations

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import metadata_request

pytestmark = pytest.mark.anyio
TOPIC = metadata_request.MetadataRequestTopic


def named(*names: str, create: bool = True) -> metadata_request.MetadataRequest:
    return metadata_request.MetadataRequest(
        topics=[TOPIC(name=name) for name in names], allow_auto_topic_creation=create
    )


async def test_all_topics_are_told_when_none_is_named(door) -> None:
    await door.topic("a", partitions=2)
    await door.topic("b")
    everything = await door.ask(metadata_request.MetadataRequest(topics=None))
    assert [(t.name, len(t.partitions)) for t in everything.topics] == [("a", 2), ("b", 1)]
    first = everything.topics[0].partitions[1]
    assert (first.leader_id, first.replica_nodes, first.isr_nodes, first.partition_index) == (1, [1], [1], 1)
    assert (await door.ask(named())).topics == []
    oldest = await door.ask(named(), version=0)
    assert len(oldest.topics) == 2, "version 0 has no other way to ask for all"


async def test_a_topic_that_is_asked_for_is_created_if_both_sides_want_it(door) -> None:
    refused = await door.ask(named("new", create=False))
    assert refused.topics[0].error_code == ErrorCode.unknown_topic_or_partition
    created = await door.ask(named("new"))
    assert (created.topics[0].error_code, len(created.topics[0].partitions)) == (ErrorCode.none, 1)
    strange = await door.ask(named("not/legal"))
    assert strange.topics[0].error_code == ErrorCode.invalid_topic_exception


async def test_a_topic_is_found_by_its_id_and_a_new_one_of_its_name_is_another(door) -> None:
    topic_id = await door.topic("a")
    by_id = metadata_request.MetadataRequest(topics=[TOPIC(name=None, topic_id=topic_id)])
    assert (await door.ask(by_id)).topics[0].name == "a"
    await door.node.delete_topic("a")
    await door.topic("a")
    answer = (await door.ask(by_id)).topics[0]
    assert (answer.error_code, answer.name, answer.topic_id) == (ErrorCode.unknown_topic_id, None, topic_id)


async def test_the_logs_own_topics_are_marked_and_made_on_request(door) -> None:
    answer = (await door.ask(named("__consumer_offsets"))).topics[0]
    assert (answer.error_code, answer.is_internal) == (ErrorCode.none, True)


@pytest.mark.parametrize("version", [10, 11])
async def test_an_id_asked_for_before_it_could_be_answered_is_an_invalid_request(door, version) -> None:
    known = await door.topic("known")
    for topic_id in (known, b"\7" * 16):
        asked = metadata_request.MetadataRequestTopic(name=None, topic_id=topic_id)
        answer = await door.ask(metadata_request.MetadataRequest(topics=[asked]), version)
        assert [(t.name, t.error_code) for t in answer.topics] == [("", ErrorCode.invalid_request)]
