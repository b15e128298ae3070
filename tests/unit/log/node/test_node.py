from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

import pytest
import structlog.testing

from streamflow.event import Batch, TopicPartition
from streamflow.log.consensus.votes import decode
from streamflow.log.controller.topics import NewTopic
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.errors import DirectoryError, InvalidTopicError, StorageFullError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.fetch import Cursor
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.node.rows import batches_of, build
from streamflow.log.storage.files import MemoryFiles

T = TypeVar("T")
T0 = TopicPartition("t", 0)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class World:
    """Files that outlive the node, a clock, and what happens while the disk is waited for."""

    def __init__(self, **settings: str) -> None:
        self.files = MemoryFiles()
        self.now = 1_000
        self.config = NodeConfig.parse(settings)
        self.chance = Random(1)
        self.waits = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def blocking(self, fn: Callable[[], T]) -> T:
        self.waits += 1
        done = fn()
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return done

    async def open(self, *, clean: bool = True) -> Node:
        surroundings = Surroundings(
            files=self.files, now_ms=lambda: self.now, random_bytes=self.chance.randbytes, blocking=self.blocking
        )
        return await Node.open(surroundings, self.config, clean=clean)


def one(value: str, timestamp: int = 0) -> Batch:
    return Batch([None], [value.encode()], [timestamp], range(1))


async def produce(node: Node, value: str, timestamp: int = 0) -> int:
    return await node.append(T0, build(one(value, timestamp), codec=0, bytes_max=1 << 20))


def values(node: Node, start: int = 0) -> list[bytes]:
    cursor, found = Cursor(node.topics.find(T0), start), []
    while cursor.ready:
        batch = cursor.take(100)
        found += batch.values if batch is not None else []
    return found


async def test_each_start_elects_the_node_one_epoch_higher_and_keeps_both_copies() -> None:
    world = World()
    for epoch in (1, 2, 3):
        node = await world.open()
        assert node.topics.metadata.leader_epoch == epoch
        await node.close()
    kept = [decode(bytes(world.files.content[f"quorum-state.{n}"])) for n in (0, 1)]
    assert [s.leader_epoch for s in kept if s] == [3, 3]
    assert {s.voted_for for s in kept if s} == {1}


async def test_without_any_vote_the_metadata_log_says_which_epochs_were_used() -> None:
    world = World()
    for _ in range(3):
        await (await world.open()).close()
    for n in (0, 1):
        world.files.content[f"quorum-state.{n}"] = bytearray(b"garbage")
    with structlog.testing.capture_logs() as logs:
        node = await world.open()
    assert node.topics.metadata.leader_epoch == 4
    assert any("quorum state" in entry["event"] for entry in logs)


async def test_a_directory_of_no_known_topic_is_reported_and_left_alone() -> None:
    world = World()
    await (await world.open()).close()
    world.files.make_directory("topics/orders.00ff/0")
    with structlog.testing.capture_logs() as logs:
        await world.open()
    assert [e["path"] for e in logs if "no known topic" in e["event"]] == ["memory/topics/orders.00ff"]
    assert world.files.exists("topics/orders.00ff")


async def test_removing_a_topic_that_a_crash_cut_short_is_finished() -> None:
    world = World()
    node = await world.open()
    await node.topics.create(NewTopic(name="t"))
    directory = world.files.names("topics")[0]
    await node.delete_topic("t")
    assert world.files.names("topics") == []
    world.files.make_directory(f"topics/{directory}/0")
    await node.close()
    await world.open()
    assert world.files.names("topics") == []


async def test_a_new_topic_never_inherits_offsets_though_a_crash_cut_the_removal_of_the_old_short() -> None:
    world = World()
    node = await world.open()
    await node.topics.create(NewTopic(name="t"))
    await produce(node, "a")
    await node.groups.commit("g", {T0: OffsetValue(offset=1)})
    await node.topics.delete("t")
    for _ in range(2):
        node = await world.open(clean=False)
        assert node.groups.offsets.committed("g") == {}
        if "t" not in node.topics.metadata.image.topics:
            await node.topics.create(NewTopic(name="t"))


async def test_a_missing_partition_directory_is_an_error_not_an_empty_partition() -> None:
    world = World()
    node = await world.open()
    await node.topics.create(NewTopic(name="t"))
    await produce(node, "a")
    await node.close()
    world.files.remove(f"topics/{world.files.names('topics')[0]}")
    with pytest.raises(DirectoryError, match="is missing, and held offsets up to 1"):
        await world.open()


async def test_the_logs_own_topics_cannot_be_created_by_hand() -> None:
    node = await World().open()
    for name in ("__consumer_offsets", "__transaction_state", "__cluster_metadata"):
        with pytest.raises(InvalidTopicError, match="log's own"):
            await node.topics.create(NewTopic(name=name))


async def test_old_segments_are_deleted_by_the_clock() -> None:
    world = World()
    node = await world.open()
    await node.topics.create(NewTopic(name="t", config={"segment.bytes": "4096", "retention.ms": "10000"}))
    for n in range(10):
        await produce(node, "x" * 1000, world.now + n)
    await node.tick()
    assert node.topics.find(T0).log.log_start_offset == 0
    world.now += 400_000
    await node.tick()
    replica = node.topics.find(T0)
    assert 0 < replica.log.log_start_offset < 10
    assert len(values(node, replica.log.log_start_offset)) == 10 - replica.log.log_start_offset


async def test_compacted_topics_are_not_deleted_by_age() -> None:
    world = World()
    node = await world.open()
    config = {"cleanup.policy": "compact", "segment.bytes": "4096", "retention.ms": "1"}
    await node.topics.create(NewTopic(name="t", config=config))
    for _ in range(10):
        await produce(node, "x" * 1000)
    world.now += 400_000
    await node.tick()
    assert node.topics.find(T0).log.log_start_offset == 0


async def test_with_flush_interval_records_become_durable_by_the_clock() -> None:
    world = World(flush="interval", flush_interval_ms="100")
    node = await world.open()
    await node.topics.create(NewTopic(name="t"))
    await node.tick()
    await produce(node, "a")
    replica = node.topics.find(T0)
    assert (replica.high_watermark, replica.log.recovery_point) == (1, 0)
    world.now += 100
    await node.tick()
    assert replica.log.recovery_point == 1


async def test_recovery_points_are_noted_by_the_clock_and_by_the_bytes() -> None:
    world = World(checkpoint_bytes="1000", checkpoint_interval_ms="10000")
    node = await world.open()
    await node.topics.create(NewTopic(name="t"))
    await node.tick()
    before = bytes(world.files.content["recovery-points"])
    await produce(node, "a")
    await node.tick()
    assert world.files.content["recovery-points"] == before
    await produce(node, "x" * 1000)
    await node.tick()
    middle = bytes(world.files.content["recovery-points"])
    assert middle != before
    await produce(node, "a")
    world.now += 10_000
    await node.tick()
    assert world.files.content["recovery-points"] != middle


async def test_damaged_recovery_points_mean_that_everything_is_checked() -> None:
    world = World()
    node = await world.open()
    await node.topics.create(NewTopic(name="t"))
    await produce(node, "a")
    await node.close()
    world.files.content["recovery-points"][7] ^= 1
    with structlog.testing.capture_logs() as logs:
        node = await world.open(clean=False)
    assert values(node) == [b"a"]
    assert any("it is done without" in e["event"] for e in logs)


async def test_offsets_and_transactions_are_rewritten_when_their_topics_have_grown() -> None:
    world = World(**{"internal.log.bytes": "20000", "checkpoint_interval_ms": "10"})
    node = await world.open()
    await node.topics.create(NewTopic(name="t"))
    producer, left_open = await node.producer("a", codec=0), await node.producer("b", codec=0)
    for n in range(300):
        producer.begin()
        producer.append(T0, one(str(n)), 0)
        await producer.add_offsets("g", {T0: OffsetValue(offset=n, metadata="m" * 100)}, 0)
        await producer.end(commit=True)
        if n == 150:
            left_open.begin()
            await left_open.add_offsets("h", {T0: OffsetValue(offset=77)}, 0)
        if n == 200:
            await left_open.end(commit=True)
        world.now += 10
        await node.tick()
    for name in ("__consumer_offsets", "__transaction_state"):
        log = node.topics.find(TopicPartition(name, 0)).log
        assert log.log_start_offset > 0
        assert log.log_end_offset - log.log_start_offset < 300
    for clean in (True, False):
        if clean:
            await node.close()
        node = await world.open(clean=clean)
        assert node.groups.offsets.committed("g")[T0].offset == 299
        assert node.groups.offsets.committed("h")[T0].offset == 77
        assert len(values(node)) == 300
        again = (await node.producer("a", codec=0)).session
        assert again.producer_id == producer.session.producer_id
        assert again.producer_epoch > producer.session.producer_epoch


async def test_an_append_without_space_is_refused_and_the_next_with_space_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    node = await world.open()
    await node.topics.create(NewTopic(name="t"))
    producer = await node.producer("a", codec=0)
    producer.begin()
    producer.append(T0, one("a"), 0)
    file = type(world.files.open("any"))

    def full(*_: object) -> None:
        raise StorageFullError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(file, "write", full)
        with pytest.raises(StorageFullError):
            producer.append(T0, one("b"), 0)
        with pytest.raises(StorageFullError):
            await producer.end(commit=True)
    with pytest.raises(StorageFullError, match="free some space"):
        producer.append(T0, one("b"), 0)
    world.now += 1_000
    await node.tick()
    producer.append(T0, one("c"), 0)
    await producer.end(commit=True)
    assert values(node) == [b"a", b"c"]


async def test_producer_ids_are_never_given_out_again_after_a_crash() -> None:
    world, seen = World(), set()
    for n in range(5):
        node = await world.open(clean=False)
        seen |= {(await node.producer(f"{n}.{i}", codec=0)).session.producer_id for i in range(3)}
    assert len(seen) == 15


async def test_a_record_is_not_seen_before_it_is_durable() -> None:
    world = World()
    node = await world.open()
    await node.topics.create(NewTopic(name="t"))
    seen: list[list[bytes]] = []
    world.meanwhile = lambda: seen.append(values(node))
    await produce(node, "a")
    assert seen == [[]]
    assert values(node) == [b"a"]


async def test_a_commit_waits_for_the_disk_twice_and_an_abort_once() -> None:
    world = World()
    node = await world.open()
    await node.topics.create(NewTopic(name="t", partitions=3))
    producer = await node.producer("a", codec=0)
    for commit, waits in ((True, 2), (False, 1), (False, 1), (True, 2), (True, 2)):
        producer.begin()
        for n in range(3):
            producer.append(TopicPartition("t", n), one("a"), 0)
        before = world.waits
        await producer.end(commit=commit)
        assert world.waits - before == waits


async def test_a_commit_is_seen_when_it_returns_though_others_wrote_meanwhile() -> None:
    world = World()
    node = await world.open()
    await node.topics.create(NewTopic(name="t"))
    producer, other = await node.producer("a", codec=0), await node.producer("b", codec=0)
    producer.begin()
    producer.append(T0, one("a"), 0)
    other.begin()
    world.meanwhile = lambda: world.__setattr__("meanwhile", lambda: other.append(T0, one("b"), 0) and None)
    await producer.end(commit=True)
    assert values(node) == [b"a"]
    replica = node.topics.find(T0)
    assert replica.high_watermark == replica.log.log_end_offset == 3


async def test_kip_98_sequences_begin_anew_with_an_epoch_and_go_on_within_it() -> None:
    node = await World().open()
    await node.topics.create(NewTopic(name="t"))
    producer = await node.producer("a", codec=0)
    for commit in (False, True, True):
        producer.begin()
        producer.append(T0, one("a"), 0)
        producer.append(T0, one("b"), 0)
        await producer.end(commit=commit)
    headers = [h for h, _ in batches_of(node.topics.find(T0).log) if not h.control]
    assert [(h.producer_epoch, h.base_sequence) for h in headers] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1)]
