"""AlterPartition: a leader says who is in sync (KIP-497, KIP-841, KIP-903): the image in, a record or a refusal out.
PURE.

A leader is believed only about the partition as it is: its own epoch, the partition's epoch, and, of each member, the
epoch of the broker it has heard. A member that was fenced or has restarted since isn't what the leader thinks it is.

Whatever is committed begins a new partition epoch, be it the ISR there was: a leader that doesn't know what came of a
proposal asks for it as it is, and by the answer no older proposal, late on its way, can be committed any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from streamflow.errors import UnknownTopicError
from streamflow.log.controller import records as r
from streamflow.log.controller.elections import change_of, settle, terms_of
from streamflow.log.controller.image import MetadataImage, PartitionImage
from streamflow.log.errors import (
    FencedLeaderEpochError,
    IneligibleReplicaError,
    InvalidRequestError,
    InvalidUpdateVersionError,
    NotControllerError,
    UnknownTopicIdError,
)

ANY_EPOCH = -1
"""Of a member, from versions that don't tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIsr:
    """`members`: brokers and their epochs."""

    topic_id: bytes
    partition: int
    leader_epoch: int
    partition_epoch: int
    members: Sequence[tuple[int, int]]


def alter_isr(image: MetadataImage, broker_id: int, wanted: NewIsr, static: Mapping[str, str]) -> r.PartitionChange:
    """The record that changes the ISR, or confirms it, and ends a reassignment if its time has come.

    Raises: UnknownTopicIdError, UnknownTopicError, NotControllerError for epochs not heard of, FencedLeaderEpochError,
        InvalidUpdateVersionError, InvalidRequestError, IneligibleReplicaError.
    """
    topic = image.topics_by_id.get(wanted.topic_id)
    if topic is None:
        raise UnknownTopicIdError(f"no topic has the id {wanted.topic_id.hex()}")
    if not 0 <= wanted.partition < len(topic.partitions):
        raise UnknownTopicError(f"{topic.name}-{wanted.partition}")
    before = topic.partitions[wanted.partition]
    where = f"{topic.name}-{wanted.partition}"
    _check_epochs(before, broker_id, wanted, where)
    isr = tuple(n for n in before.replicas if n in {member for member, _ in wanted.members})
    _check_members(before, wanted, where)
    for member, epoch in wanted.members:
        broker = image.brokers.get(member)
        if broker is None or not broker.may_lead or epoch not in (ANY_EPOCH, broker.broker_epoch):
            state = (
                "isn't registered" if broker is None else f"has epoch {broker.broker_epoch}, or is fenced or stopping"
            )
            raise IneligibleReplicaError(f"broker {member} can't be in sync on {where} with epoch {epoch}: it {state}")
    after = settle(before, replace(before, isr=isr), terms_of(image, topic, static))
    change = change_of(wanted.topic_id, wanted.partition, before, after)
    return change or r.PartitionChange(topic_id=wanted.topic_id, partition=wanted.partition)


def _check_epochs(before: PartitionImage, broker_id: int, wanted: NewIsr, where: str) -> None:
    if wanted.leader_epoch > before.leader_epoch or wanted.partition_epoch > before.partition_epoch:
        raise NotControllerError(f"{where} has epochs this controller hasn't heard of; another must be active")
    if wanted.leader_epoch < before.leader_epoch:
        raise FencedLeaderEpochError(f"{where} is in leader epoch {before.leader_epoch}, not {wanted.leader_epoch}")
    if broker_id != before.leader:
        raise InvalidRequestError(f"{where} is led by broker {before.leader}, not {broker_id}")
    if wanted.partition_epoch < before.partition_epoch:
        raise InvalidUpdateVersionError(
            f"{where} is in partition epoch {before.partition_epoch}, not {wanted.partition_epoch}; look again"
        )


def _check_members(before: PartitionImage, wanted: NewIsr, where: str) -> None:
    members = [member for member, _ in wanted.members]
    if len(set(members)) < len(members) or not set(members) <= set(before.replicas):
        raise InvalidRequestError(f"{members} aren't replicas of {where}, which are {list(before.replicas)}")
    if before.leader not in members:
        raise InvalidRequestError(f"the leader of {where}, broker {before.leader}, is in sync; {members} leaves it out")
