"""Altering settings: what is set now and the changes in, what is set then or a refusal out. PURE.

The rules are Kafka's (KIP-339, `ConfigurationControlManager`): a change sets a value, takes it back to the default, or
adds to and takes from a list; all changes of a resource are made or none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from streamflow.errors import ConfigError
from streamflow.log.controller.configs import Setting, as_text, parse_all
from streamflow.log.controller.effective import Kind, kind_of
from streamflow.log.errors import InvalidRequestError


class Operation(IntEnum):
    """Kafka's numbers."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


@dataclass(frozen=True, slots=True)
class Change:
    """`operation` is a number as a client sent it."""

    operation: int
    name: str
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alterable:
    """What may be set of a resource.

    Args:
        settings: its table.
        read_only: names of those that can't be altered while the node runs.
        ordered: pairs of names; the first's number can't be above the second's.
    """

    settings: Sequence[Setting]
    read_only: Collection[str] = ()
    ordered: Sequence[tuple[str, str]] = ()

    def checked(self, config: Mapping[str, str], changed: Collection[str]) -> dict[str, str]:
        """The settings as they will be kept. Raises: ConfigError, InvalidRequestError."""
        stuck = sorted(set(changed) & set(self.read_only))
        if stuck:
            raise InvalidRequestError(f"{', '.join(stuck)} can't be altered while the node runs; start it with another")
        parse_all(self.settings, {name: value for name, value in config.items() if name in changed})
        for low, high in self.ordered:
            if low in config and high in config and int(config[low]) > int(config[high]):
                raise ConfigError(f"{low} is {config[low]}, above {high}, which is {config[high]}")
        lists = {s.name: s for s in self.settings if s.many}
        return {name: as_text(lists[name].parse(v)) if name in lists else v for name, v in config.items()}


def replaced(table: Alterable, before: Mapping[str, str], given: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """What is set once `given` is all that is set (AlterConfigs). Raises: ConfigError, InvalidRequestError."""
    _each_once([name for name, _ in given])
    config = {name: _needed(name, value) for name, value in given}
    changed = {n for n in before.keys() | config.keys() if before.get(n) != config.get(n)}
    return table.checked(config, changed)


def changed(table: Alterable, before: Mapping[str, str], changes: Sequence[Change]) -> dict[str, str]:
    """What is set after the changes (IncrementalAlterConfigs). Raises: ConfigError, InvalidRequestError."""
    _each_once([change.name for change in changes])
    known = {setting.name: setting for setting in table.settings}
    config = dict(before)
    for change in changes:
        if change.operation not in tuple(Operation):
            raise InvalidRequestError(f"{change.operation} isn't an operation on {change.name}")
        if change.operation == Operation.DELETE:
            config.pop(change.name, None)
        elif change.operation == Operation.SET:
            config[change.name] = _needed(change.name, change.value)
        else:
            config[change.name] = _listed(known.get(change.name), change, config.get(change.name))
    return table.checked(config, {change.name for change in changes})


def _listed(setting: Setting | None, change: Change, before: str | None) -> str:
    operation = Operation(change.operation)
    if setting is None or kind_of(setting) is not Kind.LIST:
        raise ConfigError(f"{change.name} isn't a list: {operation.name} can't be done with it; set it")
    given = _split(_needed(change.name, change.value))
    parts = _split(as_text(setting.default) if before is None else before)
    if operation is Operation.APPEND:
        return ",".join(parts + given)
    return ",".join(part for part in parts if part not in given)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _needed(name: str, value: str | None) -> str:
    if value is None:
        raise InvalidRequestError(f"{name} can't be set to null; delete it to go back to its default")
    return value


def _each_once(names: Sequence[str]) -> None:
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise InvalidRequestError(f"{', '.join(twice)} can be altered once in a request")
