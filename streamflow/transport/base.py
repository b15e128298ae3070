"""The log as the framework sees it: narrow enough for the embedded log and for any Kafka cluster.

Promises every transport keeps (certified by one suite run over all of them):

- A partition is an ordered sequence of records; an offset, once read, names the same record for ever.
- `Writer.append` without a transaction returns after the record is as durable as the log's flush policy says.
- With a `transactional_id`, everything between `begin` and `commit` (records on any partitions and committed
  offsets of any groups) becomes visible or never does, and opening a second writer under the same id fences the first
  (KIP-98, KIP-360). Embedded, it is visible at once when `commit` returns; on a cluster, one partition after the other,
  soon after.
- A reader sees committed records only, in order, without gaps but for aborted ones, and never past the last
  stable offset.

Whoever edits this: a word that only one transport understands doesn't belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streamflow.event import Batch, TopicPartition

EARLIEST = -2
LATEST = -1
"""Special timestamps of `offsets_for_times`, as in Kafka's ListOffsets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """A topic to create. `replication_factor` -1 is the log's own default.

    `config` takes Kafka's names (`retention.ms`, `segment.bytes`, …) as strings.
    """

    name: str
    partitions: int = 1
    replication_factor: int = -1
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicInfo:
    """A topic as it is."""

    name: str
    topic_id: str
    partitions: int
    internal: bool
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionInfo:
    """A partition as it is. Sizes in bytes, -1 where the log doesn't tell; `high_watermark` is the end a reader may
    reach."""

    log_start_offset: int
    high_watermark: int
    last_stable_offset: int
    leader_epoch: int
    size_bytes: int
    segments: int


@dataclass(frozen=True, slots=True)
class Committed:
    """An offset a group has committed: the next one to read."""

    offset: int
    metadata: str = ""
    leader_epoch: int = -1


class Reader(Protocol):
    """Reads assigned partitions, committed records only. Not safe for concurrent polls."""

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        """Replaces the assignment; each partition is read from the given offset."""

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """`poll` leaves these out until `resume`."""

    def resume(self, partitions: Iterable[TopicPartition]) -> None: ...

    def position(self, partition: TopicPartition) -> int:
        """The next offset `poll` would return of `partition` (it also moves over aborted records and markers)."""

    async def poll(self, max_records: int, timeout_s: float) -> list[tuple[TopicPartition, Batch]]:
        """Batches of bytes, one a partition at most, `max_records` or somewhat more in all; empty when nothing
        came within `timeout_s`. Partitions take turns, so that none starves."""

    async def lag(self) -> dict[TopicPartition, int]:
        """Offsets between position and end, for every assigned partition, as of now."""

    async def close(self) -> None: ...


class Writer(Protocol):
    """Appends batches. With a transactional id, all appends happen inside `begin` … `commit`."""

    async def begin(self) -> None: ...

    async def append(self, partition: TopicPartition, batch: Batch) -> int:
        """Appends the batch's keys, values (bytes or None), timestamps and headers; its offsets are ignored.
        Returns the offset of the first record."""

    async def append_all(self, batches: Mapping[TopicPartition, Sequence[Batch]]) -> None:
        """Appends to several partitions, to each in order. Raises the first failure, when all have ended."""

    async def add_offsets(self, group: str, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Commits the offsets with this transaction."""

    async def commit(self) -> None: ...

    async def abort(self) -> None: ...

    async def close(self) -> None: ...


class Transport(Protocol):
    """A log, opened. Every call may raise `LogError` (from `streamflow.log.errors`) for the world's failures."""

    @property
    def url(self) -> str: ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def create_topic(self, spec: TopicSpec) -> None:
        """Raises `TopicExistsError`."""

    async def delete_topic(self, name: str) -> None:
        """Raises `UnknownTopicError`."""

    async def topics(self) -> dict[str, TopicInfo]: ...

    async def describe_partitions(self, topic: str) -> list[PartitionInfo]:
        """By partition number. Raises `UnknownTopicError`."""

    async def offsets_for_times(self, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The first offset whose record's timestamp (ms) is at or after the given one; `EARLIEST` and `LATEST`
        give the log's start and its last stable offset; past the newest record, the end."""

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        """Records below the offset may be deleted, and are never read again."""

    async def groups(self) -> list[str]: ...

    async def committed(self, group: str) -> dict[TopicPartition, Committed]: ...

    async def commit_offsets(self, group: str, offsets: Mapping[TopicPartition, Committed]) -> None: ...

    async def delete_group(self, group: str) -> None: ...

    async def reader(self) -> Reader: ...

    async def writer(self, transactional_id: str | None = None, *, compression: str = "none") -> Writer: ...


__all__ = [
    "EARLIEST",
    "LATEST",
    "Batch",
    "Committed",
    "PartitionInfo",
    "Reader",
    "TopicInfo",
    "TopicPartition",
    "TopicSpec",
    "Transport",
    "Writer",
]
