"""A node's part in the metadata quorum: carries out what its Raft machine orders, and takes what others say to it.

Promises: the machine is stepped by one at a time, and what it orders is done, in order, before the next step; an answer
is given after what had to be durable for it is. Whoever fetches waits at most `FETCH_WAIT_MS` for news. When the disk
fails, nothing more is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from anyio.abc import TaskGroup

from streamflow.log.consensus import events as e
from streamflow.log.controller.records import METADATA_TOPIC
from streamflow.log.errors import PeerUnreachableError
from streamflow.log.node.metadata import METADATA_ID, MetadataLog
from streamflow.log.node.peers import Peers
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    begin_quorum_epoch_request,
    begin_quorum_epoch_response,
    end_quorum_epoch_request,
    end_quorum_epoch_response,
    fetch_request,
    fetch_response,
    vote_request,
    vote_response,
)
from streamflow.log.records import parse_header

if TYPE_CHECKING:
    from random import Random

log = structlog.get_logger("streamflow.quorum")

FETCH_WAIT_MS = 500
"""As Kafka's: how long a fetch that has nothing to bring waits for news, and at most half as long as the leader may be
silent."""
FETCH_BYTES = 1 << 20
ASK_TIMEOUT_MS = 2_000
"""`controller.quorum.request.timeout.ms`."""
REST_MS = 50
"""After a leader couldn't be asked, or isn't known."""
NO_LEADER = -1


class Quorum:
    """Args:
    note_point: notes durably that the metadata log is to be checked from the offset on. Blocks.
    chance: whom to ask who leads.
    """

    def __init__(self, metadata: MetadataLog, peers: Peers, note_point: Any, chance: Random) -> None:
        self._metadata = metadata
        self._raft = metadata.raft
        self._peers = peers
        self._note_point = note_point
        self._chance = chance
        self._fetch_wait_ms = min(FETCH_WAIT_MS, metadata.raft.config.fetch_timeout_ms // 2)
        self._asking: anyio.CancelScope | None = None
        """A fetch that is under way."""
        self._group: TaskGroup
        self._stepped = anyio.Event()

    def __repr__(self) -> str:
        return f"<Quorum {self._raft!r}>"

    # Going on by itself

    async def run(self) -> None:
        """Until it is cancelled. Raises: LogError when the disk fails, or a metadata record can't be read."""
        async with anyio.create_task_group() as self._group:
            self._group.start_soon(self._watch_time)
            self._group.start_soon(self._fetch)
            while True:
                await self._metadata.apply_committed()
                if self._metadata.applied >= self._raft.high_watermark:
                    await self._metadata.news()

    async def _watch_time(self) -> None:
        while True:
            deadline_ms, self._stepped = self._raft.deadline_ms(), anyio.Event()
            left_ms = 60_000 if deadline_ms is None else deadline_ms - self._metadata.now_ms()
            if left_ms > 0:
                with anyio.move_on_after(left_ms / 1000):
                    await self._stepped.wait()
                continue
            await self._step(e.TimePassed())

    async def resign(self) -> None:
        """Leads no more, if it did, and says so: before it stops."""
        async with self._metadata.turn:
            await self._do(self._raft.resign(self._metadata.now_ms()), b"")

    async def _step(self, event: e.Event, records: bytes | memoryview = b"") -> Any:
        """Returns: the machine's reply, where there is one. Whoever asked may go away; what was ordered is done."""
        async with self._metadata.turn:
            with anyio.CancelScope(shield=True):
                return await self._do(self._raft.step(event, self._metadata.now_ms()), records)

    async def _do(self, effects: Sequence[e.Effect], records: bytes | memoryview) -> Any:
        metadata, reply = self._metadata, None
        for effect in effects:
            match effect:
                case e.PersistVote() | e.Join() | e.AppendEpoch():
                    await metadata.alone(lambda effect=effect: metadata.write_down(effect))  # type: ignore[misc]
                case e.AppendFetched():
                    await metadata.alone(lambda: self._append_fetched(memoryview(records)))
                case e.Truncate():
                    await metadata.alone(lambda offset=effect.offset: self._truncate(offset))  # type: ignore[misc]
                case e.AskVote():
                    self._group.start_soon(self._ask_vote, effect)
                case e.TellEpoch():
                    self._group.start_soon(self._tell_epoch, effect)
                case e.TellEnd():
                    self._group.start_soon(self._tell_end, effect)
                case e.ReplyVote() | e.ReplyFetch():
                    reply = effect
                case e.RoleChanged():
                    if self._asking is not None:
                        self._asking.cancel()  # Another is to be asked now.
                    log.info("quorum", state=repr(self._raft))
                case e.HighWatermarkMoved():
                    pass
        if effects:
            metadata.tell()
        self._stepped.set()
        return reply

    def _append_fetched(self, records: memoryview) -> None:
        self._metadata.partition.append_fetched(records, self._metadata.now_ms())
        self._metadata.partition.flush()
        assert self._metadata.partition.log_end_offset == self._raft.log.end, "what was announced came"

    def _truncate(self, offset: int) -> None:
        log.warning("metadata records of a leader that was replaced are removed", from_offset=offset)
        self._note_point(offset)
        self._metadata.partition.truncate_to(offset)

    # Asking

    async def _ask_vote(self, effect: e.AskVote) -> None:
        ask = effect.ask
        partition = vote_request.PartitionData(
            partition_index=0,
            replica_epoch=ask.epoch,
            replica_id=ask.candidate,
            last_offset_epoch=ask.last_epoch,
            last_offset=ask.end,
            pre_vote=ask.pre,
        )
        topic = vote_request.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])
        request = vote_request.VoteRequest(
            cluster_id=self._metadata.image.cluster_id or None, voter_id=effect.voter, topics=[topic]
        )
        answer = await self._ask(effect.voter, request)
        if answer is None or answer.error_code != ErrorCode.none:
            return
        voted = answer.topics[0].partitions[0]
        await self._step(
            e.VoteAnswered(
                voter=effect.voter,
                asked_in=ask.epoch,
                pre=ask.pre,
                granted=voted.vote_granted,
                epoch=voted.leader_epoch,
                leader=voted.leader_id,
            )
        )

    async def _tell_epoch(self, effect: e.TellEpoch) -> None:
        partition = begin_quorum_epoch_request.PartitionData(
            partition_index=0, leader_id=self._raft.me, leader_epoch=effect.epoch
        )
        topic = begin_quorum_epoch_request.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])
        await self._ask(
            effect.voter, begin_quorum_epoch_request.BeginQuorumEpochRequest(voter_id=effect.voter, topics=[topic])
        )

    async def _tell_end(self, effect: e.TellEnd) -> None:
        ended = effect.ended
        partition = end_quorum_epoch_request.PartitionData(
            partition_index=0,
            leader_id=ended.leader,
            leader_epoch=ended.epoch,
            preferred_successors=list(ended.successors),
            preferred_candidates=[end_quorum_epoch_request.ReplicaInfo(candidate_id=n) for n in ended.successors],
        )
        topic = end_quorum_epoch_request.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])
        await self._ask(effect.voter, end_quorum_epoch_request.EndQuorumEpochRequest(topics=[topic]))

    async def _ask(self, node_id: int, request: Any) -> Any:
        """None when there is no answer."""
        try:
            return await self._peers.ask(node_id, request, timeout_ms=ASK_TIMEOUT_MS)
        except PeerUnreachableError as error:
            log.debug("a controller can't be reached", reason=str(error))
            return None

    # Fetching

    async def _fetch(self) -> None:
        while True:
            ask = self._raft.fetch()
            went_well, whom = False, self._raft.leader
            if ask is None:
                if self._raft.leads or (self._raft.votes and self._raft.joined):
                    await self._metadata.news()  # A voter is told who leads.
                    continue
                ask = e.FetchAsked(
                    replica=self._raft.me,
                    epoch=self._raft.epoch,
                    offset=self._raft.log.end,
                    last_epoch=self._raft.log.last_epoch,
                )
                whom = self._chance.choice([n for n in self._raft.voters if n != self._raft.me])
            with anyio.CancelScope() as scope:
                self._asking = scope
                went_well = await self._fetch_from(whom, ask)
            if not went_well and not scope.cancel_called:
                await anyio.sleep(REST_MS / 1000)

    async def _fetch_from(self, node_id: int, ask: e.FetchAsked) -> bool:
        """Returns: whether it is worth asking again at once."""
        partition = fetch_request.FetchPartition(
            partition=0,
            current_leader_epoch=ask.epoch,
            fetch_offset=ask.offset,
            last_fetched_epoch=ask.last_epoch,
            partition_max_bytes=FETCH_BYTES,
            high_watermark=self._raft.high_watermark,
        )
        request = fetch_request.FetchRequest(
            cluster_id=self._metadata.image.cluster_id or None,
            replica_state=fetch_request.ReplicaState(replica_id=ask.replica, replica_epoch=-1),
            max_wait_ms=self._fetch_wait_ms,
            min_bytes=1,
            max_bytes=FETCH_BYTES,
            session_id=0,
            session_epoch=-1,
            topics=[fetch_request.FetchTopic(topic=METADATA_TOPIC, topic_id=METADATA_ID.bytes, partitions=[partition])],
        )
        answer = await self._ask(node_id, request)
        if answer is None or answer.error_code != ErrorCode.none or not answer.responses:
            if answer is not None:
                log.debug("a controller refuses a fetch", node=node_id, error=ErrorCode(answer.error_code).name)
            return False
        found = answer.responses[0].partitions[0]
        records = found.records or b""
        diverging = found.diverging_epoch
        ok = found.error_code == ErrorCode.none
        await self._step(
            e.FetchAnswered(
                asked_in=ask.epoch,
                asked_last_epoch=ask.last_epoch,
                offset=ask.offset,
                epoch=found.current_leader.leader_epoch,
                leader=found.current_leader.leader_id,
                ok=ok,
                diverging=(diverging.epoch, diverging.end_offset) if diverging.epoch >= 0 else None,
                high_watermark=found.high_watermark,
                batches=_outline(records) if ok else (),
            ),
            _whole(records),
        )
        return bool(ok)

    # Answering

    async def vote(self, request: vote_request.VoteRequest) -> vote_response.VoteResponse:
        if self._is_strange(request.cluster_id):
            return vote_response.VoteResponse(error_code=ErrorCode.inconsistent_cluster_id)
        if not _asks(request):
            return vote_response.VoteResponse(error_code=ErrorCode.invalid_request)
        asked = request.topics[0].partitions[0]
        reply = await self._step(
            e.VoteAsked(
                candidate=asked.replica_id,
                epoch=asked.replica_epoch,
                last_epoch=asked.last_offset_epoch,
                end=asked.last_offset,
                pre=asked.pre_vote,
            )
        )
        partition = vote_response.PartitionData(
            partition_index=0,
            leader_id=self._raft.leader,
            leader_epoch=self._raft.epoch,
            vote_granted=reply.granted,
        )
        return vote_response.VoteResponse(
            topics=[vote_response.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])]
        )

    async def begin_quorum_epoch(
        self, request: begin_quorum_epoch_request.BeginQuorumEpochRequest
    ) -> begin_quorum_epoch_response.BeginQuorumEpochResponse:
        if not _asks(request):
            return begin_quorum_epoch_response.BeginQuorumEpochResponse(error_code=ErrorCode.invalid_request)
        told = request.topics[0].partitions[0]
        await self._step(e.EpochBegun(leader=told.leader_id, epoch=told.leader_epoch))
        fenced = told.leader_epoch < self._raft.epoch
        partition = begin_quorum_epoch_response.PartitionData(
            partition_index=0,
            error_code=ErrorCode.fenced_leader_epoch if fenced else ErrorCode.none,
            leader_id=self._raft.leader,
            leader_epoch=self._raft.epoch,
        )
        return begin_quorum_epoch_response.BeginQuorumEpochResponse(
            topics=[begin_quorum_epoch_response.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])]
        )

    async def end_quorum_epoch(
        self, request: end_quorum_epoch_request.EndQuorumEpochRequest
    ) -> end_quorum_epoch_response.EndQuorumEpochResponse:
        if not _asks(request):
            return end_quorum_epoch_response.EndQuorumEpochResponse(error_code=ErrorCode.invalid_request)
        told = request.topics[0].partitions[0]
        successors = tuple(told.preferred_successors or (c.candidate_id for c in told.preferred_candidates))
        await self._step(e.EpochEnded(leader=told.leader_id, epoch=told.leader_epoch, successors=successors))
        partition = end_quorum_epoch_response.PartitionData(
            partition_index=0, leader_id=self._raft.leader, leader_epoch=self._raft.epoch
        )
        return end_quorum_epoch_response.EndQuorumEpochResponse(
            topics=[end_quorum_epoch_response.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])]
        )

    async def fetch(self, request: fetch_request.FetchRequest) -> fetch_response.FetchResponse:
        """Of the metadata log, by another node."""
        if self._is_strange(request.cluster_id):
            return fetch_response.FetchResponse(error_code=ErrorCode.inconsistent_cluster_id)
        asked = request.topics[0].partitions[0]
        ask = e.FetchAsked(
            replica=max(request.replica_id, request.replica_state.replica_id),
            epoch=asked.current_leader_epoch,
            offset=asked.fetch_offset,
            last_epoch=max(0, asked.last_fetched_epoch),
        )
        reply = await self._step(ask)
        with anyio.move_on_after(min(request.max_wait_ms, self._fetch_wait_ms) / 1000):
            while _served(reply) and self._has_nothing(ask, asked.high_watermark):
                await self._metadata.news()
        data = fetch_response.PartitionData(
            partition_index=0,
            error_code=self._error(reply, ask),
            high_watermark=self._raft.told_high_watermark,
            current_leader=fetch_response.LeaderIdAndEpoch(leader_id=self._raft.leader, leader_epoch=self._raft.epoch),
            records=[],
        )
        if data.error_code == ErrorCode.none:
            if reply.diverging is not None:
                epoch, end = reply.diverging
                data.diverging_epoch = fetch_response.EpochEndOffset(epoch=epoch, end_offset=end)
            else:
                partition = self._metadata.partition
                end = partition.log_end_offset
                data.records = partition.read(ask.offset, FETCH_BYTES, up_to=end) if ask.offset < end else []
        topic = fetch_response.FetchableTopicResponse(
            topic=METADATA_TOPIC, topic_id=METADATA_ID.bytes, partitions=[data]
        )
        return fetch_response.FetchResponse(responses=[topic])

    def _has_nothing(self, ask: e.FetchAsked, known_high_watermark: int) -> bool:
        raft = self._raft
        return (
            raft.leads
            and raft.epoch == ask.epoch
            and raft.log.end <= ask.offset
            and raft.told_high_watermark <= known_high_watermark
        )

    def _error(self, reply: e.ReplyFetch, ask: e.FetchAsked) -> ErrorCode:
        """Of now: it may have waited."""
        if reply.unknown:
            return ErrorCode.unknown_leader_epoch
        if reply.fenced or self._raft.epoch != ask.epoch:
            return ErrorCode.fenced_leader_epoch
        return ErrorCode.none if reply.leads and self._raft.leads else ErrorCode.not_leader_or_follower

    def _is_strange(self, cluster_id: str | None) -> bool:
        known = self._metadata.image.cluster_id
        return bool(cluster_id and known and cluster_id != known)


def _served(reply: e.ReplyFetch) -> bool:
    return reply.leads and not reply.fenced and not reply.unknown and reply.diverging is None


def _asks(request: Any) -> bool:
    """Whether it is of the metadata log, and of nothing else."""
    return [(t.topic_name, [p.partition_index for p in t.partitions]) for t in request.topics] == [
        (METADATA_TOPIC, [0])
    ]


def _outline(records: Any) -> tuple[tuple[int, int], ...]:
    """Epoch and next offset of each whole batch."""
    found, at, view = [], 0, memoryview(records)
    while at < len(view):
        header = parse_header(view, at)
        found.append((header.leader_epoch, header.last_offset + 1))
        at += header.size
    return tuple(found)


def _whole(records: Any) -> memoryview:
    return memoryview(records)
