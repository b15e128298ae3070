"""Fetch 4–18: batches as they lie in the log, unopened; waits until there are enough.

Promises: nothing above the high watermark is given, nothing above the last stable offset to who reads committed records
only, with the aborted transactions in order of their first offset. The first batch of the first partition that has one
is given whole however long it is (KIP-74).

Not done: replicas' fetches (there are none), tiered storage; what versions 17 and 18 add is for replicas.
"""

from __future__ import annotations

import anyio

from streamflow.log.errors import LogError, OffsetOutOfRangeError
from streamflow.log.node.replica import Replica
from streamflow.log.node.waiting import wait_for_news
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import fetch_request, fetch_response
from streamflow.log.server.broker import NO_ID, Answer, Broker, Context, Later
from streamflow.log.server.fetch_sessions import Key, Session, Wanted

PartitionData = fetch_response.PartitionData
READ_COMMITTED = 1


async def handle(context: Context, request: fetch_request.FetchRequest) -> Answer:
    session = context.broker.fetch_sessions.begin(request)
    if isinstance(session, ErrorCode):
        return fetch_response.FetchResponse(error_code=session)
    return Later(Fetch(context, request, session).answer)


class Fetch:
    """One request."""

    def __init__(self, context: Context, request: fetch_request.FetchRequest, session: Session) -> None:
        self._broker = context.broker
        self._request = request
        self._session = session
        self._committed = request.isolation_level == READ_COMMITTED
        self._wanted_bytes = self._bytes_max = min(request.max_bytes, context.node.config.fetch_bytes_max)

    async def answer(self) -> fetch_response.FetchResponse:
        deadline = anyio.current_time() + self._request.max_wait_ms / 1000
        while True:
            await self._broker.answers.room()
            self._bytes_max = min(self._wanted_bytes, self._broker.answers.fair)
            found, size, waiting = self._read()
            left = deadline - anyio.current_time()
            if size >= self._request.min_bytes or not waiting or left <= 0 or self._broker.stopping:
                return self._response(found)
            await wait_for_news(waiting, left)

    def _read(self) -> tuple[dict[Key, PartitionData], int, list[Replica]]:
        """What each partition has, how much that is, and who may have more later: nobody, if anything is wrong."""
        found: dict[Key, PartitionData] = {}
        size = 0
        waiting: list[Replica] = []
        failed = not self._session.wanted
        for key, wanted in self._session.wanted.items():
            replica = find(self._broker, key)
            if isinstance(replica, ErrorCode):
                data = PartitionData(error_code=replica, high_watermark=-1, records=[])
            else:
                data, read = self._read_partition(replica, wanted, self._bytes_max - size, first=size == 0)
                size += read
                waiting.append(replica)
            data.partition_index = key[2]
            failed |= data.error_code != ErrorCode.none
            found[key] = data
        return found, size, [] if failed else waiting

    def _read_partition(
        self, replica: Replica, wanted: Wanted, bytes_max: int, *, first: bool
    ) -> tuple[fetch_response.PartitionData, int]:
        """The answer, and how many bytes of records it has."""
        size = 0
        data = PartitionData(
            high_watermark=replica.high_watermark,
            last_stable_offset=replica.last_stable_offset,
            log_start_offset=replica.log.log_start_offset,
            aborted_transactions=None,
            records=[],
        )
        data.error_code = self._broker.stale_epoch(replica, wanted.leader_epoch)
        if data.error_code != ErrorCode.none:
            return data, size
        end = replica.last_stable_offset if self._committed else replica.high_watermark
        limit = min(wanted.bytes_max, bytes_max)
        try:
            if not replica.log.log_start_offset <= wanted.offset <= replica.log.log_end_offset:
                raise OffsetOutOfRangeError(
                    str(replica.where), wanted.offset, replica.log.log_start_offset, replica.log.log_end_offset
                )
            if wanted.offset < end and (limit > 0 or first):
                batches = replica.log.read(wanted.offset, limit, up_to=end)
                if first or (batches and len(batches[0]) <= limit):
                    data.records, size = batches, sum(map(len, batches))
            if self._committed:
                data.aborted_transactions = self._aborted(replica, wanted.offset, end)
        except LogError as failure:
            data = PartitionData(error_code=code_of(failure), high_watermark=-1, records=[])
        return data, size

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
            responses=[
                fetch_response.FetchableTopicResponse(topic=name, topic_id=topic_id, partitions=partitions)
                for (name, topic_id), partitions in topics.items()
            ],
        )


def find(broker: Broker, key: Key) -> Replica | ErrorCode:
    name, topic_id, partition = key
    topic = broker.topic(name, topic_id)
    if topic is None:
        return ErrorCode.unknown_topic_or_partition if topic_id == NO_ID else ErrorCode.unknown_topic_id
    replica = broker.replica(topic, partition)
    return ErrorCode.unknown_topic_or_partition if replica is None else replica
