"""WriteTxnMarkers 1–2: ends transactions on partitions, as another coordinator decided, or as an administrator who
aborts one that hangs (KIP-664). Version 2 says whose markers bump the epoch (KIP-1228)."""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.log.node.effects import MarkerWish
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import write_txn_markers_request, write_txn_markers_response
from streamflow.log.records import Producer
from streamflow.log.server.broker import Context
from streamflow.log.server.producer_errors import append_code

BUMPED_SINCE = 2
"""Of `transaction.version`."""

Partition = write_txn_markers_response.WritableTxnMarkerPartitionResult


async def handle(
    context: Context, request: write_txn_markers_request.WriteTxnMarkersRequest
) -> write_txn_markers_response.WriteTxnMarkersResponse:
    return write_txn_markers_response.WriteTxnMarkersResponse(
        markers=[await _write(context, marker) for marker in request.markers]
    )


async def _write(
    context: Context, marker: write_txn_markers_request.WritableTxnMarker
) -> write_txn_markers_response.WritableTxnMarkerResult:
    wish = MarkerWish(
        producer=Producer(marker.producer_id, marker.producer_epoch, -1, True),
        commit=marker.transaction_result,
        coordinator_epoch=marker.coordinator_epoch,
        bumped=marker.transaction_version >= BUMPED_SINCE,
    )
    wanted = [TopicPartition(topic.name, n) for topic in marker.topics for n in topic.partition_indexes]
    answers: dict[TopicPartition, StreamflowError | None]
    try:
        answers = await context.node.markers.write(wish, wanted)
    except StreamflowError as error:
        answers = dict.fromkeys(wanted, error)
    return write_txn_markers_response.WritableTxnMarkerResult(
        producer_id=marker.producer_id,
        topics=[
            write_txn_markers_response.WritableTxnMarkerTopicResult(
                name=topic.name,
                partitions=[
                    Partition(partition_index=n, error_code=_code(answers[TopicPartition(topic.name, n)]))
                    for n in topic.partition_indexes
                ],
            )
            for topic in marker.topics
        ],
    )


def _code(error: StreamflowError | None) -> ErrorCode:
    return ErrorCode.none if error is None else append_code(error, knows_abortable=True, adds=True)
