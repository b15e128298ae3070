"""Power lost at every moment of a node's life.

A program produces, commits transactions and offsets, aborts, deletes, checkpoints and reopens, on a disk that loses
power at each of its operations in turn. Whatever is left, the node opens and keeps its promises:

- what was acknowledged is there, at the offset it was acknowledged at, and so is what anybody has read;
- a transaction is there wholly (all partitions, and its offsets) or not at all; wholly, if its commit returned;
- nothing hangs: all there is can be read to its end.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest

from streamflow.event import Batch, TopicPartition
from streamflow.log.controller.topics import NewTopic
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.fetch import Cursor
from streamflow.log.node.flusher import inline
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.node.rows import build
from streamflow.log.storage.files import MemoryFiles

sys.path.insert(0, str(Path(__file__).parent))
from disk import PowerLost, SimulatedDisk

PARTITIONS = [TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("u", 0)]
TOPICS = {"t": 2, "u": 1}
CONFIG = replace(
    NodeConfig.parse({"checkpoint_interval_ms": "300", "transaction_timeout_ms": "900", "ballast_bytes": "100"}),
    internal_log_bytes=800,
)
TOPIC_CONFIG = {"segment.bytes": "4096"}


@dataclass
class Transaction:
    """`group` is the offset it commits: its own number."""

    number: int
    values: list[tuple[TopicPartition, str]] = field(default_factory=list)
    offsets: bool = False
    ending: bool = False
    committed: bool = False


@dataclass
class Promised:
    """What the program was told, and what it saw."""

    topics: set[str] = field(default_factory=set)
    acknowledged: dict[tuple[TopicPartition, int], str] = field(default_factory=dict)
    seen: dict[tuple[TopicPartition, int], str] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    transactions: list[Transaction] = field(default_factory=list)
    group: int = 0
    group_tried: int = 0
    start: dict[TopicPartition, int] = field(default_factory=dict)


def one(value: str) -> Batch:
    return Batch([None], [value.encode()], [1], range(1))


def read(node: Node, where: TopicPartition) -> dict[int, str]:
    """All that a reader of committed records is given, by offset."""
    cursor = Cursor(node.topics.find(where), node.topics.find(where).log.log_start_offset)
    found: dict[int, str] = {}
    while cursor.ready:
        batch = cursor.take(5)
        if batch is not None:
            found.update((o, v.decode()) for o, v in zip(batch.offsets, batch.values, strict=True))
    return found


class Program:
    """Random, and the same for the same seed."""

    def __init__(self, seed: int, disk: MemoryFiles) -> None:
        self.chance = Random(seed)
        self.disk = disk
        self.now = 0
        self.promised = Promised()
        self.numbers = iter(range(1, 10_000))

    async def open(self, *, clean: bool) -> Node:
        world = Surroundings(
            files=self.disk, now_ms=lambda: self.now, random_bytes=self.chance.randbytes, blocking=inline
        )
        return await Node.open(world, CONFIG, clean=clean)

    async def run(self, steps: int) -> None:
        node = await self.open(clean=True)
        for name, partitions in TOPICS.items():
            await node.topics.create(NewTopic(name=name, partitions=partitions, config=TOPIC_CONFIG))
            self.promised.topics.add(name)
        await self.go_on(node, steps)

    async def go_on(self, node: Node, steps: int) -> None:
        actions = {
            self.produce: 4,
            self.transact: 6,
            self.commit_offsets: 2,
            self.look: 3,
            self.delete: 1,
            self.tick: 2,
        }
        for _ in range(steps):
            if self.chance.random() < 0.05:
                assert await node.close()
                node = await self.open(clean=True)
            [action] = self.chance.choices(list(actions), list(actions.values()))
            await action(node)

    async def produce(self, node: Node) -> None:
        where, value = self.chance.choice(PARTITIONS), f"p{next(self.numbers)}"
        self.promised.plain.add(value)
        offset = await node.append(where, build(one(value), codec=0, bytes_max=10_000))
        self.promised.acknowledged[where, offset] = value

    async def transact(self, node: Node) -> None:
        producer = await node.producer(self.chance.choice("ab"), codec=0)
        for _ in range(self.chance.randint(1, 3)):
            transaction = Transaction(next(self.numbers))
            self.promised.transactions.append(transaction)
            producer.begin()
            for n in range(self.chance.randint(1, 4)):
                where, value = self.chance.choice(PARTITIONS), f"t{transaction.number}.{n}"
                transaction.values.append((where, value))
                producer.append(where, one(value), self.now)
                if self.chance.random() < 0.2:
                    await self.produce(node)
            if self.chance.random() < 0.6:
                transaction.offsets = True
                offset = OffsetValue(offset=transaction.number)
                await producer.add_offsets("in transactions", {PARTITIONS[0]: offset}, self.now)
            end = self.chance.random()
            if end < 0.7:
                transaction.ending = True
                await producer.end(commit=True)
                transaction.committed = True
            elif end < 0.9:
                await producer.end(commit=False)
            else:
                return  # Left open: the next under the id, the time-out or the next start ends it.

    async def commit_offsets(self, node: Node) -> None:
        self.promised.group_tried = next(self.numbers)
        await node.groups.commit("plain", {PARTITIONS[1]: OffsetValue(offset=self.promised.group_tried)})
        self.promised.group = self.promised.group_tried

    async def look(self, node: Node) -> None:
        for where in PARTITIONS:
            self.promised.seen.update(((where, o), v) for o, v in read(node, where).items())

    async def delete(self, node: Node) -> None:
        where = self.chance.choice(PARTITIONS)
        replica = node.topics.find(where)
        start, end = replica.log.log_start_offset, replica.last_stable_offset
        before = self.chance.randint(start, start + (end - start) // 2)
        self.promised.start[where] = max(before, self.promised.start.get(where, 0))
        node.delete_records(where, before)

    async def tick(self, node: Node) -> None:
        self.now += self.chance.randint(100, 1000)
        await node.tick()


def check(node: Node, promised: Promised) -> None:
    assert promised.topics <= node.topics.metadata.image.topics.keys()
    node.topics.metadata.image.check()
    node.transactions.coordinator.check()
    here = [w for w in PARTITIONS if w in node.topics.replicas]
    for replica in node.topics.replicas.values():
        assert replica.log.quarantined == []
    found = {where: read(node, where) for where in here}
    for replica in node.topics.replicas.values():
        replica.leader.check()
        assert replica.last_stable_offset == replica.log.log_end_offset, f"{replica} hangs"
    for (where, offset), value in {**promised.acknowledged, **promised.seen}.items():
        if offset >= promised.start.get(where, 0):
            assert found[where].get(offset) == value, f"{where} at {offset} is lost"
    visible = {v for values in found.values() for v in values.values()}
    assert len(visible) == sum(map(len, found.values())), "nothing is there twice"
    check_transactions(node, promised, found, visible)
    plain = node.groups.offsets.committed("plain").get(PARTITIONS[1])
    assert (0 if plain is None else plain.offset) in (promised.group, promised.group_tried)


def check_transactions(
    node: Node, promised: Promised, found: dict[TopicPartition, dict[int, str]], visible: set[str]
) -> None:
    known, last = set(promised.plain), 0
    for transaction in promised.transactions:
        known |= {v for _, v in transaction.values}
        cut = {w: node.topics.find(w).log.log_start_offset for w in found}
        there = [v in visible for w, v in transaction.values if not cut[w]]
        assert all(there) or not any(there), f"{transaction} is torn"
        assert all(there) or not transaction.committed, f"{transaction} is lost"
        assert transaction.ending or not any(there), f"{transaction} was never committed"
        happened = any(v in visible for _, v in transaction.values) or transaction.committed
        if happened and transaction.offsets:
            last = transaction.number
    assert visible <= known
    offset = node.groups.offsets.committed("in transactions").get(PARTITIONS[0])
    if not any(node.topics.find(w).log.log_start_offset for w in found):
        assert (0 if offset is None else offset.offset) == last, "offsets come with their transaction"


def operations(seed: int, steps: int) -> int:
    disk = SimulatedDisk(Random(0))
    asyncio.run(Program(seed, disk).run(steps))
    return disk.operations


async def live_die_and_check(seed: int, crash_at: int, steps: int) -> None:
    disk = SimulatedDisk(Random(f"{seed} {crash_at}"), crash_at)
    program = Program(seed, disk)
    with pytest.raises(PowerLost):
        await program.run(steps)
    disk.restart()
    if program.chance.random() < 0.2:  # Power may go again while the node recovers.
        disk.crash_at = disk.operations + program.chance.randint(0, 60)
        try:
            await program.open(clean=False)
        except PowerLost:
            disk.restart()
        disk.crash_at = None
    node = await program.open(clean=False)
    check(node, program.promised)
    if program.promised.topics == TOPICS.keys():
        await program.go_on(node, 5)
        assert await node.close() is not None


STEPS = 25


@pytest.mark.parametrize("seed", range(4))
def test_a_node_keeps_its_promises_whenever_the_power_goes(seed: int) -> None:
    async def everywhere() -> None:
        for crash_at in range(moments):
            try:
                await live_die_and_check(seed, crash_at, STEPS)
            except BaseException as error:
                error.add_note(f"seed {seed}, power lost at operation {crash_at}")
                raise

    moments = operations(seed, STEPS)
    asyncio.run(everywhere())
