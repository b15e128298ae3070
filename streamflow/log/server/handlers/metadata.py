"""Metadata 0–13: the brokers that aren't fenced, and topics with their partitions; topics are created on the way if
that is on. A partition that nobody leads is LEADER_NOT_AVAILABLE."""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.log.controller.image import NO_LEADER, TopicImage
from streamflow.log.controller.topics import INTERNAL_TOPICS, NewTopic
from streamflow.log.errors import TopicExistsError
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import metadata_request, metadata_response
from streamflow.log.server import operations
from streamflow.log.server.broker import NO_ID, Broker, Context
from streamflow.log.server.cluster_view import controller_id, members, offline

ERROR = metadata_response.MetadataResponseTopic
IDS_SINCE = 12
"""Versions 10 and 11 have the field, and no answer that could do without the name: refused, as by Kafka."""


async def handle(context: Context, request: metadata_request.MetadataRequest) -> metadata_response.MetadataResponse:
    broker = context.broker
    wanted = request.topics
    if wanted is None or (context.version == 0 and not wanted):
        topics = [_topic(broker, t) for t in broker.node.topics.metadata.image.topics.values()]
    else:
        create = request.allow_auto_topic_creation and broker.node.config.auto_create_topics
        topics = [await _asked(context, t.name, t.topic_id, create=create) for t in wanted]
    if request.include_topic_authorized_operations:
        for topic in topics:
            topic.topic_authorized_operations = operations.TOPIC
    return metadata_response.MetadataResponse(
        brokers=[
            metadata_response.MetadataResponseBroker(node_id=m.broker_id, host=m.host, port=m.port, rack=m.rack)
            for m in members(broker)
        ],
        cluster_id=broker.cluster_id,
        controller_id=controller_id(broker),
        topics=topics,
        cluster_authorized_operations=(
            operations.CLUSTER if request.include_cluster_authorized_operations else operations.NOT_ASKED
        ),
    )


async def _asked(
    context: Context, name: str | None, topic_id: bytes, *, create: bool
) -> metadata_response.MetadataResponseTopic:
    broker = context.broker
    if context.version < IDS_SINCE and (name is None or topic_id != NO_ID):
        return ERROR(name=name or "", topic_id=topic_id, error_code=ErrorCode.invalid_request)
    if topic_id != NO_ID:
        topic = broker.topic("", topic_id)
        if topic is None:
            return ERROR(name=None, topic_id=topic_id, error_code=ErrorCode.unknown_topic_id)
        return _topic(broker, topic)
    name = name or ""
    topic = broker.topic(name)
    if topic is None and create:
        try:
            await _create(broker, name)
        except TopicExistsError:
            pass  # Somebody else was quicker.
        except StreamflowError as error:
            return ERROR(name=name, error_code=code_of(error))
        topic = broker.topic(name)
    if topic is None:
        return ERROR(name=name, error_code=ErrorCode.unknown_topic_or_partition)
    return _topic(broker, topic)


async def _create(broker: Broker, name: str) -> None:
    if name in INTERNAL_TOPICS:
        await broker.node.topics.ensure_internal(name)
    else:
        await broker.node.admin.create_topic(NewTopic(name=name, partitions=-1))


def _topic(broker: Broker, topic: TopicImage) -> metadata_response.MetadataResponseTopic:
    image = broker.node.topics.metadata.image
    return metadata_response.MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.name in INTERNAL_TOPICS,
        partitions=[
            metadata_response.MetadataResponsePartition(
                error_code=ErrorCode.leader_not_available if p.leader == NO_LEADER else ErrorCode.none,
                partition_index=number,
                leader_id=p.leader,
                leader_epoch=p.leader_epoch,
                replica_nodes=list(p.replicas),
                isr_nodes=list(p.isr),
                offline_replicas=list(offline(image, p)),
            )
            for number, p in enumerate(topic.partitions)
        ],
    )
