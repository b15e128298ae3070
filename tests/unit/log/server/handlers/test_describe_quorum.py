from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.consensus.events import EpochBegun
from streamflow.log.consensus.roles import Standing
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import describe_quorum_request as q

pytestmark = pytest.mark.anyio
METADATA = "__cluster_metadata"


async def quorum(door: Any, *topics: tuple[str, int], version: int = 2) -> Any:
    wanted = [q.TopicData(topic_name=n, partitions=[q.PartitionData(partition_index=p)]) for n, p in topics]
    return await door.ask(q.DescribeQuorumRequest(topics=wanted), version)


async def test_this_node_leads_the_quorum_alone(door: Any) -> None:
    for version in range(3):
        answer = await quorum(door, (METADATA, 0), version=version)
        found = answer.topics[0].partitions[0]
        end = door.node.topics.metadata.partition.log_end_offset
        assert (found.error_code, found.leader_id, found.leader_epoch, found.high_watermark) == (0, 1, 1, end)
        assert [(v.replica_id, v.log_end_offset) for v in found.current_voters] == [(1, end)]
        assert found.observers == []
    assert [(n.node_id, n.listeners[0].port) for n in answer.nodes] == [(1, 9092)]


async def test_every_other_partition_is_unknown(door: Any) -> None:
    for wanted in ([("a", 0)], [(METADATA, 1)], [(METADATA, 0), ("a", 0)]):
        answer = await quorum(door, *wanted)
        codes = {p.error_code for t in answer.topics for p in t.partitions}
        assert codes == {ErrorCode.unknown_topic_or_partition}


async def test_the_leader_tells_of_voters_and_observers_and_others_name_it(door: Any) -> None:
    raft = door.node.topics.metadata.raft
    raft.voters, raft.role.standings = (1, 2), {2: Standing(end=1, fetched_ms=5, caught_up_ms=4)}
    raft.role.standings[7] = Standing(end=2, fetched_ms=door.now, caught_up_ms=door.now)
    found = (await quorum(door, (METADATA, 0))).topics[0].partitions[0]
    told = [(s.replica_id, s.log_end_offset, s.last_fetch_timestamp) for s in (*found.current_voters, *found.observers)]
    assert told == [(1, raft.log.end, door.now), (2, 1, 5), (7, 2, door.now)]
    raft.step(EpochBegun(leader=2, epoch=raft.epoch + 1), door.now)
    found = (await quorum(door, (METADATA, 0))).topics[0].partitions[0]
    assert (found.error_code, found.leader_id) == (ErrorCode.not_leader_or_follower, 2)
