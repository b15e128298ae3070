"""What a setting's value is, and from where: topics and brokers by layers, the strongest first. PURE.

| source | set by |
|---|---|
| `DYNAMIC_TOPIC_CONFIG` | whoever made or altered the topic |
| `DYNAMIC_BROKER_CONFIG` | an alteration of this broker |
| `DYNAMIC_DEFAULT_BROKER_CONFIG` | an alteration of all brokers |
| `STATIC_BROKER_CONFIG` | the broker's command line or file |
| `DEFAULT_CONFIG` | nobody |

A topic's setting that isn't set is the broker's of another name (`retention.ms`: `log.retention.ms`), if it has one.
Its synonyms are all places the value may come from, as Kafka's tools show them (KIP-226).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

from streamflow.log.controller.configs import Setting, as_text
from streamflow.log.controller.inert import ALL_TOPIC_SETTINGS


class Source(IntEnum):
    """Kafka's numbers."""

    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5


class Kind(IntEnum):
    """A value's type, by Kafka's numbers."""

    BOOLEAN = 1
    STRING = 2
    INT = 3
    LONG = 5
    DOUBLE = 6
    LIST = 7


@dataclass(frozen=True, slots=True)
class Synonym:
    """One place where a value is set."""

    name: str
    value: str
    source: Source


@dataclass(frozen=True, slots=True)
class Effective:
    """A setting as it is. `synonyms` begin with what holds; a default that no broker's setting has has none."""

    setting: Setting
    value: str
    source: Source
    synonyms: tuple[Synonym, ...]
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfig:
    """What is set of a broker's settings, by Kafka's names: of it alone, of all brokers, and when it was started."""

    own: Mapping[str, str] = field(default_factory=dict)
    all_brokers: Mapping[str, str] = field(default_factory=dict)
    static: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """Of all that is set."""
        return {*self.own, *self.all_brokers, *self.static}

    def synonyms(self, name: str, default: str) -> Iterator[Synonym]:
        layers = (
            (self.own, Source.DYNAMIC_BROKER_CONFIG),
            (self.all_brokers, Source.DYNAMIC_DEFAULT_BROKER_CONFIG),
            (self.static, Source.STATIC_BROKER_CONFIG),
        )
        for given, source in layers:
            if name in given:
                yield Synonym(name, given[name], source)
        yield Synonym(name, default, Source.DEFAULT_CONFIG)


TOPIC_DEFAULTS: tuple[Setting, ...] = tuple(
    replace(setting, field=f"topic_{setting.field}", name=setting.broker, broker="")
    for setting in ALL_TOPIC_SETTINGS
    if setting.broker
)
"""The broker's settings that are defaults of topics' settings. They may be altered while the broker runs."""


def kind_of(setting: Setting) -> Kind:
    match setting.default:
        case bool():
            return Kind.BOOLEAN
        case float():
            return Kind.DOUBLE
        case str():
            return Kind.LIST if setting.many else Kind.STRING
        case _:
            return Kind.INT if setting.most < 2**31 else Kind.LONG


def documentation(setting: Setting) -> str:
    """What a setting is for, in a line, for whoever reads it beside its name."""
    said = f"can't be chosen: {setting.reason}" if setting.fixed else setting.reason
    return f"{said[0].upper()}{said[1:]}." + (f" In {setting.unit}." if setting.unit else "")


def topic_config(config: Mapping[str, str], broker: BrokerConfig) -> dict[str, str]:
    """A topic's settings, those that aren't at their defaults: its own, and what the broker's say for the others."""
    found = dict(config)
    given = broker.names
    for setting in ALL_TOPIC_SETTINGS if given else ():
        if setting.broker in given and setting.name not in found:
            found[setting.name] = next(broker.synonyms(setting.broker, "")).value
    return found


def effective_topic(config: Mapping[str, str], broker: BrokerConfig) -> list[Effective]:
    """Every setting of a topic. `config` is what was set of it."""
    return [_of_topic(setting, config, broker) for setting in ALL_TOPIC_SETTINGS]


def _of_topic(setting: Setting, config: Mapping[str, str], broker: BrokerConfig) -> Effective:
    default = as_text(setting.default)
    synonyms = list(broker.synonyms(setting.broker, default)) if setting.broker else []
    if setting.name in config:
        synonyms.insert(0, Synonym(setting.name, config[setting.name], Source.DYNAMIC_TOPIC_CONFIG))
    if not synonyms:
        return Effective(setting, default, Source.DEFAULT_CONFIG, ())
    return Effective(setting, synonyms[0].value, synonyms[0].source, tuple(synonyms))


def effective_broker(settings: Collection[Setting], broker: BrokerConfig, dynamic: Collection[str]) -> list[Effective]:
    """Every setting of the table.

    Args:
        dynamic: names of those that may be altered while the broker runs.
    """
    found = []
    for setting in settings:
        synonyms = tuple(broker.synonyms(setting.name, as_text(setting.default)))
        first = synonyms[0]
        found.append(Effective(setting, first.value, first.source, synonyms, read_only=setting.name not in dynamic))
    return found
