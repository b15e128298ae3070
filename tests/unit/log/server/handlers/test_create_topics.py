from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import create_topics_request as q

pytestmark = pytest.mark.anyio


def topic(name: str, partitions: int = 1, factor: int = -1, **config: str | None) -> Any:
    configs = [q.CreatableTopicConfig(name=k.replace("_", "."), value=v) for k, v in config.items()]
    return q.CreatableTopic(name=name, num_partitions=partitions, replication_factor=factor, configs=configs)


def assigned(name: str, *replicas: tuple[int, list[int]]) -> Any:
    assignments = [q.CreatableReplicaAssignment(partition_index=p, broker_ids=b) for p, b in replicas]
    return q.CreatableTopic(name=name, num_partitions=-1, replication_factor=-1, assignments=assignments)


async def create(door: Any, *topics: Any, version: int | None = None, validate_only: bool = False) -> Any:
    answer = await door.ask(q.CreateTopicsRequest(topics=list(topics), validate_only=validate_only), version)
    return {t.name: t for t in answer.topics}


async def test_a_topic_is_there_when_its_creation_is_answered(door: Any) -> None:
    made = (await create(door, topic("a", 3, retention_ms="5000")))["a"]
    assert (made.error_code, made.num_partitions, made.replication_factor) == (ErrorCode.none, 3, 1)
    image = door.broker.topic("a")
    assert made.topic_id == image.topic_id
    assert len(image.partitions) == 3
    assert image.config == {"retention.ms": "5000"}
    assert door.broker.replica(image, 2).log.config.retention_ms == 5000


async def test_every_version_is_answered(door: Any) -> None:
    for version in range(2, 8):
        made = await create(door, topic(f"a{version}"), version=version)
        assert made[f"a{version}"].error_code == ErrorCode.none


async def test_the_answer_has_the_settings_with_their_sources(door: Any) -> None:
    made = (await create(door, topic("a", retention_ms="5000")))["a"]
    found = {c.name: (c.value, c.config_source) for c in made.configs}
    assert found["retention.ms"] == ("5000", 1)
    assert found["cleanup.policy"] == ("delete", 5)


async def test_counts_of_minus_one_are_the_brokers_defaults(door_with: Any) -> None:
    door = await door_with(**{"num.partitions": "4"}).start()
    made = (await create(door, topic("a", -1, -1)))["a"]
    assert (made.num_partitions, made.replication_factor) == (4, 1)


async def test_a_check_creates_nothing(door: Any) -> None:
    made = await create(door, topic("a", 3), topic("b", 0), validate_only=True)
    assert (made["a"].error_code, made["a"].num_partitions) == (ErrorCode.none, 3)
    assert made["b"].error_code == ErrorCode.invalid_partitions
    assert door.broker.topic("a") is None


async def test_each_topic_is_judged_on_its_own(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="there"))
    made = await create(door, topic("there"), topic("twice"), topic("twice"), topic("new"))
    assert {name: t.error_code for name, t in made.items()} == {
        "there": ErrorCode.topic_already_exists,
        "twice": ErrorCode.invalid_request,
        "new": ErrorCode.none,
    }
    assert "'there' already exists" in made["there"].error_message
    assert made["there"].num_partitions == -1


@pytest.mark.parametrize(
    ("wanted", "code", "said"),
    [
        (topic("", 1), ErrorCode.invalid_topic_exception, "empty"),
        (topic("a b", 1), ErrorCode.invalid_topic_exception, "legal"),
        (topic("a", 0), ErrorCode.invalid_partitions, "0 partitions"),
        (topic("a", -2), ErrorCode.invalid_partitions, "-2 partitions"),
        (topic("a", 1, 2), ErrorCode.invalid_replication_factor, "1 broker"),
        (topic("a", 1, 0), ErrorCode.invalid_replication_factor, "factor 0"),
        (topic("a", nope_x="1"), ErrorCode.invalid_config, "unknown setting"),
        (topic("a", retention_ms="x"), ErrorCode.invalid_config, "whole number"),
        (topic("a", retention_ms=None), ErrorCode.invalid_config, "null"),
        (topic("a", remote_storage_enable="true"), ErrorCode.invalid_config, "can only be false"),
        (topic("__consumer_offsets"), ErrorCode.invalid_topic_exception, "the log's own"),
        (assigned("a", (0, [2])), ErrorCode.invalid_replica_assignment, "no broker 2"),
        (assigned("a", (1, [1])), ErrorCode.invalid_replica_assignment, "without gaps"),
        (assigned("a", (0, [1]), (0, [1])), ErrorCode.invalid_replica_assignment, "twice"),
        (assigned("a", (0, [])), ErrorCode.invalid_replica_assignment, "empty"),
        (assigned("a", (0, [1, 1])), ErrorCode.invalid_replica_assignment, "one replica"),
    ],
)
async def test_what_cannot_be_is_refused_with_kafkas_code_and_our_reason(
    door: Any, wanted: Any, code: ErrorCode, said: str
) -> None:
    made = (await create(door, wanted))[wanted.name]
    assert made.error_code == code
    assert said in made.error_message


async def test_replicas_may_be_assigned_to_this_broker(door: Any) -> None:
    made = (await create(door, assigned("a", (0, [1]), (1, [1]))))["a"]
    assert (made.error_code, made.num_partitions) == (ErrorCode.none, 2)


async def test_assignments_and_counts_exclude_each_other(door: Any) -> None:
    both = assigned("a", (0, [1]))
    both.num_partitions = 1
    assert (await create(door, both))["a"].error_code == ErrorCode.invalid_request
