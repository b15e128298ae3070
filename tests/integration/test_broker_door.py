"""A broker's process, and clients that are many, slow, greedy, broken or hostile; beside them one that behaves."""

from __future__ import annotations

import os
import random
import re
import resource
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.frames import Frames, parse_header
from streamflow.log.protocol.messages import (
    codec_of,
    create_topics_request,
    fetch_request,
    produce_request,
    read_request,
)
from streamflow.log.protocol.versions import APIS
from streamflow.log.records import build_batch

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "log" / "protocol"))
from mutations import Requests

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COMMAND = [sys.executable, "-m", "streamflow.cli.main", "broker", "--listen", "127.0.0.1:0"]
BY_NAME = {api.name: api for api in APIS.values()}
MIB = 1 << 20


class Running:
    """A broker. `said` is what it has logged so far."""

    def __init__(self, process: subprocess.Popen[str], log: Path, ready_seconds: float) -> None:
        self.process = process
        self.figures = psutil.Process(process.pid)
        self.ready_seconds = ready_seconds
        self._log = log
        found = re.search(r"event=ready address=127\.0\.0\.1:(\d+)", self.said)
        assert found
        self.address = ("127.0.0.1", int(found[1]))

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def rss(self) -> int:
        return int(self.figures.memory_info().rss)

    @property
    def cpu_seconds(self) -> float:
        used = self.figures.cpu_times()
        return float(used.user + used.system)

    def client(self) -> Client:
        return Client(self.address)

    def stop(self) -> float:
        """Returns: how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.said
        return time.monotonic() - began


@contextmanager
def broker(home: Path, *words: str) -> Iterator[Running]:
    log = home / f"log-{time.monotonic_ns()}"
    began = time.monotonic()
    with log.open("w") as out:
        process = subprocess.Popen([*COMMAND, "--data", str(home / "data"), *words], stdout=out, stderr=out, text=True)
    try:
        while "event=ready" not in log.read_text():
            assert process.poll() is None and time.monotonic() - began < 60, log.read_text()
            time.sleep(0.02)
        yield Running(process, log, time.monotonic() - began)
    finally:
        process.kill()
        process.wait()


class Client:
    """One connection. Raises ConnectionError when it is closed."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, request: Any, version: int) -> None:
        self.socket.sendall(encode(request, version))

    def answer(self) -> bytes:
        """A frame without its length."""
        return self._take(struct.unpack(">i", self._take(4))[0])

    def ask(self, request: Any, version: int) -> Any:
        self.send(request, version)
        frame = memoryview(self.answer())
        api = BY_NAME[name_of(request)]
        return codec_of(api.name, version, "response").read(frame, 4 + (version >= api.flexible))[0]

    def _take(self, count: int) -> bytes:
        got = bytearray()
        while len(got) < count:
            some = self.socket.recv(min(count - len(got), MIB))
            if not some:
                raise ConnectionError("closed")
            got += some
        return bytes(got)

    def create(self, topics: int, partitions: int) -> None:
        wanted = [
            create_topics_request.CreatableTopic(name=f"t{n}", num_partitions=partitions, replication_factor=1)
            for n in range(topics)
        ]
        self.socket.settimeout(120)  # Three fsyncs a partition.
        answer = self.ask(create_topics_request.CreateTopicsRequest(timeout_ms=120_000, topics=wanted), 5)
        self.socket.settimeout(30)
        assert {topic.error_code for topic in answer.topics} <= {0, 36}

    def produce(self, value: bytes, *wheres: tuple[str, int]) -> list[int]:
        """Offsets."""
        batch = build_batch([None], [value], [1000])
        topics = [
            produce_request.TopicProduceData(
                name=name, partition_data=[produce_request.PartitionProduceData(index=partition, records=[batch])]
            )
            for name, partition in wheres
        ]
        answer = self.ask(produce_request.ProduceRequest(acks=-1, timeout_ms=10_000, topic_data=topics), 9)
        found = [partition for topic in answer.responses for partition in topic.partition_responses]
        assert {partition.error_code for partition in found} == {0}
        return [partition.base_offset for partition in found]


def fetch(topic: str, partition: int, offset: int, *, wait_ms: int = 0, bytes_max: int = MIB) -> Any:
    wanted = fetch_request.FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=bytes_max)
    topics = [fetch_request.FetchTopic(topic=topic, partitions=[wanted])]
    return fetch_request.FetchRequest(max_wait_ms=wait_ms, min_bytes=1, max_bytes=bytes_max, topics=topics)


def name_of(request: Any) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", type(request).__name__.removesuffix("Request")).lower()


def encode(request: Any, version: int) -> bytes:
    api = BY_NAME[name_of(request)]
    out: list[Any] = []
    codec_of(api.name, version, "request").write(out, request)
    head = struct.pack(">hhih", api.key, version, 7, -1) + (b"\0" if version >= api.flexible else b"")
    body = b"".join((head, *out))
    return struct.pack(">i", len(body)) + body


def works(client: Client, value: bytes) -> None:
    """Writes and reads back."""
    (offset,) = client.produce(value, ("t0", 0))
    read = client.ask(fetch("t0", 0, offset), 11).responses[0].partitions[0]
    assert read.error_code == 0 and value in bytes(read.records)


# Many


def test_a_thousand_clients_wait_on_five_thousand_partitions_and_cost_nothing(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4000:
        pytest.skip(f"this machine lets a process open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with broker(tmp_path, "--metrics", "127.0.0.1:0") as first, first.client() as client:
        began = time.monotonic()
        client.create(50, 100)
        made = time.monotonic() - began
        stopped = first.stop()
    with broker(tmp_path, "--metrics", "127.0.0.1:0") as running, running.client() as client:
        ready, rss = running.ready_seconds, running.rss
        assert ready < 20
        assert rss < 200 * MIB
        for topic in range(50):
            client.produce(b"x", *((f"t{topic}", partition) for partition in range(20)))
        assert running.figures.num_fds() < 1000, "partitions hold no files open for ever"
        waiting = [running.client() for _ in range(1000)]
        for number, each in enumerate(waiting):
            each.send(fetch(f"t{number % 50}", number // 50, 1, wait_ms=120_000), 11)
        time.sleep(2)
        per_client = (running.rss - rss) / len(waiting)
        assert per_client < 100 << 10
        used = running.cpu_seconds
        time.sleep(5)
        used = running.cpu_seconds - used
        assert used < 0.25, "who waits costs nothing"
        began = time.monotonic()
        client.produce(b"news", ("t7", 3))
        concerned = waiting.pop(3 * 50 + 7)
        assert b"news" in concerned.answer()
        concerned.socket.close()
        woken = time.monotonic() - began
        assert select(waiting, 1) == [], "just who waited for it is woken"
        for topic in range(50):
            client.produce(b"news", *((f"t{topic}", partition) for partition in range(20)))
        assert all(b"news" in each.answer() for each in waiting)
        found = re.search(r"at=http://([\d.:]+)/metrics", running.said)
        assert found
        began = time.monotonic()
        text = urlopen(f"http://{found[1]}/metrics", timeout=20).read().decode()
        scraped = time.monotonic() - began
        assert "streamflow_connections 1000.0" in text
        assert text.count("streamflow_partition_end_offset{") == 5000
        for each in waiting:
            each.socket.close()
        print(
            f"made in {made:.1f} s, stopped in {stopped:.1f} s, ready in {ready:.1f} s with {rss / MIB:.0f} MiB; a "
            f"connection {per_client / 1024:.0f} KiB; {used:.2f} s of CPU in 5 s of waiting; woken in "
            f"{woken * 1000:.0f} ms; scraped in {scraped * 1000:.0f} ms"
        )


def select(clients: list[Client], seconds: float) -> list[int]:
    """Those that have been sent something, after so long."""
    time.sleep(seconds)
    with selectors.DefaultSelector() as selector:
        for number, client in enumerate(clients):
            selector.register(client.socket, selectors.EVENT_READ, number)
        return [key.data for key, _ in selector.select(0)]


def test_who_is_one_too_many_is_turned_away_and_the_others_served(tmp_path: Path) -> None:
    with broker(tmp_path, "--set", "max.connections=20") as running, running.client() as good:
        good.create(1, 1)
        clients = [running.client() for _ in range(200)]
        time.sleep(0.5)
        closed = select(clients, 0)
        assert len(closed) == 181
        works(good, b"still")
        for client in clients:
            client.socket.close()
        time.sleep(0.5)
        with running.client() as again:
            works(again, b"again")
        assert running.said.count("connection refused") < 30, "a flood is a few lines"


# Slow and greedy


def test_clients_that_do_not_read_what_they_asked_for_are_bounded_in_memory(tmp_path: Path) -> None:
    with broker(tmp_path, "--set", "queued.max.response.bytes=33554432") as running, running.client() as good:
        good.create(1, 2)
        for _ in range(40):
            good.produce(random.randbytes(1_000_000), ("t0", 1))
        works(good, b"before")
        before = running.rss
        greedy = [running.client() for _ in range(100)]
        for client in greedy:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(5):
                client.send(fetch("t0", 1, 0, bytes_max=50 * MIB), 11)
        most = 0
        for number in range(60):
            began = time.monotonic()
            works(good, b"%d" % number)
            assert time.monotonic() - began < 15, "who reads is served"
            most = max(most, running.rss - before)
            time.sleep(0.05)
        assert most < 200 * MIB, f"{most / MIB:.0f} MiB: 32 are allowed, and an answer beside"
        print(f"100 clients asked for 5 x 40 MB each and read nothing: {most / MIB:+.0f} MiB")
        for client in greedy:
            client.socket.close()


def test_requests_that_come_slowly_by_the_hundred_are_bounded_in_memory(tmp_path: Path) -> None:
    with broker(tmp_path, "--set", "queued.max.request.bytes=33554432") as running, running.client() as good:
        good.create(1, 1)
        before = running.rss
        greedy = [running.client() for _ in range(100)]
        half = encode(produce_request.ProduceRequest(acks=1, topic_data=[]), 9)[4:] + random.randbytes(4 * MIB)
        for client in greedy:
            client.socket.settimeout(0.05)
            client.send(fetch("t0", 0, 0), 11)
            with suppress(TimeoutError):
                client.socket.sendall(struct.pack(">i", 90 * MIB) + half)
        most = 0
        for number in range(40):
            works(good, b"%d" % number)
            most = max(most, running.rss - before)
            time.sleep(0.1)
        assert most < 200 * MIB, f"{most / MIB:.0f} MiB"
        print(f"100 clients announced 90 MiB each and sent 4: {most / MIB:+.0f} MiB")
        for client in greedy:
            client.socket.close()


# Broken and hostile


def test_what_is_no_request_closes_its_connection_and_is_logged_in_a_few_lines(tmp_path: Path) -> None:
    hostile = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"\x7f\xff\xff\xff\x00\x03\x00\x01",
        b"\xff\xff\xff\xff\x00\x03\x00\x01",
        struct.pack(">ihhih", 100, 999, 0, 1, -1),
        struct.pack(">ihhihB", 30, 3, 9, 1, -1, 0) + b"\xff\xff\xff\xff\x0f" + bytes(30),
        struct.pack(">ihhih", 20, 3, 1, 1, 30_000) + bytes(30),
    ]
    with broker(tmp_path) as running, running.client() as good:
        good.create(1, 1)
        for _ in range(100):
            for said in hostile:
                with running.client() as bad:
                    bad.socket.sendall(said)
                    assert bad.socket.recv(1) == b"", said
        for _ in range(200):  # Gone before it is looked at.
            bad = running.client()
            bad.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            bad.socket.close()
        works(good, b"still")
        time.sleep(2.5)
        assert running.said.count("\n") < 100, "a flood is a few lines and a count"
        assert "left out of this log" in running.said
        assert "our own error" not in running.said and "Traceback" not in running.said


def test_thousands_of_connections_with_broken_requests_harm_nobody(tmp_path: Path) -> None:
    count = int(os.environ.get("FUZZ_COUNT", "50000"))
    requests = Requests(random.Random(os.environ.get("FUZZ_SEED", "sockets")))
    settings = ("--set", "auto.create.topics.enable=false", "--set", "flush=os")
    with broker(tmp_path, *settings) as running, running.client() as good:
        good.create(1, 1)
        before = 0
        began = time.monotonic()
        sent = opened = 0
        while sent < count:
            opened += 1
            with running.client() as bad, suppress(ConnectionError):
                frames = list(until_malformed(requests, 50))
                sent += len(frames)
                bad.socket.sendall(b"".join(struct.pack(">i", len(frame)) + frame for frame in frames))
                bad.socket.shutdown(socket.SHUT_WR)
                bad.socket.settimeout(20)
                while bad.socket.recv(MIB):
                    pass
            if opened % 50 == 0:
                works(good, b"%d" % opened)
                assert running.process.poll() is None, running.said
            if sent >= count // 5 and not before:
                before = running.rss
        took = time.monotonic() - began
        works(good, b"after")
        grown = running.rss - before
        print(f"{sent} requests by {opened} connections in {took:.0f} s; {grown / MIB:+.0f} MiB")
        assert "Traceback" not in running.said, running.said[-4000:]
        assert grown < 100 * MIB
        running.stop()


def until_malformed(requests: Requests, most: int) -> Iterator[bytes]:
    """What one connection sends: whatever comes after a malformed request is not looked at."""
    for _ in range(most):
        frame = requests.mutated()
        yield frame
        frames = Frames()
        frames.trusted = True
        frames.feed(struct.pack(">i", len(frame)) + frame)
        try:
            whole = frames.take()
            if whole is None:
                return
            header = parse_header(whole)
            if header.api.serves(header.version):
                read_request(header.api.name, header.version, whole, header.body_at)
        except MalformedError:
            return


# Ends


def test_told_to_stop_it_answers_who_waits_and_closes_the_log(tmp_path: Path) -> None:
    with broker(tmp_path) as running, running.client() as waiting, running.client() as idle:
        waiting.create(1, 1)
        waiting.send(fetch("t0", 0, 0, wait_ms=60_000), 11)
        idle.create(1, 1)
        time.sleep(0.3)
        assert running.stop() < 3
        assert len(waiting.answer()) > 0
        for client in (waiting, idle):
            assert client.socket.recv(1) == b""
        assert "event=stopped" in running.said
    assert (tmp_path / "data" / "clean").exists()


def test_told_twice_it_stops_at_once_and_closes_the_log_all_the_same(tmp_path: Path) -> None:
    with broker(tmp_path) as running, running.client() as client:
        client.create(1, 1)
        for _ in range(30):
            client.produce(random.randbytes(1_000_000), ("t0", 0))
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(3):
            client.send(fetch("t0", 0, 0, bytes_max=50 * MIB), 11)
        time.sleep(0.5)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert running.process.poll() is None, "somebody is still being answered"
        assert running.stop() < 3
        assert "stopping at once" in running.said
    assert (tmp_path / "data" / "clean").exists()
