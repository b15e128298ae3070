"""The brokers under load: ours, with and without waiting for the disk, and Apache Kafka as it comes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.broker.tools import CLIENTS, java, kafka_jars

sys.path.insert(0, str(CLIENTS))
from brokers import answers, free_port

ROOT = Path(__file__).parents[2]
READY_SECONDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Running:
    """`ready_seconds` from the start of the process to its first good answer."""

    name: str
    address: str
    pid: int
    ready_seconds: float

    def peak_mb(self) -> float:
        """Of resident memory, so far."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1000
        raise AssertionError("Linux says how much memory a process has had")

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Contender:
    """`promise` is what an acknowledged record survives."""

    name: str
    promise: str
    flush: str = ""

    def command(self, home: Path, address: str) -> list[str]:
        if self.flush:
            broker = [sys.executable, "-m", "streamflow.cli.main", "broker", "--data", str(home / "data")]
            settings = [f"log.flush={self.flush}", "group.initial.rebalance.delay.ms=0"]
            return [*broker, "--listen", address, *(f"--set={setting}" for setting in settings)]
        return self._kafka(home, address)

    def _kafka(self, home: Path, address: str) -> list[str]:
        """With the heap and the collector of `kafka-server-start.sh`."""
        controller = f"127.0.0.1:{free_port()}"
        properties = home / "server.properties"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": controller,
            "log.dirs": str(home / "data"),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
        }
        properties.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        start = [java().program, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{kafka_jars()}/*"]
        format_ = [*start, "kafka.tools.StorageTool", "format", "--standalone", "-t", "benchmark", "-c"]
        subprocess.run([*format_, str(properties)], check=True, capture_output=True, timeout=60)
        collector = ["-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35"]
        return [start[0], "-Xmx1G", "-Xms1G", "-server", *collector, *start[1:], "kafka.Kafka", str(properties)]


CONTENDERS = (
    Contender("streamflow", "a power cut (fsync before the answer)", "commit"),
    Contender("streamflow, flush=os", "a killed process", "os"),
    Contender("kafka", "a killed process"),
)


@contextmanager
def running(contender: Contender) -> Iterator[Running]:
    """On loopback, with an empty directory, until the block ends."""
    home = Path(tempfile.mkdtemp(prefix="streamflow-bench-"))
    address = f"127.0.0.1:{free_port()}"
    command = contender.command(home, address)
    with (home / "log").open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=ROOT)
    try:
        while not answers(("127.0.0.1", int(address.rpartition(":")[2]))):
            if process.poll() is not None or time.monotonic() - began > READY_SECONDS_MAX:
                raise RuntimeError(f"{contender.name} didn't start:\n{(home / 'log').read_text()[-2000:]}")
            time.sleep(0.01)
        yield Running(contender.name, address, process.pid, time.monotonic() - began)
    finally:
        process.kill()
        process.wait(20)
        shutil.rmtree(home, ignore_errors=True)
