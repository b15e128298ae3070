"""Fetches again, from another replica, what can't be read in this one.

Promises: only committed records are put in, read from a replica that has them below its high watermark: they are the
same everywhere. Until then whoever reads the range, a follower too, is told that it can't be read; the node goes on
leading, for who follows mends it and nobody else has a better log.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from streamflow.log.errors import CorruptBatchError, LogError, PeerUnreachableError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.fetcher import REQUEST_TIMEOUT_MS, Surroundings
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.replica import Replica
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import fetch_request
from streamflow.log.records import parse_header
from streamflow.log.storage.kept import Quarantine

log = structlog.get_logger("streamflow.log")


async def mend(replica: Replica, cluster: Surroundings, flusher: Flusher, config: NodeConfig) -> None:
    """Tries each damaged range of the replica with each replica that may have it. What can't be had is left."""
    for lost in [q for q in replica.log.quarantined if not q.accepted]:
        for node_id in _others(replica, cluster):
            try:
                found = await _read(node_id, replica, lost, cluster, config)
                if not found:
                    continue
                async with replica.turn:
                    mended = await flusher.alone(lambda f=found, q=lost: replica.log.repair(q.first_offset, f))  # type: ignore[misc]
            except LogError as error:
                log.warning("a damaged range isn't mended", partition=str(replica.where), by=node_id, reason=str(error))
                continue
            if mended:
                log.warning("a damaged range was mended", partition=str(replica.where), by=node_id, range=str(lost))
                replica.notify()
            break


def _others(replica: Replica, cluster: Surroundings) -> Iterator[int]:
    """The leader first, then whoever is in sync."""
    topic = cluster.image().topics.get(replica.where.topic)
    if topic is not None and replica.where.partition < len(topic.partitions):
        partition = topic.partitions[replica.where.partition]
        ordered = dict.fromkeys((partition.leader, *partition.isr))
        yield from (n for n in ordered if n not in (-1, cluster.membership.node_id))


async def _read(
    node_id: int, replica: Replica, lost: Quarantine, cluster: Surroundings, config: NodeConfig
) -> bytearray:
    """The other's batches from the range's first offset to its end. Empty when it hasn't all of them.

    Raises: PeerUnreachableError, CorruptBatchError when the other can't read them either.
    """
    found, offset = bytearray(), lost.first_offset
    while offset < lost.next_offset:
        partition = fetch_request.FetchPartition(
            partition=replica.where.partition, fetch_offset=offset, partition_max_bytes=config.replica_fetch_bytes_max
        )
        topic = fetch_request.FetchTopic(topic_id=replica.log.identity.topic_id.bytes, partitions=[partition])
        request = fetch_request.FetchRequest(
            max_wait_ms=0, min_bytes=0, max_bytes=config.replica_fetch_response_bytes_max, topics=[topic]
        )
        answer = await cluster.peers.ask(node_id, request, timeout_ms=REQUEST_TIMEOUT_MS)
        data = next((p for t in answer.responses for p in t.partitions), None)
        if data is None:
            raise PeerUnreachableError(f"node {node_id} answers {ErrorCode(answer.error_code).name}")
        if data.error_code != ErrorCode.none:
            raise CorruptBatchError(f"node {node_id} answers {ErrorCode(data.error_code).name}")
        if not data.records:
            return bytearray() if data.high_watermark < lost.next_offset else found
        found += data.records
        at = 0
        while at < len(data.records):
            header = parse_header(data.records, at)
            at, offset = at + header.size, header.last_offset + 1
    return found
