"""Power lost at every moment of what clients over the wire do in transactions.

Clients of both generations (KIP-890) write, commit offsets, commit and abort, on a disk that loses power at each of its
operations in turn. They outlive the node: what wasn't answered they ask again after the restart. Then

- a transaction whose commit was answered is there wholly, with its offsets; one whose abort was answered never is;
- one that was never ended is still open: its client goes on with it, and commits it, with all that was acknowledged;
- nothing else is seen, and nothing hangs once the clients have ended what they began.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import NewTopic
from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.coordinators.transaction_records import TransactionVersion
from streamflow.log.errors import LogError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.fetch import Cursor
from streamflow.log.node.flusher import inline
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.records import Producer, build_batch, parse_header

sys.path.insert(0, str(Path(__file__).parent))
from disk import PowerLost, SimulatedDisk

T = TypeVar("T")
PARTITIONS = [TopicPartition("t", 0), TopicPartition("t", 1)]
GROUP_OF = TopicPartition("t", 0)
CONFIG = NodeConfig.parse({"checkpoint_interval_ms": "300", "ballast_bytes": "100", "internal.log.bytes": "4096"})
V1, V2 = TransactionVersion.V1, TransactionVersion.V2
TRANSACTIONS = 4


@dataclass
class Client:
    """`open` is what was acknowledged of the transaction it is in; `offset` what it commits with it."""

    name: str
    version: TransactionVersion
    session: ProducerSession | None = None
    sequences: dict[TopicPartition, int] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    offset: int | None = None


class World:
    def __init__(self, seed: int, crash_at: int | None) -> None:
        self.chance = Random(seed)
        self.disk = SimulatedDisk(Random(f"{seed} {crash_at}"), crash_at)
        self.now = 0
        self.node: Node
        self.committed: set[str] = set()
        self.aborted: set[str] = set()
        self.offsets: dict[str, int] = {}
        self.numbers = iter(range(1, 10_000))
        self.restarts = 0

    async def start(self, *, clean: bool) -> None:
        world = Surroundings(
            files=self.disk, now_ms=lambda: self.now, random_bytes=self.chance.randbytes, blocking=inline
        )
        self.node = await Node.open(world, CONFIG, clean=clean)
        self.node.transactions.coordinator.check()

    async def asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Again, until there is an answer."""
        while True:
            try:
                return await ask()
            except PowerLost:
                self.restarts += 1
                self.disk.restart()
                self.disk.crash_at = None
                await self.start(clean=False)
                self.check()

    async def run(self) -> None:
        await self.asked(self.begin)
        clients = [Client("a", V1), Client("b", V2)]
        for client in clients:
            client.session = await self.asked(lambda c=client: self.node.client_transactions.open(c.name, 60_000))
        for _ in range(TRANSACTIONS):
            for client in clients:
                for _ in range(self.chance.randint(1, 3)):
                    await self.produce(client)
                if self.chance.random() < 0.7:
                    await self.commit_offset(client)
            for client in clients:
                await self.end(client, commit=self.chance.random() < 0.6)
            self.now += 200
            await self.asked(lambda: self.node.tick())  # noqa: PLW0108 - another node, after a restart
        self.check()
        for replica in self.node.topics.replicas.values():
            assert replica.last_stable_offset == replica.log.log_end_offset, f"{replica} hangs"

    async def begin(self) -> None:
        if not hasattr(self, "node"):
            await self.start(clean=True)
        if "t" not in self.node.topics.metadata.image.topics:
            await self.node.topics.create(NewTopic(name="t", partitions=2))

    async def produce(self, client: Client) -> None:
        session, where, value = client.session, self.chance.choice(PARTITIONS), f"{client.name}{next(self.numbers)}"
        assert session is not None
        sequence = client.sequences.get(where, 0)
        producer = Producer(session.producer_id, session.producer_epoch, sequence, True)
        batch = build_batch([None], [value.encode()], [self.now], producer=producer)

        async def ask() -> None:
            transactions, replica = self.node.client_transactions, self.node.topics.find(where)
            await transactions.add_partitions(session, (where,), client.version)
            transactions.check_batch(session, where, parse_header(batch), added=client.version is V2)
            self.node.append_batches(replica, batch)
            await self.node.flusher.flush((replica,))

        await self.asked(ask)
        client.sequences[where] = sequence + 1
        client.open.append(value)

    async def commit_offset(self, client: Client) -> None:
        session, offset = client.session, next(self.numbers)
        assert session is not None

        async def ask() -> None:
            transactions = self.node.client_transactions
            if client.version is V1:
                await transactions.add_offsets(session)
            await transactions.ready_for_offsets(session, client.version)
            transactions.append_offsets(session, client.name, {GROUP_OF: OffsetValue(offset=offset)})
            await self.node.groups.flush()

        await self.asked(ask)
        client.offset = offset

    async def end(self, client: Client, *, commit: bool) -> None:
        session = client.session
        assert session is not None
        following = await self.asked(
            lambda: self.node.client_transactions.end(session, commit=commit, version=client.version)
        )
        assert (following == session) == (client.version is V1)
        (self.committed if commit else self.aborted).update(client.open)
        if commit and client.offset is not None:
            self.offsets[client.name] = client.offset
        if following != session:
            client.sequences = {}
        client.session, client.open, client.offset = following, [], None
        self.check()

    def visible(self) -> set[str]:
        found: set[str] = set()
        for where in PARTITIONS:
            if where not in self.node.topics.replicas:
                continue
            cursor = Cursor(self.node.topics.find(where), 0)
            while cursor.ready:
                batch = cursor.take(100)
                if batch is not None:
                    values = {v.decode() for v in batch.values}
                    assert len(values) == len(batch) and not values & found, "nothing is there twice"
                    found |= values
        return found

    def check(self) -> None:
        """What transactions hide until they are ended is the least that can be read: others may be decided already."""
        for replica in self.node.topics.replicas.values():
            replica.leader.check()
            assert replica.log.quarantined == []
        found = self.visible()
        assert not found & self.aborted
        if all(r.last_stable_offset == r.log.log_end_offset for r in self.node.topics.replicas.values()):
            assert self.committed <= found
        for name, offset in self.offsets.items():
            known = self.node.groups.offsets.committed(name).get(GROUP_OF)
            assert known is not None and known.offset >= offset


async def live(seed: int, crash_at: int | None) -> World:
    world = World(seed, crash_at)
    await world.run()
    assert world.visible() == world.committed
    for name, offset in world.offsets.items():
        assert world.node.groups.offsets.committed(name)[GROUP_OF].offset == offset
    return world


@pytest.mark.parametrize("seed", range(3))
def test_clients_go_on_with_their_transactions_whenever_the_power_goes(seed: int) -> None:
    async def everywhere() -> None:
        moments = (await live(seed, None)).disk.operations
        assert moments > 100
        for crash_at in range(moments):
            try:
                assert (await live(seed, crash_at)).restarts <= 1
            except (LogError, AssertionError) as error:
                error.add_note(f"seed {seed}, power lost at operation {crash_at}")
                raise

    asyncio.run(everywhere())
