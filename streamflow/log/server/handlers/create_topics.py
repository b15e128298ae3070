"""CreateTopics 2–7: each topic on its own, or nothing but a check (`validate_only`).

Counts of -1 are the broker's defaults. From version 5 on the answer has the topic's settings as DescribeConfigs gives
them. Whoever is answered finds the topic: `timeout_ms` isn't needed. A node that needs one of the log's own topics asks
the controller's node for it by this, too.
"""

from __future__ import annotations

from collections import Counter

from streamflow.errors import StreamflowError
from streamflow.log.controller.effective import effective_topic
from streamflow.log.controller.image import TopicImage
from streamflow.log.controller.topics import INTERNAL_TOPICS, NewTopic
from streamflow.log.errors import InvalidReplicaAssignmentError, InvalidRequestError, InvalidTopicConfigError
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import create_topics_request, create_topics_response
from streamflow.log.server.broker import Context

Result = create_topics_response.CreatableTopicResult


async def handle(
    context: Context, request: create_topics_request.CreateTopicsRequest
) -> create_topics_response.CreateTopicsResponse:
    counts = Counter(topic.name for topic in request.topics)
    wanted = {topic.name: topic for topic in request.topics}
    return create_topics_response.CreateTopicsResponse(
        topics=[
            await _create(context, topic, once=counts[name] == 1, validate_only=request.validate_only)
            for name, topic in wanted.items()
        ]
    )


async def _create(
    context: Context, wanted: create_topics_request.CreatableTopic, *, once: bool, validate_only: bool
) -> create_topics_response.CreatableTopicResult:
    try:
        if not once:
            raise InvalidRequestError(f"topic '{wanted.name}' is there more than once in the request")
        if context.from_peer and wanted.name in INTERNAL_TOPICS:
            await context.node.topics.ensure_internal(wanted.name)
            topic = context.node.topics.describe(wanted.name)
        else:
            topic = await context.node.admin.create_topic(_new_topic(wanted), validate_only=validate_only)
    except StreamflowError as error:
        return Result(
            name=wanted.name,
            error_code=code_of(error),
            error_message=str(error),
            num_partitions=-1,
            replication_factor=-1,
            configs=[],
        )
    return Result(
        name=topic.name,
        topic_id=topic.topic_id,
        num_partitions=len(topic.partitions),
        replication_factor=len(topic.partitions[0].replicas),
        configs=_configs(context, topic),
    )


def _new_topic(wanted: create_topics_request.CreatableTopic) -> NewTopic:
    """Raises: InvalidRequestError, InvalidReplicaAssignmentError, InvalidTopicConfigError."""
    assignments = {a.partition_index: a.broker_ids for a in wanted.assignments}
    if assignments and (wanted.num_partitions != -1 or wanted.replication_factor != -1):
        raise InvalidRequestError("with assignments, the numbers of partitions and replicas follow; give -1 for both")
    if len(assignments) < len(wanted.assignments):
        raise InvalidReplicaAssignmentError("a partition is assigned once; one is assigned twice")
    nulls = [config.name for config in wanted.configs if config.value is None]
    if nulls:
        raise InvalidTopicConfigError(f"{', '.join(nulls)} can't be null; leave it out to have its default")
    return NewTopic(
        name=wanted.name,
        partitions=wanted.num_partitions,
        replication_factor=wanted.replication_factor,
        assignments=assignments,
        config={config.name: config.value for config in wanted.configs if config.value is not None},
    )


def _configs(context: Context, topic: TopicImage) -> list[create_topics_response.CreatableTopicConfigs]:
    return [
        create_topics_response.CreatableTopicConfigs(
            name=found.setting.name, value=found.value, config_source=found.source
        )
        for found in effective_topic(topic.config, context.node.topics.settings.broker)
    ]
