from __future__ import annotations

from typing import Any

import pytest

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
