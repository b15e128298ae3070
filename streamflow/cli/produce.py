"""`streamflow produce`: lines of standard input as records."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from typing import Any, cast

import msgspec
from rich.console import Console

from streamflow.cli.connection import known_topic, with_log
from streamflow.codecs import encode_key
from streamflow.errors import ConfigError
from streamflow.event import Batch, TopicPartition
from streamflow.partitioner import partition_for
from streamflow.transport.base import TopicSpec, Transport

READ_BYTES = 1 << 18
LINE_BYTES_MAX = 16 << 20
"""What isn't lines is found out before memory is full; topics take records of 1 MiB unless told otherwise."""
KEYLESS_IN_TURN = 1_000
"""Records without a key that go to one partition before the next has its turn."""
PROGRESS_SECONDS = 1.0


class Lines:
    """How a line becomes a record: the whole line is the value, unless the key stands before a separator."""

    def __init__(self, key: str | None, separator: str | None) -> None:
        if key is not None and separator is not None:
            raise ConfigError("--key and --key-separator say two ways to find the key; give one")
        self._path = [part for part in (key or "").removeprefix("$").split(".") if part]
        self._separator = separator.encode() if separator else None

    def read(self, line: bytes, number: int) -> tuple[bytes | None, bytes]:
        """Raises: ConfigError naming the line."""
        if self._separator is not None:
            key, found, value = line.partition(self._separator)
            if not found:
                raise ConfigError(f"line {number} has no {self._separator.decode()!r}: {shown(line)}")
            return key, value
        return (self._key(line, number), line) if self._path else (None, line)

    def _key(self, line: bytes, number: int) -> bytes | None:
        try:
            value: Any = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise ConfigError(f"line {number} isn't JSON, so it has no key: {error}: {shown(line)}") from error
        for part in self._path:
            if not isinstance(value, dict) or part not in value:
                raise ConfigError(f"line {number} has no '{'.'.join(self._path)}': {shown(line)}")
            value = value[part]
        return encode_key(value)


def shown(line: bytes) -> str:
    return repr(line[:80].decode("utf-8", "replace")) + ("…" if len(line) > 80 else "")


def chunks(stream: BufferedIOBase) -> Iterator[list[tuple[int, bytes]]]:
    """Numbered lines without their ends, empty ones left out: those that are there, without waiting for more.

    Raises: ConfigError for a line that has no end.
    """
    number, rest = 0, b""
    while data := stream.read1(READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        if filled := _filled(lines, number):
            yield filled
        number += len(lines)
        if len(rest) > LINE_BYTES_MAX:
            raise ConfigError(f"line {number + 1} is longer than {LINE_BYTES_MAX} bytes; a line is a record")
    if filled := _filled([rest], number):
        yield filled


def _filled(lines: list[bytes], before: int) -> list[tuple[int, bytes]]:
    stripped = ((n, line.rstrip(b"\r")) for n, line in enumerate(lines, before + 1))
    return [(n, line) for n, line in stripped if line]


def run(topic: str, lines: Lines, address: str, *, create: int | None) -> None:
    console = Console(stderr=True)

    if sys.stdin.isatty():
        console.print("a line is a record; Ctrl-D ends", highlight=False)

    async def work(transport: Transport) -> dict[int, int]:
        if create is not None and topic not in await transport.topics():
            await transport.create_topic(TopicSpec(name=topic, partitions=create))
        partitions = (await known_topic(transport, topic)).partitions
        writer = await transport.writer()
        counts: dict[int, int] = {}
        told = time.monotonic()
        try:
            for chunk in chunks(cast(BufferedIOBase, sys.stdin.buffer)):
                records, refused = read_until_refused(lines, chunk)
                for partition, batch in spread(records, partitions, sum(counts.values())).items():
                    await writer.append(TopicPartition(topic, partition), batch)
                    counts[partition] = counts.get(partition, 0) + len(batch)
                if refused is not None:
                    raise ConfigError(f"{refused}; the {sum(counts.values()):,} before it are written") from refused
                if console.is_terminal and time.monotonic() - told >= PROGRESS_SECONDS:
                    told = time.monotonic()
                    console.print(f"{sum(counts.values()):,} records", end="\r", highlight=False)
        finally:
            await writer.close()
        return counts

    counts = with_log(address, work, new=create is not None)
    total = sum(counts.values())
    where = ", ".join(f"{count:,} to partition {partition}" for partition, count in sorted(counts.items()))
    console.print(
        f"{total:,} {'record' if total == 1 else 'records'} written to '{topic}'" + (f": {where}" if where else ""),
        highlight=False,
    )


def read_until_refused(
    lines: Lines, chunk: list[tuple[int, bytes]]
) -> tuple[list[tuple[bytes | None, bytes]], ConfigError | None]:
    """The records before the first line that can't be one, and why it can't."""
    records = []
    for number, line in chunk:
        try:
            records.append(lines.read(line, number))
        except ConfigError as error:
            return records, error
    return records, None


def spread(records: Iterable[tuple[bytes | None, bytes]], partitions: int, before: int) -> dict[int, Batch]:
    """Records by partition: equal keys together, keyless ones in turn."""
    now = time.time_ns() // 1_000_000
    batches: dict[int, Batch] = {}
    keyless = before // KEYLESS_IN_TURN % partitions
    for key, value in records:
        partition = keyless if key is None else partition_for(key, partitions)
        batch = batches.setdefault(partition, Batch([], [], [], range(0)))
        batch.keys.append(key)
        batch.values.append(value)
        batch.timestamps.append(now)
    return batches
