"""What commands that look at a log have in common: they open it, do one thing, and close it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

import anyio

from streamflow.errors import ConfigError, UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.node.embedded import parse_address
from streamflow.transport import open_transport
from streamflow.transport.base import EARLIEST, LATEST, TopicInfo, Transport

T = TypeVar("T")


@asynccontextmanager
async def opened(address: str, *, new: bool) -> AsyncIterator[Transport]:
    transport = open_transport(address)
    if not new and address.startswith("log://"):
        path, _ = parse_address(address)
        if path is not None and not path.exists():
            raise ConfigError(
                f"there is no log at '{path}'; go to where the app runs, or name its log with --log log://PATH"
            )
    await transport.open()
    try:
        yield transport
    finally:
        with anyio.CancelScope(shield=True):
            await transport.close()


def with_log(address: str, work: Callable[[Transport], Awaitable[T]], *, new: bool = False) -> T:
    """Runs `work` on the opened log. `new` makes a directory that isn't there. Raises: StreamflowError."""

    async def main() -> T:
        async with opened(address, new=new) as transport:
            return await work(transport)

    return anyio.run(main)


async def known_topic(transport: Transport, name: str) -> TopicInfo:
    """Raises: UnknownTopicError."""
    topics = await transport.topics()
    if name not in topics:
        raise UnknownTopicError(name, sorted(topics))
    return topics[name]


def time_of(text: str) -> int:
    """`beginning`, `end`, ISO 8601 or milliseconds, as `offsets_for_times` takes it. Raises: ConfigError."""
    if text in ("beginning", "end"):
        return EARLIEST if text == "beginning" else LATEST
    if text.isdigit():
        return int(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} isn't a place to start; use beginning, end, a time such as 2026-01-31T12:00:00Z, or ms"
        ) from error
    return round(when.astimezone().timestamp() * 1000) if when.tzinfo is None else round(when.timestamp() * 1000)


async def positions(transport: Transport, partitions: list[TopicPartition], text: str) -> dict[TopicPartition, int]:
    """The offsets to start at. Raises: ConfigError."""
    return await transport.offsets_for_times(dict.fromkeys(partitions, time_of(text)))
