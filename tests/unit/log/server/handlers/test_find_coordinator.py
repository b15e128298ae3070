from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.records import Partition, RegisterBroker, Topic
from streamflow.log.controller.topics import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from streamflow.log.errors import StorageFullError
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    consumer_group_describe_request,
    describe_groups_request,
    find_coordinator_request,
    list_groups_request,
)

pytestmark = pytest.mark.anyio
Request = find_coordinator_request.FindCoordinatorRequest


@pytest.mark.parametrize(("key_type", "topic"), [(0, OFFSETS_TOPIC), (1, TRANSACTIONS_TOPIC)])
async def test_this_node_keeps_everything_and_has_a_place_for_it(door: Any, key_type: int, topic: str) -> None:
    answer = await door.ask(Request(key="x", key_type=key_type), 3)
    assert (answer.error_code, answer.node_id, answer.host, answer.port) == (0, 1, "here", 9092)
    assert topic in door.node.topics.metadata.image.topics


async def test_several_are_asked_for_at_once(door: Any) -> None:
    """KIP-699."""
    answer = await door.ask(Request(key_type=0, coordinator_keys=["a", "b"]), 4)
    assert [(c.key, c.error_code, c.node_id, c.port) for c in answer.coordinators] == [
        ("a", 0, 1, 9092),
        ("b", 0, 1, 9092),
    ]


async def test_the_oldest_clients_mean_groups(door: Any) -> None:
    assert (await door.ask(Request(key="g"), 0)).node_id == 1


async def test_coordinators_of_other_things_arent_here(door: Any) -> None:
    """KIP-932's share groups have the key type 2."""
    (found,) = (await door.ask(Request(key_type=2, coordinator_keys=["g:x:0"]), 6)).coordinators
    assert (found.error_code, found.node_id, found.port, found.host) == (ErrorCode.invalid_request, -1, -1, "")
    assert found.error_message
    assert (await door.ask(Request(key="g", key_type=9), 1)).error_code == ErrorCode.invalid_request


async def test_a_disk_without_room_is_told(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_: str) -> None:
        raise StorageFullError("no space left")

    monkeypatch.setattr(door.node.topics, "ensure_internal", full)
    answer = await door.ask(Request(key="g"), 3)
    assert (answer.error_code, answer.node_id) == (ErrorCode.coordinator_not_available, -1)


@pytest.mark.parametrize(("leader", "told"), [(2, (0, 2, "two", 2)), (3, None), (-1, None)])
async def test_who_leads_the_partition_coordinates(door: Any, leader: int, told: Any) -> None:
    """Broker 3 is fenced: nobody is sent there."""
    image, topic_id = door.node.topics.metadata.image, bytes(15) + b"c"
    for record in (
        RegisterBroker(broker_id=2, broker_epoch=9, host="two", port=2),
        RegisterBroker(broker_id=3, broker_epoch=8, host="three", port=3, fenced=True),
        Topic(name=OFFSETS_TOPIC, topic_id=topic_id),
        Partition(
            topic_id=topic_id,
            partition=0,
            leader=leader,
            isr=(2, 3),
            replicas=(2, 3),
            leader_epoch=5,
            partition_epoch=0,
        ),
    ):
        image.apply(record)
    answer = await door.ask(Request(key="g"), 3)
    nobody = (ErrorCode.coordinator_not_available, -1, "", -1)
    assert (answer.error_code, answer.node_id, answer.host, answer.port) == (told or nobody)


@pytest.mark.parametrize(
    ("request_type", "fields"),
    [
        (describe_groups_request.DescribeGroupsRequest, {"groups": ["g"]}),
        (consumer_group_describe_request.ConsumerGroupDescribeRequest, {"group_ids": ["g"]}),
    ],
)
async def test_groups_are_described_by_their_coordinator_only(
    door: Any, request_type: Any, fields: dict[str, Any]
) -> None:
    door.node.group_coordinator.resign()
    (told,) = (await door.ask(request_type(**fields))).groups
    assert told.error_code == ErrorCode.not_coordinator
    listed = await door.ask(list_groups_request.ListGroupsRequest())
    assert (listed.error_code, listed.groups) == (ErrorCode.not_coordinator, [])
