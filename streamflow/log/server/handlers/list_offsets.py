"""ListOffsets 1–11: offsets by time, and by the times that mean a place: earliest, latest, the newest record's.

Nothing is tiered: the earliest local offset (-4) is the earliest, and the latest tiered one (-5) and the earliest that
waits to be tiered (-6) are none. The latest is the last stable offset for who reads committed records only.
"""

from __future__ import annotations

from collections import Counter

from streamflow.errors import StreamflowError
from streamflow.log.errors import LogError
from streamflow.log.node.replica import Replica
from streamflow.log.node.times import first_record_since, newest_record
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import list_offsets_request, list_offsets_response
from streamflow.log.server.broker import Context
from streamflow.log.server.leadership import find_leader, find_topic

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, PENDING_UPLOAD = -1, -2, -3, -4, -5, -6
READ_COMMITTED = 1
SINCE = {MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, PENDING_UPLOAD: 11}
"""The version from which a time means a place."""
OFFSET_NOT_AVAILABLE_SINCE = 5

Partition = list_offsets_response.ListOffsetsPartitionResponse


async def handle(
    context: Context, request: list_offsets_request.ListOffsetsRequest
) -> list_offsets_response.ListOffsetsResponse:
    asked = Counter((t.name, p.partition_index) for t in request.topics for p in t.partitions)
    committed = request.isolation_level == READ_COMMITTED
    return list_offsets_response.ListOffsetsResponse(
        topics=[
            list_offsets_response.ListOffsetsTopicResponse(
                name=topic.name,
                partitions=[
                    _invalid(p.partition_index)
                    if asked[topic.name, p.partition_index] > 1
                    else _answer(context, topic.name, p, committed=committed)
                    for p in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _invalid(index: int) -> list_offsets_response.ListOffsetsPartitionResponse:
    """For a partition that is asked for twice."""
    return Partition(partition_index=index, error_code=ErrorCode.invalid_request)


def _answer(
    context: Context, name: str, wanted: list_offsets_request.ListOffsetsPartition, *, committed: bool
) -> list_offsets_response.ListOffsetsPartitionResponse:
    answer = Partition(partition_index=wanted.partition_index)
    try:
        topic = find_topic(context.broker, name)
        replica = find_leader(context.broker, topic, wanted.partition_index, wanted.current_leader_epoch)
    except StreamflowError as error:
        answer.error_code = code_of(error)
        return answer
    if context.version < SINCE.get(wanted.timestamp, 0) or wanted.timestamp < PENDING_UPLOAD:
        answer.error_code = ErrorCode.unsupported_version
        return answer
    if wanted.timestamp == LATEST and replica.high_watermark < replica.leader.epoch_start:
        # A new leader has yet to learn how far is committed: an older one may have told more (KIP-207).
        known = context.version >= OFFSET_NOT_AVAILABLE_SINCE
        answer.error_code = ErrorCode.offset_not_available if known else ErrorCode.leader_not_available
        return answer
    try:
        answer.timestamp, answer.offset, answer.leader_epoch = find(replica, wanted.timestamp, committed=committed)
    except LogError as error:
        answer.error_code = code_of(error)
    return answer


def find(replica: Replica, timestamp_ms: int, *, committed: bool) -> tuple[int, int, int]:
    """Timestamp, offset and leader epoch; -1 each where there is no such record."""
    log = replica.log
    end = replica.last_stable_offset if committed else replica.high_watermark
    match timestamp_ms:
        case -1:
            return -1, end, replica.leader_epoch
        case -2 | -4:
            return -1, log.log_start_offset, log.epochs.epoch_of(log.log_start_offset)
        case -5 | -6:
            return -1, -1, -1
        case -3:
            found = newest_record(log, end)
        case _:
            found = first_record_since(log, timestamp_ms, end)
    return (-1, -1, -1) if found is None else (found[1], found[0], log.epochs.epoch_of(found[0]))
