"""`streamflow consume`: the records of a topic, for people and for pipes."""

from __future__ import annotations

import base64
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from streamflow.cli.connection import known_topic, positions, with_log
from streamflow.errors import ConfigError
from streamflow.event import Batch, TopicPartition
from streamflow.transport.base import Transport

FORMATS = ("json", "raw", "table")


@dataclass(frozen=True, slots=True)
class Request:
    """What to show. `count` None shows all there is."""

    topic: str
    start: str
    count: int | None
    form: str
    follow: bool
    partition: int | None


def run(request: Request, address: str) -> None:
    if request.form not in FORMATS:
        raise ConfigError(f"--format {request.form!r} isn't known; use {', '.join(FORMATS)}")

    if request.form == "table" and request.follow:
        raise ConfigError("--format table is drawn at the end, which --follow never comes to; use json or raw")

    async def work(transport: Transport) -> None:
        info = await known_topic(transport, request.topic)
        if request.partition is not None and request.partition >= info.partitions:
            raise ConfigError(f"'{request.topic}' has partitions 0 to {info.partitions - 1}, not {request.partition}")
        numbers = range(info.partitions) if request.partition is None else [request.partition]
        starts = await positions(transport, [TopicPartition(request.topic, n) for n in numbers], request.start)
        reader = await transport.reader()
        reader.assign(starts)
        printer = _Printer(request)
        try:
            while not printer.full and (request.follow or any((await reader.lag()).values())):
                for where, batch in await reader.poll(1_000, 1.0):
                    printer.show(where, batch)
                sys.stdout.flush()
        finally:
            await reader.close()
        printer.close()

    try:
        with_log(address, work)
    except BrokenPipeError:
        # Who reads has seen enough (`| head`): nothing more is to be written, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Printer:
    def __init__(self, request: Request) -> None:
        self._left = request.count
        self._form = request.form
        self._table = Table(box=None, pad_edge=False)
        for title in ("partition", "offset", "time (UTC)", "key", "value"):
            self._table.add_column(title, overflow="fold")

    @property
    def full(self) -> bool:
        return self._left == 0

    def show(self, where: TopicPartition, batch: Batch) -> None:
        rows = zip(batch.keys, batch.values, batch.timestamps, batch.offsets, strict=True)
        headers = batch.headers or [()] * len(batch)
        for (key, value, timestamp, offset), pairs in zip(rows, headers, strict=True):
            if self.full:
                return
            if self._left is not None:
                self._left -= 1
            if self._form == "raw":
                sys.stdout.buffer.write((value or b"") + b"\n")
            elif self._form == "table":
                self._table.add_row(str(where.partition), str(offset), moment(timestamp), text(key), text(value))
            else:
                row = {
                    "topic": where.topic,
                    "partition": where.partition,
                    "offset": offset,
                    "timestamp": moment(timestamp),
                    "key": plain(key),
                    "value": parsed(value),
                }
                if pairs:
                    row["headers"] = {name: plain(data) for name, data in pairs}
                sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")

    def close(self) -> None:
        if self._form == "table":
            Console().print(self._table)


def moment(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return str(ms)


def plain(data: bytes | None) -> Any:
    """Text where it is text; otherwise base64, marked as such."""
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def parsed(data: bytes | None) -> Any:
    """JSON where it is JSON, as written."""
    if data is None:
        return None
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return plain(data)
    return msgspec.Raw(data)


def text(data: bytes | None) -> str:
    found = plain(data)
    return "–" if found is None else found if isinstance(found, str) else found["base64"]
