"""A worker's seat in a group of librdkafka's: cooperative rebalancing (KIP-429) of the partitions of one topic.

Of several topics, librdkafka's assignors may give equally numbered partitions to different members, and it takes no
assignor of ours. So a group shares one topic alone, which holds nothing: what its partition numbers stand for is their
owner's to read, by assignments of its own.

The group is served in a thread of its own: it is polled however long the event loop is kept busy, so that a slow agent
isn't thrown out for not polling. A rebalance that takes partitions away waits there, for as long as
`max.poll.interval.ms`, until they are released.

Rules for whoever edits this. Nothing is asked of the consumer outside its thread: confluent-kafka 2.16 lets one thread
in at a time, and who polls again and again is always before who waits, with the interpreter in hand. A member that was
thrown out joins anew by itself, and `consumer_group_metadata` is then that of the new one: a transaction of the old
one's would pass for the new one's. librdkafka joins only once the callback returns, so that waits until the worker has
let go of everything. `metadata` relies on it, and is what keeps a zombie's transactions out.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import structlog
from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as Place

from streamflow.log.errors import UnknownMemberError
from streamflow.transport.base import Assigned, Lost, Revoked
from streamflow.transport.kafka.client import Client

log = structlog.get_logger("streamflow.kafka")

SETTINGS = {
    "partition.assignment.strategy": "cooperative-sticky",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 1_000,
    "max.poll.interval.ms": 300_000,
}
"""The address's own come over these."""
POLL_SECONDS = 0.05
"""So long a transaction may be told an old generation, and refused, after a rebalance."""


class KafkaMember:
    """See `Member`."""

    def __init__(self, client: Client, group: str, topic: str) -> None:
        self._client = client
        self._group = group
        self._topic = topic
        self._consumer = Consumer(client.settings({**SETTINGS, **client.address.settings, "group.id": group}))
        self._events: deque[Assigned | Revoked | Lost] = deque()
        self._heard = anyio.Event()
        self._token = anyio.lowlevel.current_token()
        self._asked: deque[tuple[list[Place], Future[None]]] = deque()
        self._released = threading.Event()
        self._closing = threading.Event()
        self._lost = threading.Event()
        """From the moment the group is known to have gone on until the worker has let go of everything."""
        self._known_as = ""
        self._metadata: Any = None
        self._thread = threading.Thread(target=self._serve, name=f"streamflow-member-{group}", daemon=True)
        self._consumer.subscribe([topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<KafkaMember {self._known_as or '?'} of {self._group}>"

    # The worker's side

    async def next(self) -> Assigned | Revoked | Lost:
        while not self._events:
            self._heard = anyio.Event()
            await self._heard.wait()
        return self._events.popleft()

    def release(self) -> None:
        self._released.set()

    async def claim(self, partitions: Iterable[int], text: str) -> None:
        places = [Place(self._topic, partition, 0, text) for partition in partitions]
        if self._closing.is_set():
            raise UnknownMemberError(f"this worker has left group '{self._group}'")
        what = f"claiming partitions of '{self._topic}' in group '{self._group}'"
        if places:
            asked: tuple[list[Place], Future[None]] = places, Future()
            self._asked.append(asked)
            await self._client.result(asked[1], what)

    def _commit(self, places: list[Place]) -> None:
        self.metadata()
        for place in self._consumer.commit(offsets=places, asynchronous=False) or ():
            if place.error is not None:
                raise KafkaException(place.error)

    def metadata(self) -> Any:
        """Who this is to the group, as of `POLL_SECONDS` ago: what tells an old generation is refused.

        Raises: UnknownMemberError when that is known already.
        """
        known = self._metadata
        if known is None or self._lost.is_set():
            raise UnknownMemberError(f"group '{self._group}' has gone on without this worker; it joins anew")
        return known

    async def close(self) -> None:
        if not self._closing.is_set():
            self._closing.set()
            self._released.set()
            await self._client.blocking(self._thread.join, f"leaving group '{self._group}'")

    # The thread's side

    def _learn(self) -> None:
        """Without an id, metadata is nobody's, which brokers don't check."""
        known_as = self._consumer.memberid()
        found = self._consumer.consumer_group_metadata() if known_as else None
        # An id doesn't come back: what is between two looks at it was told under it.
        same = bool(known_as) and self._consumer.memberid() == known_as
        self._known_as, self._metadata = known_as or "", found if same else None

    def _serve(self) -> None:
        while not self._closing.is_set():
            message = self._consumer.poll(POLL_SECONDS)
            self._learn()
            self._answer()
            error = None if message is None else message.error()
            if error is not None:
                log.warning("the group isn't as it should be", group=self._group, error=error.str(), kind=error.name())
        self._consumer.close()
        self._answer()

    def _answer(self) -> None:
        """Does what `claim` asks for."""
        while self._asked:
            places, answer = self._asked.popleft()
            try:
                self._commit(places)
            except Exception as error:
                answer.set_exception(error)
            else:
                answer.set_result(None)

    def _assign(self, consumer: Consumer, places: list[Place]) -> None:
        self._learn()
        consumer.incremental_assign([Place(p.topic, p.partition, 0) for p in places])
        consumer.pause(places)  # There is nothing to read.
        self._tell(Assigned(_numbers(places)))

    def _revoke(self, consumer: Consumer, places: list[Place]) -> None:
        self._learn()
        self._ask(Revoked(_numbers(places)))
        consumer.incremental_unassign(places)

    def _lose(self, consumer: Consumer, places: list[Place]) -> None:
        self._lost.set()
        self._ask(Lost())
        self._lost.clear()
        consumer.incremental_unassign(places)

    def _ask(self, event: Revoked | Lost) -> None:
        self._released.clear()
        if not self._closing.is_set():
            self._tell(event)
        while not self._closing.is_set() and not self._released.wait(POLL_SECONDS):
            self._answer()

    def _tell(self, event: Assigned | Revoked | Lost) -> None:
        def hear() -> None:
            self._events.append(event)
            self._heard.set()

        try:
            anyio.from_thread.run_sync(hear, token=self._token)
        except anyio.RunFinishedError:
            self._closing.set()


def _numbers(places: list[Place]) -> tuple[int, ...]:
    return tuple(sorted(place.partition for place in places))
