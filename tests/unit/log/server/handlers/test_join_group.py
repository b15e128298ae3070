"""The road of a group through the door: join, sync, heartbeat, leave, in the versions that clients speak."""

from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    heartbeat_request,
    join_group_request,
    leave_group_request,
    offset_commit_request,
    offset_fetch_request,
    sync_group_request,
)
from streamflow.log.server.broker import Later
from streamflow.log.server.dispatch import encode

pytestmark = pytest.mark.anyio
DELAY_MS = 3_000
METADATA = b"\x00\x00\x00\x00\x00\x01\x00\x06events\xff\xff\xff\xff"


class Member:
    """A consumer that speaks one version of each API."""

    def __init__(self, door: Any, *, join: int = 9, sync: int = 5, heartbeat: int = 4, leave: int = 5) -> None:
        self.door, self.versions = door, {"join": join, "sync": sync, "heartbeat": heartbeat, "leave": leave}
        self.member_id = ""
        self.generation = -1
        self.instance_id: str | None = None

    async def join(self, **given: Any) -> Any:
        """Until it is a member, or is refused; time passes."""
        while True:
            request = join_group_request.JoinGroupRequest(
                group_id=given.get("group_id", "g"),
                session_timeout_ms=given.get("session_timeout_ms", 10_000),
                rebalance_timeout_ms=60_000,
                member_id=self.member_id,
                group_instance_id=self.instance_id if self.versions["join"] >= 5 else None,
                protocol_type="consumer",
                protocols=[join_group_request.JoinGroupRequestProtocol(name="range", metadata=METADATA)],
            )
            answer = await self.send("join", request)
            if answer.error_code != ErrorCode.member_id_required:
                break
            self.member_id = answer.member_id
        self.member_id, self.generation = answer.member_id, answer.generation_id
        return answer

    async def sync(self, **assignments: bytes) -> Any:
        request = sync_group_request.SyncGroupRequest(
            group_id="g",
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type="consumer" if self.versions["sync"] >= 5 else None,
            protocol_name="range" if self.versions["sync"] >= 5 else None,
            assignments=[
                sync_group_request.SyncGroupRequestAssignment(member_id=name, assignment=data)
                for name, data in assignments.items()
            ],
        )
        return await self.send("sync", request)

    async def heartbeat(self) -> int:
        request = heartbeat_request.HeartbeatRequest(
            group_id="g", generation_id=self.generation, member_id=self.member_id
        )
        answer: int = (await self.send("heartbeat", request)).error_code
        return answer

    async def leave(self) -> Any:
        who = leave_group_request.MemberIdentity(member_id=self.member_id, reason=None)
        request = leave_group_request.LeaveGroupRequest(group_id="g", member_id=self.member_id, members=[who])
        if self.versions["leave"] < 3:
            request.members = []
        else:
            request.member_id = ""
        return await self.send("leave", request)

    async def send(self, what: str, request: Any) -> Any:
        answer, header = await self.door.begin(request, self.versions[what])
        if isinstance(answer, Later):
            self.door.now += DELAY_MS
            await self.door.node.group_coordinator.attend()
            answer = await answer.make()
        encode(header, answer)
        return answer


@pytest.mark.parametrize(
    "versions",
    [
        {"join": 0, "sync": 0, "heartbeat": 0, "leave": 0},
        {"join": 2, "sync": 1, "heartbeat": 1, "leave": 1},
        {"join": 5, "sync": 3, "heartbeat": 3, "leave": 3},
        {"join": 7, "sync": 4, "heartbeat": 4, "leave": 4},
        {"join": 9, "sync": 5, "heartbeat": 4, "leave": 5},
    ],
)
async def test_clients_old_and_new_become_members_and_go(door: Any, versions: dict[str, int]) -> None:
    member = Member(door, **versions)
    joined = await member.join()
    assert (joined.error_code, joined.generation_id, joined.leader) == (0, 1, member.member_id)
    assert [(m.member_id, bytes(m.metadata)) for m in joined.members] == [(member.member_id, METADATA)]
    assert member.member_id.startswith("test-")
    assert await member.heartbeat() == 0
    synced = await member.sync(**{member.member_id: b"everything"})
    assert (synced.error_code, synced.assignment) == (0, b"everything")
    assert await member.heartbeat() == 0
    left = await member.leave()
    assert left.error_code == 0
    assert [m.error_code for m in left.members] == ([0] if versions["leave"] >= 3 else [])
    assert await member.heartbeat() == ErrorCode.unknown_member_id
    again = await member.leave()
    code = again.members[0].error_code if versions["leave"] >= 3 else again.error_code
    assert code == ErrorCode.unknown_member_id


@pytest.mark.parametrize("version", [3, 4])
async def test_a_member_id_is_required_since_version_4(door: Any, version: int) -> None:
    """KIP-394."""
    protocol = join_group_request.JoinGroupRequestProtocol(name="range", metadata=METADATA)
    request = join_group_request.JoinGroupRequest(
        group_id="g", session_timeout_ms=10_000, protocol_type="consumer", protocols=[protocol]
    )
    answer, _ = await door.begin(request, version)
    door.now += DELAY_MS
    await door.node.group_coordinator.attend()
    code = ErrorCode.none if version == 3 else ErrorCode.member_id_required
    assert (await answer.make()).error_code == code


async def test_a_static_members_id_tells_which_it_is(door: Any) -> None:
    member = Member(door)
    member.instance_id = "machine-7"
    assert (await member.join()).error_code == 0
    assert member.member_id.startswith("machine-7-")


async def test_a_version_without_a_rebalance_timeout_takes_the_sessions(door: Any) -> None:
    """KIP-62."""
    await Member(door, join=0).join(session_timeout_ms=7_000)
    (shown,) = door.node.group_coordinator._machines["g"]._group.members
    assert shown.rebalance_timeout_ms == 7_000


@pytest.mark.parametrize("version", [0, 5, 6, 7, 9])
async def test_who_is_refused_is_told_why_in_every_version(door: Any, version: int) -> None:
    """A protocol's name may be null from version 7 on."""
    for given, code in (
        ({"group_id": ""}, ErrorCode.invalid_group_id),
        ({"session_timeout_ms": 1}, ErrorCode.invalid_session_timeout),
    ):
        request = join_group_request.JoinGroupRequest(
            group_id="g", session_timeout_ms=10_000, member_id="m", protocol_type="consumer", protocols=[]
        )
        for name, value in given.items():
            setattr(request, name, value)
        answer = await door.ask(request, version)
        assert (answer.error_code, answer.member_id, answer.generation_id) == (code, "m", -1)
        assert answer.protocol_name == ("" if version < 7 else None)


async def test_groups_without_a_name_are_refused(door: Any) -> None:
    for request in (
        sync_group_request.SyncGroupRequest(protocol_type="consumer", protocol_name="range"),
        heartbeat_request.HeartbeatRequest(),
        leave_group_request.LeaveGroupRequest(),
    ):
        assert (await door.ask(request)).error_code == ErrorCode.invalid_group_id


async def test_a_sync_that_must_name_its_protocol_and_doesnt_is_refused(door: Any) -> None:
    """KIP-559."""
    request = sync_group_request.SyncGroupRequest(group_id="g", member_id="m", generation_id=1)
    assert (await door.ask(request, 5)).error_code == ErrorCode.inconsistent_group_protocol
    assert (await door.ask(request, 4)).error_code == ErrorCode.unknown_member_id


async def test_members_commit_and_a_restart_finds_the_group_and_its_offsets(door: Any) -> None:
    topic_id = await door.topic()
    member = Member(door)
    await member.join()
    await member.sync(**{member.member_id: b"all"})
    partition = offset_commit_request.OffsetCommitRequestPartition(
        partition_index=0, committed_offset=7, committed_metadata="m"
    )
    topic = offset_commit_request.OffsetCommitRequestTopic(topic_id=topic_id, partitions=[partition])
    commit = offset_commit_request.OffsetCommitRequest(
        group_id="g", generation_id_or_member_epoch=1, member_id=member.member_id, topics=[topic]
    )
    assert (await door.ask(commit)).topics[0].partitions[0].error_code == 0
    await door.restart()
    assert await member.heartbeat() == 0
    wanted = offset_fetch_request.OffsetFetchRequestGroup(group_id="g", topics=None)
    fetched = await door.ask(offset_fetch_request.OffsetFetchRequest(groups=[wanted]))
    (found,) = fetched.groups[0].topics
    assert (found.topic_id, found.partitions[0].committed_offset, found.partitions[0].metadata) == (topic_id, 7, "m")
