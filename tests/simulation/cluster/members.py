"""Simulated members of a group of the classic protocol: they share partitions, read, and commit what they read."""

from __future__ import annotations

import json
import struct
from random import Random
from typing import Any

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    heartbeat_request,
    join_group_request,
    leave_group_request,
    offset_commit_request,
    offset_fetch_request,
    sync_group_request,
)
from tests.simulation.checkers.groups import ASK, COMMIT
from tests.simulation.checkers.operations import FAIL, INFO, OK
from tests.simulation.cluster.client import GROUP, TROUBLE, Client, World
from tests.simulation.cluster.consumers import Reader
from tests.simulation.cluster.history import Operation

THE_GROUP = "members"
SESSION_MS, REBALANCE_MS = 6000, 3000
JOIN_SECONDS = 8.0
UNKNOWN = frozenset(
    {
        ErrorCode.coordinator_not_available,
        ErrorCode.not_coordinator,
        ErrorCode.request_timed_out,
        ErrorCode.kafka_storage_error,
        ErrorCode.unknown_server_error,
    }
)
"""Of a commit: it may be in the coordinator's log, and be committed by the next, or not."""


class Member(Client):
    """Joins, reads what it is assigned under a new name each time, and leaves now and then."""

    def __init__(self, name: str, world: World, chance: Random) -> None:
        super().__init__(name, world, chance)
        self._id = ""
        self._generation = -1
        self._reader = Reader(name, world, chance)

    async def step(self) -> None:
        if self._generation < 0:
            await self._join()
            return
        code = await self._tell(
            heartbeat_request.HeartbeatRequest(group_id=THE_GROUP, generation_id=self._generation, member_id=self._id)
        )
        if code != ErrorCode.none:
            self._out(code)
            return
        if self._reader.positions:
            partition = self.chance.choice(list(self._reader.positions))
            if await self._reader.poll(partition, wait_ms=50):
                await self._commit(partition)
        if self.chance.random() < 0.02:
            one = leave_group_request.MemberIdentity(member_id=self._id)
            await self._tell(leave_group_request.LeaveGroupRequest(group_id=THE_GROUP, members=[one]))
            self._id, self._generation = "", -1

    async def _coordinator_ask(self, request: Any, timeout: float = 3.0) -> Any:
        """None when there was no answer."""
        try:
            return await self.ask(await self.coordinator(GROUP, THE_GROUP), request, timeout=timeout)
        except TROUBLE:
            self.forget_coordinator(GROUP, THE_GROUP)
            return None

    async def _tell(self, request: Any) -> ErrorCode | None:
        answer = await self._coordinator_ask(request)
        return None if answer is None else ErrorCode(answer.error_code)

    def _out(self, code: ErrorCode | None) -> None:
        """What to do after an error: join again, as another if the group has forgotten this one."""
        if code is None or code in (ErrorCode.not_coordinator, ErrorCode.coordinator_not_available):
            self.forget_coordinator(GROUP, THE_GROUP)
            return
        self._generation = -1
        if code in (ErrorCode.unknown_member_id, ErrorCode.fenced_instance_id):
            self._id = ""

    async def _join(self) -> None:
        protocol = join_group_request.JoinGroupRequestProtocol(name="range", metadata=subscription(self.world.topics))
        request = join_group_request.JoinGroupRequest(
            group_id=THE_GROUP,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            member_id=self._id,
            protocol_type="consumer",
            protocols=[protocol],
        )
        joined = await self._coordinator_ask(request, JOIN_SECONDS)
        if joined is None:
            return
        if joined.error_code == ErrorCode.member_id_required:
            self._id = joined.member_id
            return
        if joined.error_code != ErrorCode.none:
            self._out(ErrorCode(joined.error_code))
            return
        self._id = joined.member_id
        await self._sync(joined)

    async def _sync(self, joined: Any) -> None:
        shares: dict[str, list[str]] = {}
        if joined.leader == joined.member_id:
            ids = sorted(member.member_id for member in joined.members)
            for n, partition in enumerate(self.world.partitions):
                shares.setdefault(ids[n % len(ids)], []).append(partition)
        request = sync_group_request.SyncGroupRequest(
            group_id=THE_GROUP,
            generation_id=joined.generation_id,
            member_id=self._id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[
                sync_group_request.SyncGroupRequestAssignment(member_id=who, assignment=json.dumps(share).encode())
                for who, share in shares.items()
            ],
        )
        answer = await self._coordinator_ask(request, JOIN_SECONDS)
        if answer is None or answer.error_code != ErrorCode.none:
            self._out(None if answer is None else ErrorCode(answer.error_code))
            return
        mine = json.loads(answer.assignment) if answer.assignment else []
        found = await self._ask_offsets(mine) if mine else {}
        if found is not None:
            self._generation = joined.generation_id
            self._reader = Reader(f"{self.name} {self.world.loop.time():.3f}", self.world, self.chance)
            self._reader.positions = {partition: max(found[partition], 0) for partition in mine}

    async def _ask_offsets(self, partitions: list[str]) -> dict[str, int] | None:
        try:
            for partition in partitions:
                await self.leader(partition)
        except TROUBLE:
            return None
        operation = self.world.history.begin(self.name, ASK, group=THE_GROUP)
        wanted: dict[str, list[int]] = {}
        for partition in partitions:
            topic, _, number = partition.rpartition("-")
            wanted.setdefault(topic, []).append(int(number))
        names = {self.world.ids[topic]: topic for topic in wanted}
        topics = [
            offset_fetch_request.OffsetFetchRequestTopics(topic_id=self.world.ids[t], partition_indexes=numbers)
            for t, numbers in wanted.items()
        ]
        group = offset_fetch_request.OffsetFetchRequestGroup(group_id=THE_GROUP, topics=topics)
        answer = await self._coordinator_ask(
            offset_fetch_request.OffsetFetchRequest(groups=[group], require_stable=True)
        )
        if answer is None or answer.groups[0].error_code != ErrorCode.none:
            self.world.history.end(operation, FAIL)
            return None
        for topic in answer.groups[0].topics:
            for found in topic.partitions:
                if found.error_code == ErrorCode.none:
                    operation.offsets[f"{names[topic.topic_id]}-{found.partition_index}"] = found.committed_offset
        if len(operation.offsets) < len(partitions):
            self.world.history.end(operation, FAIL)
            return None
        self.world.history.end(operation, OK)
        return operation.offsets

    async def _commit(self, partition: str) -> None:
        position = self._reader.positions[partition]
        operation: Operation = self.world.history.begin(
            self.name, COMMIT, group=THE_GROUP, offsets={partition: position}
        )
        topic, _, number = partition.rpartition("-")
        one = offset_commit_request.OffsetCommitRequestPartition(partition_index=int(number), committed_offset=position)
        request = offset_commit_request.OffsetCommitRequest(
            group_id=THE_GROUP,
            generation_id_or_member_epoch=self._generation,
            member_id=self._id,
            topics=[offset_commit_request.OffsetCommitRequestTopic(topic_id=self.world.ids[topic], partitions=[one])],
        )
        answer = await self._coordinator_ask(request)
        if answer is None:
            self.world.history.end(operation, INFO)
            return
        code = ErrorCode(answer.topics[0].partitions[0].error_code)
        self.world.history.end(
            operation, OK if code == ErrorCode.none else INFO if code in UNKNOWN else FAIL, code.name
        )
        if code != ErrorCode.none:
            self._out(code)


def subscription(topics: dict[str, int]) -> bytes:
    """As Kafka's consumers write it, in version 0."""
    names = b"".join(struct.pack(">h", len(name)) + name.encode() for name in topics)
    return struct.pack(">hi", 0, len(topics)) + names + struct.pack(">i", -1)
