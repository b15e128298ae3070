"""Reads assigned partitions of a cluster, committed records only.

Positions are kept here rather than asked of librdkafka: its own doesn't move over aborted records and markers, which an
end of partition does tell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NoReturn

import anyio
from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as Place

from streamflow.errors import ConfigError, UnknownTopicError
from streamflow.event import Batch, Headers, TopicPartition
from streamflow.log.errors import InvalidTopicError, OffsetOutOfRangeError
from streamflow.transport.base import EARLIEST, LATEST
from streamflow.transport.kafka.client import Client, tell
from streamflow.transport.kafka.failures import UNKNOWN_TOPIC, translate
from streamflow.transport.kafka.offsets import ends, find_offsets
from streamflow.transport.kafka.topics import partition_count

SLICE_SECONDS = 0.2
"""How long a poll waits in a thread before it looks whether it was cancelled."""
TAKEN_MIN = 1_000
"""Records taken from librdkafka at once, if they are there."""

SETTINGS = {
    # Never joins: partitions are assigned by us, and offsets committed with the transactions they belong to.
    "group.id": "streamflow-unused",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 100,
    "fetch.error.backoff.ms": 100,
    "check.crcs": True,
}


class KafkaReader:
    """See `Reader`."""

    def __init__(self, client: Client, partitions: Mapping[str, int]) -> None:
        self._client = client
        self._counts = dict(partitions)
        self._consumer = Consumer(client.settings({**SETTINGS, "error_cb": self._doubt}))
        self._positions: dict[TopicPartition, int] = {}
        self._taken: dict[TopicPartition, deque[Message]] = {}
        self._ends: dict[TopicPartition, int] = {}
        """As told by librdkafka. A record behind one is told of with the next."""
        self._paused: set[TopicPartition] = set()
        self._changes: list[tuple[TopicPartition, int | None]] = []
        """Of the assignment, that librdkafka wasn't told of yet: where to read a partition from, None not at all."""
        self._trouble: tuple[TopicPartition, KafkaError] | None = None
        self._doubted = self._closed = False

    def __repr__(self) -> str:
        return f"<KafkaReader of {len(self._positions)} partitions>"

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        """Raises: UnknownTopicError, InvalidTopicError for partitions that weren't there when the reader was made."""
        self._check(positions)
        self.drop(list(self._positions))
        self.add(positions)

    def _check(self, partitions: Iterable[TopicPartition]) -> None:
        for where in partitions:
            count = self._counts.get(where.topic)
            if count is None:
                raise UnknownTopicError(where.topic, list(self._counts))
            if not 0 <= where.partition < count:
                raise InvalidTopicError(f"topic '{where.topic}' has no partition {where.partition}: it has {count}")

    def add(self, positions: Mapping[TopicPartition, int]) -> None:
        """Raises: as `assign`."""
        self._check(positions)
        self.drop(positions)
        self._positions |= positions
        self._taken |= {where: deque() for where in positions}
        self._changes += [(where, offset) for where, offset in positions.items()]

    def drop(self, partitions: Iterable[TopicPartition]) -> None:
        for where in partitions:
            if where not in self._positions:
                continue
            del self._positions[where], self._taken[where]
            self._ends.pop(where, None)
            self._paused.discard(where)
            if self._trouble is not None and self._trouble[0] == where:
                self._trouble = None
            self._changes.append((where, None))

    def _apply(self) -> None:
        """Between two takes, never during one: what a take brings belongs to the assignment it began with. A poll that
        waits sees a change after `SLICE_SECONDS` at the latest."""
        changes, self._changes = self._changes, []
        for where, offset in changes:
            if offset is None:
                self._consumer.incremental_unassign([Place(where.topic, where.partition)])
            else:
                self._consumer.incremental_assign([Place(where.topic, where.partition, offset)])
        added = [Place(w.topic, w.partition) for w, offset in changes if offset is not None and w in self._paused]
        self._consumer.pause(added)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        chosen = [w for w in partitions if w not in self._paused and w in self._positions]
        self._paused.update(chosen)
        self._consumer.pause(self._assigned(chosen))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        chosen = [w for w in partitions if w in self._paused]
        self._paused.difference_update(chosen)
        self._consumer.resume(self._assigned(chosen))

    def _assigned(self, chosen: list[TopicPartition]) -> list[Place]:
        """Those that librdkafka knows of by now."""
        waiting = {where for where, _ in self._changes}
        return [Place(w.topic, w.partition) for w in chosen if w not in waiting]

    def position(self, partition: TopicPartition) -> int:
        return self._positions[partition]

    async def poll(self, max_records: int, timeout_s: float) -> list[tuple[TopicPartition, Batch]]:
        deadline = anyio.current_time() + timeout_s
        while True:
            found, before = self._share(max_records), dict(self._positions)
            if found:
                return found
            if self._trouble is not None:
                await self._raise_trouble()
            if self._doubted:
                self._doubted = False
                for topic in {where.topic for where in self._positions}:
                    await partition_count(self._client, topic)
            left = max(0.0, deadline - anyio.current_time())
            self._apply()
            taken = await self._client.blocking(
                lambda left=left: self._take(max_records, min(left, SLICE_SECONDS)),  # type: ignore[misc]
                "reading",
            )
            stale = {where for where, _ in self._changes}
            for message in taken:
                self._sort(message, stale)
            self._move()
            if self._positions != before or (left <= 0 and not any(self._ready())):
                return self._share(max_records)

    def _take(self, count: int, seconds: float) -> list[Message]:
        """Blocks until there is something, and takes what else is there then: of one partition there may be much before
        anything of another."""
        message = self._consumer.poll(seconds)
        return [] if message is None else [message, *self._consumer.consume(max(count, TAKEN_MIN), 0)]

    def _sort(self, message: Message, stale: Set[TopicPartition]) -> None:
        """Trouble is for the poll that has nothing else: what was taken isn't lost. `stale` partitions were assigned
        anew while it was taken."""
        where, error = TopicPartition(message.topic() or "", message.partition() or 0), message.error()
        if where in stale:
            return
        if error is None:
            if where in self._taken:
                self._taken[where].append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._ends[where] = message.offset() or 0
        elif not error.retriable() or error.code() in UNKNOWN_TOPIC:
            self._trouble = (where, error)

    def _ready(self) -> Iterator[TopicPartition]:
        return (where for where, taken in self._taken.items() if taken and where not in self._paused)

    def _share(self, count: int) -> list[tuple[TopicPartition, Batch]]:
        """The partitions share what is asked for; those that got nothing come first the next time."""
        found: list[tuple[TopicPartition, Batch]] = []
        ready = list(self._ready())
        for number, where in enumerate(ready):
            if count <= 0:
                break
            queue = self._taken.pop(where)
            share = min(len(queue), -(-count // (len(ready) - number)))
            batch = _batch([queue.popleft() for _ in range(share)])
            self._taken[where] = queue
            self._positions[where] = batch.offsets[-1] + 1
            count -= share
            found.append((where, batch))
        self._move()
        return found

    def _move(self) -> None:
        """Over what isn't shown, to an end that was told, once all before it was handed out."""
        for where, end in self._ends.items():
            if not self._taken.get(where) and where in self._positions:
                self._positions[where] = max(self._positions[where], end)

    def _doubt(self, error: KafkaError) -> None:
        """A topic that is gone is told here, without saying which."""
        tell(error)
        self._doubted = self._doubted or error.code() in UNKNOWN_TOPIC

    async def _raise_trouble(self) -> NoReturn:
        assert self._trouble is not None, "there is trouble"
        (where, error), self._trouble = self._trouble, None
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            await self._out_of_range(where)
        raise translate(error, f"reading {where}", where.topic)

    async def _out_of_range(self, where: TopicPartition) -> NoReturn:
        both = await find_offsets(self._client, {where: EARLIEST}), await find_offsets(self._client, {where: LATEST})
        raise OffsetOutOfRangeError(str(where), self._positions.get(where, -1), both[0][where], both[1][where])

    async def lag(self) -> dict[TopicPartition, int]:
        """A position that is at the last record that can be seen is at the end."""
        found = await ends(self._client, self._positions)
        return {where: max(0, found[where] - position) for where, position in self._positions.items()}

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            with anyio.CancelScope(shield=True):
                await self._client.blocking(self._consumer.close, "closing a reader")


def _batch(messages: list[Message]) -> Batch:
    headers = [m.headers() for m in messages]
    return Batch(
        [m.key() for m in messages],
        [m.value() for m in messages],
        [m.timestamp()[1] for m in messages],
        [m.offset() for m in messages],  # type: ignore[misc]
        [_headers(h) for h in headers] if any(headers) else None,
    )


def _headers(found: object) -> Headers:
    if not found:
        return ()
    if not isinstance(found, list):
        raise ConfigError(f"headers as {type(found).__name__} weren't expected from librdkafka")
    return tuple((name, value) for name, value in found)
