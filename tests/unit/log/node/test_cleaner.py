"""Which partition is compacted, when, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

import pytest
import structlog.testing

from streamflow.event import Batch, TopicPartition
from streamflow.log.controller.topics import INTERNAL_TOPICS, NewTopic
from streamflow.log.errors import StorageFailedError, StorageFullError
from streamflow.log.node.cleaner import FAILED_PAUSE_MS, PAUSE_MS, compaction_config
from streamflow.log.node.config import NodeConfig, segment_config
from streamflow.log.node.fetch import Cursor
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.node.rows import batches_of, build
from streamflow.log.records import Producer, build_batch
from streamflow.log.storage.files import MemoryFiles

T = TypeVar("T")

pytestmark = pytest.mark.anyio

COMPACTED = {"cleanup.policy": "compact", "segment.bytes": "4096"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class World:
    def __init__(self, **settings: str) -> None:
        self.files = MemoryFiles()
        self.now = 1_000
        self.config = NodeConfig.parse(settings)
        self.chance = Random(1)
        self.meanwhile: Callable[[], None] = lambda: None

    async def blocking(self, fn: Callable[[], T]) -> T:
        done = fn()
        self.meanwhile()
        return done

    async def open(self) -> Node:
        surroundings = Surroundings(
            files=self.files, now_ms=lambda: self.now, random_bytes=self.chance.randbytes, blocking=self.blocking
        )
        return await Node.open(surroundings, self.config, clean=True)


async def made(node: Node, name: str = "t", **config: str) -> TopicPartition:
    await node.topics.create(NewTopic(name=name, config={**COMPACTED, **config}))
    return TopicPartition(name, 0)


async def produce(node: Node, where: TopicPartition, count: int, *, keys: int = 3, first: int = 0) -> None:
    for n in range(first, first + count):
        batch = Batch([f"k{n % keys}".encode()], [f"{n}".ljust(500).encode()], [n], range(1))
        await node.append(where, build(batch, codec=0, bytes_max=10_000))


async def cleaned(world: World, node: Node, steps: int = 1_000) -> None:
    """Time goes by until there is nothing to do."""
    for _ in range(steps):
        world.now += node.cleaner.wait_ms
        await node.cleaner.step()
        if node.cleaner.wait_ms > PAUSE_MS:
            return
    raise AssertionError("it never comes to an end")


def values(node: Node, where: TopicPartition) -> dict[int, str]:
    cursor = Cursor(node.topics.find(where), node.topics.find(where).log.log_start_offset)
    found: dict[int, str] = {}
    while cursor.ready:
        batch = cursor.take(100)
        found.update((o, v.decode().strip()) for o, v in zip(batch.offsets, batch.values, strict=True) if batch)
    return found


async def test_of_each_key_the_newest_record_stays_and_readers_read_on() -> None:
    world = World()
    node = await world.open()
    where = await made(node)
    await produce(node, where, 50)
    log = node.topics.find(where).log
    sealed, before = log.dirt(compaction_config({}, 1 << 20), 50, 1).end, values(node, where)
    await cleaned(world, node)
    assert log.size_bytes < 10_000
    found = values(node, where)
    assert found == {o: before[o] for o in found}
    assert found.keys() == {o for o in range(50) if o >= min(sealed, 50) - 3}
    assert (log.log_start_offset, log.log_end_offset) == (0, 50)


async def test_readers_are_given_no_empty_batches() -> None:
    """A tombstone that has had its time leaves one, when its producer sent nothing since."""
    world = World()
    node = await world.open()
    where = await made(node, **{"min.cleanable.dirty.ratio": "0", "delete.retention.ms": "0"})
    log = node.topics.find(where).log
    for n in range(3):
        batch = build_batch([b"k"], [None], [n], producer=Producer(n, 0, 0))
        await node.append(where, batch)
        log.roll(world.now)
        await cleaned(world, node)
    await node.append(where, build_batch([b"j"], [b"4"], [3]))
    log.roll(world.now)
    await cleaned(world, node)
    assert [header.count for header, _ in batches_of(log)] == [0, 0, 0, 1]
    assert Cursor(node.topics.find(where), 0).take(1).offsets == range(3, 4)
    await node.append(where, build_batch([b"j"], [None], [4], producer=Producer(9, 0, 0)))
    for key in (b"x", b"x"):
        log.roll(world.now)
        await cleaned(world, node)
        await node.append(where, build_batch([key], [None], [5]))
    cursor = Cursor(node.topics.find(where), 0)
    assert [header.count for header, _ in batches_of(log)] == [0, 0, 0, 0, 1, 1]
    cursor.position = 4
    assert cursor.take(1).offsets == range(5, 6)


async def test_topics_that_are_not_compacted_and_the_logs_own_stay_as_they_are() -> None:
    world = World()
    node = await world.open()
    where = await made(node, **{"cleanup.policy": "delete"})
    await produce(node, where, 50)
    for name in INTERNAL_TOPICS:
        await node.topics.ensure_internal(name)
        await produce(node, TopicPartition(name, 0), 50)
        node.topics.find(TopicPartition(name, 0)).log.roll(0)
    before = {w: r.log.size_bytes for w, r in node.topics.replicas.items()}
    await cleaned(world, node)
    assert {w: r.log.size_bytes for w, r in node.topics.replicas.items()} == before


async def test_the_dirtiest_goes_first_and_none_below_its_share() -> None:
    world = World()
    node = await world.open()
    names = ["a", "b", "c"]
    for name in names:
        where = await made(node, name)
        await produce(node, where, 60, keys=40)
    await cleaned(world, node)
    for name, more in zip(names, (60, 100, 8), strict=True):
        await produce(node, TopicPartition(name, 0), more, keys=40)
    with structlog.testing.capture_logs() as logs:
        await cleaned(world, node)
    assert [line["partition"] for line in logs] == ["b-0", "a-0"]


async def test_what_is_overdue_is_compacted_however_clean_the_rest() -> None:
    world = World()
    node = await world.open()
    where = await made(node, **{"max.compaction.lag.ms": "5000", "min.cleanable.dirty.ratio": "1"})
    await produce(node, where, 30)
    world.now = 5_000
    await cleaned(world, node)
    assert len(values(node, where)) == 30
    world.now = 5_001
    await cleaned(world, node)
    assert len(values(node, where)) < 20


async def test_transactions_that_are_open_hold_compaction_up() -> None:
    world = World()
    node = await world.open()
    where = await made(node)
    await produce(node, where, 1)
    producer = await node.producer("x", codec=0)
    producer.begin()
    producer.append(where, Batch([b"k0"], [b"open"], [1], range(1)), 1)
    await produce(node, where, 50, first=1)
    await cleaned(world, node)
    assert node.topics.find(where).log.size_bytes > 20_000
    await producer.end(commit=True)
    await cleaned(world, node)
    assert node.topics.find(where).log.size_bytes < 10_000


async def test_a_step_is_followed_by_a_pause_and_by_a_longer_one_under_a_limit() -> None:
    for settings, pause in (({}, PAUSE_MS), ({"log.cleaner.io.max.bytes.per.second": "100000"}, 1_000)):
        world = World(**settings)
        node = await world.open()
        where = await made(node)
        await produce(node, where, 300)
        pauses = set()
        await node.cleaner.step()
        while not (log := node.topics.find(where).log).dirt(compaction_config({}, 1 << 20), 300, 1).first:
            pauses.add(node.cleaner.wait_ms)
            world.now += node.cleaner.wait_ms
            await node.cleaner.step()
        assert log.size_bytes < 20_000
        assert min(pauses) >= PAUSE_MS and max(pauses) >= pause


@pytest.mark.parametrize("steps", range(0, 12, 2))
async def test_a_topic_deleted_meanwhile_is_gone_and_nothing_is_left_of_it(steps: int) -> None:
    world = World()
    node = await world.open()
    where = await made(node)
    await produce(node, where, 300)
    for _ in range(steps):
        world.now += node.cleaner.wait_ms
        await node.cleaner.step()
    await node.delete_topic("t")
    await cleaned(world, node)
    assert world.files.names("topics") == []


@pytest.mark.parametrize("steps", range(0, 12, 2))
async def test_a_node_closed_meanwhile_opens_clean(steps: int) -> None:
    world = World()
    node = await world.open()
    where = await made(node)
    await produce(node, where, 300)
    for _ in range(steps):
        world.now += node.cleaner.wait_ms
        await node.cleaner.step()
    before = values(node, where)
    assert await node.close()
    assert not [p for p in world.files.content if p.endswith((".cleaned", ".swap"))]
    node = await world.open()
    assert values(node, where) == before
    await cleaned(world, node)
    assert values(node, where).items() <= before.items()


async def test_a_partition_that_cannot_be_compacted_is_reported_and_left_alone_for_a_while() -> None:
    world = World()
    node = await world.open()
    where = await made(node)
    other = await made(node, "other")
    await produce(node, where, 50)
    await produce(node, other, 30)

    def full(path: str, data: bytes, replace: Callable[[str, bytes], None] = world.files.replace) -> None:
        if path.endswith(".cleaned") and "/t." in path:
            raise StorageFullError("no space left")
        replace(path, data)

    world.files.replace = full  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as logs:
        await cleaned(world, node)
        await cleaned(world, node)
    assert sum(line["event"] == "a partition couldn't be compacted" for line in logs) == 1
    assert len(values(node, where)) == 50
    assert len(values(node, other)) < 20, "others are"
    del world.files.replace
    world.now += FAILED_PAUSE_MS
    await cleaned(world, node)
    assert len(values(node, where)) < 20


async def test_a_disk_that_fails_is_told_of_and_not_tried_again_at_once() -> None:
    world = World()
    node = await world.open()
    where = await made(node)
    await produce(node, where, 50)

    def failed(path: str, data: bytes) -> None:
        raise StorageFailedError("fsync failed")

    world.files.replace = failed  # type: ignore[method-assign]
    world.now += node.cleaner.wait_ms
    with pytest.raises(StorageFailedError):
        for _ in range(10):
            await node.cleaner.step()
            world.now += node.cleaner.wait_ms
    assert node.cleaner.wait_ms >= world.config.cleaner_backoff_ms


async def test_a_step_that_is_under_way_is_not_begun_twice() -> None:
    world = World()
    node = await world.open()
    where = await made(node)
    await produce(node, where, 50)
    entered = 0

    async def again() -> None:
        await node.cleaner.step()

    def meanwhile() -> None:
        nonlocal entered
        entered += 1
        world.meanwhile = lambda: None
        coroutine = again()
        with pytest.raises(StopIteration):
            coroutine.send(None)

    world.meanwhile = meanwhile
    await cleaned(world, node)
    assert entered == 1
    assert len(values(node, where)) < 20


async def test_the_nodes_tick_goes_on_with_it() -> None:
    world = World()
    node = await world.open()
    where = await made(node)
    await produce(node, where, 50)
    for _ in range(100):
        world.now += PAUSE_MS
        await node.tick()
    assert len(values(node, where)) < 20


def test_settings_are_kafkas() -> None:
    config = compaction_config({"delete.retention.ms": "7", "segment.bytes": "5000", "retention.ms": "1"}, 123)
    assert (config.delete_retention_ms, config.segment_bytes, config.map_bytes_max) == (7, 5_000, 123)
    assert (config.dirty_ratio_min, config.lag_ms_min, config.lag_ms_max) == (0.5, 0, 2**63 - 1)


def test_segments_are_sealed_as_often_as_their_records_may_have_to_go() -> None:
    config = {"cleanup.policy": "compact", "max.compaction.lag.ms": "5000"}
    assert segment_config(config).segment_ms == 5_000
    assert segment_config({**config, "segment.ms": "70"}).segment_ms == 70
    assert segment_config({**config, "cleanup.policy": "delete"}).segment_ms == 7 * 86_400_000
