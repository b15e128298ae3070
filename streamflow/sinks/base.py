"""What a sink promises: rows arrive in batches, and a replay adds nothing.

The worker keeps a sink's rows in a partitioned outbox topic, written in the same transaction as the state and
the offsets that made them, and feeds the sink committed rows only, each partition in order. A sink is
effectively once when it stores the next offset of each partition atomically with the rows (`offsets` returns
them after a restart), or when its writes are idempotent by (topic, partition, offset) or by the user's key.

Methods block and are called from one worker thread at a time. What the world does to them is a `SinkError`;
after one, `offsets` (if need be after `close` and `open`) says what is there. tests/conformance/sinks certifies
a sink.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from streamflow.event import Batch, TopicPartition


@dataclass(frozen=True, slots=True)
class SinkBatch:
    """Rows of one partition. `next_offset` is where reading resumes once they are written."""

    partition: TopicPartition
    batch: Batch
    next_offset: int


class Sink(Protocol):
    @property
    def name(self) -> str:
        """Stable over restarts and unique in the app: it names the outbox topic."""

    def open(self, value_type: Any) -> None:
        """Connects. `value_type` is the type of the rows (a `Record`, a `TypedDict`, or `Any`)."""

    def offsets(self) -> Mapping[TopicPartition, int]:
        """The next offset of every partition the sink has rows of; a partition it doesn't know is read from
        the group's committed offset."""

    def write(self, batches: list[SinkBatch]) -> None:
        """Writes all or nothing."""

    def close(self) -> None: ...
