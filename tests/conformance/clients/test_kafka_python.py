"""kafka-python, unmodified: the flexible versions in Python, and an admin client that asks about everything."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from brokers import Broker
from waiting import eventually
from wire import CODECS, stored_codecs

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import (
        IsolationLevel,
        KafkaAdminClient,
        KafkaConsumer,
        KafkaProducer,
        OffsetAndMetadata,
        OffsetSpec,
        TopicPartition,
    )
    from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
    from kafka.consumer.fetcher import ConsumerRecord
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from kafka.errors import KafkaError, MessageSizeTooLargeError, OffsetOutOfRangeError, TopicAlreadyExistsError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Name = Callable[[str], str]
SECONDS = 20
POLL_MS = 600
"""Long enough to join within one: a poll that ends between a join and its sync loses the assignment (3.0.12)."""


@pytest.fixture
def admin(broker: Broker) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=broker.address)) as client:
        yield client


@pytest.fixture
def topic(admin: KafkaAdminClient, name: Name) -> str:
    return create(admin, name("topic"))


def create(admin: KafkaAdminClient, topic: str, partitions: int = 1, **config: str) -> str:
    configs = {key.replace("_", "."): value for key, value in config.items()}
    admin.create_topics([NewTopic(topic, partitions, -1, topic_configs=configs)], wait_for_metadata=True)
    return topic


def producer(broker: Broker, **config: Any) -> Any:
    return closing(KafkaProducer(bootstrap_servers=broker.address, **config))


def consumer(broker: Broker, group: str | None, *topics: str, **config: Any) -> Any:
    settings = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "heartbeat_interval_ms": 200}
    return closing(
        KafkaConsumer(
            *topics,
            bootstrap_servers=broker.address,
            group_id=group,
            fetch_max_wait_ms=100,
            **{**settings, **config},
        )
    )


def send(writer: KafkaProducer, topic: str, *values: bytes, **more: Any) -> None:
    """Produced in order, and acknowledged."""
    for answer in [writer.send(topic, value, **more) for value in values]:
        answer.get(SECONDS)


def take(reader: KafkaConsumer, count: int) -> list[ConsumerRecord]:
    got: list[ConsumerRecord] = []
    end = time.monotonic() + SECONDS
    while len(got) < count and time.monotonic() < end:
        for records in reader.poll(POLL_MS, count - len(got)).values():
            got += records
    assert len(got) == count, f"{len(got)} of {count} records came"
    return got


def values(reader: KafkaConsumer, count: int) -> list[bytes | None]:
    return [record.value for record in take(reader, count)]


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_produced_with_any_compression_is_consumed(broker: Broker, topic: str, name: Name, codec: str) -> None:
    sent = [f"value {n} ".encode() * 20 for n in range(300)]
    with producer(broker, compression_type=None if codec == "none" else codec, linger_ms=5) as writer:
        send(writer, topic, *sent)
    with consumer(broker, name("group"), topic) as reader:
        assert values(reader, 300) == sent
    assert stored_codecs(broker.endpoint, topic) == {codec}


def test_keys_values_headers_and_timestamps_come_back_null_or_not(broker: Broker, topic: str, name: Name) -> None:
    sent = [
        (b"key", b"value", [("a", b"1"), ("a", b"2"), ("empty", b"")], 1_700_000_000_000),
        (None, b"no key", [], 1_700_000_000_001),
        (b"no value", None, [], 1_700_000_000_002),
    ]
    with producer(broker) as writer:
        for key, value, headers, stamp in sent:
            writer.send(topic, value, key, headers, timestamp_ms=stamp)
        writer.flush()
    with consumer(broker, name("group"), topic) as reader:
        got = take(reader, len(sent))
    assert [(r.key, r.value, list(r.headers), r.timestamp) for r in got] == sent


@pytest.mark.parametrize("strategy", [RangePartitionAssignor, RoundRobinPartitionAssignor, CooperativeStickyAssignor])
def test_two_members_share_the_partitions_and_one_alone_has_all(
    broker: Broker, admin: KafkaAdminClient, name: Name, strategy: type
) -> None:
    topic, group = create(admin, name("topic"), partitions=4), name("group")
    every = {TopicPartition(topic, n) for n in range(4)}
    config = {"partition_assignment_strategy": [strategy]}

    def until(wanted: Callable[[], bool], *members: KafkaConsumer) -> None:
        """A member's poll waits for the others of its group: each has its thread."""
        end = time.monotonic() + SECONDS
        with ThreadPoolExecutor() as threads:
            while not wanted():
                assert time.monotonic() < end, [member.assignment() for member in members]
                list(threads.map(lambda member: member.poll(POLL_MS), members))

    with consumer(broker, group, topic, **config) as first:
        until(lambda: first.assignment() == every, first)
        with consumer(broker, group, topic, **config) as second:
            until(lambda: len(first.assignment()) == len(second.assignment()) == 2, first, second)
            assert first.assignment() | second.assignment() == every
        until(lambda: first.assignment() == every, first)


def test_a_group_resumes_where_it_committed(broker: Broker, topic: str, name: Name) -> None:
    group, partition = name("group"), TopicPartition(topic, 0)
    with producer(broker) as writer:
        send(writer, topic, *(b"%d" % n for n in range(5)))
    with consumer(broker, group, topic) as reader:
        take(reader, 3)
        reader.commit()
        assert reader.committed(partition) == 3
        reader.commit({partition: OffsetAndMetadata(2, "two are done", -1)})
    with consumer(broker, group, topic) as reader:
        assert values(reader, 3) == [b"2", b"3", b"4"]
        found = reader.committed(partition, metadata=True)
    assert (found.offset, found.metadata) == (2, "two are done")


def test_consuming_begins_at_a_time(broker: Broker, topic: str) -> None:
    start, partition = 1_700_000_000_000, TopicPartition(topic, 0)
    with producer(broker) as writer:
        for n in range(10):
            send(writer, topic, b"%d" % n, timestamp_ms=start + n * 1000)
    with consumer(broker, None) as reader:
        reader.assign([partition])
        found = reader.offsets_for_times({partition: start + 4500})[partition]
        assert (found.offset, found.timestamp) == (5, start + 5000)
        assert reader.offsets_for_times({partition: start + 9001})[partition] is None
        assert reader.beginning_offsets([partition]) == {partition: 0}
        assert reader.end_offsets([partition]) == {partition: 10}
        reader.seek(partition, found.offset)
        assert values(reader, 5) == [b"5", b"6", b"7", b"8", b"9"]


def test_an_idempotent_producer_keeps_order_over_many_batches(broker: Broker, topic: str) -> None:
    sent = [b"%d" % n for n in range(500)]
    with producer(broker, enable_idempotence=True, batch_size=200) as writer:
        send(writer, topic, *sent)
    with consumer(broker, None, topic) as reader:
        assert values(reader, 500) == sent


def test_committed_transactions_are_read_and_aborted_ones_are_not(broker: Broker, topic: str, name: Name) -> None:
    with producer(broker, transactional_id=name("transaction")) as writer:
        writer.init_transactions()
        for n, finish in enumerate((writer.commit_transaction, writer.abort_transaction, writer.commit_transaction)):
            writer.begin_transaction()
            send(writer, topic, b"%da" % n, b"%db" % n)
            finish()
    with consumer(broker, None, topic, isolation_level="read_committed") as reader:
        assert values(reader, 4) == [b"0a", b"0b", b"2a", b"2b"]
    with consumer(broker, None, topic) as reader:
        assert values(reader, 6) == [b"0a", b"0b", b"1a", b"1b", b"2a", b"2b"]


def test_offsets_are_committed_with_the_transaction_that_used_them(broker: Broker, topic: str, name: Name) -> None:
    group, results, partition = name("group"), name("results"), TopicPartition(topic, 0)
    with producer(broker) as writer:
        send(writer, topic, b"a", b"b", b"c", b"d")
    with (
        producer(broker, transactional_id=name("transaction")) as writer,
        consumer(broker, group, topic) as reader,
    ):
        writer.init_transactions()
        writer.begin_transaction()
        send(writer, results, *[value.upper() for value in values(reader, 2)])
        writer.send_offsets_to_transaction({partition: OffsetAndMetadata(2, "", -1)}, reader.group_metadata())
        writer.commit_transaction()
        eventually(lambda: reader.committed(partition), 2)
        writer.begin_transaction()
        send(writer, results, b"never")
        writer.send_offsets_to_transaction({partition: OffsetAndMetadata(4, "", -1)}, reader.group_metadata())
        writer.abort_transaction()
        assert reader.committed(partition) == 2
    with consumer(broker, group, topic) as reader:
        assert values(reader, 2) == [b"c", b"d"]
    with consumer(broker, None, results, isolation_level="read_committed") as reader:
        assert values(reader, 2) == [b"A", b"B"]


def test_the_newer_producer_of_a_transactional_id_fences_the_older(broker: Broker, topic: str, name: Name) -> None:
    identity = name("transaction")
    with producer(broker, transactional_id=identity) as older, producer(broker, transactional_id=identity) as newer:
        older.init_transactions()
        older.begin_transaction()
        send(older, topic, b"older")
        newer.init_transactions()
        with pytest.raises(KafkaError):
            send(older, topic, b"older again")
        newer.begin_transaction()
        send(newer, topic, b"newer")
        newer.commit_transaction()
    with consumer(broker, None, topic, isolation_level="read_committed") as reader:
        assert values(reader, 1) == [b"newer"]


def test_an_open_transaction_is_seen_by_the_admin(
    broker: Broker, admin: KafkaAdminClient, topic: str, name: Name
) -> None:
    identity, partition = name("transaction"), TopicPartition(topic, 0)

    def listed() -> list[str]:
        found = admin.list_transactions()
        flat = [each for listings in found.values() for each in listings] if isinstance(found, dict) else found
        return [each.state.name for each in flat if each.transactional_id == identity]

    with producer(broker, transactional_id=identity) as writer:
        writer.init_transactions()
        writer.begin_transaction()
        send(writer, topic, b"open")
        described = admin.describe_transactions([identity])[identity]
        assert (described.state.name, set(described.topic_partitions)) == ("ONGOING", {partition})
        (active,) = admin.describe_producers([partition])[partition].active_producers
        assert (active.producer_id, active.current_transaction_start_offset) == (described.producer_id, 0)
        assert listed() == ["ONGOING"]
        spec = {partition: OffsetSpec.LATEST}
        committed = admin.list_partition_offsets(spec, isolation_level=IsolationLevel.READ_COMMITTED)[partition]
        assert committed.offset == 0
        assert admin.list_partition_offsets(spec)[partition].offset == 1
        writer.commit_transaction()
    eventually(listed, ["COMPLETE_COMMIT"])


def test_a_record_larger_than_the_topic_allows_is_refused(broker: Broker, admin: KafkaAdminClient, name: Name) -> None:
    topic = create(admin, name("topic"), max_message_bytes="1000")
    with producer(broker) as writer, pytest.raises(MessageSizeTooLargeError):
        send(writer, topic, b"x" * 5000)
    with producer(broker) as writer:
        send(writer, topic, b"small")


def test_an_offset_that_is_not_there_is_told(broker: Broker, topic: str) -> None:
    with consumer(broker, None, auto_offset_reset="none") as reader:
        reader.assign([TopicPartition(topic, 0)])
        reader.seek(TopicPartition(topic, 0), 99)
        with pytest.raises(OffsetOutOfRangeError):
            take(reader, 1)


def test_topics_configs_and_records_are_administered(broker: Broker, admin: KafkaAdminClient, name: Name) -> None:
    topic = create(admin, name("topic"), partitions=2, retention_ms="1000000")
    with pytest.raises(TopicAlreadyExistsError):
        create(admin, topic)
    (described,) = admin.describe_topics([topic])
    assert (described["name"], len(described["partitions"]), described["is_internal"]) == (topic, 2, False)
    admin.create_partitions({topic: 3})
    eventually(lambda: len(admin.describe_topics([topic])[0]["partitions"]), 3)
    assert topic in admin.list_topics()

    def retention() -> dict[str, Any]:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        (found,) = admin.describe_configs([resource], config_filter="all").values()
        return dict(found[topic]["retention.ms"])

    assert retention()["value"] == "1000000"
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "2000000"})])
    eventually(lambda: retention()["value"], "2000000")
    admin.reset_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": None})])
    eventually(lambda: retention()["value"], "604800000")
    partition = TopicPartition(topic, 2)
    with producer(broker) as writer:
        send(writer, topic, *(b"%d" % n for n in range(4)), partition=2)
    assert admin.delete_records({partition: 3})[partition]["low_watermark"] == 3
    assert admin.list_partition_offsets({partition: OffsetSpec.EARLIEST})[partition].offset == 3
    admin.delete_topics([topic])
    eventually(lambda: topic in admin.list_topics(), False)


def test_groups_are_listed_described_moved_and_deleted(
    broker: Broker, admin: KafkaAdminClient, topic: str, name: Name
) -> None:
    group, partition = name("group"), TopicPartition(topic, 0)
    with producer(broker) as writer:
        send(writer, topic, b"a", b"b")
    with consumer(broker, group, topic, client_id="me") as reader:
        take(reader, 2)
        reader.commit()
        described = admin.describe_groups([group])[group]
        assert described["group_state"] == "Stable"
        assert [member["client_id"] for member in described["members"]] == ["me"]
    assert admin.describe_groups([group])[group]["group_state"] == "Empty"
    assert group in {each["group_id"] for each in admin.list_groups()}
    assert admin.list_group_offsets({group: None})[group][partition].offset == 2
    admin.alter_group_offsets(group, {partition: OffsetAndMetadata(1, "", -1)})
    assert admin.list_group_offsets({group: None})[group][partition].offset == 1
    admin.delete_group_offsets(group, [partition])
    assert admin.list_group_offsets({group: None})[group] == {}
    admin.delete_groups([group])
    assert group not in {each["group_id"] for each in admin.list_groups()}


def test_the_cluster_its_versions_and_its_disks_are_described(
    broker: Broker, admin: KafkaAdminClient, topic: str
) -> None:
    host, port = broker.endpoint
    cluster = admin.describe_cluster()
    assert [(node["host"], node["port"]) for node in cluster["brokers"]] == [(host, port)]
    with producer(broker) as writer:
        send(writer, topic, b"x" * 1000)
    (disks,) = [broker["log_dirs"] for broker in admin.describe_log_dirs()]
    sizes = [
        partition["partition_size"]
        for disk in disks
        for each in disk["topics"]
        if each["name"] == topic
        for partition in each["partitions"]
    ]
    assert len(sizes) == 1 and sizes[0] > 1000
    (topics,) = admin.describe_topic_partitions([topic])["topics"]
    assert [partition["partition_index"] for partition in topics["partitions"]] == [0]
