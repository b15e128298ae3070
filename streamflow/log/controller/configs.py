"""What a setting is, and the settings a topic has. PURE.

One row a setting: its field here, Kafka's name, default, unit, range, and why the default is what it is. A setting is
listed when it has an effect; one that Kafka has and we don't yet is refused, never accepted and ignored.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streamflow.errors import ConfigError

INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row. `choices` limits a text; `least` and `most` a number."""

    field: str
    name: str
    default: bool | int | str
    unit: str
    reason: str
    least: int = 0
    most: int = INT64_MAX
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> bool | int | str:
        """The value `text` means.

        Raises: ConfigError when it means none.
        """
        if isinstance(self.default, bool):
            if text.lower() not in ("true", "false"):
                raise ConfigError(f"{self.name} is '{text}'; it must be true or false")
            return text.lower() == "true"
        if isinstance(self.default, str):
            if text not in self.choices:
                raise ConfigError(f"{self.name} is '{text}'; it must be one of: {', '.join(self.choices)}")
            return text
        try:
            number = int(text)
        except ValueError:
            raise ConfigError(f"{self.name} is '{text}'; it must be a whole number of {self.unit}") from None
        if not self.least <= number <= self.most:
            raise ConfigError(f"{self.name} is {number}; it must be between {self.least} and {self.most} {self.unit}")
        return number


def parse_all(settings: Iterable[Setting], given: Mapping[str, str]) -> dict[str, bool | int | str]:
    """Every setting's value by field: the given one (by field or by Kafka's name), else the default.

    Raises: ConfigError for a name that isn't known, with the nearest that is, and for a value that can't be.
    """
    table = list(settings)
    known = {s.name: s for s in table} | {s.field: s for s in table}
    values: dict[str, bool | int | str] = {s.field: s.default for s in table}
    for name, text in given.items():
        setting = known.get(name)
        if setting is None:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(s.name for s in table)}"
            raise ConfigError(f"unknown setting '{name}'; {hint}")
        values[setting.field] = setting.parse(text)
    return values


TOPIC_SETTINGS = (
    Setting(
        field="cleanup_policy",
        name="cleanup.policy",
        default="delete",
        unit="",
        choices=("delete", "compact", "compact,delete", "delete,compact"),
        reason="as Kafka; a compacted topic is never deleted by age or size",
    ),
    Setting(
        field="retention_ms",
        name="retention.ms",
        default=7 * 24 * 3_600_000,
        unit="ms",
        least=-1,
        reason="a week, as Kafka; -1 keeps for ever",
    ),
    Setting(
        field="retention_bytes",
        name="retention.bytes",
        default=-1,
        unit="bytes",
        least=-1,
        reason="as Kafka: no limit of size; counts one partition",
    ),
    Setting(
        field="segment_bytes",
        name="segment.bytes",
        default=128 << 20,
        unit="bytes",
        least=4096,
        most=2**31 - 1,
        reason="Kafka: 1 GiB; less here, for a start after a crash scans a segment. Deleted are whole segments",
    ),
    Setting(
        field="segment_ms",
        name="segment.ms",
        default=7 * 24 * 3_600_000,
        unit="ms",
        least=1,
        reason="a week, as Kafka",
    ),
    Setting(
        field="index_interval_bytes",
        name="index.interval.bytes",
        default=16 << 10,
        unit="bytes",
        reason="Kafka: 4 KiB; an entry costs more memory here, and 16 KiB are read as fast",
    ),
    Setting(
        field="max_message_bytes",
        name="max.message.bytes",
        default=1024 * 1024 + 12,
        unit="bytes",
        most=2**31 - 1,
        reason="as Kafka: a batch of 1 MiB and its head",
    ),
    Setting(
        field="message_timestamp_type",
        name="message.timestamp.type",
        default="CreateTime",
        unit="",
        choices=("CreateTime", "LogAppendTime"),
        reason="as Kafka: the producer knows when it happened",
    ),
)
