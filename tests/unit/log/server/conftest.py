"""A broker without a socket: requests go in as a client of some version would send them, answers come out as it would
read them."""

from __future__ import annotations

import re
import struct
from random import Random
from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import NewTopic
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.flusher import inline
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.node.replica import Replica
from streamflow.log.protocol.codec import Buffer
from streamflow.log.protocol.frames import API_VERSIONS, RequestHeader
from streamflow.log.protocol.messages import codec_of
from streamflow.log.protocol.versions import APIS
from streamflow.log.records import build_batch
from streamflow.log.server.broker import Address, Broker, Later
from streamflow.log.server.dispatch import dispatch, encode
from streamflow.log.storage.files import MemoryFiles

BY_NAME = {api.name: api for api in APIS.values()}


class Door:
    """A node in memory behind a broker. `now` is its clock, in ms; `restart` begins anew on the same files."""

    def __init__(self, **settings: str) -> None:
        self.now = 1_700_000_000_000
        self.files = MemoryFiles()
        self.config = NodeConfig.parse(settings)
        self.broker: Broker

    async def start(self) -> Door:
        world = Surroundings(
            files=self.files, now_ms=lambda: self.now, random_bytes=Random(self.now).randbytes, blocking=inline
        )
        node = await Node.open(world, self.config, clean=True)
        self.broker = Broker(node, Address("here", 9092))
        return self

    async def restart(self) -> None:
        await self.node.close()
        self.now += 1
        await self.start()

    @property
    def node(self) -> Node:
        return self.broker.node

    async def topic(self, name: str = "events", partitions: int = 1, **config: str) -> bytes:
        """Creates it. Settings are named with _ for a dot. Returns: its id."""
        settings = {key.replace("_", "."): value for key, value in config.items()}
        await self.node.topics.create(NewTopic(name=name, partitions=partitions, config=settings))
        return self.node.topics.describe(name).topic_id

    def replica(self, name: str = "events", partition: int = 0) -> Replica:
        return self.node.topics.find(TopicPartition(name, partition))

    async def append(self, *values: str, topic: str = "events", partition: int = 0, at_ms: int = 1000) -> int:
        """One batch, a ms between its records. Returns: the first offset."""
        times = [at_ms + n for n in range(len(values))]
        data = build_batch([None] * len(values), [v.encode() for v in values], times)
        return await self.node.append(TopicPartition(topic, partition), data)

    async def ask(
        self, request: Any, version: int | None = None, *, client_id: str = "test", from_peer: bool = False
    ) -> Any:
        """The answer to a message, of the newest version served unless another is given; None where none is."""
        answer, header = await self.begin(request, version, client_id=client_id, from_peer=from_peer)
        if isinstance(answer, Later):
            answer = await answer.make()
        if answer is None:
            return None
        frame = memoryview(b"".join(encode(header, answer)))
        body_at = 8 + (header.version >= header.api.flexible and header.api.key != API_VERSIONS)
        read, end = codec_of(header.api.name, header.version, "response").read(frame, body_at)
        assert end == len(frame), "an answer has nothing after its end"
        return read

    async def begin(
        self, request: Any, version: int | None = None, *, client_id: str = "test", from_peer: bool = False
    ) -> tuple[Any, RequestHeader]:
        """What the handler says at once, which may be a `Later`."""
        name = re.sub(r"(?<=.)([A-Z])", r"_\1", type(request).__name__.removesuffix("Request")).lower()
        api = BY_NAME[name]
        version = api.highest if version is None else version
        head = struct.pack(">hhih", api.key, version, 1, len(client_id)) + client_id.encode()
        written: list[Buffer] = [head, b"\0" if version >= api.flexible else b""]
        body_at = sum(map(len, written))
        codec_of(name, version, "request").write(written, request)
        header = RequestHeader(api=api, version=version, correlation_id=1, client_id=client_id, body_at=body_at)
        frame = memoryview(b"".join(written))
        return await dispatch(self.broker, header, frame, "10.1.2.3", from_peer=from_peer), header


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def door() -> Door:
    return await Door().start()


@pytest.fixture
def door_with() -> type[Door]:
    """For other settings: `await door_with(**{"num.partitions": "3"}).start()`."""
    return Door
