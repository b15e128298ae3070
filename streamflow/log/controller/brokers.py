"""The life of a broker: registered, unfenced, fenced, stopping, forgotten: the image in, records or a refusal out.
PURE.

The rules are Kafka's (KIP-631, `ClusterControlManager`). A broker begins fenced. When it is fenced or wants to stop, it
leaves the ISRs that have another member, and others lead in its place; the records that say so are in one batch with
the one that fences it.

**Whether a broker that comes back has lost data** is decided by what it brings: `previous_epoch`, the broker epoch its
directory is known to be complete under. Its node says one only if nothing it acknowledged can be missing: with
`log.flush=commit` after any stop, else after a clean one; and only what was written into the data directory itself, so
that an empty disk knows none. If that is the epoch the broker was registered with, or, while it hasn't been unfenced
since, the one it brought then, its data is as it was. If not, it leaves ISRs and ELRs alike (KIP-966).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from streamflow.log.controller import records as r
from streamflow.log.controller.elections import Brokers, settle_all
from streamflow.log.controller.image import NO_LEADER, BrokerImage, MetadataImage, PartitionImage
from streamflow.log.errors import (
    BrokerIdNotRegisteredError,
    DuplicateBrokerRegistrationError,
    InconsistentClusterIdError,
    InvalidRequestError,
    StaleBrokerEpochError,
)

Wish = PartitionImage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a broker says when it starts. `previous_epoch` -1: it may have lost data, or is new."""

    broker_id: int
    cluster_id: str
    incarnation_id: bytes
    host: str = ""
    port: int = 0
    peer_host: str = ""
    peer_port: int = 0
    rack: str | None = None
    previous_epoch: int = -1


def register(
    image: MetadataImage, given: Registration, static: Mapping[str, str], *, broker_epoch: int, alive: bool
) -> list[r.AnyRecord]:
    """The records that register a broker, its registration first; none when this incarnation is registered already.

    Args:
        broker_epoch: the offset the first of them gets.
        alive: the one registered under this id was heard of within its session.

    Raises: InconsistentClusterIdError, DuplicateBrokerRegistrationError.
    """
    if given.cluster_id != image.cluster_id:
        raise InconsistentClusterIdError(
            f"broker {given.broker_id} belongs to cluster '{given.cluster_id}', this is '{image.cluster_id}'; "
            "give it an empty data directory or the addresses of its own cluster"
        )
    known = image.brokers.get(given.broker_id)
    if known is not None and known.incarnation_id == given.incarnation_id:
        return []
    complete = known is not None and _complete(known, given.previous_epoch)
    # Who comes with the epoch of the one that was heard of has its directory, and so its lock: that process is gone.
    if known is not None and alive and not complete:
        raise DuplicateBrokerRegistrationError(
            f"a broker with id {given.broker_id} is running; give this one another id, or wait until its session ends"
        )
    assert known is None or broker_epoch > known.broker_epoch, "broker epochs grow"
    record = r.RegisterBroker(
        broker_id=given.broker_id,
        broker_epoch=broker_epoch,
        incarnation_id=given.incarnation_id,
        host=given.host,
        port=given.port,
        peer_host=given.peer_host,
        peer_port=given.peer_port,
        rack=given.rack,
        fenced=True,
        data_epoch=given.previous_epoch if complete else -1,
    )
    brokers = {n: broker for n, broker in image.brokers.items() if n != given.broker_id}
    lost = () if complete else (given.broker_id,)
    return [record, *_leave(image, given.broker_id, brokers, static, lost=lost)]


def _complete(known: BrokerImage, previous_epoch: int) -> bool:
    if previous_epoch == -1:
        return False
    return previous_epoch == known.broker_epoch or (known.fenced and previous_epoch == known.data_epoch)


def check_epoch(image: MetadataImage, broker_id: int, broker_epoch: int) -> BrokerImage:
    """The broker, if that is its life. Raises: BrokerIdNotRegisteredError, StaleBrokerEpochError."""
    known = image.brokers.get(broker_id)
    if known is None:
        raise BrokerIdNotRegisteredError(f"broker {broker_id} isn't registered; it has to register first")
    if known.broker_epoch != broker_epoch:
        raise StaleBrokerEpochError(
            f"broker {broker_id} is registered with epoch {known.broker_epoch}, not {broker_epoch}; register again"
        )
    return known


def fence(image: MetadataImage, broker_id: int, static: Mapping[str, str]) -> list[r.AnyRecord]:
    """Nothing is served by the broker any more; none when it is so."""
    known = image.brokers[broker_id]
    if known.fenced:
        return []
    brokers = {**image.brokers, broker_id: replace(known, fenced=True)}
    change = r.BrokerChange(broker_id=broker_id, broker_epoch=known.broker_epoch, fenced=True)
    return [change, *_leave(image, broker_id, brokers, static)]


def begin_shutdown(image: MetadataImage, broker_id: int, static: Mapping[str, str]) -> list[r.AnyRecord]:
    """Others lead in the broker's place, while it still serves those who don't know yet."""
    known = image.brokers[broker_id]
    if known.in_controlled_shutdown or known.fenced:
        return []
    brokers = {**image.brokers, broker_id: replace(known, in_controlled_shutdown=True)}
    change = r.BrokerChange(broker_id=broker_id, broker_epoch=known.broker_epoch, in_controlled_shutdown=True)
    return [change, *_leave(image, broker_id, brokers, static)]


def unfence(image: MetadataImage, broker_id: int, static: Mapping[str, str]) -> list[r.AnyRecord]:
    """The broker serves from now on, and leads what nobody led if it may."""
    known = image.brokers[broker_id]
    if not known.fenced:
        return []
    brokers = {**image.brokers, broker_id: replace(known, fenced=False)}
    change = r.BrokerChange(broker_id=broker_id, broker_epoch=known.broker_epoch, fenced=False)

    def wish(partition: PartitionImage) -> Wish:
        return partition if partition.leader == NO_LEADER and broker_id in partition.replicas else None

    return [change, *settle_all(image, static, wish, lambda terms: replace(terms, brokers=brokers))]


def unregister(image: MetadataImage, broker_id: int) -> list[r.AnyRecord]:
    """Raises: BrokerIdNotRegisteredError; InvalidRequestError for one that is alive."""
    known = image.brokers.get(broker_id)
    if known is None:
        raise BrokerIdNotRegisteredError(f"broker {broker_id} isn't registered")
    if not known.fenced:
        raise InvalidRequestError(f"broker {broker_id} is running; stop it before it is unregistered")
    return [r.UnregisterBroker(broker_id=broker_id, broker_epoch=known.broker_epoch)]


def _leave(
    image: MetadataImage,
    broker_id: int,
    brokers: Brokers,
    static: Mapping[str, str],
    *,
    lost: tuple[int, ...] = (),
) -> list[r.AnyRecord]:
    def wish(partition: PartitionImage) -> Wish:
        if broker_id in partition.isr:
            return replace(partition, isr=tuple(n for n in partition.isr if n != broker_id) or partition.isr)
        return partition if lost and broker_id in (*partition.elr, *partition.last_known_elr) else None

    return settle_all(image, static, wish, lambda terms: replace(terms, brokers=brokers, lost=lost))
