"""The controller: what brokers ask of the node that leads the metadata quorum, and what it does by the clock.

Every node with the role has one. It acts only while `metadata.active`, and answers NOT_CONTROLLER else. Whatever it
decides is decided by the pure room on a committed image, one decision at a time, and holds when it is answered. In its
own memory it has only who was heard of, which a new controller begins anew.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import anyio
import structlog

from streamflow.errors import StreamflowError
from streamflow.log.controller import brokers as b
from streamflow.log.controller import records as r
from streamflow.log.controller.elections import balance, elect_leaderless
from streamflow.log.controller.image import BrokerImage, MetadataImage
from streamflow.log.controller.isr import ANY_EPOCH, NewIsr, alter_isr
from streamflow.log.controller.sessions import Session, Sessions
from streamflow.log.errors import (
    InvalidUpdateVersionError,
    NotControllerError,
    PeerGoneError,
    PeerUnreachableError,
    RequestTimedOutError,
)
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.peers import Alone, Peers
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import (
    allocate_producer_ids_request,
    allocate_producer_ids_response,
    alter_partition_request,
    alter_partition_response,
    api_versions_request,
    broker_heartbeat_request,
    broker_heartbeat_response,
    broker_registration_request,
    broker_registration_response,
    unregister_broker_request,
    unregister_broker_response,
)

log = structlog.get_logger("streamflow.log")

CLIENT_LISTENER, PEER_LISTENER = "CLIENT", "PEER"
"""Names of a broker's two addresses in its registration."""
PRODUCER_IDS = 1000
"""Given to a broker at once (KIP-730), as Kafka."""
TICK_MS = 500
"""How often it is looked at who is silent."""
CLUSTER_ID_BYTES = 16
PROBE = api_versions_request.ApiVersionsRequest(client_software_name="streamflow", client_software_version="1")
PROBE_MS = 300
"""For a connection to be refused: who doesn't answer isn't known to be gone."""

Decide = Callable[[MetadataImage], Sequence[r.AnyRecord]]


class Metadata(Protocol):
    """What a controller needs of the metadata log. `applied` is an offset that every new record moves on."""

    @property
    def image(self) -> MetadataImage: ...
    @property
    def active(self) -> bool: ...
    @property
    def leader_epoch(self) -> int: ...
    @property
    def applied(self) -> int: ...
    async def change(self, decide: Decide) -> Sequence[r.AnyRecord]: ...


class Controller:
    """Args:
    random_bytes: for the cluster's id, which the first controller gives it.
    peers: to look whether a broker that is silent is gone.
    """

    def __init__(
        self,
        metadata: Metadata,
        config: NodeConfig,
        *,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        peers: Peers | None = None,
    ) -> None:
        self._metadata = metadata
        self._peers = peers or Alone()
        self._overdue_ms = config.broker_heartbeat_interval_ms * 3 // 2
        self._static = config.static
        self._balance_interval_ms = config.leader_imbalance_check_interval_seconds * 1000
        self._balances = config.auto_leader_rebalance
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._sessions = Sessions(config.broker_session_timeout_ms)
        self._term = -1
        """The leader epoch the sessions are of."""
        self._ticked_ms = self._balance_at = now_ms()
        self._seen = -1

    def __repr__(self) -> str:
        return f"<Controller {'active' if self._metadata.active else 'standing by'}, {self._metadata.image!r}>"

    @property
    def answers(self) -> dict[type[Any], Callable[[Any], Awaitable[Any]]]:
        """What answers each kind of request."""
        return {
            broker_registration_request.BrokerRegistrationRequest: self.register,
            broker_heartbeat_request.BrokerHeartbeatRequest: self.heartbeat,
            unregister_broker_request.UnregisterBrokerRequest: self.unregister,
            alter_partition_request.AlterPartitionRequest: self.alter_partition,
            allocate_producer_ids_request.AllocateProducerIdsRequest: self.allocate_producer_ids,
        }

    # Brokers

    async def register(
        self, request: broker_registration_request.BrokerRegistrationRequest
    ) -> broker_registration_response.BrokerRegistrationResponse:
        """As `brokers.register`. The broker's two addresses are its listeners CLIENT and PEER."""
        given = _registration(request)

        def decide(image: MetadataImage) -> Sequence[r.AnyRecord]:
            alive = self._heard().alive(given.broker_id, self._now_ms())
            return b.register(image, given, self._static, broker_epoch=self._metadata.applied + 1, alive=alive)

        try:
            self._check_active()
            if await self._metadata.change(decide):
                log.info("broker registered", broker=given.broker_id, previous_epoch=given.previous_epoch)
            broker = self._metadata.image.brokers[given.broker_id]
            self._heard().hear(given.broker_id, broker.broker_epoch, self._now_ms())
        except StreamflowError as error:
            log.info("broker not registered", broker=given.broker_id, reason=str(error))
            return broker_registration_response.BrokerRegistrationResponse(error_code=code_of(error))
        return broker_registration_response.BrokerRegistrationResponse(broker_epoch=broker.broker_epoch)

    async def heartbeat(
        self, request: broker_heartbeat_request.BrokerHeartbeatRequest
    ) -> broker_heartbeat_response.BrokerHeartbeatResponse:
        """The broker is there, as far as it has come, and wants to serve, to be fenced or to stop."""
        Response = broker_heartbeat_response.BrokerHeartbeatResponse
        try:
            self._check_active()
            before = b.check_epoch(self._metadata.image, request.broker_id, request.broker_epoch)
            offset = request.current_metadata_offset
            session = self._heard().hear(request.broker_id, request.broker_epoch, self._now_ms(), offset)
            await self._advance(before, request, session)
            after = b.check_epoch(self._metadata.image, request.broker_id, request.broker_epoch)
        except StreamflowError as error:
            return Response(error_code=code_of(error))
        return Response(
            is_caught_up=_caught_up(request),
            is_fenced=after.fenced,
            should_shut_down=request.want_shut_down and after.fenced,
        )

    async def _advance(
        self, broker: BrokerImage, request: broker_heartbeat_request.BrokerHeartbeatRequest, session: Session
    ) -> None:
        if broker.fenced:
            if _caught_up(request) and not request.want_fence and not request.want_shut_down:
                await self._of(broker, b.unfence)
                log.info("broker unfenced", broker=broker.broker_id)
        elif request.want_shut_down:
            if session.stopping_at is None:
                await self._of(broker, b.begin_shutdown)
                session.stopping_at = self._metadata.applied
            if self._heard().known_to_others(broker.broker_id, session.stopping_at, self._now_ms()):
                await self._of(broker, b.fence)
                self._heard().end(broker.broker_id)  # Whoever starts under its id needn't wait.
                log.info("broker may stop", broker=broker.broker_id)
        elif request.want_fence:
            await self._of(broker, b.fence)

    async def _of(self, broker: BrokerImage, decide: Callable[..., Sequence[r.AnyRecord]]) -> None:
        """Changes the state of a broker that is still in the life it was asked about."""

        def checked(image: MetadataImage) -> Sequence[r.AnyRecord]:
            b.check_epoch(image, broker.broker_id, broker.broker_epoch)
            return decide(image, broker.broker_id, self._static)

        await self._metadata.change(checked)

    async def unregister(
        self, request: unregister_broker_request.UnregisterBrokerRequest
    ) -> unregister_broker_response.UnregisterBrokerResponse:
        """As `brokers.unregister`."""
        try:
            self._check_active()
            await self._metadata.change(lambda image: b.unregister(image, request.broker_id))
        except StreamflowError as error:
            return unregister_broker_response.UnregisterBrokerResponse(
                error_code=code_of(error), error_message=str(error)
            )
        return unregister_broker_response.UnregisterBrokerResponse(error_message=None)

    # What brokers ask for

    async def alter_partition(
        self, request: alter_partition_request.AlterPartitionRequest
    ) -> alter_partition_response.AlterPartitionResponse:
        """As `isr.alter_isr`, each partition on its own. The answer has the partitions as they are then; one that has
        another leader by it, as a reassignment has ended, is NEW_LEADER_ELECTED."""
        codes: dict[tuple[bytes, int], ErrorCode] = {}

        def decide(image: MetadataImage) -> Sequence[r.AnyRecord]:
            b.check_epoch(image, request.broker_id, request.broker_epoch)
            codes.clear()
            records: list[r.AnyRecord] = []
            for wanted in _isrs(request):
                where = wanted.topic_id, wanted.partition
                try:
                    if where in codes:
                        raise InvalidUpdateVersionError("a partition is altered once in a request")
                    change = alter_isr(image, request.broker_id, wanted, self._static)
                except StreamflowError as error:
                    codes[where] = code_of(error)
                    continue
                moved = change.leader not in (None, request.broker_id)
                codes[where] = ErrorCode.new_leader_elected if moved else ErrorCode.none
                records.append(change)
            return records

        try:
            self._check_active()
            await self._metadata.change(decide)
        except StreamflowError as error:
            return alter_partition_response.AlterPartitionResponse(error_code=code_of(error))
        return alter_partition_response.AlterPartitionResponse(
            topics=[
                alter_partition_response.TopicData(
                    topic_id=topic.topic_id,
                    partitions=[
                        self._altered(topic.topic_id, p.partition_index, codes[topic.topic_id, p.partition_index])
                        for p in topic.partitions
                    ],
                )
                for topic in request.topics
            ]
        )

    def _altered(self, topic_id: bytes, number: int, code: ErrorCode) -> alter_partition_response.PartitionData:
        answer = alter_partition_response.PartitionData(partition_index=number, error_code=code)
        topic = self._metadata.image.topics_by_id.get(topic_id)
        if code == ErrorCode.none and topic is not None:
            now = topic.partitions[number]
            answer.leader_id, answer.leader_epoch = now.leader, now.leader_epoch
            answer.isr, answer.partition_epoch = list(now.isr), now.partition_epoch
        return answer

    async def allocate_producer_ids(
        self, request: allocate_producer_ids_request.AllocateProducerIdsRequest
    ) -> allocate_producer_ids_response.AllocateProducerIdsResponse:
        """A block of producer ids that nobody else has or had (KIP-730)."""

        def decide(image: MetadataImage) -> Sequence[r.AnyRecord]:
            b.check_epoch(image, request.broker_id, request.broker_epoch)
            end = image.next_producer_id + PRODUCER_IDS
            return [r.ProducerIds(broker_id=request.broker_id, next_producer_id=end)]

        try:
            self._check_active()
            (block,) = await self._metadata.change(decide)
        except StreamflowError as error:
            return allocate_producer_ids_response.AllocateProducerIdsResponse(error_code=code_of(error))
        assert isinstance(block, r.ProducerIds)
        return allocate_producer_ids_response.AllocateProducerIdsResponse(
            producer_id_start=block.next_producer_id - PRODUCER_IDS, producer_id_len=PRODUCER_IDS
        )

    # Time

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await anyio.sleep(TICK_MS / 1000)
            try:
                if self._metadata.active:
                    await self.tick()
            except (NotControllerError, RequestTimedOutError) as error:
                log.info("the quorum didn't take a change; it is tried again", reason=str(error))

    async def tick(self) -> None:
        """Names the cluster, fences the silent, elects where an unclean election was allowed since, gives partitions
        back to their preferred leaders. Raises: NotControllerError, RequestTimedOutError, LogError."""
        metadata, static = self._metadata, self._static
        if not metadata.image.cluster_id:
            name = urlsafe_b64encode(self._random_bytes(CLUSTER_ID_BYTES)).rstrip(b"=").decode()
            await metadata.change(lambda image: () if image.cluster_id else (r.Cluster(cluster_id=name),))
        sessions, now_ms = self._heard(), self._now_ms()
        if now_ms - self._ticked_ms > sessions.timeout_ms / 2:
            sessions.begin(metadata.image.brokers.values(), now_ms)  # It was this node that was asleep.
        self._ticked_ms = now_ms
        await self._look_for_the_gone(sessions, now_ms)
        for broker_id in sessions.silent(metadata.image.brokers.values(), now_ms):
            await metadata.change(lambda image, n=broker_id: self._fence_silent(image, n))  # type: ignore[misc]
        if metadata.image.changes != self._seen and elect_leaderless(metadata.image, static):
            await metadata.change(lambda image: elect_leaderless(image, static))
        self._seen = metadata.image.changes
        if self._balances and now_ms >= self._balance_at:
            self._balance_at = now_ms + self._balance_interval_ms
            if balance(metadata.image, static):
                await metadata.change(lambda image: balance(image, static))

    async def _look_for_the_gone(self, sessions: Sessions, now_ms: int) -> None:
        """A broker whose process has ended refuses connections: its partitions needn't wait for its session's end. One
        that is paused, or cut off, doesn't refuse."""

        async def look(broker_id: int) -> None:
            try:
                await self._peers.ask(broker_id, PROBE, timeout_ms=PROBE_MS)
            except PeerGoneError as error:
                if not sessions.heard_since(broker_id, now_ms):
                    log.warning("a broker is gone", broker=broker_id, reason=str(error))
                    sessions.end(broker_id)
            except PeerUnreachableError:
                pass  # It has the time of its session.

        async with anyio.create_task_group() as group:
            for broker_id in sessions.overdue(self._metadata.image.brokers.values(), now_ms, self._overdue_ms):
                group.start_soon(look, broker_id)

    def _fence_silent(self, image: MetadataImage, broker_id: int) -> Sequence[r.AnyRecord]:
        if broker_id not in image.brokers or self._sessions.alive(broker_id, self._now_ms()):
            return []
        log.warning("broker fenced: it was silent", broker=broker_id, session_timeout_ms=self._sessions.timeout_ms)
        return b.fence(image, broker_id, self._static)

    def _heard(self) -> Sessions:
        """Who was heard of by this controller, in this term."""
        if self._term != self._metadata.leader_epoch:
            self._term = self._metadata.leader_epoch
            self._ticked_ms = now_ms = self._now_ms()
            self._balance_at = now_ms + self._balance_interval_ms
            self._seen = -1
            self._sessions.begin(self._metadata.image.brokers.values(), now_ms)
        return self._sessions

    def _check_active(self) -> None:
        if not self._metadata.active:
            raise NotControllerError("this node isn't the active controller; ask the quorum's leader")


def _caught_up(request: broker_heartbeat_request.BrokerHeartbeatRequest) -> bool:
    """Whether the broker knows of its own registration: a broker epoch is an offset."""
    return request.current_metadata_offset >= request.broker_epoch


def _registration(request: broker_registration_request.BrokerRegistrationRequest) -> b.Registration:
    named = {listener.name: listener for listener in request.listeners}
    client, peer = named.get(CLIENT_LISTENER), named.get(PEER_LISTENER)
    return b.Registration(
        broker_id=request.broker_id,
        cluster_id=request.cluster_id,
        incarnation_id=request.incarnation_id,
        host=client.host if client is not None else "",
        port=client.port if client is not None else 0,
        peer_host=peer.host if peer is not None else "",
        peer_port=peer.port if peer is not None else 0,
        rack=request.rack,
        previous_epoch=request.previous_broker_epoch,
    )


def _isrs(request: alter_partition_request.AlterPartitionRequest) -> list[NewIsr]:
    """Version 2 tells members without their epochs."""
    return [
        NewIsr(
            topic_id=topic.topic_id,
            partition=p.partition_index,
            leader_epoch=p.leader_epoch,
            partition_epoch=p.partition_epoch,
            members=[(m.broker_id, m.broker_epoch) for m in p.new_isr_with_epochs]
            or [(member, ANY_EPOCH) for member in p.new_isr],
        )
        for topic in request.topics
        for p in topic.partitions
    ]
