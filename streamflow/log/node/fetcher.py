"""Follows one leader: a fetch for all partitions that this node has from it, again and again.

Promises: what a fetch claims to have is in the log, and durable where appends are to be. One partition's failure
doesn't stop the others: it rests, longer each time, up to `replica.fetch.backoff.ms`. Partitions that come or go while
a fetch waits are in the next one at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

import anyio
import structlog

from streamflow.log.controller.image import MetadataImage
from streamflow.log.errors import LogError, PeerUnreachableError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.membership import Membership
from streamflow.log.node.peers import Peers
from streamflow.log.node.replica import Replica
from streamflow.log.node.throttle import Throttle
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import fetch_request, fetch_response
from streamflow.log.replication.events import (
    Answered,
    Append,
    Ask,
    BackOff,
    FollowerEffect,
    HighWatermarkMoved,
    MoveStart,
    StartAnew,
    StartedAnew,
    Trouble,
    Truncate,
    Truncated,
)
from streamflow.log.replication.follower import Follower

log = structlog.get_logger("streamflow.log")

NO_SESSION = -1
REST_MS_MIN = 20
"""A leader that hasn't heard yet that it leads, has in a moment."""
REQUEST_TIMEOUT_MS = 30_000
"""Beside what the leader waits for records: `replica.socket.timeout.ms`."""

Place = tuple[bytes, int]
"""Topic id, partition."""


class Channel(Protocol):
    """To the active controller."""

    async def ask(self, request: Any, *, timeout_ms: int) -> Any:
        """Raises: RequestTimedOutError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What replication is given of the cluster.

    Args:
        broker_epoch: this broker's, of its present life; -1 while it isn't registered.
        note_point: notes, durably, that the replica's log is to be checked from the offset on. Blocks.
        throttle: of what this node copies as a follower.
    """

    membership: Membership
    image: Callable[[], MetadataImage]
    peers: Peers
    channel: Channel
    broker_epoch: Callable[[], int]
    note_point: Callable[[Replica, int], None]
    throttle: Throttle
    now_ms: Callable[[], int]


class Fetcher:
    """Made for one leader."""

    def __init__(self, leader: int, cluster: Surroundings, flusher: Flusher, config: NodeConfig) -> None:
        self._leader = leader
        self._cluster = cluster
        self._flusher = flusher
        self._config = config
        self._replicas: dict[Place, Replica] = {}
        self._rests: dict[Replica, tuple[int, int]] = {}
        """Until when, and how long it was."""
        self._changed = anyio.Event()
        self._asking: anyio.CancelScope | None = None

    def __repr__(self) -> str:
        return f"<Fetcher of {len(self._replicas)} partitions from broker {self._leader}>"

    def add(self, replica: Replica) -> None:
        self._replicas[_place(replica)] = replica
        self._rests.pop(replica, None)
        self._change()

    def remove(self, replica: Replica) -> None:
        if self._replicas.pop(_place(replica), None) is not None:
            self._rests.pop(replica, None)
            self._change()

    def _change(self) -> None:
        self._changed.set()
        if self._asking is not None:
            self._asking.cancel()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._changed = anyio.Event()
            asked = await self._asks()
            if asked:
                await self._fetch(asked)
            else:
                with anyio.move_on_after(self._pause_seconds()):
                    await self._changed.wait()

    def _pause_seconds(self) -> float:
        if not self._replicas:
            return self._config.replica_lag_ms_max / 1000
        now_ms = self._cluster.now_ms()
        return max(1, min((until - now_ms for until, _ in self._rests.values()), default=REST_MS_MIN)) / 1000

    async def _asks(self) -> dict[Place, Ask]:
        """What to fetch of each partition that may be fetched now."""
        if self._cluster.broker_epoch() < 0:
            return {}
        now_ms = self._cluster.now_ms()
        awake = {p: r for p, r in self._replicas.items() if r not in self._rests or self._rests[r][0] <= now_ms}
        try:
            await self._flusher.flush([r for r in awake.values() if r.role.durable and r.unflushed])
        except LogError as error:
            for replica in awake.values():
                self._rest(replica, str(error))
            return {}
        asks = {}
        for place, replica in awake.items():
            if isinstance(replica.role, Follower) and place in self._replicas and not replica.turn.locked():
                replica.role.moved_start(replica.log.log_start_offset)
                ask = replica.role.ask(replica.log.epochs)
                if ask is not None and replica.role.leader == self._leader:
                    if self._allowance(replica) == 0:
                        self._rests[replica] = now_ms + REST_MS_MIN, REST_MS_MIN // 2
                    else:
                        asks[place] = ask
        return asks

    def _allowance(self, replica: Replica) -> int | None:
        """What may be fetched of it now: without limit where it is in sync, or isn't throttled."""
        me, topic = self._cluster.membership.node_id, self._cluster.image().topics.get(replica.where.topic)
        known = topic is not None and replica.where.partition < len(topic.partitions)
        if topic is None or not known or me in topic.partitions[replica.where.partition].isr:
            return None
        return self._cluster.throttle.allowance(replica, me)

    async def _fetch(self, asks: dict[Place, Ask]) -> None:
        wait_ms = self._config.replica_fetch_wait_ms_max
        answer = None
        try:
            with anyio.CancelScope() as self._asking:
                answer = await self._cluster.peers.ask(
                    self._leader, self._request(asks), timeout_ms=wait_ms + REQUEST_TIMEOUT_MS
                )
        except PeerUnreachableError as error:
            self._rest_all(asks, str(error))
        finally:
            self._asking = None
        if answer is None:
            return
        if answer.error_code != ErrorCode.none:
            self._rest_all(asks, ErrorCode(answer.error_code).name)
            return
        for topic in answer.responses:
            for data in topic.partitions:
                place = (topic.topic_id, data.partition_index)
                replica = self._replicas.get(place)
                if replica is not None and place in asks:
                    await self._take(replica, asks[place], data)

    def _request(self, asks: dict[Place, Ask]) -> Any:
        topics: dict[bytes, list[fetch_request.FetchPartition]] = {}
        for (topic_id, number), ask in asks.items():
            replica, bytes_max = self._replicas[topic_id, number], self._config.replica_fetch_bytes_max
            allowance = self._allowance(replica)
            partition = fetch_request.FetchPartition(
                partition=number,
                current_leader_epoch=ask.leader_epoch,
                fetch_offset=ask.offset,
                last_fetched_epoch=ask.last_epoch,
                log_start_offset=replica.log.log_start_offset,
                partition_max_bytes=bytes_max if allowance is None else min(bytes_max, allowance),
                high_watermark=replica.high_watermark,
            )
            topics.setdefault(topic_id, []).append(partition)
        return fetch_request.FetchRequest(
            max_wait_ms=self._config.replica_fetch_wait_ms_max,
            min_bytes=1,
            max_bytes=self._config.replica_fetch_response_bytes_max,
            session_id=0,
            session_epoch=NO_SESSION,
            replica_state=fetch_request.ReplicaState(
                replica_id=self._cluster.membership.node_id, replica_epoch=self._cluster.broker_epoch()
            ),
            topics=[fetch_request.FetchTopic(topic_id=id_, partitions=listed) for id_, listed in topics.items()],
        )

    async def _take(self, replica: Replica, ask: Ask, data: fetch_response.PartitionData) -> None:
        """Does what the answer for one partition comes to."""
        async with replica.turn:
            try:
                effects = replica.answered(_answer(ask, data))
                if data.error_code == ErrorCode.none:
                    self._rests.pop(replica, None)
                for effect in effects:
                    await self._do(replica, effect, data)
            except LogError as error:
                self._rest(replica, str(error))

    async def _do(self, replica: Replica, effect: FollowerEffect, data: fetch_response.PartitionData) -> None:
        """Raises: LogError."""
        partition = replica.log
        match effect:
            case Append():
                if data.records:
                    assert isinstance(data.records, memoryview), "read from a frame"
                    self._flusher.check()
                    replica.append_fetched(data.records, self._cluster.now_ms())
                    self._served(replica, len(data.records))
            case Truncate(offset=offset):
                log.info("records that the leader hasn't are removed", partition=str(replica.where), since=offset)
                await self._flusher.alone(lambda: self._cut(replica, offset, partition.truncate_to))
                replica.answered(Truncated(end=partition.log_end_offset))
            case StartAnew(offset=offset):
                log.warning("the log lies below its leader's and begins anew", partition=str(replica.where), at=offset)
                await self._flusher.alone(lambda: self._cut(replica, offset, partition.start_anew))
                replica.answered(StartedAnew(offset=offset))
            case MoveStart(offset=offset):
                partition.delete_before(min(offset, replica.high_watermark))
            case BackOff(reason=reason):
                self._rest(replica, reason or ErrorCode(data.error_code).name)
            case HighWatermarkMoved():
                pass  # Seen to by the replica.
            case _:
                assert_never(effect)

    def _served(self, replica: Replica, size: int) -> None:
        """It is last in the next request: an answer hasn't room for all, and nobody is to starve."""
        self._cluster.throttle.took(replica, self._cluster.membership.node_id, size)
        place = _place(replica)
        if place in self._replicas:
            self._replicas[place] = self._replicas.pop(place)

    def _cut(self, replica: Replica, offset: int, work: Callable[[int], None]) -> None:
        """The recovery point is lowered first, as one above the log's end tells a start that records are missing; and
        the high watermark, as what comes in their place isn't committed."""
        if max(replica.log.recovery_point, replica.high_watermark) > offset:
            self._cluster.note_point(replica, offset)
        work(offset)

    def _rest_all(self, asks: dict[Place, Ask], why: str) -> None:
        for place in asks:
            if place in self._replicas:
                self._rest(self._replicas[place], why)

    def _rest(self, replica: Replica, why: str) -> None:
        _, before = self._rests.get(replica, (0, REST_MS_MIN // 2))
        rest_ms = min(2 * before, self._config.replica_fetch_backoff_ms)
        self._rests[replica] = self._cluster.now_ms() + rest_ms, rest_ms
        log.debug("a follower waits", partition=str(replica.where), leader=self._leader, ms=rest_ms, why=why)


def _place(replica: Replica) -> Place:
    return replica.log.identity.topic_id.bytes, replica.where.partition


def _answer(ask: Ask, data: fetch_response.PartitionData) -> Answered:
    trouble = None
    if data.error_code != ErrorCode.none:
        out_of_range = data.error_code == ErrorCode.offset_out_of_range
        trouble = Trouble.OUT_OF_RANGE if out_of_range else Trouble.OTHER
    diverging = data.diverging_epoch
    return Answered(
        ask=ask,
        high_watermark=data.high_watermark,
        log_start_offset=data.log_start_offset,
        diverging=(diverging.epoch, diverging.end_offset) if diverging.end_offset >= 0 else None,
        trouble=trouble,
    )
