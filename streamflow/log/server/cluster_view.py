"""The cluster as clients are told of it: which brokers there are and where, and which replicas nobody reaches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamflow.log.controller.image import BrokerImage, MetadataImage, PartitionImage
from streamflow.log.node.controller import Controller
from streamflow.log.server.broker import Broker


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A broker where clients reach it."""

    broker_id: int
    host: str
    port: int
    rack: str | None
    fenced: bool


def members(broker: Broker, *, fenced: bool = False) -> list[Member]:
    """By id; with those that are `fenced`, or without."""
    known = broker.node.topics.metadata.image.brokers
    return [_member(broker, known[n]) for n in sorted(known) if fenced or not known[n].fenced]


def _member(broker: Broker, image: BrokerImage) -> Member:
    # A node alone isn't registered with an address: its listener knows it.
    own = image.broker_id == broker.node_id
    return Member(
        broker_id=image.broker_id,
        host=broker.advertised.host if own else image.host,
        port=broker.advertised.port if own else image.port,
        rack=image.rack,
        fenced=image.fenced,
    )


def controller_id(broker: Broker) -> int:
    """Whom clients take for the controller: a broker that is there, and sends on what only the controller can do."""
    there = [member.broker_id for member in members(broker)]
    return broker.node_id if broker.node_id in there else (there or [-1])[0]


def offline(image: MetadataImage, partition: PartitionImage) -> Iterator[int]:
    """Its replicas on brokers that are fenced, or not there."""
    return (n for n in partition.replicas if n not in image.brokers or image.brokers[n].fenced)


def controller_of(broker: Broker) -> Controller | None:
    """This node's; None when it hasn't the role."""
    return broker.node.controller
