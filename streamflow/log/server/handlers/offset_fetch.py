"""OffsetFetch 1–10: how far groups have come. Versions 8 and up ask for several groups; 10 names topics by id.

`require_stable` (version 7): what an open transaction may still change is UNSTABLE_OFFSET_COMMIT (KIP-447). A partition
without an offset has -1, and so has one of a topic that doesn't exist.
"""

from __future__ import annotations

from collections.abc import Iterable

from streamflow.event import TopicPartition
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.coordinators.transaction_records import group_by_topic
from streamflow.log.errors import LogError
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import offset_fetch_request, offset_fetch_response
from streamflow.log.server.broker import NO_ID, Context

SEVERAL_SINCE, TOPIC_IDS_SINCE = 8, 10
NONE = OffsetValue(offset=-1)

Partition = offset_fetch_response.OffsetFetchResponsePartitions
OldPartition = offset_fetch_response.OffsetFetchResponsePartition
Topic = offset_fetch_response.OffsetFetchResponseTopics
Group = offset_fetch_response.OffsetFetchResponseGroup
Wanted = offset_fetch_request.OffsetFetchRequestTopics


async def handle(
    context: Context, request: offset_fetch_request.OffsetFetchRequest
) -> offset_fetch_response.OffsetFetchResponse:
    stable = request.require_stable
    try:
        context.node.groups.coordination.check()
    except LogError as error:
        return _refused(request, context.version, code_of(error))
    if context.version >= SEVERAL_SINCE:
        return offset_fetch_response.OffsetFetchResponse(
            groups=[_group(context, g, stable=stable) for g in request.groups]
        )
    fetch = _Fetch(context, request.group_id, stable=stable)
    if request.topics is None:
        found = fetch.topics(None)
    else:
        found = fetch.topics([Wanted(name=t.name, partition_indexes=t.partition_indexes) for t in request.topics])
    return offset_fetch_response.OffsetFetchResponse(
        topics=[
            offset_fetch_response.OffsetFetchResponseTopic(
                name=t.name,
                partitions=[
                    OldPartition(
                        partition_index=p.partition_index,
                        committed_offset=p.committed_offset,
                        committed_leader_epoch=p.committed_leader_epoch,
                        metadata=p.metadata,
                        error_code=p.error_code,
                    )
                    for p in t.partitions
                ],
            )
            for t in found
        ]
    )


def _refused(
    request: offset_fetch_request.OffsetFetchRequest, version: int, error: ErrorCode
) -> offset_fetch_response.OffsetFetchResponse:
    """By a node that doesn't know the groups (any more, or yet)."""
    if version >= SEVERAL_SINCE:
        groups = [Group(group_id=g.group_id, error_code=error) for g in request.groups]
        return offset_fetch_response.OffsetFetchResponse(groups=groups)
    return offset_fetch_response.OffsetFetchResponse(error_code=error)


def _group(
    context: Context, asked: offset_fetch_request.OffsetFetchRequestGroup, *, stable: bool
) -> offset_fetch_response.OffsetFetchResponseGroup:
    """A member of a KIP-848 group says its epoch (version 9)."""
    consumers = context.node.group_coordinator.consumers.find(asked.group_id)
    if consumers is not None:
        refused = consumers.fetch_error(asked.member_id, asked.member_epoch)
        if refused:
            return Group(group_id=asked.group_id, error_code=refused)
    return Group(group_id=asked.group_id, topics=_Fetch(context, asked.group_id, stable=stable).topics(asked.topics))


class _Fetch:
    """From one group's offsets."""

    def __init__(self, context: Context, group_id: str, *, stable: bool) -> None:
        offsets = context.node.groups.offsets
        self._context = context
        self._committed = offsets.committed(group_id)
        self._unstable = offsets.unstable(group_id) if stable else frozenset()

    def topics(
        self, wanted: list[offset_fetch_request.OffsetFetchRequestTopics] | None
    ) -> list[offset_fetch_response.OffsetFetchResponseTopics]:
        """None wants all."""
        by_id = self._context.version >= TOPIC_IDS_SINCE
        if wanted is None:
            return self._everything(by_id=by_id)
        if not by_id:
            return [Topic(name=t.name, partitions=self._partitions(t.name, t.partition_indexes)) for t in wanted]
        return [self._by_id(t) for t in wanted]

    def _everything(self, *, by_id: bool) -> list[offset_fetch_response.OffsetFetchResponseTopics]:
        found = []
        for name, indexes in group_by_topic(self._committed).items():
            topic = self._context.broker.topic(name)
            if topic is not None or not by_id:
                topic_id = NO_ID if topic is None else topic.topic_id
                found.append(Topic(name=name, topic_id=topic_id, partitions=self._partitions(name, indexes)))
        return found

    def _by_id(
        self, wanted: offset_fetch_request.OffsetFetchRequestTopics
    ) -> offset_fetch_response.OffsetFetchResponseTopics:
        topic = self._context.broker.topic(wanted.name, wanted.topic_id)
        if topic is None:
            unknown = [_partition(i, NONE, ErrorCode.unknown_topic_id) for i in wanted.partition_indexes]
            return Topic(topic_id=wanted.topic_id, partitions=unknown)
        return Topic(topic_id=topic.topic_id, partitions=self._partitions(topic.name, wanted.partition_indexes))

    def _partitions(
        self, name: str, indexes: Iterable[int]
    ) -> list[offset_fetch_response.OffsetFetchResponsePartitions]:
        found = []
        for index in indexes:
            where = TopicPartition(name, index)
            if where in self._unstable:
                found.append(_partition(index, NONE, ErrorCode.unstable_offset_commit))
            else:
                found.append(_partition(index, self._committed.get(where, NONE), ErrorCode.none))
        return found


def _partition(index: int, value: OffsetValue, error: ErrorCode) -> offset_fetch_response.OffsetFetchResponsePartitions:
    return Partition(
        partition_index=index,
        committed_offset=value.offset,
        committed_leader_epoch=value.leader_epoch,
        metadata=value.metadata,
        error_code=error,
    )
