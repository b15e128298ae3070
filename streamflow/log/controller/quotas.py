"""Quotas of clients: which may be set, and which a filter finds. PURE.

The rules are Kafka's (KIP-546, KIP-599, KIP-612; `ClientQuotaControlManager`). A quota is for users, client ids, both
together, or addresses; a name of None is the default for those of the type that have none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from streamflow.log.controller import records as r
from streamflow.log.controller.image import Entity, MetadataImage
from streamflow.log.errors import InvalidRequestError

USER, CLIENT_ID, IP = "user", "client-id", "ip"
FRACTIONS = {"request_percentage", "controller_mutation_rate"}
KEYS = {
    USER: {"producer_byte_rate", "consumer_byte_rate", *FRACTIONS},
    CLIENT_ID: {"producer_byte_rate", "consumer_byte_rate", *FRACTIONS},
    IP: {"connection_creation_rate"},
}
"""What may be limited of whom: bytes a second, percent of a thread's time, changes and connections a second."""

_HOST = re.compile(r"[0-9A-Za-z.:_-]+")


class Match(IntEnum):
    """What a filter wants of an entity's type, by Kafka's numbers: the name, the default, or any."""

    EXACT = 0
    DEFAULT = 1
    SPECIFIED = 2


@dataclass(frozen=True, slots=True)
class Component:
    """One condition of a filter. `match` is a number as a client sent it."""

    entity_type: str
    match: int
    name: str | None


@dataclass(frozen=True, slots=True)
class QuotaChange:
    """`value` None takes the quota away."""

    key: str
    value: float | None


def alter_quotas(
    image: MetadataImage, entity: Mapping[str, str | None], changes: Sequence[QuotaChange]
) -> list[r.AnyRecord]:
    """The records that change an entity's quotas. Raises: InvalidRequestError."""
    _check_entity(entity)
    keys = set.intersection(*(KEYS[kind] for kind in entity))
    if len({change.key for change in changes}) < len(changes):
        raise InvalidRequestError("each quota of an entity can be changed once in a request")
    known = image.quotas.get(tuple(sorted(entity.items())), {})
    records: list[r.AnyRecord] = []
    for change in changes:
        if change.value is not None:
            _check_value(change.key, change.value, keys)
        if change.value != known.get(change.key):
            records.append(r.ClientQuota(entity=dict(entity), key=change.key, value=change.value))
    return records


def _check_entity(entity: Mapping[str, str | None]) -> None:
    if not entity:
        raise InvalidRequestError("a quota is for a user, a client-id or an ip; none is given")
    for kind, name in entity.items():
        if kind not in KEYS:
            raise InvalidRequestError(f"a quota can't be for a '{kind}'; it is for a user, a client-id or an ip")
        if name == "":
            raise InvalidRequestError(f"a {kind} has a name; null is the default of all")
    if IP in entity:
        if len(entity) > 1:
            raise InvalidRequestError("a quota for an ip is for nobody else")
        address = entity[IP]
        if address is not None and not _HOST.fullmatch(address):
            raise InvalidRequestError(f"'{address}' is no address and no host's name")


def _check_value(key: str, value: float, keys: set[str]) -> None:
    if key not in keys:
        raise InvalidRequestError(f"there is no quota '{key}' here; known are: {', '.join(sorted(keys))}")
    if not math.isfinite(value) or value <= 0:
        raise InvalidRequestError(f"{key} is {value}; it must be a number above 0")
    if key not in FRACTIONS and value != int(value):
        raise InvalidRequestError(f"{key} is {value}; it must be a whole number")


def find_quotas(
    image: MetadataImage, components: Sequence[Component], *, strict: bool
) -> Iterator[tuple[Entity, Mapping[str, float]]]:
    """The entities that every component matches; if `strict`, only those without other types.

    Raises: InvalidRequestError, before the first.
    """
    _check_filter(components)
    return (
        (entity, values)
        for entity, values in image.quotas.items()
        if all(_matches(dict(entity), c) for c in components) and not (strict and len(entity) > len(components))
    )


def _matches(entity: Mapping[str, str | None], component: Component) -> bool:
    if component.entity_type not in entity:
        return False
    if component.match == Match.SPECIFIED:
        return True
    return entity[component.entity_type] == component.name


def _check_filter(components: Sequence[Component]) -> None:
    types = [c.entity_type for c in components]
    for component in components:
        if component.match not in tuple(Match):
            raise InvalidRequestError(f"{component.match} isn't a way to match; 0, 1 and 2 are")
        if (component.match == Match.EXACT) != (component.name is not None):
            raise InvalidRequestError("a name is given if it has to be equal, and only then")
    if len(set(types)) < len(types):
        raise InvalidRequestError("a filter has one condition for a type of entity")
    if IP in types and len(types) > 1:
        raise InvalidRequestError("a quota for an ip is for nobody else; filter by ip alone")
