from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import anyio
import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller.image import MetadataImage
from streamflow.log.model import Identity
from streamflow.log.node.ballast import Ballast
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.fetcher import Fetcher, Surroundings
from streamflow.log.node.flusher import Flusher, inline
from streamflow.log.node.membership import Membership
from streamflow.log.node.replica import Replica
from streamflow.log.node.throttle import Throttle
from streamflow.log.protocol.messages import fetch_response
from streamflow.log.records import build_batch, stamp
from streamflow.log.replication.follower import Follower
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.partition import PartitionLog, SegmentConfig

pytestmark = pytest.mark.anyio
TOPIC_ID = b"\7" * 16


def replica_of(number: int) -> Replica:
    identity = Identity("events", UUID(bytes=TOPIC_ID), number)
    files = MemoryFiles()
    log = PartitionLog.open(files, "events", identity, SegmentConfig(), recovery_point=0, clean=True, now_ms=0)
    role = Follower(leader=1, leader_epoch=0, end=0, flush_before_fetch=False)
    return Replica(TopicPartition("events", number), "events", log, role, Ballast(files, 0))


class LeaderWithLittleRoom:
    """Its answers hold one batch, of the first partition asked for."""

    def __init__(self, fetches_max: int) -> None:
        self.served: list[int] = []
        self.enough = anyio.Event()
        self._fetches_max = fetches_max

    async def ask(self, node_id: int, request: Any, *, timeout_ms: int) -> Any:
        if len(self.served) == self._fetches_max:
            self.enough.set()
            await anyio.sleep_forever()
        wanted = request.topics[0].partitions[0]
        self.served.append(wanted.partition)
        batch = build_batch([None], [b"x"], [0])
        stamp(batch, wanted.fetch_offset, 0)
        data = fetch_response.PartitionData(
            partition_index=wanted.partition, high_watermark=0, records=memoryview(batch)
        )
        data.diverging_epoch = fetch_response.EpochEndOffset(epoch=-1, end_offset=-1)
        topic = fetch_response.FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[data])
        return fetch_response.FetchResponse(responses=[topic])


async def test_who_was_served_is_asked_for_behind_the_others_so_that_nobody_starves() -> None:
    leader = LeaderWithLittleRoom(fetches_max=6)
    flusher = Flusher(inline, lambda: 0)
    world = Surroundings(
        membership=Membership(node_id=2),
        image=MetadataImage,
        peers=leader,  # type: ignore[arg-type]
        channel=SimpleNamespace(),  # type: ignore[arg-type]
        broker_epoch=lambda: 1,
        note_point=lambda replica, offset: None,
        throttle=Throttle(lambda replica: None, lambda: 0),
        now_ms=lambda: 0,
    )
    fetcher = Fetcher(1, world, flusher, NodeConfig.parse({}))
    for number in range(3):
        fetcher.add(replica_of(number))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(fetcher.run)
            await leader.enough.wait()
            group.cancel_scope.cancel()
    assert leader.served == [0, 1, 2, 0, 1, 2]
