"""Transactions of a node among others: node 1 is real, node 2 answers as a test has it."""

from __future__ import annotations

from random import Random
from typing import Any

import anyio
import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller.records import Partition, RegisterBroker, Topic
from streamflow.log.controller.topics import NewTopic
from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.coordinators.offsets import GroupOffsets
from streamflow.log.coordinators.transaction_records import TransactionStatus, TransactionVersion
from streamflow.log.coordinators.transactions import TransactionCoordinator
from streamflow.log.errors import (
    CoordinatorFencedError,
    NotCoordinatorError,
    PeerUnreachableError,
)
from streamflow.log.node import markers as markers_module
from streamflow.log.node import transactions as transactions_module
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.effects import JOURNAL, MarkerWish, TransactionEffects
from streamflow.log.node.flusher import inline
from streamflow.log.node.groups import OFFSETS
from streamflow.log.node.markers import Markers
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.node.transactions import Client, Transactions
from streamflow.log.node.verification import Verification
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    add_partitions_to_txn_response,
    allocate_producer_ids_response,
    write_txn_markers_response,
)
from streamflow.log.records import Producer, build_batch
from streamflow.log.storage.files import MemoryFiles
from tests.unit.log.node.quorum_of_one import OtherNodes

pytestmark = pytest.mark.anyio

HERE, THERE = TopicPartition("here", 0), TopicPartition("there", 0)
V1, V2 = TransactionVersion.V1, TransactionVersion.V2
SESSION = ProducerSession(transactional_id="t", producer_id=7, producer_epoch=0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (markers_module, transactions_module):
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(transactions_module, "EXPIRE_SECONDS", 0.001)


def marked(code: int = 0) -> Any:
    m = write_txn_markers_response
    part = m.WritableTxnMarkerPartitionResult(partition_index=0, error_code=code)
    topic = m.WritableTxnMarkerTopicResult(name="there", partitions=[part])
    return m.WriteTxnMarkersResponse(markers=[m.WritableTxnMarkerResult(producer_id=7, topics=[topic])])


def verified(code: int = 0) -> Any:
    m = add_partitions_to_txn_response
    part = m.AddPartitionsToTxnPartitionResult(partition_index=0, partition_error_code=code)
    topic = m.AddPartitionsToTxnTopicResult(name="here", results_by_partition=[part])
    found = m.AddPartitionsToTxnResult(transactional_id="t", topic_results=[topic])
    return m.AddPartitionsToTxnResponse(results_by_transaction=[found])


class Ids:
    broker_epoch = 1
    given = 0

    async def ask(self, request: Any, *, timeout_ms: int) -> Any:
        self.given += 1000
        return allocate_producer_ids_response.AllocateProducerIdsResponse(
            producer_id_start=self.given, producer_id_len=1000
        )


class World:
    """`coordinator()` is another each time, over the same log."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.peers = OtherNodes({})
        self.node: Node

    async def start(self) -> World:
        world = Surroundings(
            files=MemoryFiles(), now_ms=lambda: self.now, random_bytes=Random(1).randbytes, blocking=inline
        )
        self.node = await Node.open(world, NodeConfig.parse({}), clean=True)
        await self.node.topics.create(NewTopic(name="here"))
        await self.node.groups.ready()
        await self.node.topics.ensure_internal(JOURNAL.topic)
        self.there(leader=2)
        self.coordinator()
        return self

    def there(self, *, leader: int, name: str = "there", topic_id: bytes = bytes(15) + b"t") -> None:
        image = self.node.topics.metadata.image
        image.apply(RegisterBroker(broker_id=2, broker_epoch=9, host="two", port=2))
        if name not in image.topics:
            image.apply(Topic(name=name, topic_id=topic_id))
        image.apply(
            Partition(
                topic_id=topic_id,
                partition=0,
                leader=leader,
                isr=(2,),
                replicas=(2,),
                leader_epoch=5,
                partition_epoch=0,
            )
        )

    def coordinator(self) -> Transactions:
        node, machine = self.node, TransactionCoordinator()
        effects = TransactionEffects(
            machine, node.topics.replicas, node.flusher, GroupOffsets(), durable=True, now_ms=lambda: self.now
        )
        self.verification = Verification(machine, effects.coordination, node.topics, self.peers)
        self.markers = Markers(
            node.topics, node.groups, node.flusher, self.peers, self.verification, now_ms=lambda: self.now
        )
        effects.send = self.markers.send
        self.transactions = Transactions(
            machine,
            effects,
            node.topics,
            node.flusher,
            timeout_ms=1000,
            now_ms=lambda: self.now,
            allocator=Ids(),
        )
        return self.transactions

    async def begun(self, *partitions: TopicPartition, version: TransactionVersion = V1) -> ProducerSession:
        session = await self.transactions.open("t", Client(version=version, timeout_ms=1000))
        await self.transactions.add_partitions(session, frozenset(partitions), version)
        return session

    def write(self, session: ProducerSession, where: TopicPartition = HERE) -> None:
        producer = Producer(session.producer_id, session.producer_epoch, 0, True)
        self.node.topics.find(where).append(build_batch([None], [b"v"], [1], producer=producer), self.now)

    def status(self) -> TransactionStatus:
        return self.transactions.coordinator.describe("t").status

    def wish(self, epoch: int = 0, *, coordinator_epoch: int = 1, commit: bool = True) -> MarkerWish:
        producer = Producer(7, epoch, -1, True)
        return MarkerWish(producer=producer, commit=commit, coordinator_epoch=coordinator_epoch, bumped=False)


@pytest.fixture
async def world() -> World:
    return await World().start()


async def until(said: Any) -> None:
    with anyio.fail_after(2):
        while not said():  # noqa: ASYNC110
            await anyio.sleep(0.001)


# Markers


async def test_each_partitions_leader_is_asked_until_it_has_the_marker(world: World) -> None:
    world.peers.answers[2] = [
        PeerUnreachableError("gone"),
        marked(ErrorCode.not_leader_or_follower),
        marked(ErrorCode.not_enough_replicas_after_append),
        marked(),
    ]
    session = await world.begun(HERE, THERE)
    world.write(session)
    await world.transactions.end(session, commit=True, version=V1)
    assert world.status() is TransactionStatus.COMPLETE_COMMIT
    assert len(world.peers.asked) == 4
    (marker,) = world.peers.asked[-1][1].markers
    assert (marker.producer_id, marker.transaction_result, marker.transaction_version) == (session.producer_id, True, 1)
    assert marker.coordinator_epoch == world.node.topics.find(JOURNAL).leader_epoch
    here = world.node.topics.find(HERE)
    assert here.log.open_transaction(session.producer_id) is None
    assert here.last_stable_offset == here.high_watermark == 2


async def test_markers_of_v2_say_so(world: World) -> None:
    world.peers.answers[2] = [marked()]
    session = await world.begun(THERE, version=V2)
    await world.transactions.end(session, commit=False, version=V2)
    (marker,) = world.peers.asked[-1][1].markers
    assert (marker.transaction_version, marker.producer_epoch) == (2, session.producer_epoch + 1)


async def test_a_partition_that_is_deleted_needs_no_marker(world: World) -> None:
    session = await world.begun(THERE)
    world.node.topics.metadata.image.topics.pop("there")
    with anyio.fail_after(2):
        await world.transactions.end(session, commit=True, version=V1)


async def test_a_coordinator_that_was_replaced_stops_sending(world: World) -> None:
    session = await world.begun(THERE)

    async def end() -> None:
        with anyio.fail_after(2), pytest.raises(NotCoordinatorError):
            await world.transactions.end(session, commit=True, version=V1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        await until(lambda: world.peers.asked)
        world.transactions.resign()


async def test_an_old_coordinators_marker_is_refused(world: World) -> None:
    world.write(SESSION)
    assert await world.markers.write(world.wish(coordinator_epoch=5), [HERE]) == {HERE: None}
    end = world.node.topics.find(HERE).end
    assert await world.markers.write(world.wish(coordinator_epoch=6), [HERE]) == {HERE: None}
    assert world.node.topics.find(HERE).end == end, "sent again, it is there once"
    answers = await world.markers.write(world.wish(coordinator_epoch=4), [HERE, THERE])
    assert isinstance(answers[HERE], CoordinatorFencedError)
    assert answers[THERE] is not None


async def test_groups_are_told_of_a_marker_unless_their_partition_is_being_read_back(world: World) -> None:
    world.write(SESSION, OFFSETS)
    told: list[tuple[int, bool]] = []
    world.node.groups.offsets.ended = lambda producer_id, committed: told.append((producer_id, committed))  # type: ignore[method-assign]
    world.node.groups.coordination.begin()
    assert (await world.markers.write(world.wish(), [OFFSETS]))[OFFSETS] is not None
    assert told == []
    world.node.groups.coordination.loaded()
    assert await world.markers.write(world.wish(), [OFFSETS]) == {OFFSETS: None}
    assert told == [(7, True)]


# Gaining and losing the journal


async def test_a_decision_is_carried_on_by_the_next_coordinator(world: World) -> None:
    session = await world.begun(HERE, THERE)
    world.write(session)

    async def end() -> None:
        with pytest.raises(NotCoordinatorError):
            await world.transactions.end(session, commit=True, version=V1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        await until(lambda: world.peers.asked)
        world.transactions.resign()
    world.peers.answers[2] = [marked()]
    following = world.coordinator()
    following.resign()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(following.take_over)
        await until(lambda: following.coordination.active and world.status() is TransactionStatus.COMPLETE_COMMIT)
        following.resign()
    assert world.node.topics.find(HERE).log.open_transaction(session.producer_id) is None


async def test_an_ongoing_transaction_goes_on_with_the_next_coordinator_and_ends_by_its_time(world: World) -> None:
    session = await world.begun(HERE)
    world.write(session)
    following = world.coordinator()
    following.resign()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(following.take_over)
        await until(lambda: following.coordination.active)
        assert world.status() is TransactionStatus.ONGOING
        world.verification.check(session, HERE)
        world.now += 1001
        await until(lambda: world.status() is TransactionStatus.COMPLETE_ABORT)
        following.resign()
    with pytest.raises(NotCoordinatorError):
        await following.end(session, commit=True, version=V1)
