"""kcat, unmodified: Debian's build, of a librdkafka some years old."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from brokers import Broker
from programs import run
from toolchains import Missing, leave
from toolchains import kcat as find_kcat
from waiting import eventually
from wire import CODECS, create_topic, stored_codecs

Name = Callable[[str], str]
Kcat = Callable[..., str]
SECONDS = 20
QUICK = ("-X", "heartbeat.interval.ms=200", "-X", "session.timeout.ms=2000", "-X", "fetch.wait.max.ms=100")


@pytest.fixture(scope="session")
def program() -> str:
    try:
        return find_kcat()
    except Missing as why:
        leave(str(why))


@pytest.fixture
def kcat(broker: Broker, program: str) -> Kcat:
    def kcat(*args: str, stdin: str = "") -> str:
        return run([program, "-q", "-b", broker.address, *args], SECONDS, stdin)

    return kcat


@pytest.fixture
def topic(broker: Broker, name: Name) -> str:
    return create_topic(broker.endpoint, name("topic"))


def lines(*values: str) -> str:
    return "".join(f"{value}\n" for value in values)


def messages(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_produced_with_any_compression_is_consumed(broker: Broker, kcat: Kcat, topic: str, codec: str) -> None:
    sent = lines(*(f"value {n} {'x' * 100}" for n in range(300)))
    kcat("-P", "-t", topic, "-z", codec, stdin=sent)
    assert kcat("-C", "-t", topic, "-o", "beginning", "-e") == sent
    assert stored_codecs(broker.endpoint, topic) == {codec}


def test_keys_values_and_headers_come_back_null_or_not(kcat: Kcat, topic: str) -> None:
    kcat("-P", "-t", topic, "-K", ":", "-H", "a=1", "-H", "a=2", "-H", "none", stdin="key:value\n")
    kcat("-P", "-t", topic, "-K", ":", "-Z", stdin=":no key\nno value:\n")
    got = messages(kcat("-C", "-t", topic, "-o", "beginning", "-e", "-J"))
    assert [(m.get("key"), m.get("payload"), m.get("headers")) for m in got] == [
        ("key", "value", ["a", "1", "a", "2", "none", None]),
        (None, "no key", None),
        ("no value", None, None),
    ]
    assert [(m["partition"], m["offset"], m["tstype"]) for m in got] == [(0, n, "create") for n in range(3)]


@dataclass(frozen=True)
class Member:
    """A running member of a group."""

    process: subprocess.Popen[bytes]
    log: Path

    def held(self) -> set[int]:
        """The partitions it has, as it tells."""
        told = re.findall(r"assigned: (.*)|revoked", self.log.read_text())
        return {int(n) for n in re.findall(r"\[(\d+)\]", told[-1])} if told else set()


@contextmanager
def member(program: str, broker: Broker, group: str, topic: str, log: Path) -> Iterator[Member]:
    """It leaves its group at the end."""
    command = [program, "-b", broker.address, *QUICK, "-G", group, topic]
    with log.open("wb") as out, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=out) as process:
        try:
            yield Member(process, log)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(SECONDS)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["leaves", "is killed"])
def test_two_members_share_the_partitions_and_when_one_goes_the_other_has_all(
    broker: Broker, program: str, name: Name, tmp_path: Path, how: signal.Signals
) -> None:
    topic, group = create_topic(broker.endpoint, name("topic"), partitions=4), name("group")
    with member(program, broker, group, topic, tmp_path / "first") as first:
        eventually(first.held, {0, 1, 2, 3})
        with member(program, broker, group, topic, tmp_path / "second") as second:
            eventually(lambda: (len(first.held()), len(second.held())), (2, 2))
            assert first.held() | second.held() == {0, 1, 2, 3}
            second.process.send_signal(how)
            eventually(first.held, {0, 1, 2, 3})


def test_a_group_resumes_where_it_committed(kcat: Kcat, topic: str, name: Name) -> None:
    group = name("group")
    kcat("-P", "-t", topic, stdin=lines(*"abcde"))
    consume = (*QUICK, "-X", "auto.offset.reset=earliest", "-G", group)
    assert kcat(*consume, "-c", "3", topic) == lines(*"abc")
    assert kcat(*consume, "-c", "2", topic) == lines(*"de")


def test_consuming_begins_at_a_time(kcat: Kcat, topic: str) -> None:
    for value in "ab":
        kcat("-P", "-t", topic, stdin=lines(value))
        time.sleep(0.01)
    stamps = [m["ts"] for m in messages(kcat("-C", "-t", topic, "-o", "beginning", "-e", "-J"))]
    assert kcat("-C", "-t", topic, "-o", f"s@{stamps[1]}", "-e") == "b\n"
    assert kcat("-Q", "-t", f"{topic}:0:{stamps[1]}") == f"{topic} [0] offset 1\n"
    assert kcat("-Q", "-t", f"{topic}:0:-1") == f"{topic} [0] offset 2\n"
    assert kcat("-Q", "-t", f"{topic}:0:-2") == f"{topic} [0] offset 0\n"
    assert kcat("-C", "-t", topic, "-o", "-1", "-e") == "b\n"


def test_an_idempotent_producer_keeps_order_over_many_batches(kcat: Kcat, topic: str) -> None:
    sent = lines(*(str(n) for n in range(1000)))
    settings = ("-X", "enable.idempotence=true", "-X", "batch.num.messages=10")
    kcat("-P", "-t", topic, *settings, stdin=sent)
    assert kcat("-C", "-t", topic, "-o", "beginning", "-e") == sent


def test_a_transaction_is_read_when_it_is_committed(kcat: Kcat, topic: str, name: Name) -> None:
    sent = lines("a", "b")
    kcat("-P", "-t", topic, "-X", f"transactional.id={name('transaction')}", stdin=sent)
    committed = ("-C", "-t", topic, "-o", "beginning", "-X", "isolation.level=read_committed")
    assert kcat(*committed, "-c", "2") == sent
    kcat("-P", "-t", topic, stdin=lines("c"))
    last = messages(kcat(*committed, "-c", "3", "-J"))[-1]
    assert (last["payload"], last["offset"]) == ("c", 3), "the marker took an offset"


def test_the_cluster_and_its_topics_are_listed(broker: Broker, kcat: Kcat, topic: str) -> None:
    found = json.loads(kcat("-L", "-J"))
    assert [each["name"] for each in found["brokers"]] == [broker.address]
    (mine,) = [each for each in found["topics"] if each["topic"] == topic]
    (partition,) = mine["partitions"]
    node = found["brokers"][0]["id"]
    assert (partition["partition"], partition["leader"]) == (0, node)
    assert [each["id"] for each in partition["replicas"]] == [each["id"] for each in partition["isrs"]] == [node]
