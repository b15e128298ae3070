"""What `streamflow.transport.base` promises of members that share a topic's partitions, of every cluster."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from streamflow.event import Batch, TopicPartition
from streamflow.log.errors import UnknownMemberError
from streamflow.transport import open_transport
from streamflow.transport.base import Assigned, Committed, Lost, Member, Revoked, TopicSpec, Transport
from streamflow.transport.kafka.member import KafkaMember

sys.path.insert(0, str(Path(__file__).parents[1] / "clients"))
from brokers import STARTS, Brokers, ask
from toolchains import Missing, leave

SHARED = "shared"
T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
SECONDS = 30

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.clients]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    running = Brokers(tmp_path_factory.mktemp("brokers"), STARTS)
    yield running
    running.stop()


@pytest.fixture(params=list(STARTS))
async def transport(request: pytest.FixtureRequest, brokers: Brokers) -> AsyncIterator[Transport]:
    try:
        address = brokers.get(request.param).address
    except Missing as why:
        leave(str(why))
    transport = open_transport(f"kafka://{address}?session.timeout.ms=1500&heartbeat.interval.ms=200")
    await transport.open()
    await transport.create_topic(TopicSpec(name="t", partitions=2))
    await transport.create_topic(TopicSpec(name=SHARED, partitions=4))
    yield transport
    for name in ("t", SHARED):
        await transport.delete_topic(name)
    for group in await transport.groups():
        await transport.delete_group(group)
    await transport.close()


async def joined(transport: Transport, group: str = "g") -> Member:
    member = await transport.join(group, SHARED)
    assert member is not None
    return member


async def hears(member: Member) -> Assigned | Revoked | Lost:
    """The next that is about any partitions."""
    with anyio.fail_after(SECONDS):
        while True:
            event = await member.next()
            if isinstance(event, Lost) or event.partitions:
                return event


async def test_partitions_move_one_by_one_and_only_once_they_are_released(transport: Transport) -> None:
    first = await joined(transport)
    assert await hears(first) == Assigned((0, 1, 2, 3))
    second = await joined(transport)
    asked = await hears(first)
    assert isinstance(asked, Revoked)
    assert len(asked.partitions) == 2
    with anyio.move_on_after(1) as waited:
        await hears(second)
    assert waited.cancelled_caught, "nothing is given away before it is released"
    first.release()
    assert await hears(second) == Assigned(asked.partitions)
    await first.close()
    with anyio.fail_after(SECONDS):
        given = set(asked.partitions)
        while given != {0, 1, 2, 3}:
            given |= set((await hears(second)).partitions)  # type: ignore[union-attr]
    await second.close()


async def test_a_member_commits_offsets_in_a_transaction(transport: Transport) -> None:
    member = await joined(transport)
    await hears(member)
    await member.claim([0, 2], "mine")
    writer = await transport.writer("w")
    await writer.begin()
    await writer.append(T0, Batch([None], [b"1"], [0], range(1)))
    await writer.add_offsets("g", {T0: Committed(7, "m")}, member=member)
    await writer.commit()
    assert await transport.stable_offsets("g", [T0, T1]) == {T0: Committed(7, "m")}
    kept = await transport.committed("g")
    assert {where.partition: c.metadata for where, c in kept.items() if where.topic == SHARED} == {0: "mine", 2: "mine"}
    await member.close()


async def test_who_was_thrown_out_commits_nothing_until_it_has_let_go(transport: Transport) -> None:
    member = await joined(transport)
    await hears(member)
    assert isinstance(member, KafkaMember)
    await anyio.to_thread.run_sync(throw_out, member)
    assert await hears(member) == Lost()
    writer = await transport.writer("w")
    await writer.begin()
    for _ in range(2):
        with pytest.raises(UnknownMemberError):
            await writer.add_offsets("g", {T0: Committed(7)}, member=member)
    with pytest.raises(UnknownMemberError):
        await member.claim([0], "mine")
    await writer.abort()
    member.release()
    assert await hears(member) == Assigned((0, 1, 2, 3))
    await writer.begin()
    await writer.add_offsets("g", {T0: Committed(8)}, member=member)
    await writer.commit()
    await member.close()


def throw_out(member: KafkaMember) -> None:
    """As another who knows its name may: LeaveGroup, version 0."""
    names = b"".join(struct.pack(">h", len(name)) + name.encode() for name in ("g", member._known_as))
    host, port = member._client.address.servers[0].split(":")
    with socket.create_connection((host, int(port)), 5) as door:
        assert ask(door, struct.pack(">hhih", 13, 0, 1, -1) + names) == struct.pack(">ih", 1, 0)


async def test_offsets_that_a_transaction_holds_are_waited_for(transport: Transport) -> None:
    writer = await transport.writer("w")
    await writer.begin()
    await writer.add_offsets("o", {T0: Committed(7)})
    found: list[dict[TopicPartition, Committed]] = []

    async def ask() -> None:
        found.append(await transport.stable_offsets("o", [T0]))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await anyio.sleep(0.5)
        assert not found
        assert await transport.stable_offsets("o", [T1]) == {}
        await writer.commit()
    assert found == [{T0: Committed(7)}]
