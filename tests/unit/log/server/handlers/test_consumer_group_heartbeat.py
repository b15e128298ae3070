"""The road of a KIP-848 group through the door: heartbeats, offsets by member epoch, what tools are told."""

from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    consumer_group_heartbeat_request,
    delete_groups_request,
    describe_groups_request,
    list_groups_request,
    offset_commit_request,
    offset_fetch_request,
)

pytestmark = pytest.mark.anyio
Request = consumer_group_heartbeat_request.ConsumerGroupHeartbeatRequest
Owned = consumer_group_heartbeat_request.TopicPartitions


@pytest.fixture
async def quick(door_with: Any) -> Any:
    """Answers without waiting for the disk; a topic `events` of four partitions."""
    door = await door_with(**{"log.flush": "os"}).start()
    await door.topic(partitions=4)
    return door


def join(member_id: str = "a", **given: Any) -> Any:
    said = {"subscribed_topic_names": ["events"], "topic_partitions": [], "rebalance_timeout_ms": 60_000}
    return Request(**{"group_id": "g", "member_id": member_id, "member_epoch": 0, **said, **given})


def beat(member_id: str, epoch: int, **given: Any) -> Any:
    return Request(**{"group_id": "g", "member_id": member_id, "member_epoch": epoch, **given})


def numbers(answer: Any) -> list[int] | None:
    """Of the partitions assigned, where there is one topic."""
    if answer.assignment is None:
        return None
    return [n for topic in answer.assignment.topic_partitions for n in topic.partitions]


@pytest.mark.parametrize("version", [0, 1])
async def test_two_members_share_the_partitions_and_one_alone_has_all(quick: Any, version: int) -> None:
    topic_id = quick.node.topics.describe("events").topic_id
    first = await quick.ask(join("a"), version)
    assert (first.error_code, first.member_id, first.member_epoch) == (0, "a", 1)
    assert first.heartbeat_interval_ms == 5_000
    assert numbers(first) == [0, 1, 2, 3]
    assert first.assignment.topic_partitions[0].topic_id == topic_id
    assert numbers(await quick.ask(join("b"), version)) == []
    told = numbers(await quick.ask(beat("a", 1), version))
    assert told is not None
    assert len(told) == 2
    owned = [Owned(topic_id=topic_id, partitions=told)]
    assert (await quick.ask(beat("a", 1, topic_partitions=owned), version)).member_epoch == 2
    assert set(numbers(await quick.ask(beat("b", 2), version)) or ()) == {0, 1, 2, 3} - set(told)
    assert numbers(await quick.ask(beat("b", 2), version)) is None
    left = await quick.ask(beat("b", -1), version)
    assert (left.error_code, left.member_epoch) == (0, -1)
    assert numbers(await quick.ask(beat("a", 2), version)) == [0, 1, 2, 3]


async def test_a_member_of_version_0_is_given_its_id(quick: Any) -> None:
    answer = await quick.ask(join(""), 0, client_id="me")
    assert answer.member_id.startswith("me-")
    assert (await quick.ask(join(""), 1)).error_code == ErrorCode.invalid_request


async def test_a_member_subscribes_by_a_regular_expression(quick: Any) -> None:
    answer = await quick.ask(join(subscribed_topic_names=None, subscribed_topic_regex="ev.*"))
    assert numbers(answer) == [0, 1, 2, 3]
    refused = await quick.ask(join("b", subscribed_topic_names=None, subscribed_topic_regex="(ev"))
    assert refused.error_code == ErrorCode.invalid_regular_expression
    assert "(ev" in refused.error_message


async def test_refusals_have_their_code_and_say_why(quick: Any) -> None:
    assert (await quick.ask(join(group_id=""))).error_message == "GroupId can't be empty."
    assert (await quick.ask(join(group_id="g" * 40_000))).error_code == ErrorCode.invalid_request
    assert (await quick.ask(beat("a", 1))).error_code == ErrorCode.group_id_not_found
    await quick.ask(join())
    fenced = await quick.ask(beat("a", 9))
    assert fenced.error_code == ErrorCode.fenced_member_epoch
    assert "rejoin" in fenced.error_message
    assert (await quick.ask(join("b", server_assignor="mine"))).error_code == ErrorCode.unsupported_assignor


async def test_an_answer_waits_until_it_is_durable_and_does_not_hold_up_others(door: Any) -> None:
    await door.topic()
    later, _ = await door.begin(join())
    assert not later.ready()
    await door.node.group_coordinator.attend()
    assert later.ready()
    assert (await later.make()).member_epoch == 1


def commit(epoch: int, version: int = 9, member_id: str = "a") -> Any:
    partition = offset_commit_request.OffsetCommitRequestPartition(partition_index=0, committed_offset=7)
    topic = offset_commit_request.OffsetCommitRequestTopic(name="events", partitions=[partition])
    return offset_commit_request.OffsetCommitRequest(
        group_id="g", member_id=member_id, generation_id_or_member_epoch=epoch, topics=[topic]
    )


def code(answer: Any) -> int:
    (topic,) = answer.topics
    (partition,) = topic.partitions
    assert isinstance(partition.error_code, int)
    return partition.error_code


async def test_offsets_are_committed_and_fetched_by_member_epoch(quick: Any) -> None:
    await quick.ask(join())
    assert code(await quick.ask(commit(1), 9)) == ErrorCode.none
    assert code(await quick.ask(commit(2), 9)) == ErrorCode.stale_member_epoch
    assert code(await quick.ask(commit(1, member_id="z"), 9)) == ErrorCode.unknown_member_id
    assert code(await quick.ask(commit(1), 8)) == ErrorCode.unsupported_version
    assert code(await quick.ask(commit(-1, member_id=""), 9)) == ErrorCode.unknown_member_id

    async def fetched(member_id: str | None, epoch: int) -> tuple[int, int]:
        topic = offset_fetch_request.OffsetFetchRequestTopics(name="events", partition_indexes=[0])
        asked = offset_fetch_request.OffsetFetchRequestGroup(
            group_id="g", member_id=member_id, member_epoch=epoch, topics=[topic]
        )
        (group,) = (await quick.ask(offset_fetch_request.OffsetFetchRequest(groups=[asked]), 9)).groups
        return group.error_code, group.topics[0].partitions[0].committed_offset if group.topics else -1

    assert await fetched("a", 1) == (0, 7)
    assert await fetched(None, -1) == (0, 7)
    assert await fetched("a", 2) == (ErrorCode.stale_member_epoch, -1)
    assert await fetched("z", 1) == (ErrorCode.unknown_member_id, -1)


async def test_tools_see_the_group_by_its_kind(quick: Any) -> None:
    await quick.ask(join())
    (listed,) = (await quick.ask(list_groups_request.ListGroupsRequest())).groups
    assert (listed.group_id, listed.protocol_type) == ("g", "consumer")
    assert (listed.group_state, listed.group_type) == ("Stable", "consumer")
    for types, found in ((["Consumer"], 1), (["classic"], 0)):
        assert len((await quick.ask(list_groups_request.ListGroupsRequest(types_filter=types))).groups) == found
    request = describe_groups_request.DescribeGroupsRequest(groups=["g"])
    (described,) = (await quick.ask(request, 6)).groups
    assert described.error_code == ErrorCode.group_id_not_found
    (described,) = (await quick.ask(request, 5)).groups
    assert (described.error_code, described.group_state) == (0, "Dead")


async def test_the_group_is_deleted_once_it_is_empty(quick: Any) -> None:
    await quick.ask(join())
    request = delete_groups_request.DeleteGroupsRequest(groups_names=["g"])
    (result,) = (await quick.ask(request)).results
    assert result.error_code == ErrorCode.non_empty_group
    await quick.ask(beat("a", -1))
    (result,) = (await quick.ask(request)).results
    assert result.error_code == ErrorCode.none
