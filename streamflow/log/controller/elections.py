"""Who leads a partition, and who might: every change of a partition is settled here. PURE.

The rules are Kafka's (`PartitionChangeBuilder`, KIP-966):

- the leader is a member of the ISR whose broker may lead, the first in the order of the replicas; one that leads stays;
- when none can: one of the ELR (eligible leader replicas), which then is the ISR;
- when none can: nobody leads, unless an unclean election is allowed or asked for. It may lose records, and says so by
  leaving the ELR empty;
- who leaves an ISR that gets or is smaller than `min.insync.replicas` comes into the ELR: nothing is committed by
  fewer, so that it has all that is. When there are enough again, the ELR is emptied.

Promises: the ISR is never empty. Its last member stays in it, though it may not lead; if it may have lost data and
somebody in the ELR has not, that one takes its place.

Rules for whoever edits this: leader epochs and partition epochs are counted by `MetadataImage.apply`, and nowhere else;
a change that names a leader begins an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from streamflow.event import TopicPartition
from streamflow.log.controller import records as r
from streamflow.log.controller.effective import BrokerConfig, topic_config
from streamflow.log.controller.image import NO_LEADER, BrokerImage, MetadataImage, PartitionImage, TopicImage
from streamflow.log.controller.partitions import find_partition
from streamflow.log.errors import (
    ElectionNotNeededError,
    EligibleLeadersNotAvailableError,
    PreferredLeaderNotAvailableError,
)

Brokers = Mapping[int, BrokerImage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a partition is settled by.

    Args:
        brokers: as they will be once the change holds.
        in_sync_min: the topic's `min.insync.replicas`.
        unclean: somebody who isn't known to have all that is committed may be elected.
        lost: brokers that may have lost data.
        preferred: the first replica shall lead, if it is in sync.
    """

    brokers: Brokers
    in_sync_min: int
    unclean: bool = False
    lost: Collection[int] = ()
    preferred: bool = False

    def may_lead(self, replica: int) -> bool:
        broker = self.brokers.get(replica)
        return broker is not None and broker.may_lead

    def needed(self, replicas: Collection[int]) -> int:
        """How many have to be in sync for records to be committed."""
        return min(self.in_sync_min, len(replicas))


def terms_of(image: MetadataImage, topic: TopicImage, static: Mapping[str, str]) -> Terms:
    """For a topic's partitions as things are.

    Args:
        static: what the nodes were started with, the same on each of them.
    """
    config = topic_config(topic.config, BrokerConfig(all_brokers=image.broker_settings.get(None, {}), static=static))
    return Terms(
        brokers=image.brokers,
        in_sync_min=int(config.get("min.insync.replicas", "1")),
        unclean=config.get("unclean.leader.election.enable", "").lower() == "true",
    )


def settle(before: PartitionImage, wanted: PartitionImage, terms: Terms) -> PartitionImage:
    """What a partition becomes when `wanted` has been asked for; its epochs are left as they were."""
    after = _completed(_members(before, wanted, terms), terms)
    after = _eligible(before, after, terms)
    return _led(after, terms)


def _members(before: PartitionImage, wanted: PartitionImage, terms: Terms) -> PartitionImage:
    """With an ISR of replicas that have lost nothing, and the last member left in it."""
    isr = tuple(n for n in wanted.isr if n in wanted.replicas and n not in terms.lost)
    if not isr:
        others = [n for n in wanted.replicas if n in wanted.elr and n not in terms.lost]
        others.sort(key=terms.may_lead, reverse=True)
        isr = tuple(others[:1]) or before.isr[:1]
    return replace(wanted, isr=isr)


def _completed(partition: PartitionImage, terms: Terms) -> PartitionImage:
    """Ends a reassignment whose new replicas are in sync (KIP-455), if as many of those that stay are as have to be:
    else what was acknowledged would be on fewer."""
    if not partition.adding and not partition.removing:
        return partition
    target = tuple(n for n in partition.replicas if n not in partition.removing)
    isr = tuple(n for n in partition.isr if n in target)
    if len(isr) < terms.needed(target) or not set(partition.adding) <= set(isr):
        return partition
    return replace(partition, replicas=target, isr=isr, adding=(), removing=())


def _eligible(before: PartitionImage, after: PartitionImage, terms: Terms) -> PartitionImage:
    if len(after.isr) >= terms.needed(after.replicas):
        return replace(after, elr=(), last_known_elr=())
    members = {*before.isr, *after.elr}
    elr = tuple(n for n in after.replicas if n in members and n not in after.isr and n not in terms.lost)
    known = {*members, *after.last_known_elr}.difference(after.isr, elr)
    return replace(after, elr=elr, last_known_elr=tuple(n for n in after.replicas if n in known))


def _led(partition: PartitionImage, terms: Terms) -> PartitionImage:
    able = [n for n in partition.replicas if terms.may_lead(n)]
    in_sync = [n for n in able if n in partition.isr]
    if terms.preferred and partition.replicas[0] in in_sync:
        return replace(partition, leader=partition.replicas[0])
    if partition.leader in in_sync:
        return partition
    if in_sync:
        return replace(partition, leader=in_sync[0])
    eligible = [n for n in able if n in partition.elr]
    if eligible:
        leader = eligible[0]
        others = {*partition.isr, *partition.elr} - {leader}
        elr = tuple(n for n in partition.replicas if n in others)
        return replace(partition, leader=leader, isr=(leader,), elr=elr)
    if terms.unclean and able:
        return replace(partition, leader=able[0], isr=(able[0],), elr=(), last_known_elr=())
    return replace(partition, leader=NO_LEADER)


def change_of(topic_id: bytes, number: int, before: PartitionImage, after: PartitionImage) -> r.PartitionChange | None:
    """The record between the two; None when nothing changes.

    Whoever loses a replica isn't followed by the old leader epoch: a leader that stays begins a new one then.
    """
    if before == after:
        return None
    dropped = not set(before.replicas) <= set(after.replicas)
    return r.PartitionChange(
        topic_id=topic_id,
        partition=number,
        leader=after.leader if after.leader != before.leader or dropped else None,
        isr=_new(before.isr, after.isr),
        replicas=_new(before.replicas, after.replicas),
        elr=_new(before.elr, after.elr),
        last_known_elr=_new(before.last_known_elr, after.last_known_elr),
        adding=_new(before.adding, after.adding),
        removing=_new(before.removing, after.removing),
    )


def _new(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...] | None:
    return None if before == after else after


def settle_all(
    image: MetadataImage,
    static: Mapping[str, str],
    wish: Callable[[PartitionImage], PartitionImage | None],
    amend: Callable[[Terms], Terms] = lambda terms: terms,
) -> list[r.AnyRecord]:
    """The changes of every partition that `wish` wants something of.

    Args:
        wish: None for a partition that isn't concerned.
        amend: gives the terms that differ from those as things are.
    """
    found: list[r.AnyRecord] = []
    for topic in image.topics.values():
        terms: Terms | None = None
        for number, before in enumerate(topic.partitions):
            wanted = wish(before)
            if wanted is None:
                continue
            terms = terms or amend(terms_of(image, topic, static))
            change = change_of(topic.topic_id, number, before, settle(before, wanted, terms))
            if change is not None:
                found.append(change)
    return found


def elect_leaderless(image: MetadataImage, static: Mapping[str, str]) -> list[r.AnyRecord]:
    """Leaders for partitions without one, where there may be one now: an unclean one was allowed meanwhile."""
    return settle_all(image, static, lambda p: p if p.leader == NO_LEADER else None)


def balance(image: MetadataImage, static: Mapping[str, str]) -> list[r.AnyRecord]:
    """Gives partitions back to their preferred leaders, where those are in sync."""
    return settle_all(
        image,
        static,
        lambda p: p if p.leader not in (p.replicas[0], NO_LEADER) else None,
        lambda terms: replace(terms, preferred=True),
    )


def elect(
    image: MetadataImage, where: TopicPartition, static: Mapping[str, str], *, unclean: bool
) -> r.PartitionChange:
    """An election that was asked for (KIP-460): of the preferred leader, or, where nobody leads, of anybody.

    Raises: UnknownTopicError, ElectionNotNeededError, PreferredLeaderNotAvailableError,
        EligibleLeadersNotAvailableError.
    """
    before = find_partition(image, where)
    topic = image.topics[where.topic]
    if before.leader == before.replicas[0] or (unclean and before.leader != NO_LEADER):
        raise ElectionNotNeededError(f"{where} is led by broker {before.leader}, as it should be")
    terms = terms_of(image, topic, static)
    terms = replace(terms, unclean=True) if unclean else replace(terms, preferred=True)
    after = settle(before, before, terms)
    if unclean and after.leader == NO_LEADER:
        raise EligibleLeadersNotAvailableError(f"none of {where}'s replicas {list(before.replicas)} is there to lead")
    if not unclean and after.leader != before.replicas[0]:
        raise PreferredLeaderNotAvailableError(f"broker {before.replicas[0]} should lead {where} and isn't in sync")
    change = change_of(topic.topic_id, where.partition, before, after)
    assert change is not None, "the leader is another"
    return change


def forget_eligible(topics: Iterable[TopicImage]) -> list[r.AnyRecord]:
    """Empties the ELRs when `min.insync.replicas` changes: with a smaller one, records may be committed that those in
    it don't have. Each partition gets a new epoch: a leader that still goes by another minimum isn't heard until it
    knows this one, as it would commit alone what those who leave its ISR don't have."""
    return [
        r.PartitionChange(topic_id=topic.topic_id, partition=number, elr=(), last_known_elr=())
        for topic in topics
        for number, partition in enumerate(topic.partitions)
        if len(partition.replicas) > 1
    ]
