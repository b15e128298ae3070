"""Fetches again, from another replica, what can't be read in this one.

Promises: only committed records are put in, read from a replica that has them below its high watermark: they are the
same everywhere. Until then whoever reads the range, a follower too, is told that it can't be read; the node goes on
leading, for who follows mends it and nobody else has a better log. A range that nobody can mend is told once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog

from streamflow.log.errors import CorruptBatchError, LogError, OffsetOutOfRangeError, PeerUnreachableError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.fetcher import REQUEST_TIMEOUT_MS, Surroundings
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.replica import Replica
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import fetch_request
from streamflow.log.records import parse_header
from streamflow.log.storage.kept import Quarantine

log = structlog.get_logger("streamflow.log")


class Mender:
    """Of a node's replicas."""

    def __init__(self, cluster: Surroundings, flusher: Flusher, config: NodeConfig) -> None:
        self._cluster = cluster
        self._flusher = flusher
        self._config = config
        self._told: set[tuple[Replica, int]] = set()
        self.mended = 0
        """Ranges, ever."""

    def __repr__(self) -> str:
        return f"<Mender: {self.mended} mended>"

    async def look(self, replicas: Sequence[Replica]) -> None:
        """Tries each damaged range with each replica that may have it. What can't be had is left for another time."""
        for replica in replicas:
            for lost in [q for q in replica.log.quarantined if not q.accepted]:
                await self._mend(replica, lost)

    async def _mend(self, replica: Replica, lost: Quarantine) -> None:
        reasons = []
        for node_id in _others(replica, self._cluster):
            try:
                found = await self._read(node_id, replica, lost)
                async with replica.turn:
                    mended = await self._flusher.alone(lambda f=found: replica.log.repair(lost.first_offset, f))  # type: ignore[misc]
            except LogError as error:
                reasons.append(f"node {node_id}: {error}")
                continue
            self._told.discard((replica, lost.first_offset))
            if mended:
                self.mended += 1
                log.warning("a damaged range was mended", partition=str(replica.where), by=node_id, range=str(lost))
                replica.notify()
                replica.grown.call()
            return
        if (replica, lost.first_offset) not in self._told:
            self._told.add((replica, lost.first_offset))
            reason = "; ".join(reasons) or "nobody else is in sync"
            log.warning("a damaged range can't be mended yet", partition=str(replica.where), reason=reason)

    async def _read(self, node_id: int, replica: Replica, lost: Quarantine) -> bytearray:
        """The other's batches from the range's first offset to its end.

        Raises: PeerUnreachableError, CorruptBatchError when the other can't read them either, OffsetOutOfRangeError
            when it doesn't know them all to be committed.
        """
        config = self._config
        found, offset = bytearray(), lost.first_offset
        while offset < lost.next_offset:
            partition = fetch_request.FetchPartition(
                partition=replica.where.partition,
                fetch_offset=offset,
                partition_max_bytes=config.replica_fetch_bytes_max,
            )
            topic = fetch_request.FetchTopic(topic_id=replica.log.identity.topic_id.bytes, partitions=[partition])
            request = fetch_request.FetchRequest(
                max_wait_ms=0, min_bytes=0, max_bytes=config.replica_fetch_response_bytes_max, topics=[topic]
            )
            answer = await self._cluster.peers.ask(node_id, request, timeout_ms=REQUEST_TIMEOUT_MS)
            data = next((p for t in answer.responses for p in t.partitions), None)
            if data is None:
                raise PeerUnreachableError(f"node {node_id} answers {ErrorCode(answer.error_code).name}")
            if data.error_code != ErrorCode.none:
                raise CorruptBatchError(f"node {node_id} answers {ErrorCode(data.error_code).name}")
            if not data.records:
                if not found or data.high_watermark < lost.next_offset:
                    raise OffsetOutOfRangeError(str(replica.where), offset, data.log_start_offset, data.high_watermark)
                return found
            found += data.records
            at = 0
            while at < len(data.records):
                header = parse_header(data.records, at)
                at, offset = at + header.size, header.last_offset + 1
        return found


def _others(replica: Replica, cluster: Surroundings) -> Iterator[int]:
    """The leader first, then whoever is in sync."""
    topic = cluster.image().topics.get(replica.where.topic)
    if topic is not None and replica.where.partition < len(topic.partitions):
        partition = topic.partitions[replica.where.partition]
        ordered = dict.fromkeys((partition.leader, *partition.isr))
        yield from (n for n in ordered if n not in (-1, cluster.membership.node_id))
