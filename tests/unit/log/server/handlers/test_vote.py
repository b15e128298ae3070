"""What controllers say to each other of who leads, through the door, in each version."""

from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    begin_quorum_epoch_request,
    end_quorum_epoch_request,
    vote_request,
)

pytestmark = pytest.mark.anyio
METADATA = "__cluster_metadata"
STRANGER = 9


def vote(epoch: int, topic: str = METADATA, cluster_id: str | None = None) -> vote_request.VoteRequest:
    partition = vote_request.PartitionData(
        partition_index=0, replica_id=STRANGER, replica_epoch=epoch, last_offset_epoch=epoch, last_offset=1 << 40
    )
    topics = [vote_request.TopicData(topic_name=topic, partitions=[partition])]
    return vote_request.VoteRequest(cluster_id=cluster_id, topics=topics)


async def test_who_is_no_voter_gets_no_vote_and_deposes_nobody(door: Any) -> None:
    metadata = door.node.topics.metadata
    epoch = metadata.leader_epoch
    for version in range(3):
        answer = await door.ask(vote(epoch + 1), version, from_peer=True)
        found = answer.topics[0].partitions[0]
        assert (found.vote_granted, found.leader_id, found.leader_epoch) == (False, 1, epoch)
    assert metadata.active


async def test_a_vote_in_another_log_or_another_cluster_is_refused(door: Any) -> None:
    assert (await door.ask(vote(5, topic="events"), from_peer=True)).error_code == ErrorCode.invalid_request
    answer = await door.ask(vote(5, cluster_id="another"), from_peer=True)
    assert answer.error_code == ErrorCode.inconsistent_cluster_id


async def test_an_epoch_that_is_over_neither_begins_nor_ends(door: Any) -> None:
    epoch = door.node.topics.metadata.leader_epoch
    begun = begin_quorum_epoch_request.BeginQuorumEpochRequest(
        topics=[
            begin_quorum_epoch_request.TopicData(
                topic_name=METADATA,
                partitions=[
                    begin_quorum_epoch_request.PartitionData(
                        partition_index=0, leader_id=STRANGER, leader_epoch=epoch - 1
                    )
                ],
            )
        ]
    )
    for version in range(2):
        found = (await door.ask(begun, version, from_peer=True)).topics[0].partitions[0]
        assert (found.error_code, found.leader_id) == (ErrorCode.fenced_leader_epoch, 1)
    ended = end_quorum_epoch_request.EndQuorumEpochRequest(
        topics=[
            end_quorum_epoch_request.TopicData(
                topic_name=METADATA,
                partitions=[
                    end_quorum_epoch_request.PartitionData(
                        partition_index=0, leader_id=STRANGER, leader_epoch=epoch - 1, preferred_successors=[1]
                    )
                ],
            )
        ]
    )
    for version in range(2):
        found = (await door.ask(ended, version, from_peer=True)).topics[0].partitions[0]
        assert (found.leader_id, found.leader_epoch) == (1, epoch)
    assert door.node.topics.metadata.active
