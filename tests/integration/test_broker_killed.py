"""A broker is killed (kill -9) at random moments of a client's transactions, and started again: the client goes on.

The client is librdkafka (confluent-kafka), which names partitions before it writes to them and keeps its epoch
(`transaction.version` 0): a transaction that the broker forgot would be an error that ends it.
"""

from __future__ import annotations

import itertools
import random
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

confluent_kafka = pytest.importorskip("confluent_kafka")

READY_SECONDS = 20
FLUSH_SECONDS = 60
TRANSACTIONS = 60
GROUP = "app"
KILLS = 8


class Broker:
    """On one port and one directory, however often it is killed."""

    def __init__(self, data: Path, flush: str, *more: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self._command = [sys.executable, "-m", "streamflow.cli.main", "broker", "--data", str(data)]
        self._command += ["--listen", self.address, f"--set=log.flush={flush}", *more]
        self._log = data.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        host, _, port = self.address.rpartition(":")
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection((host, int(port)), 1):
                return
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.02)
        raise AssertionError(self._log.read_text())

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.kills += 1


class Killer(threading.Thread):
    """Kills the broker again and again until told to stop; then it is left running."""

    def __init__(self, broker: Broker, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self._broker, self._chance = broker, chance
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.wait(self._chance.uniform(0.0, 0.7)):
            self._broker.kill()
            self._broker.start()

    def finish(self) -> None:
        self._stop_asked.set()
        self.join(READY_SECONDS)
        assert not self.is_alive()


def again(call: Any, *args: Any) -> None:
    """As the client's manual asks: what may be tried again is."""
    until = time.monotonic() + 60
    while True:
        try:
            call(*args)
            return
        except confluent_kafka.KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > until:
                raise


def create_topics(address: str) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": address})
    for future in admin.create_topics([NewTopic("out", 2), NewTopic("in", 1)]).values():
        future.result(20)


def transact(producer: Any, member: Any, n: int, *, commit: bool) -> None:
    """One value to both partitions, and the group's offset.

    Before it aborts, the client waits for the answers to what it sent: librdkafka 2.16 purges what it would send again,
    and gives the sequence numbers of that to the next transaction's records, which brokers then take for repeated.
    """
    producer.begin_transaction()
    for partition in (0, 1):
        producer.produce("out", value=str(n if commit else -n - 1), partition=partition)
    offset = confluent_kafka.TopicPartition("in", 0, n + 1 if commit else 10**6)
    again(producer.send_offsets_to_transaction, [offset], member.consumer_group_metadata())
    if not commit:
        assert producer.flush(FLUSH_SECONDS) == 0
    again(producer.commit_transaction if commit else producer.abort_transaction)


def read(address: str, partition: int) -> list[int]:
    settings = {"bootstrap.servers": address, "group.id": "reader", "enable.partition.eof": True}
    consumer = confluent_kafka.Consumer({**settings, "isolation.level": "read_committed"})
    consumer.assign([confluent_kafka.TopicPartition("out", partition, 0)])
    found: list[int] = []
    while True:
        message = consumer.poll(20)
        assert message is not None, "what is committed can be read to its end"
        if message.error():
            assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF
            consumer.close()
            return found
        found.append(int(message.value()))


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.parametrize("flush", ["commit", "os"])
def test_a_client_goes_on_with_its_transaction_when_the_broker_is_killed(tmp_path: Path, flush: str) -> None:
    chance = random.Random()
    broker = Broker(tmp_path / "data", flush)
    broker.start()
    try:
        create_topics(broker.address)
        settings = {"bootstrap.servers": broker.address, "transactional.id": "t", "linger.ms": 0}
        backoff = {"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20}
        producer = confluent_kafka.Producer({**settings, **backoff, "log_level": 0})
        again(producer.init_transactions)
        member = confluent_kafka.Consumer({"bootstrap.servers": broker.address, "group.id": GROUP, "log_level": 0})
        killer = Killer(broker, chance)
        killer.start()
        committed: list[int] = []
        for n in itertools.count():
            if n >= TRANSACTIONS and broker.kills >= KILLS:
                break
            commit = chance.random() < 0.7
            transact(producer, member, n, commit=commit)
            committed += [n] if commit else []
        killer.finish()
        assert read(broker.address, 0) == read(broker.address, 1) == committed
        [known] = member.committed([confluent_kafka.TopicPartition("in", 0)], timeout=20)
        member.close()
        assert known.offset == committed[-1] + 1
    finally:
        broker.kill()
