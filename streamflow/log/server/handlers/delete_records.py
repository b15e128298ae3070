"""DeleteRecords 0–2: a partition begins at an offset from now on; -1 is its high watermark.

The answer has the low watermark: where the replica begins that begins lowest, of the leader's and of those on brokers
that aren't fenced. It is given once that has come to the offset, or the request's time is up (KIP-107): from then on no
leader has the records any more. Topics that aren't deleted from by retention refuse (their `cleanup.policy` is compact
alone), as with Kafka.
"""

from __future__ import annotations

import anyio

from streamflow.errors import StreamflowError, UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.controller.topics import INTERNAL_TOPICS
from streamflow.log.errors import (
    InvalidTopicError,
    NotLeaderError,
    OffsetOutOfRangeError,
    PolicyViolationError,
    RequestTimedOutError,
)
from streamflow.log.node.replica import Replica
from streamflow.log.node.waiting import wait_for_news
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import delete_records_request, delete_records_response
from streamflow.log.server.broker import Answer, Context, Later
from streamflow.log.server.leadership import find_leader, find_topic

Partition = delete_records_response.DeleteRecordsPartitionResult
HIGH_WATERMARK = -1
LOOK_SECONDS_MAX = 1.0
"""How often the brokers that count are looked at, at least: who is fenced tells nobody here."""


async def handle(context: Context, request: delete_records_request.DeleteRecordsRequest) -> Answer:
    deletion = Deletion(context)
    response = delete_records_response.DeleteRecordsResponse(
        topics=[
            delete_records_response.DeleteRecordsTopicResult(
                name=topic.name, partitions=[deletion.delete(topic.name, p) for p in topic.partitions]
            )
            for topic in request.topics
        ]
    )
    if not deletion.look():
        return response
    timeout_ms = request.timeout_ms

    async def done() -> delete_records_response.DeleteRecordsResponse:
        await deletion.wait(timeout_ms)
        return response

    return Later(done, lambda: not deletion.look())


class Deletion:
    """Of one request."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: list[tuple[Replica, int, Partition]] = []
        """What the replicas haven't all done yet: up to which offset, and the answer."""

    def delete(self, name: str, wanted: delete_records_request.DeleteRecordsPartition) -> Partition:
        answer = Partition(partition_index=wanted.partition_index, low_watermark=-1)
        try:
            replica, offset = self._delete(TopicPartition(name, wanted.partition_index), wanted.offset)
        except StreamflowError as error:
            answer.error_code = code_of(error)
            return answer
        self._open.append((replica, offset, answer))
        return answer

    def _delete(self, where: TopicPartition, offset: int) -> tuple[Replica, int]:
        """Returns: whose records below which offset are gone here. Raises: StreamflowError."""
        node, broker = self._context.node, self._context.broker
        topic = find_topic(broker, where.topic)
        replica = find_leader(broker, topic, where.partition)
        if topic.name in INTERNAL_TOPICS:
            raise InvalidTopicError(f"topic '{topic.name}' is the log's own; it forgets what it doesn't need by itself")
        if node.topics.settings.topic(topic).get("cleanup.policy") == "compact":
            raise PolicyViolationError(f"'{where.topic}' is compacted: its records are deleted by later ones")
        if offset < HIGH_WATERMARK:
            raise OffsetOutOfRangeError(str(where), offset, replica.log.log_start_offset, replica.high_watermark)
        before = replica.high_watermark if offset == HIGH_WATERMARK else offset
        node.delete_records(where, before)
        return replica, before

    def look(self) -> list[Replica]:
        """Whom to wait for; the others' answers are complete."""
        still = []
        for replica, offset, answer in self._open:
            if replica.deleted or not replica.leads:
                lost = NotLeaderError(f"the leadership of {replica.where} was lost")
                answer.error_code = code_of(UnknownTopicError(replica.where.topic) if replica.deleted else lost)
                continue
            answer.low_watermark = replica.leader.low_watermark(replica.log.log_start_offset, self._counts)
            if answer.low_watermark < offset:
                still.append((replica, offset, answer))
        self._open = still
        return [replica for replica, _, _ in still]

    def _counts(self, broker_id: int) -> bool:
        known = self._context.node.topics.metadata.image.brokers.get(broker_id)
        return known is not None and not known.fenced

    async def wait(self, timeout_ms: int) -> None:
        deadline = anyio.current_time() + timeout_ms / 1000
        while (waiting := self.look()) and (left := deadline - anyio.current_time()) > 0:
            await wait_for_news(waiting, min(left, LOOK_SECONDS_MAX))
        for replica, offset, answer in self._open:
            answer.error_code = code_of(RequestTimedOutError(f"{replica.where} doesn't begin at {offset} everywhere"))
