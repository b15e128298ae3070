"""Requests that are nearly right, by the million: each is answered or refused, and nothing else ever happens.

`FUZZ_SEED=n` begins elsewhere; a failure names the seed and the frame.
"""

from __future__ import annotations

import asyncio
import gc
import os
import struct
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.frames import Frames, parse_header
from streamflow.log.protocol.messages import (
    fetch_request,
    list_offsets_request,
    metadata_request,
    produce_request,
)
from streamflow.log.protocol.versions import CLIENT_APIS, PEER_APIS
from streamflow.log.records import build_batch
from streamflow.log.server.broker import CloseConnectionError, Later
from streamflow.log.server.dispatch import dispatch, encode

sys.path.insert(0, str(Path(__file__).parents[1] / "protocol"))
from mutations import Requests, served

pytestmark = pytest.mark.anyio

BROKER_REQUESTS = 2_000
"""As many to one broker: what good requests among them leave there doesn't add up."""
WAITING_MAX = 20
"""Requests that wait (fetches, joins) at once; the one that waits longest is given up for a new one."""
CHECK_EVERY = 500
SLOWEST_SECONDS = 2.0
SETTLED_REQUESTS = 100_000
"""After these the allocator has its pools; what grows later is something that is kept."""
MORE_BLOCKS_MAX = 90_000
"""One in ten requests that left one would be found."""
GROWN_BYTES_MAX = 256 << 20
"""Under 300 bytes a request: it is what larger things would leave. The allocator itself gives and takes 100 MiB."""
GOOD = "good-7f3a"


class Fuzz:
    """Args:
    from_peers: whether it is nodes that ask, as the node alone that is asked has none.
    """

    def __init__(self, door: Any, seed: str, *, from_peers: bool) -> None:
        self.door = door
        self.from_peers = from_peers
        self.random = Random(seed)
        self.seen: Counter[str] = Counter()
        self._waiting: list[asyncio.Task[None]] = []
        self._good = 0

    async def run(self, count: int) -> None:
        ids = [await self.door.topic("events", 3), await self.door.topic("compacted", cleanup_policy="compact")]
        await self.door.topic(GOOD)
        apis = PEER_APIS if self.from_peers else CLIENT_APIS
        requests = Requests(self.random, tuple(ids), served(apis.values()), self.door.broker.cluster_id)
        background = asyncio.ensure_future(self.door.node.group_coordinator.run())
        for number in range(count):
            frame = requests.mutated()
            began = time.process_time()
            try:
                await self._one(frame)
            except Exception as error:
                raise AssertionError(f"{type(error).__name__}: {error}; by {frame.hex()}") from error
            took = time.process_time() - began
            assert took < SLOWEST_SECONDS, f"{took:.1f} s; by {frame.hex()}"
            if number % CHECK_EVERY == CHECK_EVERY - 1:
                # Who is believed to be a node may take this one's place: clients are answered then, no more.
                await (self._ask_anything() if self.from_peers else self._ask_good())
        for task in [*self._waiting, background]:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.door.node.close()

    async def _one(self, frame: bytes) -> None:
        try:
            frames = Frames(from_peers=self.from_peers)
            frames.trusted = True
            frames.feed(struct.pack(">i", len(frame)) + frame)
            whole = frames.take()
            if whole is None:
                self.seen["too short"] += 1  # A frame of less than a head's length: more would be waited for.
                return
            header = parse_header(whole)
            answer = await dispatch(self.door.broker, header, whole, "10.0.0.1", from_peer=self.from_peers)
            if isinstance(answer, Later):
                await self._wait(header, answer)
            elif answer is not None:
                encode(header, answer)
            self.seen["answered"] += 1
        except (MalformedError, CloseConnectionError) as error:
            self.seen[type(error).__name__] += 1

    async def _wait(self, header: Any, later: Later) -> None:
        async def answer() -> None:
            with suppress(CloseConnectionError):
                message = await later.make()
                if message is not None:
                    encode(header, message)

        task = asyncio.ensure_future(answer())
        await asyncio.sleep(0)
        self._waiting.append(task)
        while self._waiting and (len(self._waiting) > WAITING_MAX or self._waiting[0].done()):
            oldest = self._waiting.pop(0)
            oldest.cancel()
            with suppress(asyncio.CancelledError):
                await oldest

    async def _ask_anything(self) -> None:
        found = await self.door.ask(metadata_request.MetadataRequest(topics=None), 9)
        assert GOOD in {topic.name for topic in found.topics}

    async def _ask_good(self) -> None:
        """A good client writes and reads, and finds what it wrote."""
        value = f"{self._good}"
        data = produce_request.PartitionProduceData(index=0, records=[build_batch([None], [value.encode()], [1000])])
        topic = produce_request.TopicProduceData(name=GOOD, partition_data=[data])
        produced = await self.door.ask(produce_request.ProduceRequest(acks=-1, topic_data=[topic]), 9)
        written = produced.responses[0].partition_responses[0]
        assert (written.error_code, written.base_offset) == (0, self._good)
        wanted = fetch_request.FetchPartition(partition=0, fetch_offset=self._good, partition_max_bytes=1 << 20)
        fetch = fetch_request.FetchRequest(topics=[fetch_request.FetchTopic(topic=GOOD, partitions=[wanted])])
        read = (await self.door.ask(fetch, 11)).responses[0].partitions[0]
        assert read.error_code == 0 and value.encode() in bytes(read.records)
        asked = metadata_request.MetadataRequestTopic(name=GOOD)
        found = await self.door.ask(metadata_request.MetadataRequest(topics=[asked]), 9)
        assert found.topics[0].error_code == 0
        end = list_offsets_request.ListOffsetsPartition(partition_index=0, timestamp=-1)
        ends = list_offsets_request.ListOffsetsRequest(
            topics=[list_offsets_request.ListOffsetsTopic(name=GOOD, partitions=[end])]
        )
        self._good += 1
        assert (await self.door.ask(ends, 5)).topics[0].partitions[0].offset == self._good


async def fuzz(door_with: Any, count: int, *, from_peers: bool = False) -> Counter[str]:
    seed = os.environ.get("FUZZ_SEED", "1")
    seen: Counter[str] = Counter()
    for number in range(0, count, BROKER_REQUESTS):
        door = await door_with(**{"auto.create.topics.enable": "false"}).start()
        fuzz = Fuzz(door, f"{seed}/{number}", from_peers=from_peers)
        await fuzz.run(min(BROKER_REQUESTS, count - number))
        seen += fuzz.seen
    return seen


async def test_requests_that_are_nearly_right_are_answered_or_refused(door_with: Any) -> None:
    seen = await fuzz(door_with, 4_000)
    assert min(seen["answered"], seen["MalformedError"]) > 500, "both are seen"


async def test_nodes_that_are_nearly_right_are_answered_or_refused(door_with: Any) -> None:
    """By a node alone, which has no door for them."""
    seen = await fuzz(door_with, 4_000, from_peers=True)
    assert min(seen["answered"], seen["MalformedError"]) > 500, "both are seen"


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_million_requests_that_are_nearly_right_harm_nothing(door_with: Any) -> None:
    began = time.monotonic()
    gc.collect()
    gc.freeze()  # What other tests left isn't looked through at a request's expense.
    seen = await fuzz(door_with, SETTLED_REQUESTS)
    blocks, memory = held()
    seen += await fuzz(door_with, 1_000_000 - SETTLED_REQUESTS)
    more_blocks, grown = (after - before for after, before in zip(held(), (blocks, memory), strict=True))
    print(f"{seen}: {time.monotonic() - began:.0f} s, {more_blocks:+,} blocks, {grown / (1 << 20):+.0f} MiB")
    assert more_blocks < MORE_BLOCKS_MAX
    assert grown < GROWN_BYTES_MAX


def held() -> tuple[int, int]:
    """What this process holds: blocks of Python's own allocator (all that has 512 bytes or fewer), and bytes in all."""
    gc.collect()
    return sys.getallocatedblocks(), psutil.Process().memory_info().rss
