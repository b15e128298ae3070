"""Appends to a cluster: idempotent, in order by partition, and in transactions where an id is given.

An append waits until its records are acknowledged; appends that wait at once share the way. In a transaction, a failure
makes it one that can only be aborted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as Place

from streamflow.errors import ConfigError, StreamflowError
from streamflow.event import Batch, TopicPartition
from streamflow.log.errors import InvalidTopicError, ProducerFencedError, RequestTimedOutError, TransactionError
from streamflow.transport.base import Committed, Member
from streamflow.transport.kafka.client import TIMEOUT_SECONDS, Client
from streamflow.transport.kafka.member import KafkaMember
from streamflow.transport.kafka.topics import partition_count

T = TypeVar("T")

SETTINGS: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 5,
    "batch.num.messages": 10_000,
    "queue.buffering.max.messages": 500_000,
    "delivery.timeout.ms": 120_000,
}
TRANSACTION_TIMEOUT_MS = 60_000
FULL_SECONDS = 0.05
"""Between two looks whether librdkafka's queue has room."""
LOOK_SECONDS = 0.5
SECONDS_MAX = 120.0
"""For everything that was handed over to arrive: librdkafka gives up each record after so long."""


class KafkaWriter:
    """Made by `open`. See `Writer`."""

    def __init__(self, client: Client, transactional_id: str | None, compression: str) -> None:
        settings = {**SETTINGS, "compression.type": compression}
        if transactional_id is not None:
            settings |= {
                "transactional.id": transactional_id,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "delivery.timeout.ms": TRANSACTION_TIMEOUT_MS,
            }
        self._client = client
        self._id = transactional_id
        self._producer = Producer(client.settings(settings))
        self._begun = False
        self._fenced = ""
        self._groups: dict[str, Consumer] = {}
        self._counts: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<KafkaWriter {self._id or 'without transactions'}>"

    @classmethod
    async def open(cls, client: Client, transactional_id: str | None, compression: str) -> KafkaWriter:
        """Fences the writer before it under the id, and aborts what that left open. Raises: LogError."""
        self = cls(client, transactional_id, compression)
        if transactional_id is not None:
            what = f"taking over transactional id '{transactional_id}'"
            await client.blocking(lambda: self._producer.init_transactions(TIMEOUT_SECONDS), what)
        return self

    async def _call(self, work: Callable[[], T], what: str, topic: str = "") -> T:
        """Once fenced, always fenced: librdkafka says only the first time why it fails."""
        if self._fenced:
            raise ProducerFencedError(self._fenced)
        try:
            return await self._client.blocking(work, what, topic)
        except ProducerFencedError as error:
            self._fenced = str(error)
            raise

    # Transactions

    async def begin(self) -> None:
        self._transactional()
        if self._begun:
            raise TransactionError("a transaction is begun already; commit or abort it")
        await self._call(self._producer.begin_transaction, "beginning a transaction")
        self._begun = True

    def _transactional(self) -> None:
        if self._id is None:
            raise TransactionError("this writer has no transactional id; open one with transport.writer(id)")

    def _in_transaction(self) -> None:
        self._transactional()
        if not self._begun:
            raise TransactionError("no transaction was begun; call begin() first")

    async def add_offsets(
        self, group: str, offsets: Mapping[TopicPartition, Committed], *, member: Member | None = None
    ) -> None:
        if not offsets:
            return
        self._in_transaction()
        places = [
            Place(w.topic, w.partition, c.offset, c.metadata, **_epoch(c.leader_epoch)) for w, c in offsets.items()
        ]

        if member is not None and not isinstance(member, KafkaMember):
            raise ConfigError(f"{member!r} is no member of a group of this cluster's")

        def send() -> None:
            who = self._outsider(group).consumer_group_metadata() if member is None else member.metadata()
            self._producer.send_offsets_to_transaction(places, who, TIMEOUT_SECONDS)

        await self._call(send, f"committing offsets of group '{group}' as '{self._id}'")

    def _outsider(self, group: str) -> Consumer:
        """librdkafka takes a group's name only from a consumer. This one never joins."""
        if group not in self._groups:
            self._groups[group] = Consumer(self._client.settings({"group.id": group, "enable.auto.commit": False}))
        return self._groups[group]

    async def commit(self) -> None:
        self._in_transaction()
        what = f"committing a transaction of '{self._id}'"
        await self._call(lambda: _until_over(self._producer.commit_transaction), what)
        self._begun = False

    async def abort(self) -> None:
        self._in_transaction()
        what = f"aborting a transaction of '{self._id}'"
        await self._call(lambda: _until_over(self._producer.abort_transaction), what)
        self._begun = False

    # Records

    async def append(self, partition: TopicPartition, batch: Batch) -> int:
        if self._id is not None:
            self._in_transaction()
        await self._look_up(partition)
        delivered = _Delivered()
        what = f"writing to {partition}" if self._id is None else f"writing to {partition} as '{self._id}'"
        await self._call(lambda: self._send(partition, batch, delivered), what, partition.topic)
        return delivered.first

    async def append_all(self, batches: Mapping[TopicPartition, Sequence[Batch]]) -> None:
        """Partitions side by side: each append waits for the network."""
        failures: list[StreamflowError] = []

        async def append(where: TopicPartition, several: Sequence[Batch]) -> None:
            try:
                for batch in several:
                    await self.append(where, batch)
            except StreamflowError as error:
                failures.append(error)

        async with anyio.create_task_group() as group:
            for where, several in batches.items():
                group.start_soon(append, where, several)
        if failures:
            raise failures[0]

    async def _look_up(self, where: TopicPartition) -> None:
        """librdkafka would have the topic made by asking for it, and find out late that a partition isn't there."""
        if where.partition < self._counts.get(where.topic, 0):
            return
        count = await partition_count(self._client, where.topic)
        if not 0 <= where.partition < count:
            raise InvalidTopicError(f"topic '{where.topic}' has no partition {where.partition}: it has {count}")
        self._counts[where.topic] = count

    def _hand_over(self, where: TopicPartition, batch: Batch, told: _Delivered) -> None:
        """Blocks while librdkafka's queue is full."""
        producer, headers = self._producer, batch.headers
        for number, (key, value, timestamp) in enumerate(zip(batch.keys, batch.values, batch.timestamps, strict=True)):
            given: dict[str, Any] = {"headers": list(headers[number])} if headers is not None else {}
            while True:
                try:
                    producer.produce(
                        where.topic, value, key, where.partition, timestamp=timestamp, on_delivery=told, **given
                    )
                    break
                except BufferError:
                    producer.poll(FULL_SECONDS)
        producer.poll(0)

    def _send(self, where: TopicPartition, batch: Batch, delivered: _Delivered) -> None:
        self._hand_over(where, batch, delivered)
        waits = SECONDS_MAX
        while delivered.count < len(batch) and waits > 0:
            try:
                self._producer.flush(LOOK_SECONDS)
            except SystemError:
                # confluent-kafka 2.16 raises a fatal error's exception inside a callback, and a delivery report that
                # comes after it drops the exception, but not that there was one.
                if delivered.error is None:
                    raise
            waits -= LOOK_SECONDS
        if delivered.error is not None:
            raise KafkaException(delivered.error)
        if delivered.count < len(batch):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    async def close(self) -> None:
        """Aborts what is begun."""
        if self._begun and not self._fenced:
            await self.abort()
        for consumer in self._groups.values():
            await self._client.blocking(consumer.close, "closing a writer")
        left = (
            0 if self._fenced else await self._call(lambda: self._producer.flush(TIMEOUT_SECONDS), "closing a writer")
        )
        if left:
            raise RequestTimedOutError(f"{left} records weren't acknowledged when their writer was closed")


class _Delivered:
    """What became of one append."""

    def __init__(self) -> None:
        self.first = -1
        self.count = 0
        self.error: KafkaError | None = None

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        self.count += 1
        if error is not None:
            self.error = self.error or error
        elif self.first < 0:
            offset = message.offset()
            self.first = -1 if offset is None else offset


def _epoch(leader_epoch: int) -> dict[str, int]:
    return {} if leader_epoch < 0 else {"leader_epoch": leader_epoch}


def _until_over(call: Any) -> None:
    """A time-out leaves the outcome open: librdkafka goes on with it when it is asked again. Raises: KafkaException."""
    for attempt in range(4):
        try:
            call(TIMEOUT_SECONDS)
            return
        except KafkaException as error:
            if not error.args[0].retriable() or attempt == 3:
                raise
