from __future__ import annotations

from typing import Any

import pytest

from streamflow.errors import UnknownTopicError
from streamflow.log.controller.alter import Change, Operation, changed
from streamflow.log.controller.inert import ALL_TOPIC_SETTINGS
from streamflow.log.controller.topics import NewTopic
from streamflow.log.errors import InvalidRequestError, InvalidTopicError
from streamflow.log.node.config import BROKER_SETTINGS
from streamflow.log.server.config_resources import Resource, ResourceType, alter, describe, named_twice

pytestmark = pytest.mark.anyio
TOPIC, BROKER = ResourceType.TOPIC, ResourceType.BROKER


async def test_a_topic_has_every_setting_and_a_broker_has_its_own_and_what_it_is(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a"))
    assert [e.setting.name for e in describe(door.broker, Resource(TOPIC, "a"))] == [s.name for s in ALL_TOPIC_SETTINGS]
    found = {e.setting.name: e.value for e in describe(door.broker, Resource(BROKER, "1"))}
    assert found.keys() == {s.name for s in BROKER_SETTINGS} | {
        "broker.id",
        "node.id",
        "advertised.listeners",
        "log.dirs",
    }
    assert (found["node.id"], found["advertised.listeners"]) == ("1", "PLAINTEXT://here:9092")


async def test_all_brokers_have_what_is_set_of_them(door: Any) -> None:
    assert describe(door.broker, Resource(BROKER, "")) == []
    change = Change(Operation.SET, "log.retention.ms", "5")
    await alter(door.broker, Resource(BROKER, ""), lambda t, b: changed(t, b, [change]), validate_only=False)
    (found,) = describe(door.broker, Resource(BROKER, ""))
    assert (found.setting.name, found.value, found.source) == ("log.retention.ms", "5", 3)


@pytest.mark.parametrize(
    ("resource", "error", "said"),
    [
        (Resource(3, "x"), InvalidRequestError, "resource type 3 has no settings"),
        (Resource(32, "g"), InvalidRequestError, "group has no settings"),
        (Resource(8, "1"), InvalidRequestError, "broker logger has no settings"),
        (Resource(BROKER, "9"), InvalidRequestError, "this is broker 1, not '9'"),
        (Resource(BROKER, "word"), InvalidRequestError, "not 'word'"),
        (Resource(TOPIC, "nope"), UnknownTopicError, "unknown topic"),
        (Resource(TOPIC, "a b"), InvalidTopicError, "legal"),
    ],
)
async def test_what_is_not_there_is_refused(door: Any, resource: Resource, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        describe(door.broker, resource)
    with pytest.raises((error, UnknownTopicError)):
        await alter(door.broker, resource, lambda t, b: b, validate_only=True)


def test_resources_named_twice_are_found() -> None:
    once, twice = Resource(TOPIC, "a"), Resource(BROKER, "a")
    assert named_twice([twice, once, twice]) == {twice}
