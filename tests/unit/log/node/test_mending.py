"""What rots in one of three brokers' logs is found by whoever reads it, told, and fetched again from another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import structlog

from streamflow.log.errors import CorruptBatchError
from streamflow.log.node.acknowledgement import committed
from streamflow.log.protocol.errors import ErrorCode
from tests.unit.log.node.three_brokers import Cluster, Member, running, until

pytestmark = pytest.mark.anyio
RECORDS = 20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def filled(**settings: str) -> AsyncIterator[Cluster]:
    """Everybody has all records, in some segments, and knows that they are committed."""
    async with running(Cluster(**{"replica.lag.time.max.ms": "200", **settings})) as cluster:
        leader = cluster.members[1]
        for n in range(RECORDS):
            await committed(leader.flusher, {leader.replica: leader.append(f"{n:2}")}, timeout_ms=3000)
        await until(lambda: all(m.replica.high_watermark == RECORDS for m in cluster.members.values()))
        assert all(m.replica.log.segment_count >= 3 for m in cluster.members.values())
        yield cluster


def find_rot(member: Member) -> None:
    with pytest.raises(CorruptBatchError):
        member.replica.log.read(3, 1, up_to=RECORDS)


def is_whole(member: Member, like: Member) -> bool:
    return not member.replica.log.quarantined and member.values() == like.values()


async def test_what_rots_in_a_follower_is_fetched_again_from_its_leader() -> None:
    async with filled() as cluster:
        leader, follower = cluster.members[1], cluster.members[2]
        follower.damage(3)
        with structlog.testing.capture_logs() as logs:
            find_rot(follower)
        assert [e["log_level"] for e in logs] == ["error"]
        await until(lambda: is_whole(follower, leader))
        assert follower.replication.mender.mended == 1


async def test_what_rots_in_a_leader_is_served_to_nobody_until_it_is_fetched_again_from_a_follower() -> None:
    async with filled() as cluster:
        leader, follower = cluster.members[1], cluster.members[2]
        sound = (await cluster.consume(1, 3)).records
        leader.damage(3)
        cluster.cut = {2, 3}
        for _ in range(2):
            answer = await cluster.consume(1, 3)
            assert (answer.error_code, bytes(answer.records)) == (ErrorCode.corrupt_message, b"")
        before = await cluster.consume(1, 2)
        assert len(before.records) == len(sound) // (RECORDS - 3), "what is sound before it is served"
        cluster.cut = set()
        await until(lambda: is_whole(leader, follower))
        assert (await cluster.consume(1, 3)).records == sound
        assert leader.replica.leads
        assert leader.replication.mender.mended == 1


@pytest.mark.parametrize("who", [1, 2])
async def test_a_rotten_index_is_made_anew_and_leads_nobody_astray(who: int) -> None:
    async with filled() as cluster:
        member, other = cluster.members[who], cluster.members[3]
        member.reopen()
        indexes = [path for path in member.files.content if path.endswith(".index")]
        assert len(indexes) >= 3
        for path in indexes:
            member.files.content[path][len(member.files.content[path]) // 2] ^= 16
        member.reopen()
        member.damage(3)
        find_rot(member)
        assert member.replica.log.read(4, 1 << 20, up_to=RECORDS) == other.replica.log.read(4, 1 << 20, up_to=RECORDS)
        await until(lambda: is_whole(member, other))


async def test_a_range_is_told_once_while_it_cannot_be_mended_and_once_when_it_is() -> None:
    async with filled() as cluster:
        leader = cluster.members[1]
        flips = {}
        for n, member in cluster.members.items():
            flips[n] = member.damage(3)
            find_rot(member)
        with structlog.testing.capture_logs() as logs:
            await anyio.sleep(0.5)
        told = [e for e in logs if e["event"] == "a damaged range can't be mended yet"]
        assert len(told) == 3, "one of each replica"
        with structlog.testing.capture_logs() as logs:
            flips[3]()
            cluster.members[3].replica.log._kept.found_again(3)
            await until(lambda: is_whole(leader, cluster.members[3]))
            await until(lambda: is_whole(cluster.members[2], cluster.members[3]))
        assert len([e for e in logs if e["event"] == "a damaged range was mended"]) == 2


async def test_followers_that_lag_are_noticed_while_somebody_is_asked_for_a_damaged_range() -> None:
    async with filled() as cluster:
        leader = cluster.members[1]
        ask = leader.replication.mender._cluster.peers.ask

        async def never(to: int, message: Any, *, timeout_ms: int) -> Any:
            await anyio.sleep_forever()

        leader.replication.mender._cluster.peers.ask = never  # type: ignore[method-assign]
        leader.damage(3)
        assert (await cluster.consume(1, 3)).error_code == ErrorCode.corrupt_message
        await anyio.sleep(0.15)
        cluster.cut = {3}
        await committed(leader.flusher, {leader.replica: leader.append("a")}, timeout_ms=3000)
        assert cluster.partition.isr == (1, 2)
        leader.replication.mender._cluster.peers.ask = ask  # type: ignore[method-assign]
