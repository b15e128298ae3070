"""What the handlers of requests work with: the node behind the door, and what is known of who asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from streamflow.event import TopicPartition
from streamflow.log.controller.image import TopicImage
from streamflow.log.node.node import Node
from streamflow.log.node.replica import Replica
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.server.fetch_sessions import FetchSessions
from streamflow.log.server.forwarding import Forwarding
from streamflow.log.server.memory import Memory

NO_ID = b"\0" * 16


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Broker:
    """Args:
    advertised: where clients reach this node.
    forwarding: the way to the active controller; None for a node alone, which is it.
    """

    def __init__(self, node: Node, advertised: Address, forwarding: Forwarding | None = None) -> None:
        self.node = node
        self.forwarding = forwarding
        self.advertised = advertised
        self.fetch_sessions = FetchSessions()
        self.answers = Memory(node.config.queued_response_bytes_max)
        """What is held of answers until they are sent. Who reads records for one asks for room first."""
        self.stopping = False

    def __repr__(self) -> str:
        return f"<Broker {self.node_id} at {self.advertised}>"

    @property
    def node_id(self) -> int:
        return self.node.topics.metadata.node_id

    @property
    def cluster_id(self) -> str:
        return self.node.topics.metadata.image.cluster_id

    def stop(self) -> None:
        """Whoever waits for records answers with what there is."""
        self.stopping = True
        for replica in self.node.topics.replicas.values():
            replica.notify()

    def topic(self, name: str, topic_id: bytes = NO_ID) -> TopicImage | None:
        """The topic of that id, or else of that name; None when there is none."""
        image = self.node.topics.metadata.image
        return image.topics.get(name) if topic_id == NO_ID else image.topics_by_id.get(topic_id)

    def replica(self, topic: TopicImage, partition: int) -> Replica | None:
        return self.node.topics.replicas.get(TopicPartition(topic.name, partition))

    @staticmethod
    def stale_epoch(replica: Replica, current: int) -> ErrorCode:
        """What is wrong with the leader epoch a client believes in (KIP-320); -1 believes in none."""
        if current in (-1, replica.leader.leader_epoch):
            return ErrorCode.none
        older = current < replica.leader.leader_epoch
        return ErrorCode.fenced_leader_epoch if older else ErrorCode.unknown_leader_epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One request's. `client_host` is where it came from; `from_peer` whether that is a node of the cluster."""

    broker: Broker
    version: int
    client_id: str
    client_host: str
    from_peer: bool = False

    @property
    def node(self) -> Node:
        return self.broker.node


@dataclass(frozen=True, slots=True)
class Later:
    """An answer that is made when its turn comes: the requests behind it on the connection are begun meanwhile, and
    answered after it. It is given up when the client goes; what must be done whatever happens is done before."""

    make: Callable[[], Awaitable[Any]]
    ready: Callable[[], bool] = lambda: False
    """Whether `make` would answer without waiting."""


Answer = Any
"""A response message; a `Later`; None where the client wants none."""


class CloseConnectionError(Exception):
    """The only answer left is to hang up: the message says why."""
