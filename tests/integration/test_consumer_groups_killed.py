"""Members of a KIP-848 group (librdkafka) outlive a broker that is killed (kill -9), and take over from one of theirs.

What each broker acknowledged it remembers: who is in the group, who has which partitions, how far it has come.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

confluent_kafka = pytest.importorskip("confluent_kafka")
admin = pytest.importorskip("confluent_kafka.admin")

sys.path.insert(0, str(Path(__file__).parent))

from test_broker_killed import Broker, Killer  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PARTITIONS, RECORDS, SECONDS = 4, 2_000, 60
MEMBER = """
import sys
from confluent_kafka import Consumer
member = Consumer({"bootstrap.servers": sys.argv[1], "group.id": "app", "group.protocol": "consumer"})
member.subscribe(["t"])
while True:
    member.poll(0.1)
"""


def member(broker: Broker) -> Any:
    settings = {
        "bootstrap.servers": broker.address,
        "group.id": "app",
        "group.protocol": "consumer",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "log_level": 0,
    }
    consumer = confluent_kafka.Consumer(settings)
    consumer.subscribe(["t"])
    return consumer


def create(broker: Broker) -> Any:
    client = admin.AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    client.create_topics([admin.NewTopic("t", PARTITIONS)])["t"].result(SECONDS)
    return client


def poll(members: list[Any], until: Callable[[], bool], seen: set[tuple[int, int]] | None = None) -> None:
    end = time.monotonic() + SECONDS
    while not until():
        assert time.monotonic() < end, [each.assignment() for each in members]
        for each in members:
            message = each.poll(0.02)
            if message is not None and not message.error() and seen is not None:
                seen.add((message.partition(), message.offset()))


def test_members_and_what_they_committed_outlive_a_broker_that_is_killed_again_and_again(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "data", "commit")
    broker.start()
    create(broker)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": broker.address, "enable.idempotence": True, "log_level": 0}
    )
    killer, chance = Killer(broker, random.Random(848)), random.Random(1)
    seen: set[tuple[int, int]] = set()
    with closing(member(broker)) as one, closing(member(broker)) as other:
        poll([one, other], lambda: len(one.assignment()) == len(other.assignment()) == 2, seen)
        killer.start()
        for n in range(RECORDS):
            producer.produce("t", str(n), partition=n % PARTITIONS)
            producer.poll(0)
            if n % 20 == 0:
                end = time.monotonic() + chance.uniform(0, 0.1)
                poll([one, other], lambda end=end: time.monotonic() > end, seen)
        killer.finish()
        assert producer.flush(SECONDS) == 0
        wanted = {(p, n) for p in range(PARTITIONS) for n in range(RECORDS // PARTITIONS)}
        poll([one, other], lambda: seen >= wanted, seen)
        assert seen == wanted
        for each in (one, other):
            each.commit(asynchronous=False)
    assert broker.kills > 3
    broker.kill()
    broker.start()
    client = admin.AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    group = client.describe_consumer_groups(["app"])["app"].result(SECONDS)
    assert (group.state, group.type) == (
        confluent_kafka.ConsumerGroupState.EMPTY,
        confluent_kafka.ConsumerGroupType.CONSUMER,
    )
    with closing(member(broker)) as third:
        where = [confluent_kafka.TopicPartition("t", p) for p in range(PARTITIONS)]
        assert [found.offset for found in third.committed(where, SECONDS)] == [RECORDS // PARTITIONS] * PARTITIONS
        poll([third], lambda: len(third.assignment()) == PARTITIONS)
    broker.kill()


def test_a_member_that_is_killed_is_replaced_when_its_session_ends(tmp_path: Path) -> None:
    timeouts = "--set=group.consumer.session.timeout.ms=3000", "--set=group.consumer.heartbeat.interval.ms=500"
    broker = Broker(tmp_path / "data", "os", *timeouts)
    broker.start()
    create(broker)
    with closing(member(broker)) as one:
        poll([one], lambda: len(one.assignment()) == PARTITIONS)
        doomed = subprocess.Popen([sys.executable, "-c", MEMBER, broker.address])
        try:
            poll([one], lambda: len(one.assignment()) == PARTITIONS // 2)
        finally:
            doomed.kill()
            doomed.wait()
        poll([one], lambda: len(one.assignment()) == PARTITIONS)
    broker.kill()
