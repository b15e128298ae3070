"""KIP-848 asked for by hand: epochs, assignments and error codes, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from brokers import Broker
from differences import differs
from kio.schema.errors import ErrorCode
from waiting import eventually
from wire import Wire, create_topic, message

Name = Callable[[str], str]
ASSIGNMENT_INTERVAL_SECONDS = 1.1
"""Apache Kafka (since 4.3, KIP-1263) works out at most one assignment of a group in a second."""


@pytest.fixture
def wire(broker: Broker) -> Iterator[Wire]:
    with Wire(broker.endpoint) as connection:
        yield connection


@pytest.fixture
def topic(broker: Broker, name: Name) -> str:
    return create_topic(broker.endpoint, name("topic"), partitions=4)


@pytest.fixture
def group(wire: Wire, name: Name) -> str:
    """A group's name, whose coordinator is there."""
    group = name("group")

    def found() -> str:
        wire.ask(message("find_coordinator", 4, key_type=0, coordinator_keys=[group]))
        return str(heartbeat(wire, group, "nobody", 1).error_code.name)

    eventually(found, "group_id_not_found")
    return group


def heartbeat(wire: Wire, group: str, member: str, epoch: int, version: int = 1, **given: Any) -> Any:
    said = {"group_id": group, "member_id": member, "member_epoch": epoch, "rebalance_timeout": -1}
    return wire.ask(message("consumer_group_heartbeat", version, **{**said, **given}))


def join(wire: Wire, group: str, member: str, *topics: str, version: int = 1, **given: Any) -> Any:
    said = {"subscribed_topic_names": list(topics), "topic_partitions": [], "rebalance_timeout": 60_000}
    return heartbeat(wire, group, member, 0, version, **{**said, **given})


def numbers(answer: Any) -> list[int] | None:
    if answer.assignment is None:
        return None
    return sorted(n for topic in answer.assignment.topic_partitions for n in topic.partitions)


def owned(wire: Wire, topic: str, *partitions: int) -> list[dict[str, Any]]:
    (told,) = wire.ask(message("metadata", 12, topics=[{"name": topic}])).topics
    return [{"topic_id": told.topic_id, "partitions": list(partitions)}]


def described(wire: Wire, group: str) -> Any:
    return wire.ask(message("consumer_group_describe", 1, group_ids=[group])).groups[0]


def test_partitions_pass_from_one_member_to_another_step_by_step(wire: Wire, group: str, topic: str) -> None:
    first = join(wire, group, "a", topic)
    start = first.member_epoch
    assert (first.error_code, first.member_id) == (ErrorCode.none, "a") and start > 0
    assert numbers(first) == [0, 1, 2, 3]
    assert described(wire, group).group_state == "Stable"
    time.sleep(ASSIGNMENT_INTERVAL_SECONDS)
    second = join(wire, group, "b", topic)
    assert (second.member_epoch, numbers(second)) == (start + 1, []), "the first has all"
    assert described(wire, group).group_state == "Reconciling"
    told = heartbeat(wire, group, "a", start)
    kept = numbers(told)
    assert told.member_epoch == start
    assert kept is not None and len(kept) == 2
    assert numbers(heartbeat(wire, group, "b", start + 1)) is None, "the first hasn't given up anything yet"
    still = heartbeat(wire, group, "a", start, topic_partitions=owned(wire, topic, 0, 1, 2, 3))
    assert (still.member_epoch, numbers(still)) == (start, None)
    done = heartbeat(wire, group, "a", start, topic_partitions=owned(wire, topic, *kept))
    assert (done.member_epoch, numbers(done)) == (start + 1, None)
    assert numbers(heartbeat(wire, group, "b", start + 1)) == sorted({0, 1, 2, 3} - set(kept))
    found = described(wire, group)
    assert (found.group_state, found.group_epoch, found.assignment_epoch, found.assignor_name) == (
        "Stable",
        start + 1,
        start + 1,
        "uniform",
    )
    assert sorted(m.member_id for m in found.members) == ["a", "b"]
    time.sleep(ASSIGNMENT_INTERVAL_SECONDS)
    left = heartbeat(wire, group, "b", -1)
    assert (left.error_code, left.member_id, left.member_epoch) == (ErrorCode.none, "b", -1)
    alone = heartbeat(wire, group, "a", start + 1)
    assert (alone.member_epoch, numbers(alone)) == (start + 2, [0, 1, 2, 3])
    assert heartbeat(wire, group, "a", -1).error_code == ErrorCode.none
    found = described(wire, group)
    assert (found.group_state, found.group_epoch, found.assignment_epoch) == ("Empty", start + 3, start + 3)


def test_heartbeats_that_cannot_be_are_refused(wire: Wire, group: str, topic: str) -> None:
    epoch = join(wire, group, "a", topic).member_epoch
    found = {
        "no group": join(wire, "", "a", topic),
        "no member id": join(wire, group, "", topic),
        "no member id in leaving": heartbeat(wire, group, "", -1, 0),
        "empty instance id": join(wire, group, "b", topic, instance_id=""),
        "empty rack": join(wire, group, "b", topic, rack_id=""),
        "no time-out": join(wire, group, "b", topic, rebalance_timeout=-1),
        "owns something": join(wire, group, "b", topic, topic_partitions=owned(wire, topic, 0)),
        "owns who knows what": join(wire, group, "b", topic, topic_partitions=None),
        "wants nothing": join(wire, group, "b", subscribed_topic_names=None),
        "epoch of nobody": heartbeat(wire, group, "a", -3),
        "away without a name": heartbeat(wire, group, "a", -2),
        "another assignor": join(wire, group, "b", topic, server_assignor="mine"),
        "no expression": join(wire, group, "b", subscribed_topic_names=None, subscribed_topic_regex="(a"),
        "back-reference": join(wire, group, "b", subscribed_topic_names=None, subscribed_topic_regex=r"(a)\1"),
        "a stranger": heartbeat(wire, group, "z", 1),
        "a stranger leaves": heartbeat(wire, group, "z", -1),
        "a strange instance": heartbeat(wire, group, "a", epoch, instance_id="one"),
        "an epoch ahead": heartbeat(wire, group, "a", epoch + 1),
    }
    assert {what: answer.error_code.name for what, answer in found.items()} == {
        **dict.fromkeys(list(found)[:11], "invalid_request"),
        "another assignor": "unsupported_assignor",
        "no expression": "invalid_regular_expression",
        "back-reference": "invalid_regular_expression",
        "a stranger": "unknown_member_id",
        "a stranger leaves": "unknown_member_id",
        "a strange instance": "unknown_member_id",
        "an epoch ahead": "fenced_member_epoch",
    }
    assert all(answer.error_message for answer in found.values())
    assert heartbeat(wire, group, "a", epoch).error_code == ErrorCode.none, "nobody else was disturbed"


def test_a_member_of_version_0_is_given_its_id(wire: Wire, group: str, topic: str) -> None:
    answer = join(wire, group, "", topic, version=0)
    assert answer.error_code == ErrorCode.none and answer.member_id


def test_an_answer_says_what_is_assigned_only_when_that_changed_or_all_was_asked(
    wire: Wire, group: str, topic: str
) -> None:
    epoch = join(wire, group, "a", topic).member_epoch
    assert numbers(heartbeat(wire, group, "a", epoch)) is None
    everything = owned(wire, topic, 0, 1, 2, 3)
    whole = {"topic_partitions": everything, "rebalance_timeout": 60_000}
    assert numbers(heartbeat(wire, group, "a", epoch, **whole)) is None
    assert numbers(heartbeat(wire, group, "a", epoch, subscribed_topic_names=[topic], **whole)) == [0, 1, 2, 3]
    again = join(wire, group, "a", topic)
    assert (again.member_epoch, numbers(again)) == (epoch, [0, 1, 2, 3])


def test_a_static_member_returns_to_what_it_had(wire: Wire, group: str, topic: str) -> None:
    epoch = join(wire, group, "a", topic, instance_id="one").member_epoch
    in_use = join(wire, group, "b", topic, instance_id="one")
    assert in_use.error_code == ErrorCode.unreleased_instance_id
    away = heartbeat(wire, group, "a", -2, instance_id="one")
    assert (away.error_code, away.member_id, away.member_epoch) == (ErrorCode.none, "a", -2)
    assert heartbeat(wire, group, "a", epoch, instance_id="one").error_code == ErrorCode.fenced_member_epoch
    back = join(wire, group, "b", topic, instance_id="one")
    assert (back.member_epoch, numbers(back)) == (epoch, [0, 1, 2, 3]), "nobody was disturbed"
    assert heartbeat(wire, group, "a", epoch, instance_id="one").error_code == ErrorCode.fenced_instance_id
    assert heartbeat(wire, group, "a", epoch).error_code == ErrorCode.unknown_member_id
    assert heartbeat(wire, group, "a", -1, instance_id="one").error_code == ErrorCode.fenced_instance_id
    assert heartbeat(wire, group, "b", -1, instance_id="one").error_code == ErrorCode.none
    assert described(wire, group).group_state == "Empty"


def test_offsets_are_held_to_the_member_epoch(wire: Wire, group: str, topic: str) -> None:
    current = join(wire, group, "a", topic).member_epoch

    def commit(member: str, epoch: int, version: int = 9) -> str:
        partitions = [{"partition_index": 0, "committed_offset": 5, "committed_metadata": ""}]
        given = {"group_id": group, "member_id": member, "generation_id_or_member_epoch": epoch}
        answer = wire.ask(
            message("offset_commit", version, topics=[{"name": topic, "partitions": partitions}], **given)
        )
        return str(answer.topics[0].partitions[0].error_code.name)

    def fetch(member: str | None, epoch: int) -> str:
        topics = [{"name": topic, "partition_indexes": [0]}]
        asked = {"group_id": group, "member_id": member, "member_epoch": epoch, "topics": topics}
        return str(wire.ask(message("offset_fetch", 9, groups=[asked])).groups[0].error_code.name)

    assert commit("a", current) == "none"
    assert commit("a", current + 1) == "stale_member_epoch"
    assert commit("z", current) == "unknown_member_id"
    assert commit("", -1) == "unknown_member_id"
    assert commit("a", current, version=8) == "unsupported_version"
    assert fetch("a", current) == "none"
    assert fetch(None, -1) == "none"
    assert fetch("a", current + 1) == "stale_member_epoch"
    assert fetch("z", current) == "unknown_member_id"
    heartbeat(wire, group, "a", -1)
    assert commit("", -1) == "none"


def test_groups_of_both_protocols_are_told_apart(wire: Wire, group: str, topic: str, name: Name) -> None:
    join(wire, group, "a", topic)
    listed = {g.group_id: g for g in wire.ask(message("list_groups", 5, types_filter=["Consumer"])).groups}
    assert (listed[group].group_type, listed[group].group_state, listed[group].protocol_type) == (
        "consumer",
        "Stable",
        "consumer",
    )
    assert group not in {g.group_id for g in wire.ask(message("list_groups", 5, types_filter=["classic"])).groups}
    (classic,) = wire.ask(message("describe_groups", 6, groups=[group])).groups
    assert classic.error_code == ErrorCode.group_id_not_found
    assert described(wire, name("none")).error_code == ErrorCode.group_id_not_found
    assert described(wire, "").error_code == ErrorCode.invalid_group_id


def classic_join(wire: Wire, group: str, member: str = "", protocol: bytes = b"") -> Any:
    return wire.ask(
        message(
            "join_group",
            3,
            group_id=group,
            member_id=member,
            session_timeout=10_000,
            rebalance_timeout=10_000,
            protocol_type="consumer",
            protocols=[{"name": "range", "metadata": protocol}],
        )
    )


def test_a_group_with_members_keeps_its_protocol_and_an_empty_one_may_change(
    broker: Broker, wire: Wire, group: str, topic: str
) -> None:
    join(wire, group, "a", topic)
    metadata = b"\0\0" + (1).to_bytes(4, "big") + len(topic).to_bytes(2, "big") + topic.encode() + b"\xff\xff\xff\xff"
    other = classic_join(wire, group, protocol=metadata)
    if differs(broker, "mixed-groups"):
        assert other.error_code == ErrorCode.inconsistent_group_protocol
    else:
        assert other.error_code == ErrorCode.none
        heartbeat(wire, group, other.member_id, -1)
    heartbeat(wire, group, "a", -1)
    eventually(lambda: described(wire, group).group_state, "Empty")
    member = classic_join(wire, group, protocol=metadata)
    assert member.error_code == ErrorCode.none
    assert described(wire, group).error_code == ErrorCode.group_id_not_found
    refused = join(wire, group, "b", topic)
    if differs(broker, "mixed-groups"):
        assert refused.error_code == ErrorCode.group_id_not_found
    wire.ask(message("leave_group", 3, group_id=group, members=[{"member_id": member.member_id}]))
    assert join(wire, group, "c", topic).error_code == ErrorCode.none
