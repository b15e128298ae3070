"""A Faust transport whose broker is this process: Faust's own worker, with only the network left out.

It stands where Faust's aiokafka driver stands and does as little as a driver can: hands over records already in
memory, takes sent messages and forgets them, has one partition a topic. Everything else is Faust: fetch loop, flow
control, conductor, decoding, streams, agents, acknowledgements, tables with their changelog records, commits.
It leaves out work that the real driver does (a consumer thread, parsing, batching, sockets), to Faust's advantage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import faust.transport.base as base
from faust.types import TP, ConsumerMessage, RecordMetadata

from benchmarks.events import DISTINCT, TOPIC, payloads, timestamp_ms

FETCH_RECORDS = 500
"""How many records one fetch hands over."""


class MemoryConsumer(base.Consumer):
    """Feeds `transport.events` events of the benchmark into Faust's fetch loop, then nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._assigned: set[TP] = set()
        self._payloads = payloads()
        self._next = 0

    async def subscribe(self, topics: Any) -> None:
        self._assigned = {TP(topic, 0) for topic in {*topics, *self.app.tables.changelog_topics}}
        self.app.assignor._assignment.actives = {tp.topic: [0] for tp in self._assigned}
        self.app.consumer_generation_id = 1
        self.app.on_rebalance_start()
        self.add_future(self.on_partitions_assigned(self._assigned, generation_id=1))

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:
        partition = TP(TOPIC, 0)
        first, end = self._next, min(self._next + FETCH_RECORDS, self.transport.events)
        if active_partitions is None or partition not in active_partitions or first == end:
            await asyncio.sleep(0 if first < end else 0.01)
            return {}
        if first == 0:
            self.transport.started = perf_counter()
        self._next = end
        return {partition: range(first, end)}

    def _to_message(self, tp: TP, record: int) -> ConsumerMessage:
        payload = self._payloads[record % DISTINCT]
        when = timestamp_ms(record) / 1000
        sizes = len(payload.key), len(payload.value)
        return ConsumerMessage(
            tp.topic, 0, record, when, 0, [], payload.key, payload.value, None, *sizes, tp, generation_id=1
        )

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return True

    def _new_topicpartition(self, topic: str, partition: int) -> TP:
        return TP(topic, partition)

    def assignment(self) -> set[TP]:
        return self._assigned

    def highwater(self, tp: TP) -> int:
        return self.transport.events if tp.topic == TOPIC else 0

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: self.highwater(tp) for tp in partitions}

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, 0)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        return {}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None: ...

    async def _seek(self, partition: TP, offset: int) -> None: ...

    async def position(self, tp: TP) -> int:
        return self._next

    def topic_partitions(self, topic: str) -> int:
        return 1

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int:
        return 0

    async def create_topic(self, *args: Any, **options: Any) -> None: ...

    def verify_event_path(self, now: float, tp: TP) -> None: ...


class MemoryProducer(base.Producer):
    """Takes every message, acknowledges it at once, and forgets it."""

    async def send(
        self, topic: str, key: Any, value: Any, partition: Any, timestamp: Any, headers: Any, **options: Any
    ) -> asyncio.Future[RecordMetadata]:
        sent: asyncio.Future[RecordMetadata] = self.loop.create_future()
        self.transport.sent += 1
        sent.set_result(RecordMetadata(topic, 0, TP(topic, 0), self.transport.sent, timestamp, 0))
        return sent

    async def send_and_wait(self, *args: Any, **options: Any) -> RecordMetadata:
        return await (await self.send(*args, **options))

    async def flush(self) -> None:
        await self.buffer.flush()

    def key_partition(self, topic: str, key: bytes) -> TP:
        return TP(topic, 0)

    async def create_topic(self, *args: Any, **options: Any) -> None: ...


class MemoryTransport(base.Transport):
    """The driver: one for the consumer, the same for the producer."""

    Consumer = MemoryConsumer
    Producer = MemoryProducer
    default_port = 9092
    driver_version = "memory"

    events = 0
    started = 0.0
    sent = 0
