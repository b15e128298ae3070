"""`streamflow topic …`"""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from streamflow.cli.connection import known_topic, with_log
from streamflow.errors import ConfigError
from streamflow.event import TopicPartition
from streamflow.transport.base import TopicSpec, Transport
from streamflow.transport.embedded import EmbeddedTransport


def create(name: str, partitions: int, config: list[str], address: str) -> None:
    settings = {}
    for pair in config:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--config {pair!r} isn't name=value, e.g. --config retention.ms=86400000")
        settings[key] = value

    async def work(transport: Transport) -> None:
        await transport.create_topic(TopicSpec(name=name, partitions=partitions, config=settings))

    with_log(address, work, new=True)
    print(f"created '{name}' with {partitions} partitions")


def show_all(address: str) -> None:
    async def work(transport: Transport) -> list[tuple[str, int, int, int]]:
        rows = []
        for name, info in sorted((await transport.topics()).items()):
            parts = await transport.describe_partitions(name)
            records = sum(p.high_watermark - p.log_start_offset for p in parts)
            sizes = [p.size_bytes for p in parts]
            rows.append((name, info.partitions, records, -1 if min(sizes) < 0 else sum(sizes)))
        return rows

    table = Table(box=None, pad_edge=False)
    for title in ("topic", "partitions", "offsets", "size"):
        table.add_column(title, justify="left" if title == "topic" else "right", no_wrap=True)
    for name, partitions, records, size in with_log(address, work):
        table.add_row(name, str(partitions), f"{records:,}", sized(size))
    Console().print(table)


def describe(name: str, address: str) -> None:
    async def work(transport: Transport) -> None:
        info = await known_topic(transport, name)
        print(f"topic {info.name}, id {info.topic_id}")
        for key, value in sorted(info.config.items()):
            print(f"  {key} = {value}")
        table = Table(box=None, pad_edge=False)
        for title in ("partition", "start", "end", "stable", "epoch", "segments", "size"):
            table.add_column(title, justify="right", no_wrap=True)
        for number, p in enumerate(await transport.describe_partitions(name)):
            offsets = (p.log_start_offset, p.high_watermark, p.last_stable_offset, p.leader_epoch)
            segments = UNTOLD if p.segments < 0 else str(p.segments)
            table.add_row(str(number), *map(str, offsets), segments, sized(p.size_bytes))
        Console().print(table)

    with_log(address, work)


def delete(name: str, address: str, *, sure: bool) -> None:
    async def work(transport: Transport) -> None:
        await known_topic(transport, name)
        if not sure:
            typer.confirm(f"Delete topic '{name}' with all its records?", abort=True)
        await transport.delete_topic(name)

    with_log(address, work)
    print(f"deleted '{name}'")


def accept_loss(name: str, partition: int, address: str) -> None:
    async def work(transport: Transport) -> list[tuple[int, int]]:
        await known_topic(transport, name)
        if not isinstance(transport, EmbeddedTransport):
            raise ConfigError(f"{address} keeps its own disks; accept-loss is for log:// directories")
        return await transport.accept_loss(TopicPartition(name, partition))

    ranges = with_log(address, work)
    for first, following in ranges:
        print(f"{name}-{partition}: offsets {first} to {following - 1} are read over from now on; their bytes are kept")
    if not ranges:
        print(f"{name}-{partition}: no damaged records are known; a read finds and reports them first")


UNTOLD = "—"
"""What a cluster doesn't say."""


def sized(count: int) -> str:
    """Bytes for people; -1 is not told."""
    if count < 0:
        return UNTOLD
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
