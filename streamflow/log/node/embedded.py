"""The log inside a process: what `memory://` and `log://PATH` hold. A node, its directory, and its background work.

    memory://                        in RAM; gone when closed; uses no threads
    log://PATH                       a directory, relative to the working directory or absolute (log:///var/lib/…)
    log://PATH?flush=interval        with settings of `node.config`, by field or by Kafka's name

Promises: one process at a time has a directory open. After `close` everything is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import structlog

from streamflow.errors import ConfigError
from streamflow.event import TopicPartition
from streamflow.log.errors import LogError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.flusher import in_thread, inline
from streamflow.log.node.membership import Membership
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.node.peers import Alone, Peers
from streamflow.log.storage.directory import DataDirectory
from streamflow.log.storage.files import MemoryFiles

log = structlog.get_logger("streamflow.log")

TICK_SECONDS = 0.5
"""How often the background looks what is due: half the default of `flush_interval_ms`."""


class EmbeddedLog:
    """Made by `open_memory` or `open_directory`."""

    def __init__(self, node: Node, directory: DataDirectory | None) -> None:
        self.node = node
        self._directory = directory
        self._background: list[asyncio.Task[None]] = []

    async def look_after(self) -> None:
        """Does what is due by the clock, if no background task does."""
        if not self._background:
            await self.node.tick()

    @classmethod
    async def open_memory(cls, config: NodeConfig, now_ms: Callable[[], int]) -> EmbeddedLog:
        """A log in RAM. What is due by the clock is done by those who use it: there is no background task, so that
        virtual time can jump."""
        config = replace(config, ballast_bytes=0)
        world = Surroundings(files=MemoryFiles(), now_ms=now_ms, random_bytes=os.urandom, blocking=inline)
        return cls(await Node.open(world, config, clean=True), None)

    @classmethod
    async def open_directory(
        cls,
        path: Path,
        config: NodeConfig,
        now_ms: Callable[[], int],
        *,
        accept_loss: Collection[TopicPartition] = (),
        membership: Membership | None = None,
        peers: Peers | None = None,
    ) -> EmbeddedLog:
        """Args:
            accept_loss: as `Node.open`; `membership` as well.
            peers: the other nodes, of a node among them.

        Raises: DirectoryInUseError, UnsupportedFormatError, DirectoryError, LogError."""
        directory = await in_thread(lambda: DataDirectory.open(path))
        try:
            world = Surroundings(
                files=directory.files,
                now_ms=now_ms,
                random_bytes=os.urandom,
                blocking=in_thread,
                peers=peers or Alone(),
            )
            node = await Node.open(world, config, clean=directory.clean, accept_loss=accept_loss, membership=membership)
        except BaseException:
            directory.close(clean=False)
            raise
        self = cls(node, directory)
        # Whoever opens the log may close it from another task, so that no task group can span the two.
        loop = asyncio.get_running_loop()
        for work, name in ((self._tick_often, "background"), (self._clean_often, "cleaner")):
            self._background.append(loop.create_task(work(), name=f"streamflow.log {name}"))
        return self

    async def _tick_often(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self.node.tick()
            except LogError as error:
                # Whoever writes next is told as well; what is due stays due.
                log.error("the log's background work failed", error=str(error))

    async def _clean_often(self) -> None:
        """Compaction goes on for minutes, in steps of milliseconds."""
        while True:
            await asyncio.sleep(max(self.node.cleaner.wait_ms, 1) / 1_000)
            try:
                await self.node.cleaner.step()
            except LogError as error:
                log.error("the log's background work failed", error=str(error))

    async def close(self) -> None:
        """Raises: LogError when what was written can't be made durable."""
        for task in self._background:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        clean = False
        try:
            clean = await self.node.close()
        finally:
            if self._directory is not None:
                self._directory.close(clean=clean)


def parse_address(url: str) -> tuple[Path | None, NodeConfig]:
    """The directory (None for memory) and the settings an address names.

    Raises: ConfigError.
    """
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    try:
        given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise ConfigError(f"'{query}' in '{url}' isn't a list of settings; write name=value&name=value") from None
    config = NodeConfig.parse(given)
    if scheme == "memory":
        return None, config
    if not place:
        raise ConfigError(f"'{url}' names no directory; write log://PATH, for example log://./streamflow-data")
    return Path(unquote(place)).expanduser(), config
