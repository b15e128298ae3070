"""Kafka's protocol by hand: one plain socket, requests as kio encodes them, answers as they come.

What a client hides is visible here: error codes, versions, bytes. `stored_codecs` shows how a topic's batches lie in
the log, so that a client which quietly stopped compressing is found.
"""

from __future__ import annotations

import io
import socket
import struct
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from types import TracebackType
from typing import Any

from brokers import ask
from kio.schema.create_topics.v5 import request as create_topics_v5
from kio.schema.fetch.v4 import request as fetch_v4
from kio.serial import entity_reader, entity_writer

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
BATCH_HEAD = struct.Struct(">qiiBIH")
TIMEOUT_SECONDS = 20


class Wire:
    """A connection. Each request waits for its answer; `ask_bytes` sends whatever it is given."""

    def __init__(self, endpoint: tuple[str, int]) -> None:
        self.socket = socket.create_connection(endpoint, TIMEOUT_SECONDS)
        self._correlation = 0

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def ask(self, request: Any) -> Any:
        """The answer to a kio request, of the same version."""
        return decode(request, ask(self.socket, self.encode(request)))

    def ask_bytes(self, request: bytes) -> bytes:
        return ask(self.socket, request)

    def encode(self, request: Any) -> bytes:
        """A frame without its length."""
        self._correlation += 1
        kind = type(request)
        header = kind.__header_schema__(
            request_api_key=kind.__api_key__,
            request_api_version=kind.__version__,
            correlation_id=self._correlation,
            client_id="wire",
        )
        into = io.BytesIO()
        entity_writer(type(header))(into, header)
        entity_writer(kind)(into, request)
        return into.getvalue()


def decode(request: Any, frame: bytes) -> Any:
    """A frame without its length, read as the answer to that request. Raises: AssertionError for bytes left over."""
    kind = type(request)
    module = import_module(kind.__module__.removesuffix("request") + "response")
    response = getattr(module, kind.__name__.removesuffix("Request") + "Response")
    _, at = entity_reader(response.__header_schema__)(frame, 0)
    entity, size = entity_reader(response)(frame, at)
    assert at + size == len(frame), f"{len(frame) - at - size} bytes after the answer"
    return entity


def batches(records: bytes) -> Iterator[bytes]:
    """The whole batches in what a fetch returned."""
    at = 0
    while at + 12 <= len(records):
        (length,) = struct.unpack_from(">i", records, at + 8)
        if at + 12 + length > len(records):
            return
        yield records[at : at + 12 + length]
        at += 12 + length


def stored_codecs(endpoint: tuple[str, int], topic: str, partition: int = 0) -> set[str]:
    """The compression of the batches at a partition's start; control batches aside."""
    request = fetch_v4.FetchRequest(
        max_wait=timedelta(0),
        min_bytes=0,
        topics=(
            fetch_v4.FetchTopic(
                topic=topic,
                partitions=(fetch_v4.FetchPartition(partition=partition, fetch_offset=0, partition_max_bytes=1 << 20),),
            ),
        ),
    )
    with Wire(endpoint) as wire:
        (answer,) = wire.ask(request).responses[0].partitions
    attributes = [BATCH_HEAD.unpack_from(batch)[5] for batch in batches(answer.records or b"")]
    return {CODECS[bits & 0b111] for bits in attributes if not bits & 0b100000}


def create_topic(endpoint: tuple[str, int], topic: str, partitions: int = 1, **configs: str) -> str:
    """For clients that can't. Raises: AssertionError if it isn't created."""
    wanted = create_topics_v5.CreatableTopic(
        name=topic,
        num_partitions=partitions,
        replication_factor=1,
        assignments=(),
        configs=tuple(
            create_topics_v5.CreatableTopicConfig(name=key.replace("_", "."), value=value)
            for key, value in configs.items()
        ),
    )
    request = create_topics_v5.CreateTopicsRequest(topics=(wanted,), timeout=timedelta(seconds=TIMEOUT_SECONDS))
    with Wire(endpoint) as wire:
        (answer,) = wire.ask(request).topics
    assert answer.error_code == 0, f"{answer.error_code!r}: {answer.error_message}"
    return topic
