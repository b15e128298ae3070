"""Markers of ended transactions: written where this node leads, and sent to who leads the other partitions.

Promises: a marker is answered once it is committed (acks=all), and told to the groups then. Who sends one goes on, as
long as it coordinates, until every partition has it: one that is deleted meanwhile needs none. A coordinator that was
replaced is fenced by its epoch, the journal's leader epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import anyio
import structlog

from streamflow.errors import StreamflowError, UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.coordinators.transaction_records import group_by_topic
from streamflow.log.errors import NotCoordinatorError, PeerUnreachableError
from streamflow.log.node.acknowledgement import Acknowledgement
from streamflow.log.node.effects import MarkerWish
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.groups import OFFSETS, Groups
from streamflow.log.node.peers import Peers
from streamflow.log.node.replica import Replica
from streamflow.log.node.topics import Topics
from streamflow.log.node.verification import Verification
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import write_txn_markers_request, write_txn_markers_response
from streamflow.log.records import build_marker

log = structlog.get_logger("streamflow.transactions")

WRITE_TIMEOUT_MS, ASK_TIMEOUT_MS = 5_000, 7_000
"""For a marker to be committed; and for the leader to say so."""
RETRY_SECONDS = 0.1
BUMPED = 2
"""`transaction.version` whose markers are one epoch above their transaction (KIP-1228)."""
SETTLED = (ErrorCode.none, ErrorCode.invalid_producer_epoch)
"""Nothing is left to end: the producer is further already."""

Answers = dict[TopicPartition, StreamflowError | None]


class Markers:
    def __init__(
        self,
        topics: Topics,
        groups: Groups,
        flusher: Flusher,
        peers: Peers,
        verification: Verification,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._topics = topics
        self._groups = groups
        self._flusher = flusher
        self._peers = peers
        self._verification = verification
        self._now_ms = now_ms

    # Here

    async def write(self, wish: MarkerWish, partitions: Iterable[TopicPartition]) -> Answers:
        """By partition, None or why there is no marker. A marker sent again is there once.

        Raises: StorageFailedError.
        """
        self._flusher.check()
        answers: Answers = {}
        ends: dict[Replica, int] = {}
        for where in partitions:
            answers[where] = None
            try:
                replica = self._append(wish, where)
                ends[replica] = replica.end  # One that was there may not be committed yet.
            except StreamflowError as error:
                answers[where] = error
        failures = await Acknowledgement(self._flusher, ends).committed(WRITE_TIMEOUT_MS)
        answers.update({replica.where: error for replica, error in failures.items()})
        return answers

    def _append(self, wish: MarkerWish, where: TopicPartition) -> Replica:
        replica, producer = self._topics.replicas.get(where), wish.producer
        if replica is None:
            raise UnknownTopicError(where.topic)
        _ = replica.leader
        if where == OFFSETS:
            self._groups.coordination.check()
        self._verification.ended(where, producer.id)
        known = replica.log.producers
        if known.check_marker(producer.id, producer.epoch, wish.coordinator_epoch, bumped=wish.bumped):
            now_ms = self._now_ms()
            epoch = wish.coordinator_epoch
            marker = build_marker(commit=wish.commit, timestamp=now_ms, producer=producer, coordinator_epoch=epoch)
            replica.append(marker, now_ms)
            if where == OFFSETS:
                self._groups.marked(producer.id, committed=wish.commit)
        return replica

    # Wherever it is to be

    async def send(
        self, wish: MarkerWish, partitions: Collection[TopicPartition], coordinates: Callable[[], bool]
    ) -> None:
        """Returns once all partitions that there still are have the marker.

        Args:
            coordinates: whether this node still does.

        Raises: NotCoordinatorError when another coordinator is to go on; StorageFailedError.
        """
        left = set(partitions)
        while left := {where for where in left if self._leader(where) is not None}:
            if not coordinates():
                raise NotCoordinatorError("another node coordinates by now, and ends the transaction")
            by_leader: dict[int, list[TopicPartition]] = {}
            for where in sorted(left):
                by_leader.setdefault(self._leader(where) or 0, []).append(where)
            async with anyio.create_task_group() as asking:
                for leader, wanted in by_leader.items():
                    if leader >= 0:
                        asking.start_soon(self._send, leader, wish, wanted, left)
            if left:
                await anyio.sleep(RETRY_SECONDS)

    def _leader(self, where: TopicPartition) -> int | None:
        """None for a partition that isn't there."""
        image = self._topics.metadata.image.topics.get(where.topic)
        if image is None or not 0 <= where.partition < len(image.partitions):
            return None
        return image.partitions[where.partition].leader

    async def _send(
        self, leader: int, wish: MarkerWish, wanted: list[TopicPartition], left: set[TopicPartition]
    ) -> None:
        """Takes from what is `left` what has its marker."""
        try:
            if leader == self._topics.metadata.node_id:
                answers = await self.write(wish, wanted)
                codes: dict[TopicPartition, int] = {w: _code(e) for w, e in answers.items()}
            else:
                request = _request(wish, wanted)
                codes = _codes(await self._peers.ask(leader, request, timeout_ms=ASK_TIMEOUT_MS))
        except PeerUnreachableError as error:
            log.info("markers couldn't be sent", leader=leader, reason=str(error))
            return
        for where in wanted:
            code = codes.get(where, ErrorCode.unknown_server_error)
            if code in SETTLED:
                left.discard(where)
            else:
                log.info("a marker isn't written yet", partition=str(where), leader=leader, answer=ErrorCode(code).name)


def _code(error: StreamflowError | None) -> int:
    return ErrorCode.none if error is None else code_of(error)


def _request(wish: MarkerWish, wanted: list[TopicPartition]) -> write_txn_markers_request.WriteTxnMarkersRequest:
    topics = [
        write_txn_markers_request.WritableTxnMarkerTopic(name=topic, partition_indexes=numbers)
        for topic, numbers in group_by_topic(wanted).items()
    ]
    marker = write_txn_markers_request.WritableTxnMarker(
        producer_id=wish.producer.id,
        producer_epoch=wish.producer.epoch,
        transaction_result=wish.commit,
        topics=topics,
        coordinator_epoch=wish.coordinator_epoch,
        transaction_version=BUMPED if wish.bumped else BUMPED - 1,
    )
    return write_txn_markers_request.WriteTxnMarkersRequest(markers=[marker])


def _codes(answer: write_txn_markers_response.WriteTxnMarkersResponse) -> dict[TopicPartition, int]:
    return {
        TopicPartition(topic.name, partition.partition_index): partition.error_code
        for marker in answer.markers
        for topic in marker.topics
        for partition in topic.partitions
    }
