"""What tools ask of groups: described, listed, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    delete_groups_request,
    describe_groups_request,
    heartbeat_request,
    join_group_request,
    list_groups_request,
    sync_group_request,
)
from streamflow.log.server.broker import Later

pytestmark = pytest.mark.anyio
E0 = TopicPartition("events", 0)


@pytest.fixture
async def filled(door_with: Any) -> Any:
    """A stable group `members`, and `simple` with an offset alone."""
    door = await door_with(**{"log.flush": "os"}).start()
    await door.topic()
    await door.node.groups.commit("simple", {E0: OffsetValue(offset=1)})
    protocol = join_group_request.JoinGroupRequestProtocol(name="range", metadata=b"says")
    join = join_group_request.JoinGroupRequest(
        group_id="members", session_timeout_ms=10_000, protocol_type="consumer", protocols=[protocol]
    )
    waiting, _ = await door.begin(join, 3, client_id="me")
    assert isinstance(waiting, Later)
    door.now += 3_000
    await door.node.group_coordinator.attend()
    member_id = (await waiting.make()).member_id
    part = sync_group_request.SyncGroupRequestAssignment(member_id=member_id, assignment=b"does")
    sync = sync_group_request.SyncGroupRequest(
        group_id="members", generation_id=1, member_id=member_id, assignments=[part]
    )
    assert (await door.ask(sync, 3)).error_code == 0
    beat = heartbeat_request.HeartbeatRequest(group_id="members", generation_id=1, member_id=member_id)
    assert (await door.ask(beat)).error_code == 0
    return door


@pytest.mark.parametrize("version", range(7))
async def test_groups_are_described_with_their_members(filled: Any, version: int) -> None:
    request = describe_groups_request.DescribeGroupsRequest(groups=["members", "simple"])
    members, simple = (await filled.ask(request, version)).groups
    assert (members.group_state, members.protocol_type, members.protocol_data) == ("Stable", "consumer", "range")
    (member,) = members.members
    assert (member.client_id, member.client_host) == ("me", "/10.1.2.3")
    assert (member.member_metadata, member.member_assignment) == (b"says", b"does")
    assert (simple.error_code, simple.group_state, simple.protocol_type, simple.members) == (0, "Empty", "", [])


async def test_a_group_that_isnt_there_is_dead_and_newer_clients_are_told_that_it_isnt_there(filled: Any) -> None:
    """KIP-1043."""
    request = describe_groups_request.DescribeGroupsRequest(groups=["nobody"])
    (old,) = (await filled.ask(request, 5)).groups
    assert (old.error_code, old.group_state) == (0, "Dead")
    (new,) = (await filled.ask(request, 6)).groups
    assert (new.error_code, new.group_state) == (ErrorCode.group_id_not_found, "Dead")
    assert new.error_message == "Group nobody not found."


def listed(answer: Any) -> list[tuple[str, str]]:
    return [(g.group_id, g.group_state) for g in answer.groups]


async def test_groups_are_listed_all_or_by_state_and_type(filled: Any) -> None:
    """KIP-518, KIP-848."""
    request = list_groups_request.ListGroupsRequest
    for version in range(6):
        answer = await filled.ask(request(), version)
        assert [(g.group_id, g.protocol_type) for g in answer.groups] == [("members", "consumer"), ("simple", "")]
    assert listed(await filled.ask(request(states_filter=[" stable "]), 4)) == [("members", "Stable")]
    assert listed(await filled.ask(request(states_filter=["Empty", "Dead"]), 5)) == [("simple", "Empty")]
    every = await filled.ask(request(types_filter=["Classic"]), 5)
    assert [g.group_type for g in every.groups] == ["classic", "classic"]
    assert listed(await filled.ask(request(types_filter=["share"]), 5)) == []


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_groups_without_members_are_deleted(filled: Any, version: int) -> None:
    """KIP-229."""
    request = delete_groups_request.DeleteGroupsRequest(groups_names=["simple", "members", "nobody", "simple"])
    answer = await filled.ask(request, version)
    assert [(r.group_id, r.error_code) for r in answer.results] == [
        ("simple", 0),
        ("members", ErrorCode.non_empty_group),
        ("nobody", ErrorCode.group_id_not_found),
    ]
    assert filled.node.groups.offsets.committed("simple") == {}
