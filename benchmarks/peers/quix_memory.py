"""A Kafka client for Quix Streams whose broker is this process: Quix Streams' own loop, with only librdkafka left out.

`MemoryConsumer` and `MemoryProducer` stand where `confluent_kafka.Consumer` and `Producer` stand and do as little as
they can: hand over messages already in memory, take messages and forget them, have one partition a topic. Everything
else is Quix Streams: polling, deserialization, dataframes, state in RocksDB with changelog records, checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from confluent_kafka import TopicPartition
from quixstreams.models.topics import TopicAdmin, TopicConfig

from benchmarks.events import DISTINCT, TOPIC, Payload, payloads, timestamp_ms


class Message:
    """What `confluent_kafka.Message` says of a record; the real one can't be made in Python."""

    __slots__ = ("_offset", "_payload")

    def __init__(self, payload: Payload, offset: int) -> None:
        self._payload = payload
        self._offset = offset

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return self._payload.key

    def value(self) -> bytes:
        return self._payload.value

    def timestamp(self) -> tuple[int, int]:
        return 1, timestamp_ms(self._offset)

    def headers(self) -> None:
        return None

    def leader_epoch(self) -> int:
        return 0

    def error(self) -> None:
        return None

    def __len__(self) -> int:
        return len(self._payload.value)


class MemoryConsumer:
    """Hands over `events` events one by one; then calls `at_end`, and nothing comes any more.

    `started` and `closed` are when the first event was asked for, and when the loop had made its last commit.
    """

    def __init__(self, events: int, at_end: Callable[[], None]) -> None:
        self.events = events
        self.at_end = at_end
        self.started = self.closed = 0.0
        self._payloads = payloads()
        self._next = 0
        self._assigned: list[TopicPartition] = []
        self._on_assign: Callable[..., None] | None = None

    def subscribe(self, topics: list[str], on_assign: Callable[..., None], **callbacks: Any) -> None:
        self._assigned = [TopicPartition(topic, 0, 0) for topic in topics]
        self._on_assign = on_assign

    def poll(self, timeout: float) -> Message | None:
        offset = self._next
        if offset == 0:
            if self._on_assign is not None:
                assigned, self._on_assign = self._on_assign, None
                assigned(self, self._assigned)
                return None
            self.started = perf_counter()
        if offset == self.events:
            self.at_end()
            return None
        self._next = offset + 1
        return Message(self._payloads[offset % DISTINCT], offset)

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._assigned = partitions

    def assignment(self) -> list[TopicPartition]:
        return self._assigned

    def committed(self, partitions: list[TopicPartition], timeout: float = 0) -> list[TopicPartition]:
        return partitions

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return partitions

    def get_watermark_offsets(self, partition: TopicPartition, *args: Any, **options: Any) -> tuple[int, int]:
        return 0, self.events if partition.topic == TOPIC else 0

    def pause(self, partitions: list[TopicPartition]) -> None: ...

    def resume(self, partitions: list[TopicPartition]) -> None: ...

    def seek(self, partition: TopicPartition) -> None: ...

    def commit(self, **options: Any) -> list[TopicPartition]:
        return []

    def close(self) -> None:
        self.closed = perf_counter()


class MemoryProducer:
    """Takes every message, acknowledges it at the next poll, and forgets it."""

    def __init__(self) -> None:
        self.sent = 0
        self._reports: list[tuple[Callable[..., None], str]] = []

    def produce(
        self, topic: str, value: Any, key: Any, on_delivery: Callable[..., None] | None = None, **_: Any
    ) -> None:
        self.sent += 1
        if on_delivery is not None:
            self._reports.append((on_delivery, topic))

    def poll(self, timeout: float = 0) -> int:
        reports, self._reports = self._reports, []
        for report, topic in reports:
            report(None, Delivered(topic, self.sent))
        return len(reports)

    def flush(self, timeout: float = 0) -> int:
        self.poll()
        return 0


class Delivered:
    """A delivery report."""

    __slots__ = ("_offset", "_topic")

    def __init__(self, topic: str, offset: int) -> None:
        self._topic = topic
        self._offset = offset

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset


class MemoryAdmin(TopicAdmin):
    """Every topic there is has one partition."""

    def inspect_topics(self, topic_names: list[str], timeout: float = 30) -> dict[str, TopicConfig | None]:
        kept = {"retention.ms": "-1", "retention.bytes": "-1"}
        return {name: TopicConfig(num_partitions=1, replication_factor=1, extra_config=kept) for name in topic_names}
