"""aiokafka, unmodified: the old protocol versions, none of them flexible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import MessageSizeTooLargeError, OffsetOutOfRangeError, ProducerFenced
from brokers import Broker
from wire import CODECS, stored_codecs

pytestmark = pytest.mark.anyio

Name = Callable[[str], str]
SECONDS = 20


@asynccontextmanager
async def running(client: Any) -> AsyncIterator[Any]:
    """Started, and stopped at the end: members leave their groups."""
    await client.start()
    try:
        yield client
    finally:
        await (client.close if isinstance(client, AIOKafkaAdminClient) else client.stop)()


@pytest.fixture
async def admin(broker: Broker, anyio_backend: str) -> AsyncIterator[AIOKafkaAdminClient]:
    async with running(AIOKafkaAdminClient(bootstrap_servers=broker.address)) as client:
        yield client


@pytest.fixture
async def topic(admin: AIOKafkaAdminClient, name: Name) -> str:
    return await create(admin, name("topic"))


async def create(admin: AIOKafkaAdminClient, topic: str, partitions: int = 1, **config: str) -> str:
    configs = {key.replace("_", "."): value for key, value in config.items()}
    answer = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
    assert [error[1] for error in answer.topic_errors] == [0]

    async def known() -> bool:
        return topic in await admin.list_topics()

    await until(known)
    return topic


def producer(broker: Broker, **config: Any) -> Any:
    return running(AIOKafkaProducer(bootstrap_servers=broker.address, **config))


def consumer(broker: Broker, group: str | None, *topics: str, **config: Any) -> Any:
    settings = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "heartbeat_interval_ms": 200}
    client = AIOKafkaConsumer(
        *topics, bootstrap_servers=broker.address, group_id=group, fetch_max_wait_ms=100, **{**settings, **config}
    )
    return running(client)


async def send(writer: AIOKafkaProducer, topic: str, *values: bytes) -> None:
    """Produced in order, and acknowledged."""
    await asyncio.gather(*[await writer.send(topic, value) for value in values])


async def take(reader: AIOKafkaConsumer, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    async with asyncio.timeout(SECONDS):
        return [await reader.getone() for _ in range(count)]


async def values(reader: AIOKafkaConsumer, count: int) -> list[bytes | None]:
    return [record.value for record in await take(reader, count)]


async def until(wanted: Callable[[], Awaitable[bool] | bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            answer = wanted()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("codec", CODECS)
async def test_what_was_produced_with_any_compression_is_consumed(
    broker: Broker, topic: str, name: Name, codec: str
) -> None:
    sent = [f"value {n} ".encode() * 20 for n in range(300)]
    async with producer(broker, compression_type=None if codec == "none" else codec, linger_ms=5) as writer:
        await send(writer, topic, *sent)
    async with consumer(broker, name("group"), topic) as reader:
        assert await values(reader, 300) == sent
    assert stored_codecs(broker.endpoint, topic) == {codec}


async def test_keys_values_headers_and_timestamps_come_back_null_or_not(broker: Broker, topic: str, name: Name) -> None:
    sent = [
        (b"key", b"value", (("a", b"1"), ("a", b"2"), ("empty", b"")), 1_700_000_000_000),
        (None, b"no key", (), 1_700_000_000_001),
        (b"no value", None, (), 1_700_000_000_002),
    ]
    async with producer(broker) as writer:
        for key, value, headers, stamp in sent:
            await writer.send_and_wait(topic, value, key, headers=list(headers), timestamp_ms=stamp)
    async with consumer(broker, name("group"), topic) as reader:
        got = await take(reader, len(sent))
    assert [(r.key, r.value, tuple(r.headers), r.timestamp) for r in got] == sent


@pytest.mark.parametrize("strategy", [RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor])
async def test_two_members_share_the_partitions_and_one_alone_has_all(
    broker: Broker, admin: AIOKafkaAdminClient, name: Name, strategy: type[AbstractPartitionAssignor]
) -> None:
    topic, group = await create(admin, name("topic"), partitions=4), name("group")
    every = {TopicPartition(topic, n) for n in range(4)}
    config = {"partition_assignment_strategy": [strategy]}
    async with consumer(broker, group, topic, **config) as first:
        await until(lambda: first.assignment() == every)
        async with consumer(broker, group, topic, **config) as second:
            await until(lambda: len(first.assignment()) == len(second.assignment()) == 2)
            assert first.assignment() | second.assignment() == every
        await until(lambda: first.assignment() == every)


async def test_a_group_resumes_where_it_committed(broker: Broker, topic: str, name: Name) -> None:
    group, partition = name("group"), TopicPartition(topic, 0)
    async with producer(broker) as writer:
        await send(writer, topic, *(b"%d" % n for n in range(5)))
    async with consumer(broker, group, topic) as reader:
        await take(reader, 3)
        await reader.commit()
        assert await reader.committed(partition) == 3
        await reader.commit({partition: OffsetAndMetadata(2, "two are done")})
    async with consumer(broker, group, topic) as reader:
        assert await values(reader, 3) == [b"2", b"3", b"4"]


async def test_consuming_begins_at_a_time(broker: Broker, topic: str) -> None:
    start, partition = 1_700_000_000_000, TopicPartition(topic, 0)
    async with producer(broker) as writer:
        for n in range(10):
            await writer.send_and_wait(topic, b"%d" % n, timestamp_ms=start + n * 1000)
    async with consumer(broker, None, topic) as reader:
        found = (await reader.offsets_for_times({partition: start + 4500}))[partition]
        assert (found.offset, found.timestamp) == (5, start + 5000)
        assert (await reader.offsets_for_times({partition: start + 9001}))[partition] is None
        assert await reader.beginning_offsets([partition]) == {partition: 0}
        assert await reader.end_offsets([partition]) == {partition: 10}
        reader.seek(partition, found.offset)
        assert await values(reader, 5) == [b"5", b"6", b"7", b"8", b"9"]


async def test_an_idempotent_producer_keeps_order_over_many_batches(broker: Broker, topic: str) -> None:
    sent = [b"%d" % n for n in range(500)]
    async with producer(broker, enable_idempotence=True, max_batch_size=200) as writer:
        await send(writer, topic, *sent)
    async with consumer(broker, None, topic) as reader:
        assert await values(reader, 500) == sent


async def test_committed_transactions_are_read_and_aborted_ones_are_not(broker: Broker, topic: str, name: Name) -> None:
    async with producer(broker, transactional_id=name("transaction")) as writer:
        for n, finish in enumerate((writer.commit_transaction, writer.abort_transaction, writer.commit_transaction)):
            await writer.begin_transaction()
            await send(writer, topic, b"%da" % n, b"%db" % n)
            await finish()
    async with consumer(broker, None, topic, isolation_level="read_committed") as reader:
        assert await values(reader, 4) == [b"0a", b"0b", b"2a", b"2b"]
    async with consumer(broker, None, topic) as reader:
        assert await values(reader, 6) == [b"0a", b"0b", b"1a", b"1b", b"2a", b"2b"]


async def test_an_open_transaction_holds_back_who_reads_committed(broker: Broker, topic: str, name: Name) -> None:
    partition = TopicPartition(topic, 0)
    async with (
        producer(broker, transactional_id=name("transaction")) as writer,
        consumer(broker, None, topic, isolation_level="read_committed") as reader,
    ):
        await writer.begin_transaction()
        await send(writer, topic, b"open")
        assert await reader.getmany(partition, timeout_ms=500) == {}
        assert reader.last_stable_offset(partition) == 0
        await writer.commit_transaction()
        assert await values(reader, 1) == [b"open"]


async def test_offsets_are_committed_with_the_transaction_that_used_them(
    broker: Broker, topic: str, name: Name
) -> None:
    group, results, partition = name("group"), name("results"), TopicPartition(topic, 0)
    async with producer(broker) as writer:
        await send(writer, topic, b"a", b"b", b"c", b"d")
    async with (
        producer(broker, transactional_id=name("transaction")) as writer,
        consumer(broker, group, topic) as reader,
    ):
        async with writer.transaction():
            await send(writer, results, *[value.upper() for value in await values(reader, 2)])
            await writer.send_offsets_to_transaction({partition: 2}, group)

        async def committed() -> bool:
            return bool(await reader.committed(partition) == 2)

        await until(committed)
        await writer.begin_transaction()
        await send(writer, results, b"never")
        await writer.send_offsets_to_transaction({partition: 4}, group)
        await writer.abort_transaction()
        assert await reader.committed(partition) == 2
    async with consumer(broker, group, topic) as reader:
        assert await values(reader, 2) == [b"c", b"d"]
    async with consumer(broker, None, results, isolation_level="read_committed") as reader:
        assert await values(reader, 2) == [b"A", b"B"]


async def test_the_newer_producer_of_a_transactional_id_fences_the_older(
    broker: Broker, topic: str, name: Name
) -> None:
    identity = name("transaction")
    async with producer(broker, transactional_id=identity) as older:
        await older.begin_transaction()
        await send(older, topic, b"older")
        async with producer(broker, transactional_id=identity) as newer:
            with pytest.raises(ProducerFenced):
                await send(older, topic, b"older again")
            async with newer.transaction():
                await send(newer, topic, b"newer")
    async with consumer(broker, None, topic, isolation_level="read_committed") as reader:
        assert await values(reader, 1) == [b"newer"]


async def test_a_static_member_comes_back_to_what_it_had(
    broker: Broker, admin: AIOKafkaAdminClient, name: Name
) -> None:
    topic, group = await create(admin, name("topic"), partitions=2), name("group")
    async with consumer(broker, group, topic, group_instance_id="one") as one:
        await until(lambda: len(one.assignment()) == 2)
        async with consumer(broker, group, topic, group_instance_id="two") as two:
            await until(lambda: len(one.assignment()) == len(two.assignment()) == 1)
            mine = two.assignment()
        async with consumer(broker, group, topic, group_instance_id="two") as two:
            await until(lambda: len(two.assignment()) == 1)
            assert two.assignment() == mine


async def test_a_record_larger_than_the_topic_allows_is_refused(
    broker: Broker, admin: AIOKafkaAdminClient, name: Name
) -> None:
    topic = await create(admin, name("topic"), max_message_bytes="1000")
    async with producer(broker) as writer:
        with pytest.raises(MessageSizeTooLargeError):
            await writer.send_and_wait(topic, b"x" * 5000)
        await writer.send_and_wait(topic, b"small")


async def test_an_offset_that_is_not_there_is_told(broker: Broker, topic: str) -> None:
    async with consumer(broker, None, auto_offset_reset="none") as reader:
        reader.assign([TopicPartition(topic, 0)])
        reader.seek(TopicPartition(topic, 0), 99)
        with pytest.raises(OffsetOutOfRangeError):
            await take(reader, 1)


async def test_topics_configs_and_records_are_administered(
    broker: Broker, admin: AIOKafkaAdminClient, name: Name
) -> None:
    topic = await create(admin, name("topic"), partitions=2, retention_ms="1000000")
    (described,) = await admin.describe_topics([topic])
    assert (described["error_code"], len(described["partitions"])) == (0, 2)
    await admin.create_partitions({topic: NewPartitions(3)})
    assert topic in await admin.list_topics()
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)

    async def retention() -> str | None:
        (answer,) = await admin.describe_configs([resource])
        return next(entry[1] for entry in answer.resources[0][4] if entry[0] == "retention.ms")

    assert await retention() == "1000000"
    altered = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "2000000"})
    await admin.alter_configs([altered])

    async def altered_is_seen() -> bool:
        return await retention() == "2000000"

    await until(altered_is_seen)
    async with producer(broker) as writer:
        for n in range(4):
            await writer.send_and_wait(topic, b"%d" % n, partition=2)
    partition = TopicPartition(topic, 2)
    assert await admin.delete_records({partition: RecordsToDelete(before_offset=3)}) == {partition: 3}
    await admin.delete_topics([topic])

    async def deleted_is_seen() -> bool:
        return topic not in await admin.list_topics()

    await until(deleted_is_seen)


async def test_groups_are_listed_and_described(
    broker: Broker, admin: AIOKafkaAdminClient, topic: str, name: Name
) -> None:
    group, partition = name("group"), TopicPartition(topic, 0)
    async with producer(broker) as writer:
        await send(writer, topic, b"a")
    async with consumer(broker, group, topic) as reader:
        await take(reader, 1)
        await reader.commit()
        (answer,) = await admin.describe_consumer_groups([group])
        ((error, described, state, kind, protocol, members, *_),) = answer.groups
        assert (error, described, state, kind, protocol) == (0, group, "Stable", "consumer", "roundrobin")
        assert len(members) == 1
    assert (group, "consumer") in [tuple(each)[:2] for each in await admin.list_consumer_groups()]
    offsets = await admin.list_consumer_group_offsets(group)
    assert {p: o.offset for p, o in offsets.items()} == {partition: 1}


async def test_the_cluster_is_described(broker: Broker, admin: AIOKafkaAdminClient) -> None:
    cluster = await admin.describe_cluster()
    host, port = broker.endpoint
    assert [(node["host"], node["port"]) for node in cluster["brokers"]] == [(host, port)]
