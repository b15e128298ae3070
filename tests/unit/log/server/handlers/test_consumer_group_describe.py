"""What tools are told of KIP-848 groups."""

from __future__ import annotations

from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import consumer_group_describe_request, consumer_group_heartbeat_request
from streamflow.log.server.operations import GROUP, NOT_ASKED

pytestmark = pytest.mark.anyio
Request = consumer_group_describe_request.ConsumerGroupDescribeRequest


async def member(door: Any, member_id: str, *, group_id: str = "g", **given: Any) -> None:
    request = consumer_group_heartbeat_request.ConsumerGroupHeartbeatRequest(
        group_id=group_id,
        member_id=member_id,
        member_epoch=0,
        rebalance_timeout_ms=60_000,
        subscribed_topic_names=["events"],
        topic_partitions=[],
        **given,
    )
    assert (await door.ask(request, client_id="me")).error_code == 0


@pytest.fixture
async def quick(door_with: Any) -> Any:
    door = await door_with(**{"log.flush": "os"}).start()
    await door.topic(partitions=2)
    return door


def numbers(assignment: Any) -> list[int]:
    return [n for topic in assignment.topic_partitions for n in topic.partitions]


@pytest.mark.parametrize("version", [0, 1])
async def test_a_group_is_described_with_what_members_have_and_are_to_have(quick: Any, version: int) -> None:
    await member(quick, "a", instance_id="one", rack_id="r", subscribed_topic_regex="ev.*")
    await member(quick, "b")
    (group,) = (await quick.ask(Request(group_ids=["g"]), version)).groups
    assert (group.error_code, group.group_id, group.group_state) == (0, "g", "Reconciling")
    assert (group.group_epoch, group.assignment_epoch, group.assignor_name) == (2, 2, "uniform")
    assert group.authorized_operations == NOT_ASKED
    a, b = sorted(group.members, key=lambda m: str(m.member_id))
    assert (a.member_id, a.instance_id, a.rack_id, a.member_epoch) == ("a", "one", "r", 1)
    assert (a.client_id, a.client_host) == ("me", "/10.1.2.3")
    assert (a.subscribed_topic_names, a.subscribed_topic_regex) == (["events"], "ev.*")
    assert a.member_type == (1 if version else -1)
    assert numbers(a.assignment) == [0, 1]
    assert len(numbers(a.target_assignment)) == len(numbers(b.target_assignment)) == 1
    assert numbers(b.assignment) == []
    (topic,) = a.assignment.topic_partitions
    assert (topic.topic_name, topic.topic_id) == ("events", quick.node.topics.describe("events").topic_id)


async def test_what_one_may_do_with_a_group_is_told_when_asked(quick: Any) -> None:
    await member(quick, "a")
    (group,) = (await quick.ask(Request(group_ids=["g"], include_authorized_operations=True))).groups
    assert group.authorized_operations == GROUP


async def test_groups_that_are_not_there_or_of_another_kind_are_not_found(quick: Any) -> None:
    await quick.node.groups.commit("simple", {TopicPartition("events", 0): OffsetValue(offset=1)})
    none, gone, other = (await quick.ask(Request(group_ids=["", "gone", "simple"]))).groups
    assert none.error_code == ErrorCode.invalid_group_id
    assert (gone.error_code, gone.error_message) == (ErrorCode.group_id_not_found, "Group gone not found.")
    assert (other.error_code, other.error_message) == (
        ErrorCode.group_id_not_found,
        "Group simple is not a consumer group.",
    )


async def test_topics_that_are_gone_are_not_named(quick: Any) -> None:
    await member(quick, "a")
    await quick.node.delete_topic("events")
    await member(quick, "b")
    (group,) = (await quick.ask(Request(group_ids=["g"]))).groups
    assert [numbers(m.assignment) for m in group.members] == [[], []]
