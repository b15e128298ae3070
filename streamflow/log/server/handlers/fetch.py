"""Fetch 4–18: batches as they lie in the log, unopened; waits until there are enough.

Promises: a consumer is given nothing above the high watermark, and nothing above the last stable offset when it reads
committed records only, with the aborted transactions in order of their first offset. The first batch of the first
partition that has one is given whole however long it is (KIP-74).

Who asks is one of:

    a consumer     served by the leader, or by a follower in its own rack (KIP-392), which the leader names
    a follower     of a broker among the peers: up to the log's end; its offset tells the leader what it has
    a peer         that mends its log: as a consumer, of any replica

A follower's fetch on the clients' listener is refused (CVE-2018-1288). Not done: tiered storage.
"""

from __future__ import annotations

from typing import Any

import anyio

from streamflow.errors import StreamflowError
from streamflow.log.controller.records import METADATA_TOPIC
from streamflow.log.controller.throttles import Side
from streamflow.log.errors import NotLeaderError, OffsetOutOfRangeError
from streamflow.log.node.metadata import METADATA_ID
from streamflow.log.node.replica import Replica
from streamflow.log.node.waiting import wait_for_news
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import fetch_request, fetch_response
from streamflow.log.replication.events import Diverged, Fetched, Refusal
from streamflow.log.server.broker import Answer, Context, Later
from streamflow.log.server.fetch_sessions import Key, Session, Wanted
from streamflow.log.server.leadership import Directions, find_replica, find_topic

PartitionData = fetch_response.PartitionData
READ_COMMITTED = 1
NOBODY = -1
"""As a replica's number: a consumer's."""
CODES = {
    Refusal.FENCED_EPOCH: ErrorCode.fenced_leader_epoch,
    Refusal.UNKNOWN_EPOCH: ErrorCode.unknown_leader_epoch,
    Refusal.UNKNOWN_REPLICA: ErrorCode.unknown_leader_epoch,  # Metadata of the leader's is older.
    Refusal.STALE_BROKER: ErrorCode.not_leader_or_follower,
    Refusal.OUT_OF_RANGE: ErrorCode.offset_out_of_range,
}


async def handle(context: Context, request: fetch_request.FetchRequest) -> Answer:
    if request.replica_id != NOBODY:
        request.replica_state.replica_id = request.replica_id  # Before version 15.
    from_follower = request.replica_state.replica_id != NOBODY
    if from_follower and not context.from_peer:
        return fetch_response.FetchResponse(error_code=ErrorCode.cluster_authorization_failed)
    if context.from_peer and _asks_metadata(request):
        metadata: Any = context.node.cluster.quorum
        return await metadata.fetch(request)
    session = context.broker.fetch_sessions.begin(request)
    if isinstance(session, ErrorCode):
        return fetch_response.FetchResponse(error_code=session)
    return Later(Fetch(context, request, session).answer)


def _asks_metadata(request: fetch_request.FetchRequest) -> bool:
    return any(topic.topic_id == METADATA_ID.bytes or topic.topic == METADATA_TOPIC for topic in request.topics)


class Fetch:
    """One request."""

    def __init__(self, context: Context, request: fetch_request.FetchRequest, session: Session) -> None:
        self._broker = context.broker
        self._from_peer = context.from_peer
        self._request = request
        self._session = session
        self._follower = request.replica_state.replica_id
        self._committed = request.isolation_level == READ_COMMITTED
        self._wanted_bytes = self._bytes_max = min(request.max_bytes, context.node.config.fetch_bytes_max)
        self._throttle = context.node.cluster.throttles[Side.LEADER]
        self._directions = Directions(context.broker)

    async def answer(self) -> fetch_response.FetchResponse:
        deadline = anyio.current_time() + self._request.max_wait_ms / 1000
        while True:
            await self._broker.answers.room()
            self._bytes_max = min(self._wanted_bytes, self._broker.answers.fair)
            found, size, waiting = self._read()
            left = deadline - anyio.current_time()
            if size >= self._request.min_bytes or not waiting or left <= 0 or self._broker.stopping:
                return self._response(found)
            await wait_for_news(waiting, left, uncommitted=self._follower != NOBODY)

    def _read(self) -> tuple[dict[Key, PartitionData], int, list[Replica]]:
        """What each partition has, how much that is, and who may have more later: nobody, if there is news already
        that mustn't wait."""
        found: dict[Key, PartitionData] = {}
        size = 0
        waiting: list[Replica] = []
        urgent = not self._session.wanted
        for key, wanted in self._session.wanted.items():
            try:
                replica = self._find(key, wanted)
                data, read = self._read_partition(replica, wanted, self._bytes_max - size, first=size == 0)
                size += read
                waiting.append(replica)
                urgent |= self._is_urgent(data, wanted)
            except StreamflowError as error:
                data = self._failed(key, error)
                urgent = True
            data.partition_index = key[2]
            found[key] = data
        return found, size, [] if urgent else waiting

    def _is_urgent(self, data: PartitionData, wanted: Wanted) -> bool:
        return bool(
            data.error_code != ErrorCode.none
            or data.preferred_read_replica != NOBODY
            or data.diverging_epoch.end_offset >= 0
            or (self._follower != NOBODY and self._is_behind(data, wanted))
        )

    @staticmethod
    def _is_behind(data: PartitionData, wanted: Wanted) -> bool:
        """Whether the follower is to learn at once of records committed, or deleted (KIP-107)."""
        committed = min(data.high_watermark, wanted.offset)
        return wanted.high_watermark < committed or wanted.log_start_offset < data.log_start_offset

    def _find(self, key: Key, wanted: Wanted) -> Replica:
        """Raises: StreamflowError."""
        name, topic_id, partition = key
        topic = find_topic(self._broker, name, topic_id)
        replica = find_replica(self._broker, topic, partition, wanted.leader_epoch)
        if replica.leads or (self._follower == NOBODY and (self._from_peer or self._is_near())):
            return replica
        raise NotLeaderError(f"{replica.where} isn't led by node {self._broker.node_id}")

    def _is_near(self) -> bool:
        """Whether the consumer is in this node's rack."""
        return self._request.rack_id != "" and self._request.rack_id == self._rack_of(self._broker.node_id)

    def _rack_of(self, node_id: int) -> str | None:
        known = self._broker.node.topics.metadata.image.brokers.get(node_id)
        return None if known is None else known.rack

    def _failed(self, key: Key, error: StreamflowError) -> PartitionData:
        data = PartitionData(error_code=code_of(error), high_watermark=-1, records=[])
        if data.error_code in (ErrorCode.not_leader_or_follower, ErrorCode.fenced_leader_epoch):
            leader = self._directions.leader(self._broker.topic(key[0], key[1]), key[2])
            if leader is not None:
                data.current_leader = fetch_response.LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1])
        return data

    def _read_partition(
        self, replica: Replica, wanted: Wanted, bytes_max: int, *, first: bool
    ) -> tuple[PartitionData, int]:
        """The answer, and how many bytes of records it has. Raises: LogError."""
        data = PartitionData(log_start_offset=replica.log.log_start_offset, aborted_transactions=None, records=[])
        if self._follower != NOBODY:
            problem = self._note_fetch(replica, wanted)
            if isinstance(problem, Diverged):
                data.diverging_epoch = fetch_response.EpochEndOffset(epoch=problem.epoch, end_offset=problem.end)
            elif problem is not None:
                data.error_code = CODES[problem]
                data.high_watermark = -1
            if problem is not None:
                return data, 0
        elif (nearer := self._nearer(replica, wanted)) is not None:
            data.preferred_read_replica = nearer
        data.high_watermark, data.last_stable_offset = replica.high_watermark, replica.last_stable_offset
        if data.preferred_read_replica != NOBODY:
            return data, 0
        self._check_range(replica, wanted.offset)
        end = self._end(replica)
        limit, size = min(wanted.bytes_max, bytes_max), 0
        if wanted.offset < end and (limit > 0 or first):
            allowance = self._allowance(replica)
            batches = []
            if allowance != 0:
                batches = replica.log.read(wanted.offset, min(limit, allowance or limit), up_to=end)
            if first or (batches and len(batches[0]) <= limit):
                data.records, size = batches, sum(map(len, batches))
                self._throttle.took(replica, self._follower, size)
        if self._committed:
            data.aborted_transactions = self._aborted(replica, wanted.offset, end)
        return data, size

    def _allowance(self, replica: Replica) -> int | None:
        """What may be copied now by who follows and isn't in sync, where that is throttled (KIP-73)."""
        if self._follower == NOBODY or self._follower in replica.leader.isr.committed:
            return None
        return self._throttle.allowance(replica, self._follower)

    def _end(self, replica: Replica) -> int:
        """Up to where whoever asks may read."""
        if self._follower != NOBODY:
            return replica.end
        return replica.last_stable_offset if self._committed else replica.high_watermark

    def _check_range(self, replica: Replica, offset: int) -> None:
        """Raises: OffsetOutOfRangeError."""
        start, end = replica.log.log_start_offset, replica.end
        if not start <= offset <= end:
            raise OffsetOutOfRangeError(str(replica.where), offset, start, end)

    def _note_fetch(self, replica: Replica, wanted: Wanted) -> Refusal | Diverged | None:
        """The leader learns what its follower has."""
        node, state = self._broker.node, self._request.replica_state
        broker = node.topics.metadata.image.brokers.get(state.replica_id)
        if broker is not None and state.replica_epoch < broker.broker_epoch:
            return Refusal.STALE_BROKER
        fetch = Fetched(
            replica=state.replica_id,
            broker_epoch=state.replica_epoch,
            leader_epoch=wanted.leader_epoch,
            offset=wanted.offset,
            last_epoch=wanted.last_epoch,
            log_start_offset=wanted.log_start_offset,
            eligible=broker is not None and broker.may_lead and broker.broker_epoch == state.replica_epoch,
        )
        return replica.fetched(fetch, node.now_ms())

    def _nearer(self, replica: Replica, wanted: Wanted) -> int | None:
        """The replica in the consumer's rack that is in sync and has what is asked for, unless this is it (KIP-392)."""
        rack, node = self._request.rack_id, self._broker.node
        if rack == "" or not node.config.rack_aware or not replica.leads or self._from_peer or self._is_near():
            return None
        for node_id in replica.leader.isr.committed:
            standing = replica.leader.standing(node_id)
            if standing is not None and standing.end >= wanted.offset and self._rack_of(node_id) == rack:
                return node_id
        return None

    def _aborted(self, replica: Replica, start: int, end: int) -> list[fetch_response.AbortedTransaction]:
        return [
            fetch_response.AbortedTransaction(producer_id=a.producer_id, first_offset=a.first_offset)
            for a in replica.log.snapshot_aborted(start, end)
        ]

    def _response(self, found: dict[Key, PartitionData]) -> fetch_response.FetchResponse:
        session, incremental = self._session, self._request.session_epoch > 0
        topics: dict[tuple[str, bytes], list[PartitionData]] = {}
        for key, data in found.items():
            news = session.has_news(key, data) if session.id else True
            if news or not incremental:
                topics.setdefault(key[:2], []).append(data)
        return fetch_response.FetchResponse(
            session_id=session.id,
            node_endpoints=[
                fetch_response.NodeEndpoint(node_id=node_id, host=host, port=port, rack=rack)
                for node_id, host, port, rack in self._directions.endpoints()
            ],
            responses=[
                fetch_response.FetchableTopicResponse(topic=name, topic_id=topic_id, partitions=partitions)
                for (name, topic_id), partitions in topics.items()
            ],
        )
