"""Compacts topics in the background, the dirtiest partition first, one at a time. (Kafka's LogCleaner)

Promises: the event loop isn't held up. A run goes by steps of a few milliseconds in a thread, with pauses between them:
the thread and the loop share one interpreter, and the pauses are the loop's. What a step leaves to do for readers'
sake is done on the loop, at once.

The log's own topics aren't touched: they are written anew by those who know what their records mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import structlog

from streamflow.event import TopicPartition
from streamflow.log.controller.configs import TOPIC_SETTINGS, parse_all
from streamflow.log.controller.image import TopicImage
from streamflow.log.controller.topics import INTERNAL_TOPICS
from streamflow.log.errors import LogError, StorageFailedError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.flusher import Blocking
from streamflow.log.node.replica import Replica
from streamflow.log.node.topics import Topics
from streamflow.log.storage.compaction import Compaction, CompactionConfig, Dirt

log = structlog.get_logger("streamflow.log")

STEP_MS = 2
STEP_BYTES = 1 << 20
"""A step ends with either. The loop waits for its turn as long as a step, and for a batch of a megabyte longer."""
PIECE_BYTES = 16 << 10
"""Of records between two looks at the clock: a tenth of a millisecond or two."""
PAUSE_MS = 2
FAILED_PAUSE_MS = 600_000
"""A partition whose run failed is left alone for so long: a full disk isn't filled again at once."""


@dataclass(frozen=True, slots=True)
class _Running:
    replica: Replica
    run: Compaction


class Cleaner:
    def __init__(self, topics: Topics, config: NodeConfig, blocking: Blocking, now_ms: Callable[[], int]) -> None:
        self._topics = topics
        self._config = config
        self._blocking = blocking
        self._now_ms = now_ms
        self._running: _Running | None = None
        self._stepping = False
        self._due_ms = now_ms()
        self._failed_until: dict[TopicPartition, int] = {}

    def __repr__(self) -> str:
        return f"<Cleaner {self._running.replica.where if self._running else 'idle'}>"

    @property
    def wait_ms(self) -> int:
        """Until `step` has something to do."""
        return max(0, self._due_ms - self._now_ms())

    async def step(self) -> None:
        """Goes on with the run, or begins one, if that is due.

        Raises: StorageFailedError once the disk can't be relied on. Other failures are reported, and that partition is
        left alone for a while.
        """
        if self._stepping or self.wait_ms:
            return
        self._stepping = True
        self._due_ms = self._now_ms() + self._config.cleaner_backoff_ms
        try:
            running = self._running = self._running or self._begun()
            if running is not None:
                await self._go_on(running)
        finally:
            self._stepping = False

    async def _go_on(self, running: _Running) -> None:
        run, before = running.run, running.run.figures.io_bytes
        try:
            await self._blocking(lambda: self._advance(run))
            run.apply()
        except LogError as error:
            self._running = None
            self._failed_until[running.replica.where] = self._now_ms() + FAILED_PAUSE_MS
            log.error("a partition couldn't be compacted", partition=str(running.replica.where), error=str(error))
            if isinstance(error, StorageFailedError):
                raise
            run.stop()
            return
        throttled_ms = int((run.figures.io_bytes - before) / self._config.cleaner_bytes_per_second * 1_000)
        self._due_ms = self._now_ms() + max(PAUSE_MS, throttled_ms)
        if run.done:
            self._running = None
        if run.done and run.complete:
            log.info(
                "a partition was compacted",
                partition=str(running.replica.where),
                read_bytes=run.figures.read_bytes,
                removed_bytes=run.figures.removed_bytes,
            )

    def _advance(self, run: Compaction) -> None:
        """One step. Blocks."""
        until_ms, left = self._now_ms() + STEP_MS, STEP_BYTES
        while not run.done and not run.waits and left > 0 and self._now_ms() < until_ms:
            run.advance(PIECE_BYTES)
            left -= PIECE_BYTES

    def _begun(self) -> _Running | None:
        """A run over the partition that has most of what may be removed, by share, and more than it may have."""
        now_ms = self._now_ms()
        self._failed_until = {where: until for where, until in self._failed_until.items() if until > now_ms}
        found: tuple[Replica, CompactionConfig, Dirt] | None = None
        for replica, config in self._compacted():
            dirt = replica.log.dirt(config, replica.last_stable_offset, now_ms)
            due = dirt.dirty_bytes and (dirt.overdue or dirt.ratio > config.dirty_ratio_min)
            if due and (found is None or dirt.ratio > found[2].ratio):
                found = replica, config, dirt
        if found is None:
            return None
        replica, config, dirt = found
        return _Running(replica, replica.log.compaction(config, dirt.end, now_ms))

    def _compacted(self) -> Iterator[tuple[Replica, CompactionConfig]]:
        for topic in self._topics.metadata.image.topics.values():
            config = None if topic.name in INTERNAL_TOPICS else self._config_of(topic)
            for number in range(len(topic.partitions)) if config is not None else ():
                replica = self._topics.replicas.get(TopicPartition(topic.name, number))
                if config is not None and replica is not None and replica.where not in self._failed_until:
                    yield replica, config

    def _config_of(self, topic: TopicImage) -> CompactionConfig | None:
        """None for a topic that isn't compacted."""
        given = self._topics.settings.topic(topic)
        if "compact" not in given.get("cleanup.policy", ""):
            return None
        return compaction_config(given, self._config.cleaner_map_bytes)


def compaction_config(given: Mapping[str, str], map_bytes_max: int) -> CompactionConfig:
    """Args: given: a topic's settings by Kafka's names, as far as they aren't at their defaults."""
    values = parse_all(_SETTINGS, {name: given[name] for name in _FIELDS & given.keys()})
    return CompactionConfig(**values, map_bytes_max=map_bytes_max)  # type: ignore[arg-type]
    # parse_all gives each field the type of its default


_FIELDS = {
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "max.compaction.lag.ms",
    "delete.retention.ms",
    "segment.bytes",
    "index.interval.bytes",
}
_SETTINGS = tuple(setting for setting in TOPIC_SETTINGS if setting.name in _FIELDS)
