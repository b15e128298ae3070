"""Names for the numbers the log is made of: an offset is never an epoch for the type checker, at no cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType
from uuid import UUID

NodeId = NewType("NodeId", int)
LeaderEpoch = NewType("LeaderEpoch", int)
ProducerId = NewType("ProducerId", int)

NO_PRODUCER = ProducerId(-1)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which partition a file belongs to. A topic created again under its old name is another topic (KIP-516)."""

    topic: str
    topic_id: UUID
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


@dataclass(frozen=True, slots=True)
class Aborted:
    """Records of a producer that a committed reader leaves out: from `first_offset` to its marker."""

    producer_id: int
    first_offset: int
    last_offset: int
