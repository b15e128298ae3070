from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.image import NO_LEADER
from streamflow.log.controller.records import PartitionChange, RegisterBroker
from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import elect_leaders_request as q

pytestmark = pytest.mark.anyio


async def elect(door: Any, kind: int, version: int = 2) -> Any:
    wanted = [q.TopicPartitions(topic="a", partitions=[0, 9]), q.TopicPartitions(topic="nope", partitions=[0])]
    answer = await door.ask(q.ElectLeadersRequest(election_type=kind, topic_partitions=wanted), version)
    codes = {
        (topic.topic, p.partition_id): p.error_code
        for topic in answer.replica_election_results
        for p in topic.partition_result
    }
    return answer.error_code, codes


@pytest.mark.parametrize(("kind", "version"), [(0, 0), (0, 1), (0, 2), (1, 2)])
async def test_no_election_is_needed_and_what_is_not_there_is_told(door: Any, kind: int, version: int) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    unknown = ErrorCode.unknown_topic_or_partition
    codes = {("a", 0): ErrorCode.election_not_needed, ("a", 9): unknown, ("nope", 0): unknown}
    assert await elect(door, kind, version) == (ErrorCode.none, codes)


async def test_asked_for_all_the_answer_lists_none_that_needs_no_election(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    answer = await door.ask(q.ElectLeadersRequest(topic_partitions=None))
    assert (answer.error_code, answer.replica_election_results) == (ErrorCode.none, [])


async def test_an_election_of_no_known_kind_is_refused(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    code, codes = await elect(door, 5)
    assert {code, *codes.values()} == {ErrorCode.invalid_request}


async def test_the_preferred_leader_is_elected_and_asked_for_all_told(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    image = door.node.topics.metadata.image
    topic_id = image.topics["a"].topic_id
    image.apply(RegisterBroker(broker_id=2, broker_epoch=9))
    image.apply(PartitionChange(topic_id=topic_id, partition=0, replicas=(1, 2), isr=(1, 2), leader=2))
    answer = await door.ask(q.ElectLeadersRequest(topic_partitions=None))
    told = [
        (t.topic, p.partition_id, p.error_code) for t in answer.replica_election_results for p in t.partition_result
    ]
    assert told == [("a", 0, ErrorCode.none)]
    assert image.topics["a"].partitions[0].leader == 1


async def test_an_unclean_election_is_for_partitions_nobody_leads(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    image = door.node.topics.metadata.image
    image.apply(
        PartitionChange(topic_id=image.topics["a"].topic_id, partition=0, replicas=(1, 2), isr=(2,), leader=NO_LEADER)
    )
    assert (await elect(door, 0))[1]["a", 0] == ErrorCode.preferred_leader_not_available
    assert (await elect(door, 1))[1]["a", 0] == ErrorCode.none
    assert image.topics["a"].partitions[0].isr == (1,)
