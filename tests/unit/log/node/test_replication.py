"""What becomes of a partition's replicas on three brokers."""

from __future__ import annotations

import anyio
import pytest

from streamflow.log.controller import records as r
from streamflow.log.controller.image import PartitionImage
from streamflow.log.controller.throttles import Side
from streamflow.log.errors import (
    NotEnoughReplicasAfterAppendError,
    NotLeaderError,
    RequestTimedOutError,
)
from streamflow.log.node.acknowledgement import committed
from streamflow.log.replication.leader import Leader
from tests.unit.log.node.three_brokers import TOPIC_ID, Cluster, running, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("durable", [True, False])
async def test_what_is_committed_is_in_every_in_sync_log(durable: bool) -> None:
    async with running(Cluster(durable=durable)) as cluster:
        leader = cluster.members[1]
        end = [leader.append(f"{n}") for n in range(5)][-1]
        await committed(leader.flusher, {leader.replica: end}, timeout_ms=3000)
        assert leader.replica.high_watermark == 5
        assert all(member.values() == leader.values() for member in cluster.members.values())
        if durable:
            assert all(member.replica.log.recovery_point == 5 for member in cluster.members.values())
        await until(lambda: all(m.replica.high_watermark == 5 for m in cluster.members.values()))


async def test_a_follower_with_another_history_truncates_what_its_leader_has_not() -> None:
    async with running(Cluster()) as cluster:
        first = cluster.members[1]
        await committed(first.flusher, {first.replica: first.append("both")}, timeout_ms=3000)
        cluster.cut = {1}
        first.append("only here")
        second = await cluster.elect(2, (2, 3))
        await committed(second.flusher, {second.replica: second.append("instead")}, timeout_ms=3000)
        cluster.cut = set()
        await cluster.tell()
        await until(lambda: first.values() == second.values())
        await until(lambda: cluster.partition.isr == (1, 2, 3))
        assert first.replica.reign == 1


async def test_who_lags_leaves_the_isr_and_is_not_waited_for_until_it_has_caught_up() -> None:
    async with running(Cluster(**{"replica.lag.time.max.ms": "60"})) as cluster:
        leader = cluster.members[1]
        await committed(leader.flusher, {leader.replica: leader.append("a")}, timeout_ms=3000)
        cluster.cut = {3}
        await committed(leader.flusher, {leader.replica: leader.append("b")}, timeout_ms=3000)
        assert cluster.partition.isr == (1, 2)
        cluster.cut = set()
        await until(lambda: cluster.partition.isr == (1, 2, 3))
        assert cluster.members[3].values() == leader.values()


async def test_nothing_is_committed_with_too_few_in_sync() -> None:
    async with running(Cluster(**{"replica.lag.time.max.ms": "60"})) as cluster:
        leader = cluster.members[1]
        cluster.cut = {2, 3}
        with pytest.raises(NotEnoughReplicasAfterAppendError):
            await committed(leader.flusher, {leader.replica: leader.append("a")}, timeout_ms=3000)
        assert leader.replica.high_watermark == 0


async def test_who_waits_learns_that_the_leadership_is_lost_and_that_time_is_up() -> None:
    async with running(Cluster()) as cluster:
        leader = cluster.members[1]
        cluster.cut = {2, 3}
        end = leader.append("a")
        with pytest.raises(RequestTimedOutError):
            await committed(leader.flusher, {leader.replica: end}, timeout_ms=10)
        failures: list[Exception] = []

        async def wait() -> None:
            try:
                await committed(leader.flusher, {leader.replica: end}, timeout_ms=3000)
            except NotLeaderError as error:
                failures.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await cluster.elect(2, (1, 2))
        assert len(failures) == 1


async def test_a_stopped_replica_is_neither_leader_nor_follower() -> None:
    async with running(Cluster()) as cluster:
        leader = cluster.members[1]
        await leader.replication.stop(leader.replica)
        with pytest.raises(NotLeaderError):
            leader.append("a")
        assert repr(leader.replication) == "<Replication: leads 0, follows 0>"


async def test_a_replica_that_was_opened_as_a_leader_alone_goes_on_as_one_of_its_partition() -> None:
    member = Cluster().members[1]
    member.replica.role = Leader(leader_epoch=0, end=0, flush_before_commit=True)
    alone = PartitionImage(leader=1, isr=(1,), replicas=(1,), leader_epoch=0, partition_epoch=0)
    await member.replication.lead(member.replica, alone)
    await committed(member.flusher, {member.replica: member.append("a")}, timeout_ms=1000)
    assert member.replica.high_watermark == 1


@pytest.mark.parametrize("side", Side)
async def test_who_is_not_in_sync_is_copied_no_faster_than_the_throttle_says_and_the_others_at_once(side: Side) -> None:
    cluster = Cluster()
    cluster.image.apply(r.PartitionChange(topic_id=TOPIC_ID, partition=0, isr=(1, 2)))
    leader, added = cluster.members[1], cluster.members[3].replica
    await cluster.tell()
    end = [leader.append(f"{n:2}") for n in range(20)][-1]
    cluster.rates[side] = 2 * len(leader.values()[0])  # Two batches a second.
    async with running(cluster):
        await committed(leader.flusher, {leader.replica: end}, timeout_ms=3000)
        await anyio.sleep(0.06)
        assert added.end == 0
        for copied in (2, 4, 6):
            cluster.throttle_ms += 1_000
            await until(lambda copied=copied: added.end >= copied)  # type: ignore[misc]
            await anyio.sleep(0.06)
            assert added.end == copied
        assert cluster.partition.isr == (1, 2)
        cluster.rates.clear()
        await until(lambda: cluster.partition.isr == (1, 2, 3))
        await committed(leader.flusher, {leader.replica: leader.append("on")}, timeout_ms=3000)
        assert added.end == 21


async def test_followers_delete_what_the_leader_has_deleted_and_tell_it_without_waiting_for_records() -> None:
    async with running(Cluster(**{"replica.fetch.wait.max.ms": "60000"})) as cluster:
        leader = cluster.members[1]
        end = [leader.append(f"{n}") for n in range(5)][-1]
        await committed(leader.flusher, {leader.replica: end}, timeout_ms=3000)
        leader.replica.delete_before(3)
        await until(lambda: leader.replica.leader.low_watermark(3, lambda follower: True) == 3)
        assert all(member.values() == leader.values() for member in cluster.members.values())
