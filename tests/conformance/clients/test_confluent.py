"""confluent-kafka (librdkafka), unmodified."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from brokers import Broker
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from trios import Trio
from waiting import eventually
from wire import CODECS, stored_codecs

Name = Callable[[str], str]
SECONDS = 20


@pytest.fixture
def admin(broker: Broker) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.address})


@pytest.fixture
def topic(admin: AdminClient, name: Name) -> str:
    return create(admin, name("topic"))


def create(admin: AdminClient, topic: str, partitions: int = 1, **config: str) -> str:
    config = {key.replace("_", "."): value for key, value in config.items()}
    done(admin.create_topics([NewTopic(topic, partitions, -1, config=config)]))
    eventually(lambda: topic in admin.list_topics(timeout=SECONDS).topics, True)
    return topic


def done(futures: dict[Any, Any]) -> list[Any]:
    """The results of an admin call, in their order. Raises: KafkaException."""
    return [future.result(SECONDS) for future in futures.values()]


def producer(broker: Broker, **config: Any) -> Producer:
    """An idempotent one where a leader is killed: others may write twice what they send again."""
    once = {"enable.idempotence": True} if isinstance(broker, Trio) else {}
    return Producer({"bootstrap.servers": broker.address, "linger.ms": 5, **once, **dotted(config)})


def dotted(config: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "."): value for key, value in config.items()}


@contextmanager
def consumer(broker: Broker, group: str, *topics: str, **config: Any) -> Iterator[Consumer]:
    """Closed at the end, so that it leaves its group."""
    settings = {
        "bootstrap.servers": broker.address,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 100,
        **({} if config.get("group_protocol") == "consumer" else {"heartbeat.interval.ms": 200}),
    }
    with closing(Consumer({**settings, **dotted(config)})) as reader:
        if topics:
            reader.subscribe(list(topics))
        yield reader


def take(reader: Consumer, count: int, seconds: float = SECONDS) -> list[Message]:
    """So many messages. Raises: AssertionError if there aren't."""
    got: list[Message] = []
    until = time.monotonic() + seconds
    while len(got) < count and time.monotonic() < until:
        for message in reader.consume(count - len(got), 0.2):
            assert message.error() is None, message.error()
            got.append(message)
    assert len(got) == count, f"{len(got)} of {count} messages came"
    return got


def values(messages: Iterable[Message]) -> list[bytes | None]:
    return [message.value() for message in messages]


def send(writer: Producer, topic: str, *texts: str, **more: Any) -> None:
    """Produced and acknowledged."""
    errors: list[Any] = []
    for text in texts:
        writer.produce(topic, text.encode(), on_delivery=lambda error, _: errors.append(error), **more)
    assert writer.flush(SECONDS) == 0
    assert errors == [None] * len(texts)


def everything(broker: Broker, topic: str, count: int, **config: Any) -> list[bytes | None]:
    """What is in a topic's one partition: `count` messages and then its end.

    A transaction's end is answered when it is decided; its markers, and with them what it wrote, may come after.
    """
    with consumer(broker, "reader", enable_partition_eof=True, **config) as reader:
        reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        got: list[Message] = []
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            for message in reader.consume(1000, 0.2):
                if message.error() is None:
                    got.append(message)
                else:
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    assert len(got) <= count
                    if len(got) == count:
                        return values(got)
    raise AssertionError(f"{len(got)} of {count} messages and the end of {topic} came in {SECONDS} s")


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_produced_with_any_compression_is_consumed(broker: Broker, topic: str, name: Name, codec: str) -> None:
    writer = producer(broker, compression_type=codec)
    send(writer, topic, *(f"value {n} " * 20 for n in range(500)))
    with consumer(broker, name("group"), topic) as reader:
        got = take(reader, 500)
    assert values(got) == [f"value {n} ".encode() * 20 for n in range(500)]
    assert [m.offset() for m in got] == list(range(500))
    assert stored_codecs(broker.endpoint, topic) == {codec}


def test_keys_values_headers_and_timestamps_come_back_null_or_not(broker: Broker, topic: str, name: Name) -> None:
    sent = [
        (b"key", b"value", [("a", b"1"), ("a", b"2"), ("none", None), ("empty", b"")], 1_700_000_000_000),
        (None, b"no key", None, 1_700_000_000_001),
        (b"no value", None, None, 1_700_000_000_002),
        (None, None, [("only", b"headers")], 1_700_000_000_003),
        (b"", b"", None, 1_700_000_000_004),
    ]
    writer = producer(broker)
    for key, value, headers, stamp in sent:
        writer.produce(topic, value, key, headers=headers, timestamp=stamp)
    writer.flush(SECONDS)
    with consumer(broker, name("group"), topic) as reader:
        got = take(reader, len(sent))
    assert [(m.key(), m.value(), m.headers(), m.timestamp()[1]) for m in got] == sent


@pytest.mark.parametrize(
    "config",
    [
        {"partition_assignment_strategy": "range"},
        {"partition_assignment_strategy": "roundrobin"},
        {"partition_assignment_strategy": "cooperative-sticky"},
        {"group_protocol": "consumer"},
        {"group_protocol": "consumer", "group_remote_assignor": "range"},
    ],
    ids=lambda config: "-".join(config.values()),
)
def test_two_members_share_the_partitions_and_one_alone_has_all(
    broker: Broker, admin: AdminClient, name: Name, config: dict[str, str]
) -> None:
    topic, group = create(admin, name("topic"), partitions=4), name("group")

    def until(wanted: Callable[[], bool], *members: Consumer) -> None:
        end = time.monotonic() + SECONDS
        while not wanted():
            assert time.monotonic() < end, [held(member) for member in members]
            for member in members:
                member.poll(0.05)

    def held(member: Consumer) -> list[int]:
        return sorted(p.partition for p in member.assignment())

    with consumer(broker, group, topic, **config) as first:
        until(lambda: held(first) == [0, 1, 2, 3], first)
        with consumer(broker, group, topic, **config) as second:
            until(lambda: len(held(first)) == len(held(second)) == 2, first, second)
            assert sorted(held(first) + held(second)) == [0, 1, 2, 3]
        until(lambda: held(first) == [0, 1, 2, 3], first)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_group_resumes_where_it_committed(broker: Broker, topic: str, name: Name, protocol: str) -> None:
    group = name("group")
    send(producer(broker), topic, *"abcde")
    with consumer(broker, group, topic, group_protocol=protocol) as reader:
        got = take(reader, 3)
        reader.commit(got[-1], asynchronous=False)
        reader.commit(offsets=[TopicPartition(topic, 0, 2, metadata="two are done")], asynchronous=False)
    with consumer(broker, group, topic, group_protocol=protocol) as reader:
        assert values(take(reader, 3)) == [b"c", b"d", b"e"]
        (committed,) = reader.committed([TopicPartition(topic, 0)], SECONDS)
    assert (committed.offset, committed.metadata) == (2, "two are done")


def test_consuming_begins_at_a_time(broker: Broker, topic: str, name: Name) -> None:
    writer, start = producer(broker), 1_700_000_000_000
    for n in range(10):
        send(writer, topic, str(n), timestamp=start + n * 1000)
    with consumer(broker, name("group")) as reader:

        def at(stamp: int) -> int:
            (found,) = reader.offsets_for_times([TopicPartition(topic, 0, stamp)], SECONDS)
            return int(found.offset)

        assert [at(start - 1), at(start), at(start + 4500), at(start + 9000)] == [0, 0, 5, 9]
        assert at(start + 9001) == -1, "librdkafka's word for the end"
        reader.assign([TopicPartition(topic, 0, at(start + 4500))])
        assert values(take(reader, 5)) == [b"5", b"6", b"7", b"8", b"9"]
        reader.seek(TopicPartition(topic, 0, 8))
        assert values(take(reader, 2)) == [b"8", b"9"]
        assert reader.get_watermark_offsets(TopicPartition(topic, 0), SECONDS) == (0, 10)


@pytest.mark.parametrize("acks", ["all", "1", "0"])
def test_every_kind_of_acknowledgement_stores_the_record(broker: Broker, topic: str, acks: str) -> None:
    send(producer(broker, acks=acks), topic, "a", "b")
    assert everything(broker, topic, 2) == [b"a", b"b"]


def test_an_idempotent_producer_keeps_order_over_many_batches(broker: Broker, topic: str) -> None:
    writer = producer(broker, enable_idempotence=True, batch_num_messages=10, linger_ms=0)
    send(writer, topic, *(str(n) for n in range(2000)))
    assert everything(broker, topic, 2000) == [b"%d" % n for n in range(2000)]


def test_committed_transactions_are_read_and_aborted_ones_are_not(broker: Broker, topic: str, name: Name) -> None:
    writer = producer(broker, transactional_id=name("transaction"))
    writer.init_transactions(SECONDS)
    for number, finish in enumerate((writer.commit_transaction, writer.abort_transaction, writer.commit_transaction)):
        writer.begin_transaction()
        send(writer, topic, f"{number}a", f"{number}b")
        finish(SECONDS)
    committed = [b"0a", b"0b", b"2a", b"2b"]
    assert everything(broker, topic, 4, isolation_level="read_committed") == committed
    assert everything(broker, topic, 6, isolation_level="read_uncommitted") == [
        b"0a", b"0b", b"1a", b"1b", b"2a", b"2b"
    ]  # fmt: skip


def test_an_open_transaction_holds_back_who_reads_committed(broker: Broker, topic: str, name: Name) -> None:
    writer = producer(broker, transactional_id=name("transaction"))
    writer.init_transactions(SECONDS)
    writer.begin_transaction()
    send(writer, topic, "open")
    send(producer(broker), topic, "behind it")
    assert everything(broker, topic, 0, isolation_level="read_committed") == []
    assert everything(broker, topic, 2, isolation_level="read_uncommitted") == [b"open", b"behind it"]
    writer.commit_transaction(SECONDS)
    assert everything(broker, topic, 2, isolation_level="read_committed") == [b"open", b"behind it"]


def test_offsets_are_committed_with_the_transaction_that_used_them(
    broker: Broker, topic: str, admin: AdminClient, name: Name
) -> None:
    group, results = name("group"), create(admin, name("results"))
    send(producer(broker), topic, *"abcdef")
    writer = producer(broker, transactional_id=name("transaction"))
    writer.init_transactions(SECONDS)
    with consumer(broker, group, topic, isolation_level="read_committed") as reader:

        def step(finish: Callable[[float], None]) -> None:
            writer.begin_transaction()
            for message in take(reader, 2):
                writer.produce(results, message.value().upper())
            offsets = reader.position(reader.assignment())
            writer.send_offsets_to_transaction(offsets, reader.consumer_group_metadata(), SECONDS)
            finish(SECONDS)

        step(writer.commit_transaction)
        step(writer.abort_transaction)
        eventually(lambda: reader.committed([TopicPartition(topic, 0)], SECONDS)[0].offset, 2)
        reader.seek(TopicPartition(topic, 0, 2))
        step(writer.commit_transaction)
    with consumer(broker, group, topic) as reader:
        assert values(take(reader, 2)) == [b"e", b"f"]
    assert everything(broker, results, 4, isolation_level="read_committed") == [b"A", b"B", b"C", b"D"]


def test_the_newer_producer_of_a_transactional_id_fences_the_older(broker: Broker, topic: str, name: Name) -> None:
    identity = name("transaction")
    older, newer = producer(broker, transactional_id=identity), producer(broker, transactional_id=identity)
    older.init_transactions(SECONDS)
    older.begin_transaction()
    send(older, topic, "older")
    newer.init_transactions(SECONDS)
    with pytest.raises(KafkaException) as fenced:
        older.commit_transaction(SECONDS)
    assert fenced.value.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED)
    assert fenced.value.args[0].fatal()
    newer.begin_transaction()
    send(newer, topic, "newer")
    newer.commit_transaction(SECONDS)
    assert everything(broker, topic, 1, isolation_level="read_committed") == [b"newer"]


def test_a_transaction_that_takes_too_long_is_aborted_by_the_broker(broker: Broker, topic: str, name: Name) -> None:
    writer = producer(broker, transactional_id=name("transaction"), transaction_timeout_ms=1000)
    writer.init_transactions(SECONDS)
    writer.begin_transaction()
    send(writer, topic, "too late")
    send(producer(broker), topic, "behind it")
    with consumer(broker, name("group"), topic, isolation_level="read_committed") as reader:
        assert values(take(reader, 1)) == [b"behind it"]
    with pytest.raises(KafkaException):
        writer.commit_transaction(SECONDS)


def test_a_static_member_comes_back_without_a_rebalance(broker: Broker, admin: AdminClient, name: Name) -> None:
    topic, group, calls = create(admin, name("topic"), partitions=2), name("group"), []
    config = {"session_timeout_ms": 10_000, "partition_assignment_strategy": "range"}
    with consumer(broker, group, group_instance_id="one", **config) as one:
        one.subscribe([topic], on_assign=lambda _, got: calls.append([p.partition for p in got]))
        while not one.assignment():
            one.poll(0.05)
        for _ in range(2):
            with consumer(broker, group, topic, group_instance_id="two", **config) as two:
                while not (len(one.assignment()) == len(two.assignment()) == 1):
                    one.poll(0.05)
                    two.poll(0.05)
                mine = two.assignment()
        for _ in range(10):
            one.poll(0.1)
        assert [p.partition for p in one.assignment()] != [p.partition for p in mine]
        assert len(calls) == 2, f"alone, then with the other: {calls}"


def test_a_record_larger_than_the_topic_allows_is_refused(broker: Broker, admin: AdminClient, name: Name) -> None:
    topic = create(admin, name("topic"), max_message_bytes="1000")
    errors: list[KafkaError] = []
    writer = producer(broker)
    writer.produce(topic, b"x" * 5000, on_delivery=lambda error, _: errors.append(error))
    writer.flush(SECONDS)
    assert [error.code() for error in errors] == [KafkaError.MSG_SIZE_TOO_LARGE]
    send(writer, topic, "small")


def test_a_topic_comes_into_being_when_it_is_produced_to(broker: Broker, admin: AdminClient, name: Name) -> None:
    topic = name("unheard-of")
    send(producer(broker), topic, "first")
    assert everything(broker, topic, 1) == [b"first"]
    assert len(admin.list_topics(topic, SECONDS).topics[topic].partitions) == 1


def test_a_topic_is_created_described_widened_and_deleted(broker: Broker, admin: AdminClient, name: Name) -> None:
    topic = create(admin, name("topic"), partitions=2, cleanup_policy="compact")
    with pytest.raises(KafkaException) as again:
        create(admin, topic)
    assert again.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    (described,) = done(admin.describe_topics(TopicCollection([topic])))
    assert [(p.id, p.leader.id, len(p.replicas), len(p.isr)) for p in described.partitions] == [
        (n, described.partitions[0].leader.id, 1, 1) for n in range(2)
    ]
    assert str(described.topic_id) and not described.is_internal
    done(admin.create_partitions([NewPartitions(topic, 5)]))
    eventually(lambda: len(admin.list_topics(topic, SECONDS).topics[topic].partitions), 5)
    with pytest.raises(KafkaException) as fewer:
        done(admin.create_partitions([NewPartitions(topic, 4)]))
    assert fewer.value.args[0].code() == KafkaError.INVALID_PARTITIONS
    done(admin.delete_topics([topic]))
    eventually(lambda: topic in admin.list_topics(timeout=SECONDS).topics, False)
    with pytest.raises(KafkaException) as gone:
        done(admin.describe_topics(TopicCollection([topic])))
    assert gone.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_a_topic_that_cannot_be_is_not_created(broker: Broker, admin: AdminClient, name: Name) -> None:
    def refused(new: NewTopic) -> int:
        with pytest.raises(KafkaException) as error:
            done(admin.create_topics([new]))
        return int(error.value.args[0].code())

    assert refused(NewTopic("not a name", 1, 1)) == KafkaError.TOPIC_EXCEPTION
    assert refused(NewTopic(name("topic"), 0, 1)) == KafkaError.INVALID_PARTITIONS
    assert refused(NewTopic(name("topic"), 1, 3)) == KafkaError.INVALID_REPLICATION_FACTOR
    assert refused(NewTopic(name("topic"), 1, 1, config={"no.such": "1"})) == KafkaError.INVALID_CONFIG
    assert refused(NewTopic(name("topic"), 1, 1, config={"retention.ms": "soon"})) == KafkaError.INVALID_CONFIG


def test_configs_are_described_and_altered(broker: Broker, admin: AdminClient, name: Name) -> None:
    topic = create(admin, name("topic"), retention_ms="1000000")
    resource = ConfigResource(ResourceType.TOPIC, topic)

    def described() -> dict[str, ConfigEntry]:
        (entries,) = done(admin.describe_configs([resource]))
        return dict(entries)

    def of(key: str) -> tuple[str | None, bool, int]:
        entry = described()[key]
        return entry.value, entry.is_default, int(entry.source)

    dynamic, default = 1, 5
    assert of("retention.ms") == ("1000000", False, dynamic)
    assert of("cleanup.policy") == ("delete", True, default)
    assert of("max.message.bytes") == ("1048588", True, default)
    resource.add_incremental_config(
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND)
    )
    resource.add_incremental_config(ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE))
    resource.add_incremental_config(
        ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
    )
    done(admin.incremental_alter_configs([resource]))
    eventually(lambda: sorted((of("cleanup.policy")[0] or "").split(",")), ["compact", "delete"])
    assert of("retention.ms") == ("604800000", True, default)
    assert of("max.message.bytes") == ("2000", False, dynamic)


def test_groups_are_listed_described_and_deleted(broker: Broker, admin: AdminClient, topic: str, name: Name) -> None:
    group = name("group")
    send(producer(broker), topic, "a")

    def state() -> str:
        (described,) = done(admin.describe_consumer_groups([group]))
        return str(described.state.name)

    with consumer(broker, group, topic, client_id="me") as reader:
        reader.commit(take(reader, 1)[0], asynchronous=False)
        (described,) = done(admin.describe_consumer_groups([group]))
        assert (described.state.name, described.partition_assignor, described.coordinator.port) == (
            "STABLE", "range", broker.endpoint[1]
        )  # fmt: skip
        (member,) = described.members
        assert (member.client_id, member.assignment.topic_partitions) == ("me", [TopicPartition(topic, 0)])
        with pytest.raises(KafkaException) as busy:
            done(admin.delete_consumer_groups([group]))
        assert busy.value.args[0].code() == KafkaError.NON_EMPTY_GROUP
    assert state() == "EMPTY"
    listed = admin.list_consumer_groups().result(SECONDS).valid
    assert group in {each.group_id for each in listed}
    (offsets,) = done(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    assert [(p.topic, p.partition, p.offset) for p in offsets.topic_partitions] == [(topic, 0, 1)]
    moved = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])
    done(admin.alter_consumer_group_offsets([moved]))
    (offsets,) = done(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    assert [p.offset for p in offsets.topic_partitions] == [0]
    done(admin.delete_consumer_groups([group]))
    assert state() == "DEAD"
    with pytest.raises(KafkaException) as gone:
        done(admin.delete_consumer_groups([group]))
    assert gone.value.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND


def test_offsets_are_listed_and_records_deleted(broker: Broker, admin: AdminClient, topic: str) -> None:
    writer = producer(broker)
    for n, stamp in enumerate((1000, 3000, 2000)):
        send(writer, topic, str(n), timestamp=stamp)

    def offset(spec: OffsetSpec) -> tuple[int, int]:
        (found,) = done(admin.list_offsets({TopicPartition(topic, 0): spec}))
        return found.offset, found.timestamp

    assert offset(OffsetSpec.earliest())[0] == 0
    assert offset(OffsetSpec.latest())[0] == 3
    assert offset(OffsetSpec.max_timestamp()) == (1, 3000)
    assert offset(OffsetSpec.for_timestamp(2500)) == (1, 3000)
    (deleted,) = done(admin.delete_records([TopicPartition(topic, 0, 2)]))
    assert deleted.low_watermark == 2
    assert offset(OffsetSpec.earliest())[0] == 2
    assert everything(broker, topic, 1) == [b"2"]
    with pytest.raises(KafkaException) as beyond:
        done(admin.delete_records([TopicPartition(topic, 0, 99)]))
    assert beyond.value.args[0].code() == KafkaError.OFFSET_OUT_OF_RANGE


def test_an_offset_that_is_not_there_is_reset_or_told(broker: Broker, topic: str, name: Name) -> None:
    send(producer(broker), topic, *"abc")
    with consumer(broker, name("group"), auto_offset_reset="error") as reader:
        reader.assign([TopicPartition(topic, 0, 99)])
        messages: list[Message] = []
        while not messages:
            messages = reader.consume(1, 0.2)
        assert messages[0].error().code() == KafkaError._AUTO_OFFSET_RESET
    with consumer(broker, name("group"), auto_offset_reset="earliest") as reader:
        reader.assign([TopicPartition(topic, 0, 99)])
        assert values(take(reader, 3)) == [b"a", b"b", b"c"]


def test_the_cluster_is_described(broker: Broker, admin: AdminClient) -> None:
    cluster = admin.describe_cluster().result(SECONDS)
    host, port = broker.endpoint
    assert cluster.cluster_id and [(node.host, node.port) for node in cluster.nodes] == [(host, port)]
    assert cluster.controller.port == port


def test_reading_committed_is_asked_for_by_the_admin_too(
    broker: Broker, admin: AdminClient, topic: str, name: Name
) -> None:
    writer = producer(broker, transactional_id=name("transaction"))
    writer.init_transactions(SECONDS)
    writer.begin_transaction()
    send(writer, topic, "open")

    def latest(level: IsolationLevel) -> int:
        wanted = {TopicPartition(topic, 0): OffsetSpec.latest()}
        (found,) = done(admin.list_offsets(wanted, isolation_level=level))
        return int(found.offset)

    assert (latest(IsolationLevel.READ_COMMITTED), latest(IsolationLevel.READ_UNCOMMITTED)) == (0, 1)
    writer.abort_transaction(SECONDS)
    eventually(lambda: latest(IsolationLevel.READ_COMMITTED), 2)
    assert latest(IsolationLevel.READ_UNCOMMITTED) == 2, "the marker takes an offset"
