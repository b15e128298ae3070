"""The clients of a chaos run, all librdkafka's: each a thread that lives, is torn down, and lives again.

    Sender      an idempotent producer: single records
    Transactor  a transactional one: up to four records over partitions, some aborted, some abandoned
    Copier      reads a partition and commits what it wrote with the offsets of what it read, in one transaction
    Reader      reads all partitions by assignment and never skips: torn down, it goes on where it was
    Member      reads as a member of a group

Rules for whoever edits this: a process of the history is one life with one assignment; whoever comes back with less
certainty comes back under another name.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from tests.chaos.history import FAIL, INFO, OK, History, Operation, Send

LIFE_SECONDS = (15.0, 45.0)
RETRY_SECONDS = 0.5
CALL_SECONDS = 15.0
SETTLE_SECONDS = 45.0
FLUSH_SECONDS = 30.0
STUCK_SECONDS = 180.0
LIVES_MAX = 10_000
IN_FLIGHT_MAX = 300
SENDS_A_TRANSACTION_MAX = 4
POLL_RECORDS_MAX = 200
COPY_RECORDS_MAX = 50
ABORTED, ABANDONED = 0.2, 0.03
VALUE_BYTES = 400
CLIENT = {
    "reconnect.backoff.max.ms": 1000,
    "socket.timeout.ms": 10_000,
    "socket.connection.setup.timeout.ms": 5000,
    "api.version.request.timeout.ms": 5000,
    "log_level": 0,
}
"""Half-open connections are given up in seconds."""
PRODUCER = {**CLIENT, "acks": "all", "linger.ms": 5, "request.timeout.ms": 5000, "message.timeout.ms": 600_000}
"""Nothing is given up: librdkafka begins a new epoch whenever a message times out, and sends again under it what else
was on its way, which no broker knows again. With 20 s, Apache Kafka shows the same repeated records."""
CONSUMER = {
    **CLIENT,
    "enable.auto.commit": False,
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",
    "fetch.wait.max.ms": 100,
}


@dataclass(slots=True)
class Session:
    """What all clients of a run share. `trouble` counts what clients were told that no retry helps."""

    bootstrap: str
    topic: str
    partitions: int
    history: History = field(default_factory=History)
    values: Any = field(default_factory=count)
    over: threading.Event = field(default_factory=threading.Event)
    trouble: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[int, int]] = field(default_factory=list)


class Client(threading.Thread):
    """Lives until the session is over, again and again."""

    def __init__(self, name: str, session: Session, random: Random, pause: float) -> None:
        super().__init__(name=name, daemon=True)
        self.session, self.random, self.pause = session, random, pause
        self.failed: BaseException | None = None
        self.given_up = False
        self._lives = 0
        self._moved_at = time.monotonic()

    @property
    def process(self) -> str:
        """Its name in the history."""
        return f"{self.name}.{self._lives}"

    def run(self) -> None:
        try:
            while not self.session.over.is_set() and not self.given_up:
                self._lives += 1
                try:
                    self.live(time.monotonic() + self.random.uniform(*LIFE_SECONDS))
                except KafkaException as trouble:
                    self.complain(trouble.args[0])
                    self.session.over.wait(RETRY_SECONDS)
        except BaseException as failed:
            self.failed = failed

    def live(self, until: float) -> None:
        """One life. Raises: KafkaException, upon which it is born again."""
        raise NotImplementedError

    def complain(self, error: Any) -> None:
        self.session.trouble[f"{type(self).__name__}: {getattr(error, 'name', lambda: error)()}"] += 1

    def goes_on(self, until: float) -> bool:
        """After a pause."""
        self._moved_at = time.monotonic()
        return not self.session.over.wait(self.pause) and not self.given_up and time.monotonic() < until

    def stuck(self) -> bool:
        """Whether a call that has a time-out hasn't come back long after it."""
        return time.monotonic() - self._moved_at > STUCK_SECONDS

    def succeed(self, stuck: Client) -> None:
        """Take its place, under names it never had: librdkafka may yet let it go."""
        stuck.given_up = True
        self._lives = stuck._lives + LIVES_MAX

    def produce(self, producer: Producer, send: Send, delivered: Callable[[Any, Message], None]) -> None:
        value = str(send.value).encode().ljust(VALUE_BYTES)
        producer.produce(self.session.topic, value, partition=send.partition, on_delivery=delivered)

    def anywhere(self) -> int:
        return self.random.randrange(self.session.partitions)

    def note(self, operation: Operation, message: Message) -> None:
        """A record that was read."""
        value, partition, offset = message.value(), message.partition(), message.offset()
        assert partition is not None and offset is not None
        try:
            operation.saw(partition, offset, int(value or b""))
        except ValueError:
            self.session.unreadable.append((partition, offset))


class Sender(Client):
    def live(self, until: float) -> None:
        producer = Producer({**PRODUCER, "bootstrap.servers": self.session.bootstrap, "enable.idempotence": True})
        try:
            while self.goes_on(until):
                self._send(producer)
                producer.poll(0)
                while len(producer) > IN_FLIGHT_MAX and not self.session.over.is_set():
                    producer.poll(0.1)
        finally:
            producer.flush(FLUSH_SECONDS)

    def _send(self, producer: Producer) -> None:
        operation = self.session.history.begin(self.process, "send", time.monotonic())
        send = operation.send(self.anywhere(), next(self.session.values))
        try:
            self.produce(producer, send, partial(self._delivered, operation))
        except (BufferError, KafkaException) as refused:
            # It never was in the queue.
            self.session.history.end(operation, FAIL, time.monotonic(), str(refused))
            if isinstance(refused, KafkaException):
                raise

    def _delivered(self, operation: Operation, error: KafkaError | None, message: Message) -> None:
        now = time.monotonic()
        if error is None:
            operation.sent[0].offset = message.offset()
            self.session.history.end(operation, OK, now)
        else:
            self.session.history.end(operation, INFO, now, error.name())


class Transactor(Client):
    kind = "transaction"

    def live(self, until: float) -> None:
        producer = self.producer()
        while self.goes_on(until):
            operation = self.session.history.begin(self.process, self.kind, time.monotonic())
            if self.random.random() < ABANDONED:
                self._abandon(producer, operation)
                return
            self.transact(producer, operation, lambda: None)

    def producer(self) -> Producer:
        """One that has fenced its forerunner. Raises: KafkaException."""
        more = {"transactional.id": self.name, "transaction.timeout.ms": 20_000, "message.timeout.ms": 20_000}
        producer = Producer({**PRODUCER, **more, "bootstrap.servers": self.session.bootstrap})
        producer.init_transactions(SETTLE_SECONDS)
        return producer

    def transact(self, producer: Producer, operation: Operation, before_the_end: Callable[[], None]) -> None:
        """Raises: KafkaException if the producer is of no more use; the operation has its outcome in any case."""
        asked = False
        try:
            producer.begin_transaction()
            self._sends(producer, operation)
            commit = self.random.random() >= ABORTED
            until = time.monotonic() + SETTLE_SECONDS
            before_the_end()
            if not commit:
                # librdkafka 2.16 purges what it would send again, and gives its sequence numbers to the next records.
                producer.flush(SETTLE_SECONDS)
            while True:
                try:
                    if commit:
                        asked = True
                        producer.commit_transaction(CALL_SECONDS)
                    else:
                        producer.abort_transaction(CALL_SECONDS)
                except KafkaException as trouble:
                    error = trouble.args[0]
                    if time.monotonic() > until or not (error.retriable() or error.txn_requires_abort()):
                        raise
                    commit = commit and not error.txn_requires_abort()
                else:
                    self.session.history.end(operation, OK if commit else FAIL, time.monotonic())
                    return
        except KafkaException as trouble:
            # Who never asked for a commit has none: the next life begins with aborting what is open.
            outcome = INFO if asked else FAIL
            self.session.history.end(operation, outcome, time.monotonic(), str(trouble.args[0]))
            raise

    def _sends(self, producer: Producer, operation: Operation) -> None:
        for _ in range(self.random.randint(1, SENDS_A_TRANSACTION_MAX)):
            send = operation.send(self.anywhere(), next(self.session.values))
            self.produce(producer, send, partial(self._delivered, send))

    @staticmethod
    def _delivered(send: Send, error: KafkaError | None, message: Message) -> None:
        if error is None:
            send.offset = message.offset()

    def _abandon(self, producer: Producer, operation: Operation) -> None:
        """Neither committed nor aborted: the next life, or time, does."""
        try:
            producer.begin_transaction()
            self._sends(producer, operation)
            producer.poll(self.random.uniform(0, 0.2))
        finally:
            self.session.history.end(operation, FAIL, time.monotonic(), "abandoned")


class Copier(Transactor):
    """Args: partition: the one that it alone reads, for the group of all copiers."""

    kind = "copy"

    def __init__(self, name: str, session: Session, random: Random, pause: float, partition: int) -> None:
        super().__init__(name, session, random, pause)
        self._partition = partition

    def live(self, until: float) -> None:
        producer = self.producer()
        with closing(
            Consumer({**CONSUMER, "bootstrap.servers": self.session.bootstrap, "group.id": "copiers"})
        ) as reader:
            while self.goes_on(until):
                self._go_on_from_committed(reader)
                if not self._copy_while_it_commits(producer, reader, until):
                    return

    def _go_on_from_committed(self, reader: Consumer) -> None:
        self._lives += 1
        (known,) = reader.committed([TopicPartition(self.session.topic, self._partition)], CALL_SECONDS)
        if known.error:
            raise KafkaException(known.error)
        reader.assign([TopicPartition(self.session.topic, self._partition, max(0, known.offset))])

    def _copy_while_it_commits(self, producer: Producer, reader: Consumer, until: float) -> bool:
        """Whether it ended with a transaction that was aborted."""
        while self.goes_on(until):
            messages = reader.consume(COPY_RECORDS_MAX, 0.3)
            for message in messages:
                if message.error() is not None:
                    raise KafkaException(message.error())
            if not messages:
                continue
            operation = self.session.history.begin(self.process, self.kind, time.monotonic())
            for message in messages:
                self.note(operation, message)
            self.transact(producer, operation, partial(self._offsets, producer, reader, messages[-1]))
            if operation.outcome != OK:
                return True
        return False

    def _offsets(self, producer: Producer, reader: Consumer, last: Message) -> None:
        offset = last.offset()
        assert offset is not None
        position = [TopicPartition(self.session.topic, self._partition, offset + 1)]
        until = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                producer.send_offsets_to_transaction(position, reader.consumer_group_metadata(), CALL_SECONDS)
            except KafkaException as trouble:
                error = trouble.args[0]
                if error.txn_requires_abort():
                    return  # The commit will say so too.
                if not error.retriable() or time.monotonic() > until:
                    raise
            else:
                return


class Reader(Client):
    """`at` is where it goes on, by partition: what is below was read."""

    def __init__(self, name: str, session: Session, random: Random, pause: float) -> None:
        super().__init__(name, session, random, pause)
        self.at = dict.fromkeys(range(session.partitions), 0)

    @property
    def process(self) -> str:
        return self.name  # All its lives are one: nothing may be missing between them.

    def live(self, until: float) -> None:
        with closing(
            Consumer({**CONSUMER, "bootstrap.servers": self.session.bootstrap, "group.id": self.name})
        ) as reader:
            reader.assign([TopicPartition(self.session.topic, k, offset) for k, offset in self.at.items()])
            while self.goes_on(until):
                self.read(reader.consume(POLL_RECORDS_MAX, 0.5))

    def read(self, messages: list[Message]) -> None:
        """Raises: KafkaException for an error among them, after what came before it."""
        operation = Operation(self.process, "poll", time.monotonic(), outcome=OK)
        error = None
        for message in messages:
            if (error := message.error()) is not None:
                break
            self.note(operation, message)
            self.at[message.partition() or 0] = (message.offset() or 0) + 1
        operation.ended = time.monotonic()
        if operation.polled:
            self.session.history.add(operation)
        if error is not None:
            raise KafkaException(error)


class Member(Client):
    """Args: group: its protocol is the part before the dash: classic or consumer."""

    def __init__(self, name: str, session: Session, random: Random, pause: float, group: str) -> None:
        super().__init__(name, session, random, pause)
        self._group = group
        self._polled: Operation | None = None

    def live(self, until: float) -> None:
        protocol = self._group.partition("-")[0]
        ours = {
            "bootstrap.servers": self.session.bootstrap,
            "group.id": self._group,
            "group.protocol": protocol,
            "enable.auto.commit": True,
            "auto.commit.interval.ms": 1000,
            "auto.offset.reset": "earliest",
            **({"session.timeout.ms": 10_000, "heartbeat.interval.ms": 1000} if protocol == "classic" else {}),
        }
        with closing(Consumer({**CONSUMER, **ours})) as reader:
            reader.subscribe([self.session.topic], on_assign=self._moved, on_revoke=self._moved, on_lost=self._moved)
            while self.goes_on(until):
                self._poll(reader)

    def _moved(self, reader: Consumer, partitions: list[TopicPartition]) -> None:
        """What follows may begin again where the group has committed."""
        self._store()
        self._lives += 1

    def _poll(self, reader: Consumer) -> None:
        wait = 0.5
        for _ in range(POLL_RECORDS_MAX):
            message = reader.poll(wait)
            if message is None:
                break
            if message.error() is not None:
                self._store()
                raise KafkaException(message.error())
            if self._polled is None:
                self._polled = Operation(self.process, f"poll {self._group}", time.monotonic(), outcome=OK)
            self.note(self._polled, message)
            wait = 0
        self._store()

    def _store(self) -> None:
        if self._polled is not None:
            self._polled.ended = time.monotonic()
            self.session.history.add(self._polled)
            self._polled = None
