"""DeleteTopics 1–6: by name, or from version 6 on by id as well.

What goes with a topic: its records, the offsets groups have of it, what is known of its producers. Whoever waits for
its records is told at once.
"""

from __future__ import annotations

from collections import Counter

from streamflow.errors import StreamflowError, UnknownTopicError
from streamflow.log.errors import InvalidRequestError, TopicDeletionDisabledError, UnknownTopicIdError
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import delete_topics_request, delete_topics_response
from streamflow.log.server.broker import NO_ID, Context

Result = delete_topics_response.DeletableTopicResult
State = delete_topics_request.DeleteTopicState
KNOWS_DISABLED = 3
"""The first version whose clients know that deletion may be switched off."""


async def handle(
    context: Context, request: delete_topics_request.DeleteTopicsRequest
) -> delete_topics_response.DeleteTopicsResponse:
    wanted = request.topics if context.version >= 6 else [State(name=name) for name in request.topic_names]
    keys = [_key(context, topic) for topic in wanted]
    times = Counter(keys)
    return delete_topics_response.DeleteTopicsResponse(
        responses=[await _delete(context, topic, times[key]) for topic, key in zip(wanted, keys, strict=True)]
    )


def _key(context: Context, wanted: delete_topics_request.DeleteTopicState) -> bytes | str:
    """The same for the same topic, however it is named."""
    if wanted.topic_id != NO_ID:
        return wanted.topic_id
    topic = context.broker.topic(wanted.name or "")
    return wanted.name or "" if topic is None else topic.topic_id


async def _delete(
    context: Context, wanted: delete_topics_request.DeleteTopicState, times: int
) -> delete_topics_response.DeletableTopicResult:
    try:
        name, topic_id = _find(context, wanted, times)
        await context.node.delete_topic(name)
    except StreamflowError as error:
        code = code_of(error)
        if code == ErrorCode.topic_deletion_disabled and context.version < KNOWS_DISABLED:
            code = ErrorCode.invalid_request
        return Result(name=wanted.name, topic_id=wanted.topic_id, error_code=code, error_message=str(error))
    return Result(name=name, topic_id=topic_id)


def _find(context: Context, wanted: delete_topics_request.DeleteTopicState, times: int) -> tuple[str, bytes]:
    """Name and id. Raises: StreamflowError."""
    if not context.node.config.delete_topics:
        raise TopicDeletionDisabledError("topics can't be deleted here; start the broker with delete.topic.enable=true")
    by_id = wanted.topic_id != NO_ID
    if by_id == (wanted.name is not None):
        raise InvalidRequestError("a topic is deleted by its name or by its id: give one of them")
    if times > 1:
        raise InvalidRequestError(f"topic '{wanted.name or wanted.topic_id.hex()}' is there twice in the request")
    topic = context.broker.topic(wanted.name or "", wanted.topic_id)
    if topic is None:
        if by_id:
            raise UnknownTopicIdError(f"there is no topic of id {wanted.topic_id.hex()} (any more)")
        raise UnknownTopicError(wanted.name or "")
    return topic.name, topic.topic_id
