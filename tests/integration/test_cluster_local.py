"""A cluster on this machine as a user starts it, looks at it, loses a node of it, and stops it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil
import pytest

from streamflow.cli.local_cluster import PEERS_ABOVE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

COMMAND = [sys.executable, "-m", "streamflow.cli.main", "cluster"]
NODES = 3
FENCED_SECONDS = 30
STOPPED_SECONDS = 40
"""A controller whose change finds no majority any more waits 15 s for it, whatever it is told."""


def free_ports() -> int:
    """The first of so many that nobody has, and of as many above."""
    random = Random(os.getpid())
    while True:
        first = random.randrange(20_000, 30_000)
        try:
            for port in (first + above + n for above in (0, PEERS_ABOVE) for n in range(NODES)):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return first


@dataclass
class Cluster:
    process: subprocess.Popen[str]
    nodes: dict[int, psutil.Process]


@contextmanager
def cluster(data: Path, port: int) -> Iterator[Cluster]:
    """Ready."""
    with subprocess.Popen(
        [*COMMAND, "local", "--data", str(data), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        nodes: dict[int, psutil.Process] = {}
        try:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(NODES + 1)]
            for node in psutil.Process(process.pid).children():
                words = node.cmdline()
                nodes[int(words[words.index("--node-id") + 1])] = node
            for number, line in enumerate(said[:-1]):
                assert line.startswith(f"node {number + 1} ready at 127.0.0.1:{port + number}, data {data}/node-"), said
            assert said[-1].startswith(f"cluster ready, bootstrap 127.0.0.1:{port},127.0.0.1:{port + 1},"), said
            yield Cluster(process, nodes)
        finally:
            process.kill()
            for node in nodes.values():
                if node.is_running():
                    node.kill()


def status(*ports: int) -> tuple[int, str]:
    bootstrap = ",".join(f"127.0.0.1:{port}" for port in ports)
    done = subprocess.run(
        [*COMMAND, "status", "--bootstrap", bootstrap], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_three_nodes_start_lose_one_and_stop_in_order(tmp_path: Path) -> None:
    port = free_ports()
    with cluster(tmp_path / "data", port) as running:
        process = running.process
        code, told = status(port)
        assert (code, told.count("serving")) == (0, 3), told
        assert re.search(r"^quorum: led by node \d in epoch \d+, 3 voters$", told, re.MULTILINE)
        assert "offline: 0" in told

        running.nodes[3].kill()
        assert process.stdout is not None
        assert process.stdout.readline().startswith("node 3 died, exit code -9; its log is")
        until = time.monotonic() + FENCED_SECONDS
        while "node 3 at 127.0.0.1" not in told or "fenced" not in told:
            assert time.monotonic() < until, told
            code, told = status(port + 2, port)
        assert code == 0, "what the others lead is served"

        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=STOPPED_SECONDS)
        assert rest.splitlines() == ["node 2 stopped", "node 1 stopped"]
        assert process.returncode == 0
        assert (tmp_path / "data/node-1/clean").exists() and (tmp_path / "data/node-2/clean").exists()
    with cluster(tmp_path / "data", port):
        assert status(port)[0] == 0, "it comes back"


def test_a_cluster_without_a_majority_says_so(tmp_path: Path) -> None:
    port = free_ports()
    with cluster(tmp_path / "data", port) as running:
        for number in (2, 3):
            running.nodes[number].kill()
        code, told = status(port)
        assert code == 1
        assert "quorum: no leader is reached" in told


def test_nobody_there_and_a_port_that_is_taken_are_said(tmp_path: Path) -> None:
    port = free_ports()
    code, told = status(port, port + 1)
    assert code == 1
    assert told.startswith("error: no node answers; name one that runs with --bootstrap HOST:PORT"), told
    with socket.create_server(("127.0.0.1", port + 1)):
        done = subprocess.run(
            [*COMMAND, "local", "--data", str(tmp_path / "data"), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert (
        done.stderr == f"error: can't listen at 127.0.0.1:{port + 1}: Address already in use; choose another --port\n"
    )
    assert not (tmp_path / "data").exists()
