"""What settings belong to, as clients name it: a topic, this broker, all brokers.

Not there: loggers (8), client metrics (16) and groups (32) have no settings here; who asks for theirs is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from streamflow.errors import ConfigError, UnknownTopicError
from streamflow.log.controller.configs import Setting
from streamflow.log.controller.effective import Effective, Source, Synonym, effective_broker, effective_topic
from streamflow.log.controller.topics import validate_name
from streamflow.log.errors import InvalidRequestError
from streamflow.log.node.admin import DYNAMIC, Alteration
from streamflow.log.node.config import BROKER_SETTINGS
from streamflow.log.server.broker import Broker


class ResourceType(IntEnum):
    """Kafka's numbers."""

    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


@dataclass(frozen=True, slots=True)
class Resource:
    """`kind` is a number as a client sent it."""

    kind: int
    name: str

    def check_kind(self) -> None:
        """Raises: InvalidRequestError."""
        if self.kind not in (ResourceType.TOPIC, ResourceType.BROKER):
            known = self.kind in tuple(ResourceType)
            what = ResourceType(self.kind).name.lower().replace("_", " ") if known else f"resource type {self.kind}"
            raise InvalidRequestError(f"{what} has no settings here; topics (2) and brokers (4) have")


def describe(broker: Broker, resource: Resource) -> list[Effective]:
    """Every setting of it; of all brokers, what is set.

    Raises: InvalidRequestError, InvalidTopicError, UnknownTopicError.
    """
    resource.check_kind()
    layers = broker.node.topics.settings.broker
    if resource.kind == ResourceType.TOPIC:
        validate_name(resource.name)
        topic = broker.topic(resource.name)
        if topic is None:
            raise UnknownTopicError(resource.name)
        return effective_topic(topic.config, layers)
    if _broker_id(broker, resource.name) is not None:
        return effective_broker(BROKER_SETTINGS, layers, DYNAMIC) + _facts(broker)
    found = []
    for setting in BROKER_SETTINGS:
        if (value := layers.all_brokers.get(setting.name)) is not None:
            source = Source.DYNAMIC_DEFAULT_BROKER_CONFIG
            found.append(Effective(setting, value, source, (Synonym(setting.name, value, source),)))
    return found


def _facts(broker: Broker) -> list[Effective]:
    """What this broker is: Kafka has settings for it."""
    facts: dict[str, int | str] = {
        "broker.id": broker.node_id,
        "node.id": broker.node_id,
        "advertised.listeners": f"PLAINTEXT://{broker.advertised}",
        "log.dirs": broker.node.directory,
    }
    source, found = Source.STATIC_BROKER_CONFIG, []
    for name, value in facts.items():
        setting = Setting(
            field=name,
            name=name,
            default=value,
            unit="",
            most=2**31 - 1,
            many=isinstance(value, str),
            fixed=True,
            reason="given when it started",
        )
        found.append(Effective(setting, str(value), source, (Synonym(name, str(value), source),), read_only=True))
    return found


async def alter(broker: Broker, resource: Resource, alteration: Alteration, *, validate_only: bool) -> None:
    """Raises: InvalidRequestError, for a broker's wrong value as well, as with Kafka; ConfigError for a topic's;
    UnknownTopicError, LogError."""
    resource.check_kind()
    admin = broker.node.admin
    if resource.kind == ResourceType.TOPIC:
        await admin.alter_topic(resource.name, alteration, validate_only=validate_only)
        return
    try:
        await admin.alter_broker(_broker_id(broker, resource.name), alteration, validate_only=validate_only)
    except ConfigError as error:
        raise InvalidRequestError(str(error)) from error


def _broker_id(broker: Broker, name: str) -> int | None:
    """None for all brokers. Raises: InvalidRequestError for another broker than this one."""
    if name == "":
        return None
    if name != str(broker.node_id):
        raise InvalidRequestError(f"this is broker {broker.node_id}, not '{name}'; an empty name is all brokers")
    return broker.node_id


def named_twice(resources: Iterable[Resource]) -> set[Resource]:
    return {resource for resource, times in Counter(resources).items() if times > 1}
