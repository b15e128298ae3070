"""Kafka's protocol by hand: one plain socket, requests as kio encodes them, answers as they come.

What a client hides is visible here: error codes, versions, bytes. `stored_codecs` shows how a topic's batches lie in
the log, so that a client which quietly stopped compressing is found.
"""

from __future__ import annotations

import dataclasses
import io
import socket
import struct
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from types import NoneType, TracebackType, UnionType
from typing import Any, get_args, get_origin
from uuid import UUID

from brokers import ask, take
from kio.serial import entity_reader, entity_writer
from waiting import eventually

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

    def receive(self) -> bytes:
        """The next answer, whoever's it is, without its length."""
        return take(self.socket, struct.unpack(">i", take(self.socket, 4))[0])

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


def message(api: str, version: int, **values: Any) -> Any:
    """A request by the names of Kafka's schema: structures as dicts, arrays as lists, times in ms; the rest is zero.

    Raises: TypeError for a name the version doesn't have.
    """
    module = import_module(f"kio.schema.{api}.v{version}.request")
    name = "".join(word.capitalize() for word in api.split("_")) + "Request"
    return structure(getattr(module, name), values)


def structure(kind: type[Any], values: Mapping[str, Any]) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if values.keys() - fields.keys():
        raise TypeError(f"{kind.__module__} has no {sorted(values.keys() - fields.keys())}, but {sorted(fields)}")
    missing = {n for n, f in fields.items() if f.default is dataclasses.MISSING}
    given = {n: value_of(fields[n].type, value) for n, value in values.items()}
    return kind(**{**{n: zero(fields[n].type) for n in missing}, **given})


def value_of(kind: Any, value: Any) -> Any:
    """A plain value as the field's type wants it."""
    inner = without_none(kind)
    if value is None:
        return None
    if get_origin(inner) is tuple:
        return tuple(value_of(get_args(inner)[0], each) for each in value)
    if dataclasses.is_dataclass(inner):
        return structure(inner, value)
    if issubclass(inner, timedelta):
        return timedelta(milliseconds=value)
    return value


def zero(kind: Any) -> Any:
    inner = without_none(kind)
    if inner is not kind:
        return None
    if get_origin(inner) is tuple:
        return ()
    if dataclasses.is_dataclass(inner):
        return structure(inner, {})
    plain = next(each for each in (bool, int, float, str, bytes, timedelta, UUID) if issubclass(inner, each))
    return UUID(int=0) if plain is UUID else plain()


def without_none(kind: Any) -> Any:
    """`X` of `X | None`."""
    return next(each for each in get_args(kind) if each is not NoneType) if isinstance(kind, UnionType) else kind


def stored_codecs(endpoint: tuple[str, int], topic: str, partition: int = 0) -> set[str]:
    """The compression of the batches at a partition's start; control batches aside. Any node tells who leads it."""
    wanted = {"partition": partition, "fetch_offset": 0, "partition_max_bytes": 1 << 20}
    with Wire(leader_of(endpoint, topic, partition)) as wire:
        answer = wire.ask(message("fetch", 4, topics=[{"topic": topic, "partitions": [wanted]}]))
    (found,) = answer.responses[0].partitions
    attributes = [BATCH_HEAD.unpack_from(batch)[5] for batch in batches(found.records or b"")]
    return {CODECS[bits & 0b111] for bits in attributes if not bits & 0b100000}


def leaders_answer(endpoint: tuple[str, int], topic: str, partition: int, request: Any) -> int:
    """The error a partition's leader answers with, for its first partition; -1 while nobody leads."""
    try:
        leader = leader_of(endpoint, topic, partition)
    except StopIteration:
        return -1
    with Wire(leader) as wire:
        return int(wire.ask(request).topics[0].partitions[0].error_code)


def leader_of(endpoint: tuple[str, int], topic: str, partition: int) -> tuple[str, int]:
    """Where a partition's leader listens, as that node knows it. Raises: StopIteration if nobody leads."""
    with Wire(endpoint) as wire:
        known = wire.ask(message("metadata", 4, topics=[{"name": topic}], allow_auto_topic_creation=False))
    leader = next(p.leader_id for p in known.topics[0].partitions if p.partition_index == partition)
    return next((broker.host, broker.port) for broker in known.brokers if broker.node_id == leader)


def create_topic(endpoint: tuple[str, int], topic: str, partitions: int = 1, **configs: str) -> str:
    """For clients that can't. Raises: AssertionError if it isn't created, or isn't there in the end."""
    given = [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()]
    wanted = {"name": topic, "num_partitions": partitions, "replication_factor": -1, "configs": given}
    with Wire(endpoint) as wire:
        (answer,) = wire.ask(message("create_topics", 5, topics=[wanted], timeout=20_000)).topics
        assert answer.error_code == 0, f"{answer.error_code!r}: {answer.error_message}"
    for n in range(partitions):
        ends = [{"partition_index": n, "timestamp": -1}]
        known = message("list_offsets", 1, replica_id=-1, topics=[{"name": topic, "partitions": ends}])
        eventually(lambda asked=known, n=n: leaders_answer(endpoint, topic, n, asked), 0)
    return topic
