"""What flows: events, in batches of columns.

A batch is a struct of equally long lists, one entry an event. Work is done a column at a time; the single
`Event` exists only where user code asks for it (`stream.events()`, dead letters, tests).

Invariant: every column of a batch that isn't None has the same length; `headers` is None when no event of the
batch has any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]

TIMESTAMP_MS_MAX = 2**53
"""Event time that means "nothing more will come". Timestamps are clamped below it: an overflow in one
record must not stop a partition (CVE-2026-111496)."""


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Event(NamedTuple):
    """One event with everything known about it. `timestamp` is event time, ms since the epoch."""

    key: Any
    value: Any
    timestamp: int
    offset: int = -1
    topic: str = ""
    partition: int = -1
    headers: Headers = ()


@dataclass(slots=True)
class Batch:
    """Events in columns: of bytes between a transport and a codec, of values between operators."""

    keys: list[Any]
    values: list[Any]
    timestamps: list[int]
    offsets: Sequence[int]
    headers: list[Headers] | None = None
    watermarks: list[int] | None = None
    """How far event time had come when each event was read (its own included); None where time doesn't matter
    or where the watermark travels in-band. It makes lateness a matter of order in the partition, not of how
    the log happened to be cut into batches."""

    def __len__(self) -> int:
        return len(self.values)

    def select(self, mask: list[bool]) -> Batch:
        """The events whose mask is true, in order."""
        return Batch(
            list(compress(self.keys, mask)),
            list(compress(self.values, mask)),
            list(compress(self.timestamps, mask)),
            list(compress(self.offsets, mask)),
            None if self.headers is None else list(compress(self.headers, mask)),
            None if self.watermarks is None else list(compress(self.watermarks, mask)),
        )

    def slice(self, start: int, stop: int) -> Batch:
        """Events `start` to `stop` - 1."""
        return Batch(
            self.keys[start:stop],
            self.values[start:stop],
            self.timestamps[start:stop],
            self.offsets[start:stop],
            None if self.headers is None else self.headers[start:stop],
            None if self.watermarks is None else self.watermarks[start:stop],
        )

    def with_values(self, values: list[Any]) -> Batch:
        """The same events carrying other values."""
        return Batch(self.keys, values, self.timestamps, self.offsets, self.headers, self.watermarks)

    @staticmethod
    def concat(batches: Sequence[Batch]) -> Batch:
        """All events of `batches`, in order."""
        if len(batches) == 1:
            return batches[0]
        keys: list[Any] = []
        values: list[Any] = []
        timestamps: list[int] = []
        offsets: list[int] = []
        headers: list[Headers] | None = [] if any(b.headers is not None for b in batches) else None
        watermarks: list[int] | None = [] if all(b.watermarks is not None for b in batches) else None
        for b in batches:
            keys += b.keys
            values += b.values
            timestamps += b.timestamps
            offsets += b.offsets
            if headers is not None:
                headers += b.headers if b.headers is not None else [()] * len(b)
            if watermarks is not None:
                watermarks += b.watermarks or []
        return Batch(keys, values, timestamps, offsets, headers, watermarks)
