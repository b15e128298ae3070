from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.image import NO_LEADER, PartitionImage
from streamflow.log.controller.topics import NewTopic, create_topic
from streamflow.log.errors import PeerGoneError, PeerUnreachableError
from streamflow.log.node.controller import CLIENT_LISTENER, PEER_LISTENER, Controller
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    allocate_producer_ids_request,
    alter_partition_request,
    broker_heartbeat_request,
    broker_registration_request,
    unregister_broker_request,
)
from tests.unit.log.node.quorum_of_one import CLUSTER, QuorumOfOne

pytestmark = pytest.mark.anyio
TOPIC_ID = b"\1" * 16


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Three:
    """Brokers 1 to 3, as they speak to a controller."""

    def __init__(self, quorum: QuorumOfOne, **settings: str) -> None:
        self.quorum = quorum
        self.settings = settings
        self.controller: Controller = quorum.controller(**settings)
        self.epochs: dict[int, int] = {}

    @classmethod
    async def registered(cls, **settings: str) -> Three:
        three = cls(await QuorumOfOne().named(), **settings)
        for broker in (1, 2, 3):
            await three.register(broker)
            await three.beat(broker)
        return three

    async def register(self, broker: int, life: int = 1, **given: Any) -> Any:
        Listener = broker_registration_request.Listener
        request = broker_registration_request.BrokerRegistrationRequest(
            broker_id=broker,
            cluster_id=CLUSTER,
            incarnation_id=bytes([broker, life]) * 8,
            rack=None,
            previous_broker_epoch=self.epochs.get(broker, -1),
            listeners=[
                Listener(name=CLIENT_LISTENER, host="c", port=broker),
                Listener(name=PEER_LISTENER, host="p", port=broker),
            ],
        )
        for name, value in given.items():
            setattr(request, name, value)
        answer = await self.controller.register(request)
        if answer.error_code == ErrorCode.none:
            self.epochs[broker] = answer.broker_epoch
        return answer

    async def beat(self, broker: int, **given: Any) -> Any:
        request = broker_heartbeat_request.BrokerHeartbeatRequest(
            broker_id=broker, broker_epoch=self.epochs[broker], current_metadata_offset=self.quorum.applied
        )
        for name, value in given.items():
            setattr(request, name, value)
        return await self.controller.heartbeat(request)

    async def topic(self, *replicas: int) -> None:
        new = NewTopic(name="a", assignments={0: replicas})
        brokers = tuple(self.quorum.image.brokers)
        await self.quorum.change(lambda image: create_topic(image, new, TOPIC_ID, brokers))

    @property
    def partition(self) -> PartitionImage:
        return self.quorum.image.topics["a"].partitions[0]

    async def alter(self, *isr: int, times: int = 1, broker: int = 1, epoch: int | None = None) -> Any:
        state = alter_partition_request.BrokerState
        now = self.partition
        wanted = alter_partition_request.PartitionData(
            leader_epoch=now.leader_epoch,
            partition_epoch=now.partition_epoch,
            new_isr_with_epochs=[state(broker_id=n, broker_epoch=self.epochs[n]) for n in isr],
        )
        topic = alter_partition_request.TopicData(topic_id=TOPIC_ID, partitions=[wanted] * times)
        epoch = self.epochs[broker] if epoch is None else epoch
        return await self.controller.alter_partition(
            alter_partition_request.AlterPartitionRequest(broker_id=broker, broker_epoch=epoch, topics=[topic])
        )


async def test_a_broker_is_registered_with_its_addresses_and_unfenced_once_it_has_caught_up() -> None:
    three = Three(await QuorumOfOne().named())
    assert (await three.register(1)).broker_epoch == 1
    broker = three.quorum.image.brokers[1]
    assert (broker.host, broker.port, broker.peer_host, broker.peer_port) == ("c", 1, "p", 1)
    behind = await three.beat(1, current_metadata_offset=0)
    assert (behind.is_caught_up, behind.is_fenced) == (False, True)
    there = await three.beat(1, current_metadata_offset=1)
    assert (there.is_caught_up, there.is_fenced, there.should_shut_down) == (True, False, False)


async def test_a_registration_that_is_repeated_is_answered_as_before() -> None:
    three = await Three.registered()
    before = three.quorum.applied, three.epochs[1]
    assert (await three.register(1)).broker_epoch == before[1]
    assert three.quorum.applied == before[0]


async def test_another_process_under_the_same_id_waits_for_the_session_to_end() -> None:
    three = await Three.registered()
    stranger = {"life": 2, "previous_broker_epoch": -1}
    assert (await three.register(1, **stranger)).error_code == ErrorCode.duplicate_broker_registration
    three.quorum.now += 9_000
    assert (await three.register(1, **stranger)).error_code == ErrorCode.none
    assert (await three.register(2, life=2, cluster_id="x")).error_code == ErrorCode.inconsistent_cluster_id


async def test_who_is_silent_is_fenced_and_comes_back() -> None:
    three = await Three.registered()
    await three.topic(1, 2, 3)
    for _ in range(6):
        three.quorum.now += 1_500
        await three.beat(2)
        await three.beat(3)
        await three.controller.tick()
    assert three.quorum.image.brokers[1].fenced
    assert (three.partition.leader, three.partition.isr) == (2, (2, 3))
    assert not (await three.beat(1)).is_fenced


class Doors:
    """Of the other nodes: whether one refuses connections, is silent, or answers."""

    def __init__(self, **failures: Exception) -> None:
        self.asked: list[int] = []
        self.failures = {int(name[1:]): error for name, error in failures.items()}

    async def ask(self, node_id: int, request: Any, *, timeout_ms: int) -> Any:
        self.asked.append(node_id)
        if node_id in self.failures:
            raise self.failures[node_id]
        return object()


async def test_who_is_late_and_refuses_connections_is_fenced_at_once() -> None:
    three = await Three.registered()
    await three.topic(1, 2, 3)
    doors = Doors(n1=PeerGoneError("refused"), n2=PeerUnreachableError("silent"))
    three.controller._peers = doors
    three.quorum.now += 1_000
    await three.controller.tick()
    assert sorted(doors.asked) == [1, 2, 3]
    assert [three.quorum.image.brokers[n].fenced for n in (1, 2, 3)] == [True, False, False]
    assert three.partition.leader == 2


async def test_nobody_who_is_on_time_is_looked_for() -> None:
    three = await Three.registered()
    doors = Doors(n1=PeerGoneError("refused"))
    three.controller._peers = doors
    three.quorum.now += 400
    await three.controller.tick()
    assert doors.asked == [] and not three.quorum.image.brokers[1].fenced


async def test_a_new_controller_waits_a_session_before_it_fences() -> None:
    three = await Three.registered()
    three.quorum.now += 60_000
    three.controller = three.quorum.controller()
    three.quorum.leader_epoch += 1
    await three.controller.tick()
    assert not three.quorum.image.brokers[1].fenced
    for _ in range(3):
        three.quorum.now += 3_000
        await three.controller.tick()
    assert all(broker.fenced for broker in three.quorum.image.brokers.values())


async def test_the_sessions_of_an_earlier_term_count_no_more() -> None:
    three = await Three.registered()
    three.quorum.leader_epoch += 1
    three.quorum.now += 9_000
    await three.controller.tick()
    assert not three.quorum.image.brokers[1].fenced


async def test_a_controller_that_was_asleep_blames_nobody() -> None:
    three = await Three.registered()
    await three.controller.tick()
    three.quorum.now += 60_000
    await three.controller.tick()
    assert not any(broker.fenced for broker in three.quorum.image.brokers.values())


async def test_a_broker_stops_once_the_others_know_who_leads_in_its_place() -> None:
    three = await Three.registered()
    await three.topic(1, 2, 3)
    early = await three.beat(1, want_shut_down=True)
    assert (three.partition.leader, early.should_shut_down, early.is_fenced) == (2, False, False)
    await three.beat(2)
    assert not (await three.beat(1, want_shut_down=True)).should_shut_down
    await three.beat(3)
    told = await three.beat(1, want_shut_down=True)
    assert (told.should_shut_down, told.is_fenced) == (True, True)
    assert (await three.register(1, life=2)).error_code == ErrorCode.none, "nobody lives under that id any more"


async def test_a_broker_may_ask_to_be_fenced() -> None:
    three = await Three.registered()
    assert (await three.beat(1, want_fence=True)).is_fenced
    assert (await three.beat(1, want_fence=True)).is_fenced
    assert not (await three.beat(1)).is_fenced


async def test_a_fenced_broker_may_stop_at_once() -> None:
    three = Three(await QuorumOfOne().named())
    await three.register(1)
    assert (await three.beat(1, want_shut_down=True)).should_shut_down


async def test_a_heartbeat_of_an_earlier_life_is_refused() -> None:
    three = await Three.registered()
    assert (await three.beat(1, broker_epoch=0)).error_code == ErrorCode.stale_broker_epoch
    assert (await three.beat(1, broker_id=9)).error_code == ErrorCode.broker_id_not_registered


async def test_a_leader_alters_its_isr_and_is_told_the_partition() -> None:
    three = await Three.registered()
    await three.topic(1, 2, 3)
    answer = (await three.alter(1, 2)).topics[0].partitions[0]
    assert (answer.error_code, answer.leader_id, answer.isr, answer.partition_epoch) == (0, 1, [1, 2], 1)
    twice = (await three.alter(1, 2, 3, times=2)).topics[0].partitions
    assert {p.error_code for p in twice} == {ErrorCode.invalid_update_version}
    assert (await three.alter(1, 2, epoch=0)).error_code == ErrorCode.stale_broker_epoch
    other = (await three.alter(1, 2, broker=2)).topics[0].partitions[0]
    assert other.error_code == ErrorCode.invalid_request


async def test_members_without_epochs_are_taken_from_version_2() -> None:
    three = await Three.registered()
    await three.topic(1, 2, 3)
    wanted = alter_partition_request.PartitionData(new_isr=[1, 3])
    topic = alter_partition_request.TopicData(topic_id=TOPIC_ID, partitions=[wanted])
    request = alter_partition_request.AlterPartitionRequest(broker_id=1, broker_epoch=three.epochs[1], topics=[topic])
    await three.controller.alter_partition(request)
    assert three.partition.isr == (1, 3)


async def test_a_topic_that_is_gone_is_told_so() -> None:
    three = await Three.registered()
    wanted = alter_partition_request.TopicData(
        topic_id=b"?" * 16, partitions=[alter_partition_request.PartitionData(new_isr=[1])]
    )
    request = alter_partition_request.AlterPartitionRequest(broker_id=1, broker_epoch=three.epochs[1], topics=[wanted])
    answer = await three.controller.alter_partition(request)
    assert answer.topics[0].partitions[0].error_code == ErrorCode.unknown_topic_id


async def test_producer_ids_are_given_once() -> None:
    three = await Three.registered()
    ask = allocate_producer_ids_request.AllocateProducerIdsRequest(broker_id=1, broker_epoch=three.epochs[1])
    blocks = [await three.controller.allocate_producer_ids(ask) for _ in range(2)]
    assert [(block.producer_id_start, block.producer_id_len) for block in blocks] == [(0, 1000), (1000, 1000)]
    ask.broker_epoch = 0
    assert (await three.controller.allocate_producer_ids(ask)).error_code == ErrorCode.stale_broker_epoch


async def test_a_broker_that_is_gone_is_forgotten() -> None:
    three = await Three.registered()
    ask = unregister_broker_request.UnregisterBrokerRequest(broker_id=3)
    assert (await three.controller.unregister(ask)).error_code == ErrorCode.invalid_request
    await three.beat(3, want_fence=True)
    assert (await three.controller.unregister(ask)).error_code == ErrorCode.none
    assert (await three.beat(3)).error_code == ErrorCode.broker_id_not_registered


async def test_who_is_not_active_says_so() -> None:
    three = await Three.registered()
    await three.topic(1, 2, 3)
    three.quorum.active = False
    answers = [
        await three.register(1),
        await three.beat(1),
        await three.alter(1, 2),
        await three.controller.unregister(unregister_broker_request.UnregisterBrokerRequest(broker_id=1)),
        await three.controller.allocate_producer_ids(allocate_producer_ids_request.AllocateProducerIdsRequest()),
    ]
    assert {answer.error_code for answer in answers} == {ErrorCode.not_controller}


async def test_the_first_controller_names_the_cluster_once() -> None:
    quorum = QuorumOfOne()
    await quorum.controller().tick()
    name = quorum.image.cluster_id
    assert len(name) == 22
    await quorum.controller().tick()
    assert quorum.image.cluster_id == name


async def test_partitions_go_back_to_their_preferred_leaders_in_time() -> None:
    three = await Three.registered(leader_imbalance_check_interval_seconds="10")
    await three.topic(1, 2, 3)
    await three.beat(1, want_fence=True)
    await three.beat(1)
    await three.alter(1, 2, 3, broker=2)
    assert three.partition.leader == 2
    for _ in range(8):
        three.quorum.now += 1_500
        for broker in (1, 2, 3):
            await three.beat(broker)
        await three.controller.tick()
    assert three.partition.leader == 1


async def test_nobody_who_may_lack_records_is_elected_unless_that_is_allowed() -> None:
    three = await Three.registered()
    await three.topic(1, 2)
    await three.alter(1)
    await three.beat(1, want_fence=True)
    await three.controller.tick()
    assert three.partition.leader == NO_LEADER
    allowed = await Three.registered(unclean_leader_election_enable="true")
    await allowed.topic(1, 2)
    await allowed.alter(1)
    await allowed.beat(1, want_fence=True)
    assert allowed.partition.leader == 2
