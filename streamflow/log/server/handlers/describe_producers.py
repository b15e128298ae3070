"""DescribeProducers 0: who has written to partitions of late, and which transactions are open there (KIP-664)."""

from __future__ import annotations

from streamflow.errors import StreamflowError, UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.errors import InvalidTopicError
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import describe_producers_request, describe_producers_response
from streamflow.log.server.broker import Context

Partition = describe_producers_response.PartitionResponse
Producer = describe_producers_response.ProducerState


async def handle(
    context: Context, request: describe_producers_request.DescribeProducersRequest
) -> describe_producers_response.DescribeProducersResponse:
    return describe_producers_response.DescribeProducersResponse(
        topics=[
            describe_producers_response.TopicResponse(
                name=topic.name,
                partitions=[_describe(context, TopicPartition(topic.name, n)) for n in topic.partition_indexes],
            )
            for topic in request.topics
        ]
    )


def _describe(context: Context, where: TopicPartition) -> describe_producers_response.PartitionResponse:
    try:
        states = context.node.client_transactions.producers(where)
    except (UnknownTopicError, InvalidTopicError) as error:
        unknown = ErrorCode.unknown_topic_or_partition
        return Partition(partition_index=where.partition, error_code=unknown, error_message=str(error))
    except StreamflowError as error:
        return Partition(partition_index=where.partition, error_code=code_of(error), error_message=str(error))
    return Partition(
        partition_index=where.partition,
        active_producers=[
            Producer(
                producer_id=state.producer_id,
                producer_epoch=state.epoch,
                last_sequence=state.last_sequence,
                last_timestamp=state.last_timestamp,
                coordinator_epoch=state.coordinator_epoch,
                current_txn_start_offset=state.open_since,
            )
            for state in states
        ],
    )
