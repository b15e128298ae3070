"""ConsumerGroupDescribe 0–1: KIP-848 groups with their members, what each has and what it is to have.

Version 1 adds the type of a member (KIP-1099): all of ours are consumers. What a member is still to give up counts as
assigned. Topics that are gone aren't named.
"""

from __future__ import annotations

from streamflow.log.coordinators.consumer import ConsumerGroup
from streamflow.log.coordinators.consumer_events import MemberDescription
from streamflow.log.coordinators.topic_view import Partitions, TopicView
from streamflow.log.errors import LogError
from streamflow.log.protocol.errors import ErrorCode, code_of
from streamflow.log.protocol.messages import consumer_group_describe_request, consumer_group_describe_response
from streamflow.log.server.broker import Context
from streamflow.log.server.operations import GROUP, NOT_ASKED

CONSUMER_MEMBER = 1

Response = consumer_group_describe_response.ConsumerGroupDescribeResponse
Group = consumer_group_describe_response.DescribedGroup
Assignment = consumer_group_describe_response.Assignment
Topic = consumer_group_describe_response.TopicPartitions


async def handle(
    context: Context, request: consumer_group_describe_request.ConsumerGroupDescribeRequest
) -> consumer_group_describe_response.ConsumerGroupDescribeResponse:
    operations = GROUP if request.include_authorized_operations else NOT_ASKED
    return Response(groups=[_group(context, group_id, operations) for group_id in request.group_ids])


def _group(context: Context, group_id: str, operations: int) -> consumer_group_describe_response.DescribedGroup:
    coordinator = context.node.group_coordinator
    if not group_id:
        return Group(group_id=group_id, error_code=ErrorCode.invalid_group_id)
    try:
        context.node.groups.coordination.check()
    except LogError as error:
        return Group(group_id=group_id, error_code=code_of(error), error_message=str(error))
    machine = coordinator.consumers.find(group_id)
    if machine is None:
        why = "is not a consumer group" if coordinator.exists(group_id) else "not found"
        return Group(
            group_id=group_id, error_code=ErrorCode.group_id_not_found, error_message=f"Group {group_id} {why}."
        )
    return _described(group_id, machine, operations)


def _described(
    group_id: str, machine: ConsumerGroup, operations: int
) -> consumer_group_describe_response.DescribedGroup:
    found = machine.describe()
    return Group(
        group_id=group_id,
        group_state=found.state,
        group_epoch=found.epoch,
        assignment_epoch=found.assignment_epoch,
        assignor_name=found.assignor,
        members=[_member(member, machine.view) for member in found.members],
        authorized_operations=operations,
    )


def _member(member: MemberDescription, view: TopicView) -> consumer_group_describe_response.Member:
    said = member.subscription
    return consumer_group_describe_response.Member(
        member_id=member.member_id,
        instance_id=said.instance_id,
        rack_id=said.rack_id,
        member_epoch=member.member_epoch,
        client_id=said.client_id,
        client_host=said.client_host,
        subscribed_topic_names=list(said.topics),
        subscribed_topic_regex=said.pattern,
        assignment=_assignment(member.assigned, view),
        target_assignment=_assignment(member.target, view),
        member_type=CONSUMER_MEMBER,
    )


def _assignment(partitions: Partitions, view: TopicView) -> consumer_group_describe_response.Assignment:
    topics: dict[bytes, list[int]] = {}
    for topic_id, number in sorted(partitions):
        if topic_id in view.names:
            topics.setdefault(topic_id, []).append(number)
    return Assignment(
        topic_partitions=[
            Topic(topic_id=topic_id, topic_name=view.names[topic_id], partitions=numbers)
            for topic_id, numbers in topics.items()
        ]
    )
