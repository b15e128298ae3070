from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TypeVar

import pytest

from streamflow.errors import ConfigError, UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.controller.alter import Alterable, Change, Operation, changed
from streamflow.log.controller.records import PartitionChange
from streamflow.log.controller.topics import NewTopic
from streamflow.log.errors import InvalidReplicationFactorError
from streamflow.log.node.admin import BROKER_ALTERABLE, DYNAMIC
from streamflow.log.node.config import NODE_SETTINGS, NodeConfig
from streamflow.log.node.flusher import inline
from streamflow.log.node.hosted import OPENED_AT_ONCE
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.storage.files import MemoryFiles

T = TypeVar("T")

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def opened(files: MemoryFiles, **settings: str) -> Node:
    given = {name.replace("_", "."): value for name, value in settings.items()}
    world = Surroundings(files=files, now_ms=lambda: 1, random_bytes=Random(1).randbytes, blocking=inline)
    return await Node.open(world, NodeConfig.parse(given), clean=True)


async def test_partitions_and_settings_are_what_the_metadata_log_says_after_a_restart() -> None:
    files = MemoryFiles()
    node = await opened(files, log_retention_ms="9")
    await node.admin.create_topic(NewTopic(name="t", partitions=-1))
    await node.admin.create_partitions("t", 3)
    for name, value in (("segment.bytes", "5000"), ("segment.ms", "7")):
        change = Change(Operation.SET, name, value)
        await node.admin.alter_topic("t", lambda table, before, c=change: changed(table, before, [c]))  # type: ignore[misc]
    await node.close()
    node = await opened(files, log_retention_ms="8")
    configs = [node.topics.find(TopicPartition("t", number)).log.config for number in range(3)]
    assert {(c.segment_bytes, c.segment_ms, c.retention_ms) for c in configs} == {(5000, 7, 8)}


async def test_nobody_stays_eligible_by_a_minimum_that_held_before() -> None:
    node = await opened(MemoryFiles())
    await node.admin.create_topic(NewTopic(name="t", config={"min.insync.replicas": "2"}))
    image = node.topics.metadata.image
    topic = image.topics["t"]
    step = PartitionChange(topic_id=topic.topic_id, partition=0, replicas=(1, 2), elr=(2,))

    def least(number: str) -> Callable[[Alterable, Mapping[str, str]], Mapping[str, str]]:
        return lambda table, before: changed(table, before, [Change(Operation.SET, "min.insync.replicas", number)])

    image.apply(step)
    await node.admin.alter_topic("t", least("2"))
    assert topic.partitions[0].elr == (2,), "as before"
    await node.admin.alter_topic("t", least("1"))
    assert topic.partitions[0].elr == ()
    image.apply(step)
    await node.admin.alter_broker(None, least("3"))
    assert topic.partitions[0].elr == ()
    with pytest.raises(ConfigError, match="same on all brokers"):
        await node.admin.alter_broker(1, least("2"))


async def test_a_topic_without_a_count_of_replicas_has_as_many_as_the_setting_says() -> None:
    node = await opened(MemoryFiles(), default_replication_factor="2")
    with pytest.raises(InvalidReplicationFactorError, match="factor 2"):
        await node.admin.create_topic(NewTopic(name="t"))
    await node.admin.create_topic(NewTopic(name="t", assignments={0: [1]}))


async def test_an_alteration_that_says_what_is_so_writes_nothing() -> None:
    node = await opened(MemoryFiles())
    await node.admin.create_topic(NewTopic(name="t", config={"segment.ms": "7"}))
    end = node.topics.metadata.partition.log_end_offset
    await node.admin.alter_topic("t", lambda table, before: dict(before))
    assert node.topics.metadata.partition.log_end_offset == end


async def test_a_check_refuses_what_the_change_would() -> None:
    node = await opened(MemoryFiles())
    for validate_only in (True, False):
        with pytest.raises(UnknownTopicError):
            await node.admin.create_partitions("t", 2, validate_only=validate_only)
        with pytest.raises(UnknownTopicError):
            await node.admin.alter_topic("t", lambda table, before: before, validate_only=validate_only)


def test_what_the_node_reads_once_when_it_starts_cannot_be_altered() -> None:
    assert {setting.name for setting in NODE_SETTINGS} <= set(BROKER_ALTERABLE.read_only)
    assert not DYNAMIC & set(BROKER_ALTERABLE.read_only)


async def test_a_topic_of_many_partitions_is_opened_a_few_at_a_time() -> None:
    """Whoever waits for a flush meanwhile has its turn in between."""
    files = MemoryFiles()
    at_once: list[int] = []

    async def blocking(fn: Callable[[], T]) -> T:
        before = len(files.directories)
        done = fn()
        at_once.append(len(files.directories) - before)
        return done

    world = Surroundings(files=files, now_ms=lambda: 1, random_bytes=Random(1).randbytes, blocking=blocking)
    node = await Node.open(world, NodeConfig.parse({}), clean=True)
    at_once.clear()
    await node.admin.create_topic(NewTopic(name="t", partitions=3 * OPENED_AT_ONCE + 1))
    assert len(node.topics.replicas) == 3 * OPENED_AT_ONCE + 1
    assert max(at_once) <= OPENED_AT_ONCE + 2, "and the topic's own directory"
