"""A process that writes to log://PATH is killed (kill -9) at random moments: what it was told holds."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamflow.event import TopicPartition
from streamflow.log.errors import DirectoryInUseError
from streamflow.transport import open_transport
from streamflow.transport.base import Transport

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

ROOT = Path(__file__).parents[2]
IN, A, B = TopicPartition("in", 0), TopicPartition("out", 0), TopicPartition("out", 1)

WRITER = """
import asyncio, sys
from streamflow.transport import open_transport
from streamflow.transport.base import Batch, Committed, TopicPartition, TopicSpec

IN, A, B = TopicPartition("in", 0), TopicPartition("out", 0), TopicPartition("out", 1)
CONFIG = {"segment.bytes": "20000", "retention.ms": "-1"}

def one(n):
    return Batch([None], [b"%d" % n], [n], range(1))

async def main(url):
    log = open_transport(url)
    await log.open()
    topics = await log.topics()
    if "in" not in topics:
        await log.create_topic(TopicSpec(name="in", config=CONFIG))
    if "out" not in topics:
        await log.create_topic(TopicSpec(name="out", partitions=2, config=CONFIG))
    plain, writer = await log.writer(), await log.writer("app")
    known = await log.committed("app")
    n = known[IN].offset if known else 0
    print("open", flush=True)
    while True:
        await plain.append(IN, one(n))
        print("plain", n, flush=True)
        await writer.begin()
        await writer.append(A, one(n))
        await writer.append(B, one(n))
        if n % 5 == 4:
            await writer.append(A, one(-n))
            await writer.abort()
            await writer.begin()
            await writer.append(B, one(n))
            await writer.append(A, one(n))
        await writer.add_offsets("app", {IN: Committed(n + 1)})
        await writer.commit()
        print("committed", n, flush=True)
        n += 1

asyncio.run(main(sys.argv[1]))
"""


def start(url: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def live(url: str, seconds: float) -> list[str]:
    """What the writer said before it was killed, `seconds` after it had opened the log."""
    process = start(url)
    assert process.stdout is not None and process.stderr is not None
    with process:
        first = process.stdout.readline()
        time.sleep(seconds)
        process.kill()
        said = process.stdout.read()
        errors = process.stderr.read()
    assert first == "open\n", errors
    return said[: said.rfind("\n") + 1].splitlines()


async def everything(log: Transport, where: TopicPartition) -> list[int]:
    reader = await log.reader()
    reader.assign({where: 0})
    found: list[int] = []
    while (await reader.lag())[where]:
        for _, batch in await reader.poll(10_000, 1):
            found += [int(v) for v in batch.values]
    return found


def count(said: list[str], word: str) -> int:
    return max((int(line.split()[1]) + 1 for line in said if line.startswith(word)), default=0)


@pytest.mark.slow
@pytest.mark.parametrize("flush", ["commit", "os"])
async def test_a_killed_writer_leaves_whole_transactions_and_all_it_was_told(tmp_path: Path, flush: str) -> None:
    url, chance = f"log://{tmp_path}/log?flush={flush}", random.Random()
    plain = committed = 0
    for _ in range(15):
        said = live(url, chance.uniform(0.0, 0.25))
        plain, committed = max(plain, count(said, "plain")), max(committed, count(said, "committed"))
        log = open_transport(url)
        await log.open()
        a, b = await everything(log, A), await everything(log, B)
        assert a == b == list(range(len(a)))
        assert len(a) >= committed
        assert set(await everything(log, IN)) >= set(range(plain))
        known = await log.committed("app")
        assert (known[IN].offset if known else 0) == len(a)
        for topic in await log.topics():
            for info in await log.describe_partitions(topic):
                assert info.last_stable_offset == info.high_watermark
        await log.close()
        committed = len(a)
    assert committed > 15


async def test_a_second_process_is_told_which_one_has_the_log(tmp_path: Path) -> None:
    url = f"log://{tmp_path}/log"
    process = start(url)
    assert process.stdout is not None
    with process:
        process.stdout.readline()
        try:
            with pytest.raises(DirectoryInUseError, match=rf"in use by process {process.pid}\b"):
                await open_transport(url).open()
        finally:
            process.kill()
    log = open_transport(url)
    await log.open()
    await log.close()
