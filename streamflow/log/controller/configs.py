"""What a setting is, and the settings a topic has. PURE.

One row a setting: its field here, Kafka's name, default, unit, range, and why the default is what it is. A setting is
listed here when it has an effect. What Kafka has and we don't is in `inert`: shown, and refused when it is set to what
would have to have an effect; never accepted and ignored.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streamflow.errors import ConfigError

INT64_MAX = 2**63 - 1
_REPLICA = r"\*|\d+:\d+"
"""All, or a partition's on a broker."""

Value = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row.

    Args:
        broker: of a topic's setting, the node's that is its default (Kafka's synonym); "" when it has none.
        least, most: of a number.
        choices: of a text; none of them is any text.
        many: a list of any of the choices, or of none, between commas.
        pattern: what each part of a text that isn't a choice has to look like.
        fixed: only the default is taken: whatever else it may mean isn't done.
    """

    field: str
    name: str
    default: Value
    unit: str
    reason: str
    broker: str = ""
    least: int = 0
    most: int = INT64_MAX
    choices: tuple[str, ...] = ()
    many: bool = False
    pattern: str = ""
    fixed: bool = False

    def parse(self, text: str) -> Value:
        """The value `text` means.

        Raises: ConfigError when it means none, or one that can't be had.
        """
        value = self._parse(text.strip())
        if self.fixed and value != self.default:
            raise ConfigError(f"{self.name} can only be {as_text(self.default)} here, not '{text}': {self.reason}")
        return value

    def _parse(self, text: str) -> Value:
        if isinstance(self.default, bool):
            if text.lower() not in ("true", "false"):
                raise ConfigError(f"{self.name} is '{text}'; it must be true or false")
            return text.lower() == "true"
        if isinstance(self.default, str):
            return self._chosen(text)
        try:
            number = float(text) if isinstance(self.default, float) else int(text)
        except ValueError:
            kind = "number" if isinstance(self.default, float) else "whole number"
            raise ConfigError(f"{self.name} is '{text}'; it must be a {kind} of {self.unit}") from None
        if not self.least <= number <= self.most:
            raise ConfigError(f"{self.name} is {number}; it must be between {self.least} and {self.most} {self.unit}")
        return number

    def _chosen(self, text: str) -> str:
        parts = [part.strip() for part in text.split(",") if part.strip()] if self.many else [text]
        if self.choices and not set(parts) <= set(self.choices):
            some = "some of" if self.many else "one of"
            raise ConfigError(f"{self.name} is '{text}'; it must be {some}: {', '.join(self.choices)}")
        wrong = [part for part in parts if self.pattern and not re.fullmatch(self.pattern, part)]
        if wrong:
            raise ConfigError(f"{self.name} is '{text}'; '{wrong[0]}' doesn't look like {self.pattern}")
        return ",".join(dict.fromkeys(parts))


def as_text(value: Value) -> str:
    """As `Setting.parse` reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_all(settings: Iterable[Setting], given: Mapping[str, str]) -> dict[str, Value]:
    """Every setting's value by field: the given one (by field or by Kafka's name), else the default.

    Raises: ConfigError for a name that isn't known, with the nearest that is, and for a value that can't be.
    """
    table = list(settings)
    known = {s.name: s for s in table} | {s.field: s for s in table}
    values: dict[str, Value] = {s.field: s.default for s in table}
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
        broker="log.cleanup.policy",
        default="delete",
        unit="",
        choices=("delete", "compact"),
        many=True,
        reason="as Kafka; a compacted topic is never deleted by age or size",
    ),
    Setting(
        field="dirty_ratio_min",
        name="min.cleanable.dirty.ratio",
        broker="log.cleaner.min.cleanable.ratio",
        default=0.5,
        unit="",
        most=1,
        reason="as Kafka: a log is compacted when more than this share of it came since the last time. Less costs more "
        "reading and writing, more costs space",
    ),
    Setting(
        field="lag_ms_min",
        name="min.compaction.lag.ms",
        broker="log.cleaner.min.compaction.lag.ms",
        default=0,
        unit="ms",
        reason="as Kafka: for so long every record is there for its readers, whatever replaced it",
    ),
    Setting(
        field="lag_ms_max",
        name="max.compaction.lag.ms",
        broker="log.cleaner.max.compaction.lag.ms",
        default=INT64_MAX,
        unit="ms",
        least=1,
        reason="as Kafka: a record that was replaced is gone after about so long, however little else there is to "
        "remove; segments are sealed as often",
    ),
    Setting(
        field="delete_retention_ms",
        name="delete.retention.ms",
        broker="log.cleaner.delete.retention.ms",
        default=86_400_000,
        unit="ms",
        reason="a day, as Kafka: how long a compacted topic says that a key was deleted; whoever reads it from its "
        "start has that long to come to its end",
    ),
    Setting(
        field="retention_ms",
        name="retention.ms",
        broker="log.retention.ms",
        default=7 * 24 * 3_600_000,
        unit="ms",
        least=-1,
        reason="a week, as Kafka; -1 keeps for ever",
    ),
    Setting(
        field="retention_bytes",
        name="retention.bytes",
        broker="log.retention.bytes",
        default=-1,
        unit="bytes",
        least=-1,
        reason="as Kafka: no limit of size; counts one partition",
    ),
    Setting(
        field="segment_bytes",
        name="segment.bytes",
        broker="log.segment.bytes",
        default=128 << 20,
        unit="bytes",
        least=4096,
        most=2**31 - 1,
        reason="Kafka: 1 GiB; less here, for a start after a crash scans a segment. Deleted are whole segments",
    ),
    Setting(
        field="segment_ms",
        name="segment.ms",
        broker="log.roll.ms",
        default=7 * 24 * 3_600_000,
        unit="ms",
        least=1,
        reason="a week, as Kafka",
    ),
    Setting(
        field="index_interval_bytes",
        name="index.interval.bytes",
        broker="log.index.interval.bytes",
        default=16 << 10,
        unit="bytes",
        most=2**31 - 1,
        reason="Kafka: 4 KiB; an entry costs more memory here, and 16 KiB are read as fast",
    ),
    Setting(
        field="max_message_bytes",
        name="max.message.bytes",
        broker="message.max.bytes",
        default=1024 * 1024 + 12,
        unit="bytes",
        most=2**31 - 1,
        reason="as Kafka: a batch of 1 MiB and its head",
    ),
    Setting(
        field="message_timestamp_type",
        name="message.timestamp.type",
        broker="log.message.timestamp.type",
        default="CreateTime",
        unit="",
        choices=("CreateTime", "LogAppendTime"),
        reason="as Kafka: the producer knows when it happened",
    ),
    Setting(
        field="timestamp_after_ms_max",
        name="message.timestamp.after.max.ms",
        broker="log.message.timestamp.after.max.ms",
        default=3_600_000,
        unit="ms",
        reason="as Kafka: how far ahead of the broker's clock a producer's may be; one record of the far future would "
        "keep its segment from ever being old. Held against a batch's first and newest timestamp",
    ),
    Setting(
        field="timestamp_before_ms_max",
        name="message.timestamp.before.max.ms",
        broker="log.message.timestamp.before.max.ms",
        default=INT64_MAX,
        unit="ms",
        reason="as Kafka: no limit; whoever replays the past writes old times. Held against a batch's first and newest "
        "timestamp",
    ),
    Setting(
        field="in_sync_min",
        name="min.insync.replicas",
        broker="min.insync.replicas",
        default=1,
        unit="replicas",
        least=1,
        most=2**31 - 1,
        reason="as Kafka: while fewer are in sync, a producer with acks=all is refused and nothing is committed",
    ),
    Setting(
        field="unclean_leader_election",
        name="unclean.leader.election.enable",
        broker="unclean.leader.election.enable",
        default=False,
        unit="",
        reason="as Kafka: when nobody who has all committed records is there, nobody leads; with true, somebody leads "
        "who may lack some, and they are lost",
    ),
    Setting(
        field="leader_throttled_replicas",
        name="leader.replication.throttled.replicas",
        default="",
        unit="",
        many=True,
        pattern=_REPLICA,
        reason="as Kafka: which replicas that aren't in sync are sent to no faster than the broker's "
        "leader.replication.throttled.rate",
    ),
    Setting(
        field="follower_throttled_replicas",
        name="follower.replication.throttled.replicas",
        default="",
        unit="",
        many=True,
        pattern=_REPLICA,
        reason="as Kafka: which replicas that aren't in sync are fetched for no faster than the broker's "
        "follower.replication.throttled.rate",
    ),
)
