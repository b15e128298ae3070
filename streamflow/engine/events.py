"""The engine's events (facts that happened) and effects (orders to the shell). Frozen."""

from __future__ import annotations

from dataclasses import dataclass

from streamflow.event import Batch, Event
from streamflow.operators.regroup import Mark
from streamflow.topology import AgentNode, SourceNode, TopicDecl


@dataclass(frozen=True, slots=True)
class Fetched:
    """Raw records of one source arrived, in partition order."""

    source: SourceNode
    batch: Batch


@dataclass(frozen=True, slots=True)
class Marked:
    """An upstream task said, in-band, how far its event time has come."""

    source: SourceNode
    mark: Mark


@dataclass(frozen=True, slots=True)
class Yielded:
    """An agent has dealt with what it was handed and gave these values."""

    agent: AgentNode
    batch: Batch


@dataclass(frozen=True, slots=True)
class Ticked:
    """Processing time passed. `drained` are the sources read to their end."""

    now_ms: int
    drained: frozenset[SourceNode]


@dataclass(frozen=True, slots=True)
class Ended:
    """The input is complete: nothing more will come, every window may close."""


TaskEvent = Fetched | Marked | Yielded | Ticked | Ended


@dataclass(frozen=True, slots=True)
class Produce:
    """Append encoded records to a topic, one partition number a record."""

    topic: TopicDecl
    batch: Batch
    partitions: list[int]


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand the batch to the agent; answer with `Yielded` when it is done."""

    agent: AgentNode
    batch: Batch


@dataclass(frozen=True, slots=True)
class Refused:
    """Records that couldn't be decoded or that an operator raised on: the agent's policy decides."""

    event: Event
    """The record as it was read: bytes."""
    error: Exception


Effect = Produce | Deliver | Refused
