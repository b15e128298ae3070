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


@dataclass(frozen=True, slots=True)
class Assigned:
    """These partitions are the member's from now on, beside those it has."""

    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Revoked:
    """Others want these: the group waits until `Member.release` says that nothing more is done with them."""

    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """The group went on without the member: all that it had may be others' already. It joins anew once this is
    answered by `Member.release`, and can commit nothing until then."""


class Member(Protocol):
    """A seat in a group whose members share one topic's partitions, by cooperative rebalancing (KIP-429).

    It lives in a thread of its own: heartbeats go on however long anything else takes.
    """

    async def next(self) -> Assigned | Revoked | Lost:
        """What the group decided, in order. Waits."""

    def release(self) -> None:
        """Answers the last `Revoked` or `Lost`: nothing more is done with what it was about."""

    async def claim(self, partitions: Iterable[int], text: str) -> None:
        """Commits the text as the metadata of these partitions' offsets, in the group.

        Raises: IllegalGenerationError, UnknownMemberError when the group has gone on without the member.
        """

    async def close(self) -> None:
        """Leaves: what it has goes to others at once."""


class Reader(Protocol):
    """Reads assigned partitions, committed records only. Not safe for concurrent polls."""

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        """Replaces the assignment; each partition is read from the given offset."""

    def add(self, positions: Mapping[TopicPartition, int]) -> None:
        """Assigns these too, not paused. The others go on where they are."""

    def drop(self, partitions: Iterable[TopicPartition]) -> None:
        """Takes these out of the assignment: no later `poll` returns a record of theirs."""

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

    async def add_offsets(
        self, group: str, offsets: Mapping[TopicPartition, Committed], *, member: Member | None = None
    ) -> None:
        """Commits the offsets with this transaction.

        Args:
            member: of this group: the transaction is refused if the group has gone on without it (KIP-447).

        Raises: IllegalGenerationError when it rebalanced just now; UnknownMemberError.
        """

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

    async def stable_offsets(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Committed]:
        """As `committed`, of these partitions, once no open transaction can change them any more (KIP-447)."""

    async def commit_offsets(self, group: str, offsets: Mapping[TopicPartition, Committed]) -> None: ...

    async def delete_group(self, group: str) -> None: ...

    async def join(self, group: str, topic: str) -> Member | None:
        """Takes part in sharing the topic's partitions. None where there is nobody to share with: the log is open in
        this process alone."""

    async def reader(self) -> Reader: ...

    async def writer(self, transactional_id: str | None = None, *, compression: str = "none") -> Writer: ...


__all__ = [
    "EARLIEST",
    "LATEST",
    "Assigned",
    "Batch",
    "Committed",
    "Lost",
    "Member",
    "PartitionInfo",
    "Reader",
    "Revoked",
    "TopicInfo",
    "TopicPartition",
    "TopicSpec",
    "Transport",
    "Writer",
]
