"""The broker, as a user starts and stops it, with the bytes that go over the wire made here."""

from __future__ import annotations

import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamflow.log.records import build_batch

COMMAND = [sys.executable, "-m", "streamflow.cli.main", "broker"]
READY_SECONDS = 20


@dataclass
class Running:
    process: subprocess.Popen[str]
    address: tuple[str, int]
    ready_seconds: float

    def ask(self, api: int, version: int, body: bytes) -> bytes:
        """The answer's body, of an API and version whose header has no tags."""
        with socket.create_connection(self.address, 10) as door:
            request = struct.pack(">hhih", api, version, 7, -1) + body
            door.sendall(struct.pack(">i", len(request)) + request)
            (size,) = struct.unpack(">i", self._take(door, 4))
            return self._take(door, size)[4:]

    @staticmethod
    def _take(door: socket.socket, count: int) -> bytes:
        got = b""
        while len(got) < count:
            some = door.recv(count - len(got))
            assert some, "the broker closed the connection"
            got += some
        return got

    def produce(self, topic: str, value: bytes) -> tuple[int, int]:
        """Error code and offset."""
        records = build_batch([None], [value], [1000])
        name = struct.pack(">h", len(topic)) + topic.encode()
        head = struct.pack(">hhii", -1, -1, 10_000, 1) + name + struct.pack(">iii", 1, 0, len(records))
        answer = self.ask(0, 3, head + records)
        code, offset = struct.unpack_from(">hq", answer, 4 + len(name) + 4 + 4)
        return code, offset

    def stop(self, number: int = signal.SIGTERM) -> str:
        """What it said."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=20)
        return out


@contextmanager
def broker(data: Path, *settings: str) -> Iterator[Running]:
    command = [*COMMAND, "--data", str(data), "--listen", "127.0.0.1:0", *(f"--set={s}" for s in settings)]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said = ""
        while (found := re.search(r"event=ready address=127\.0\.0\.1:(\d+)", said)) is None:
            line = process.stdout.readline()
            assert line and time.monotonic() - began < READY_SECONDS, said
            said += line
        yield Running(process, ("127.0.0.1", int(found[1])), time.monotonic() - began)
    finally:
        process.kill()
        process.communicate()


def command(*words: str, stdin: str = "") -> str:
    done = subprocess.run([*COMMAND[:-1], *words], input=stdin, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_directory_goes_from_the_embedded_log_to_the_broker_and_back(tmp_path: Path, number: int) -> None:
    log = f"log://{tmp_path}/data"
    command("produce", "events", "--create", "--partitions", "1", "--log", log, stdin="one\ntwo\n")
    with broker(tmp_path / "data") as running:
        assert running.produce("events", b"three") == (0, 2)
        assert running.produce("made-on-the-way", b"x") == (3, -1), "Produce creates nothing"
        said = running.stop(number)
        assert ("event=stopped" in said) == (number != signal.SIGKILL), said
    assert command("consume", "events", "--format", "raw", "--log", log).split() == ["one", "two", "three"]
    command("produce", "events", "--log", log, stdin="four\n")
    with broker(tmp_path / "data") as running:
        assert running.produce("events", b"five") == (0, 4)


@pytest.mark.slow
def test_what_was_acknowledged_is_there_after_kill_minus_9(tmp_path: Path) -> None:
    for offset in range(3):
        with broker(tmp_path / "data", "num.partitions=1") as running:
            if not offset:
                metadata = struct.pack(">ih", 1, 6) + b"events"
                running.ask(3, 1, metadata)
            assert running.produce("events", b"%d" % offset) == (0, offset)
    log = f"log://{tmp_path}/data"
    assert command("consume", "events", "--format", "raw", "--log", log).split() == ["0", "1", "2"]


@pytest.mark.slow
def test_a_broker_that_cannot_serve_says_why_in_one_line(tmp_path: Path) -> None:
    with broker(tmp_path / "data") as running:
        host, port = running.address
        for words, message in (
            (["--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"], "is in use by process"),
            (["--data", str(tmp_path / "other"), "--listen", f"{host}:{port}"], "another process listens there"),
            (["--data", str(tmp_path / "other"), "--listen", "nowhere"], "write HOST:PORT"),
            (["--data", "/proc/none", "--listen", "127.0.0.1:0"], "/proc/none"),
            (["--data", str(tmp_path / "other"), "--set", "nosuch=1"], "unknown setting 'nosuch'"),
        ):
            done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=20, check=False)
            assert done.returncode == 1, done.stderr
            assert message in done.stderr, done.stderr
            assert "Traceback" not in done.stderr
        assert running.produce("events", b"x")[0] == 3, "and the first one serves on"
