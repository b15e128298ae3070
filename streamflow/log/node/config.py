"""One table of every setting: the node's below, a topic's from `controller.configs`.

A setting is given by its field or by Kafka's name. Unknown names are errors: a typo in a durability setting must not
go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from streamflow.log.controller.configs import TOPIC_SETTINGS, Setting, as_text, parse_all
from streamflow.log.controller.effective import TOPIC_DEFAULTS
from streamflow.log.controller.throttles import THROTTLE_SETTINGS
from streamflow.log.node.cluster_settings import CLUSTER_SETTINGS
from streamflow.log.node.inert import INERT_BROKER_SETTINGS
from streamflow.log.storage.partition import SegmentConfig, by_kafka_names

FLUSH_COMMIT = "commit"
FLUSH_INTERVAL = "interval"
FLUSH_OS = "os"
RACK_AWARE = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
"""Kafka's name for its own, so that a file of settings for Kafka serves."""

NODE_SETTINGS = (
    Setting(
        field="flush",
        name="log.flush",
        default=FLUSH_COMMIT,
        unit="",
        choices=(FLUSH_COMMIT, FLUSH_INTERVAL, FLUSH_OS),
        reason="what is acknowledged survives a power cut; `interval` and `os` survive a killed process only, and a "
        "power cut may lose and tear what the last interval wrote. No name of Kafka's: there, replicas stand in",
    ),
    Setting(
        field="flush_interval_ms",
        name="log.flush.interval.ms",
        default=1000,
        unit="ms",
        least=1,
        reason="with `interval`: what a power cut may cost",
    ),
    Setting(
        field="checkpoint_interval_ms",
        name="log.flush.offset.checkpoint.interval.ms",
        default=10_000,
        unit="ms",
        reason="how old recovery points may be before they are written down; Kafka: 60 s",
    ),
    Setting(
        field="checkpoint_bytes",
        name="log.flush.offset.checkpoint.bytes",
        default=64 << 20,
        unit="bytes",
        reason="a start after a crash checks at most about this much of the log: a fraction of a second",
    ),
    Setting(
        field="retention_check_interval_ms",
        name="log.retention.check.interval.ms",
        default=300_000,
        unit="ms",
        least=1,
        reason="as Kafka",
    ),
    Setting(
        field="transaction_timeout_ms",
        name="transaction.timeout.ms",
        default=60_000,
        unit="ms",
        least=1,
        reason="as Kafka's producer: a transaction left open holds readers up no longer",
    ),
    Setting(
        field="transaction_timeout_ms_max",
        name="transaction.max.timeout.ms",
        default=900_000,
        unit="ms",
        least=1,
        most=2**31 - 1,
        reason="as Kafka: what a client may ask for; readers of committed records wait so long for one that hangs",
    ),
    Setting(
        field="transactional_id_expiration_ms",
        name="transactional.id.expiration.ms",
        default=7 * 86_400_000,
        unit="ms",
        least=1,
        reason="as Kafka: ids that clients don't use any more are forgotten; those of embedded producers never",
    ),
    Setting(
        field="producer_id_expiration_ms",
        name="producer.id.expiration.ms",
        default=86_400_000,
        unit="ms",
        least=1,
        reason="as Kafka: how long a partition knows a producer's batches again; a retry comes within minutes",
    ),
    Setting(
        field="internal_log_bytes",
        name="internal.log.bytes",
        default=32 << 20,
        unit="bytes",
        least=4096,
        reason="offsets and transactions are rewritten as their newest values when their topics reach this",
    ),
    Setting(
        field="auto_create_topics",
        name="auto.create.topics.enable",
        default=True,
        unit="",
        reason="as Kafka: a client that asks for a topic by name gets one",
    ),
    Setting(
        field="delete_topics",
        name="delete.topic.enable",
        default=True,
        unit="",
        reason="as Kafka: a client may delete topics; the embedded log's own commands always may",
    ),
    Setting(
        field="num_partitions",
        name="num.partitions",
        default=1,
        unit="partitions",
        least=1,
        most=10_000,
        reason="as Kafka: of topics that are created on the way, or without a count",
    ),
    Setting(
        field="fetch_bytes_max",
        name="fetch.max.bytes",
        default=55 << 20,
        unit="bytes",
        least=1024,
        most=2**31 - 1,
        reason="as Kafka: what an answer to a fetch holds at most, whatever the client asks for",
    ),
    Setting(
        field="replica_lag_ms_max",
        name="replica.lag.time.max.ms",
        default=30_000,
        unit="ms",
        least=1,
        reason="as Kafka: a follower that hasn't caught up for so long isn't in sync, and isn't waited for",
    ),
    Setting(
        field="replica_fetch_wait_ms_max",
        name="replica.fetch.wait.max.ms",
        default=500,
        unit="ms",
        least=1,
        reason="as Kafka: how long a follower's fetch waits for records; below replica.lag.time.max.ms",
    ),
    Setting(
        field="replica_fetch_bytes_max",
        name="replica.fetch.max.bytes",
        default=1 << 20,
        unit="bytes",
        least=1024,
        most=2**31 - 1,
        reason="as Kafka: of one partition in an answer to a follower; a batch that is larger comes whole",
    ),
    Setting(
        field="replica_fetch_response_bytes_max",
        name="replica.fetch.response.max.bytes",
        default=10 << 20,
        unit="bytes",
        least=1024,
        most=2**31 - 1,
        reason="as Kafka: of an answer to a follower",
    ),
    Setting(
        field="replica_fetch_backoff_ms",
        name="replica.fetch.backoff.ms",
        default=1_000,
        unit="ms",
        least=1,
        reason="as Kafka: a follower whose fetch failed asks again after so long",
    ),
    Setting(
        field="replica_selector",
        name="replica.selector.class",
        default="",
        unit="",
        choices=("", RACK_AWARE),
        reason="as Kafka: consumers read from the leader, unless they are sent to a replica in their rack (KIP-392)",
    ),
    Setting(
        field="connections_max_idle_ms",
        name="connections.max.idle.ms",
        default=600_000,
        unit="ms",
        least=1,
        reason="as Kafka: a connection that sends nothing for so long is closed",
    ),
    Setting(
        field="connections_max",
        name="max.connections",
        default=10_000,
        unit="connections",
        least=1,
        reason="who comes when there are so many is turned away; Kafka has no limit unless told, and runs out of files",
    ),
    Setting(
        field="connections_per_ip_max",
        name="max.connections.per.ip",
        default=5_000,
        unit="connections",
        least=1,
        reason="one machine can't take every place; Kafka has no limit unless told",
    ),
    Setting(
        field="queued_request_bytes_max",
        name="queued.max.request.bytes",
        default=256 << 20,
        unit="bytes",
        least=1 << 20,
        reason="when requests that come or wait for their answers take so much, no more is read; Kafka has no limit "
        "unless told",
    ),
    Setting(
        field="queued_response_bytes_max",
        name="queued.max.response.bytes",
        default=256 << 20,
        unit="bytes",
        least=1 << 20,
        reason="when answers that clients haven't taken are so much, fetches wait; a fetch gets a quarter of what is "
        "left at most. No name of Kafka's: it sends from its files",
    ),
    Setting(
        field="group_initial_rebalance_delay_ms",
        name="group.initial.rebalance.delay.ms",
        default=3_000,
        unit="ms",
        least=0,
        reason="as Kafka: how long the first member of a group waits for others, so that they start together",
    ),
    Setting(
        field="group_session_timeout_ms_min",
        name="group.min.session.timeout.ms",
        default=6_000,
        unit="ms",
        least=1,
        reason="as Kafka: shorter ones cost heartbeats and rebalances",
    ),
    Setting(
        field="group_session_timeout_ms_max",
        name="group.max.session.timeout.ms",
        default=1_800_000,
        unit="ms",
        least=1,
        most=2**31 - 1,
        reason="as Kafka: a member that has died holds its partitions no longer",
    ),
    Setting(
        field="group_size_max",
        name="group.max.size",
        default=2**31 - 1,
        unit="members",
        least=1,
        most=2**31 - 1,
        reason="as Kafka: no limit unless one is wanted",
    ),
    Setting(
        field="consumer_group_session_timeout_ms",
        name="group.consumer.session.timeout.ms",
        default=45_000,
        unit="ms",
        least=1,
        most=2**31 - 1,
        reason="as Kafka: a KIP-848 member that is silent for so long is removed",
    ),
    Setting(
        field="consumer_group_heartbeat_interval_ms",
        name="group.consumer.heartbeat.interval.ms",
        default=5_000,
        unit="ms",
        least=1,
        most=2**31 - 1,
        reason="as Kafka: how often KIP-848 members are told to heartbeat",
    ),
    Setting(
        field="consumer_group_size_max",
        name="group.consumer.max.size",
        default=2**31 - 1,
        unit="members",
        least=1,
        most=2**31 - 1,
        reason="as Kafka: no limit unless one is wanted",
    ),
    Setting(
        field="offsets_retention_minutes",
        name="offsets.retention.minutes",
        default=7 * 24 * 60,
        unit="minutes",
        least=1,
        most=2**31 - 1,
        reason="as Kafka: a broker forgets offsets that nobody has used for so long; the embedded log never does",
    ),
    Setting(
        field="offsets_retention_check_interval_ms",
        name="offsets.retention.check.interval.ms",
        default=600_000,
        unit="ms",
        least=1,
        reason="as Kafka",
    ),
    Setting(
        field="offset_metadata_length_max",
        name="offset.metadata.max.bytes",
        default=4096,
        unit="characters",
        least=0,
        most=8192,
        reason="as Kafka: what a client may write beside an offset",
    ),
    Setting(
        field="cleaner_backoff_ms",
        name="log.cleaner.backoff.ms",
        default=15_000,
        unit="ms",
        reason="as Kafka: how often compacted topics are looked at, when nothing was to do",
    ),
    Setting(
        field="cleaner_map_bytes",
        name="log.cleaner.dedupe.buffer.size",
        default=128 << 20,
        unit="bytes",
        least=1 << 20,
        reason="as Kafka: what compaction may remember keys with, some 700,000 of them at a time; taken only as it is "
        "needed, and given back",
    ),
    Setting(
        field="cleaner_bytes_per_second",
        name="log.cleaner.io.max.bytes.per.second",
        default=1.7976931348623157e308,
        unit="bytes a second",
        least=1,
        reason="as Kafka: no limit to what compaction reads and writes",
    ),
    Setting(
        field="ballast_bytes",
        name="ballast.bytes",
        default=1 << 20,
        unit="bytes",
        reason="kept back for a full disk: deleting, ending transactions and closing take a few KiB",
    ),
    *CLUSTER_SETTINGS,
)


IN_LONGER_UNITS = {
    f"{name}.{unit}": (
        f"{name}.ms",
        factor,
        Setting(
            field=f"{name}.{unit}".replace(".", "_"),
            name=f"{name}.{unit}",
            default=7 * 86_400_000 // factor,
            unit=unit,
            least=least,
            most=2**31 - 1,
            reason=f"as Kafka: an older name; {name}.ms says the same and holds over it",
        ),
    )
    for name, unit, factor, least in (
        ("log.retention", "hours", 3_600_000, -1),
        ("log.retention", "minutes", 60_000, -1),
        ("log.roll", "hours", 3_600_000, 1),
    )
}
"""Settings in ms by their older names: the name in ms, and how many are in one."""

BROKER_SETTINGS: tuple[Setting, ...] = (
    *NODE_SETTINGS,
    *TOPIC_DEFAULTS,
    *THROTTLE_SETTINGS,
    *INERT_BROKER_SETTINGS,
    *(setting for _, _, setting in IN_LONGER_UNITS.values()),
)
"""What a broker has, as clients see it: the node's own, the defaults of topics' settings, and what is as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """The node's settings. Each field but `static` is a row of `NODE_SETTINGS`."""

    flush: str
    flush_interval_ms: int
    checkpoint_interval_ms: int
    checkpoint_bytes: int
    retention_check_interval_ms: int
    transaction_timeout_ms: int
    transaction_timeout_ms_max: int
    transactional_id_expiration_ms: int
    producer_id_expiration_ms: int
    internal_log_bytes: int
    auto_create_topics: bool
    delete_topics: bool
    num_partitions: int
    fetch_bytes_max: int
    replica_lag_ms_max: int
    replica_fetch_wait_ms_max: int
    replica_fetch_bytes_max: int
    replica_fetch_response_bytes_max: int
    replica_fetch_backoff_ms: int
    replica_selector: str
    connections_max_idle_ms: int
    connections_max: int
    connections_per_ip_max: int
    queued_request_bytes_max: int
    queued_response_bytes_max: int
    group_initial_rebalance_delay_ms: int
    group_session_timeout_ms_min: int
    group_session_timeout_ms_max: int
    group_size_max: int
    consumer_group_session_timeout_ms: int
    consumer_group_heartbeat_interval_ms: int
    consumer_group_size_max: int
    offsets_retention_minutes: int
    offsets_retention_check_interval_ms: int
    offset_metadata_length_max: int
    cleaner_backoff_ms: int
    cleaner_map_bytes: int
    cleaner_bytes_per_second: float
    ballast_bytes: int
    quorum_election_timeout_ms: int
    quorum_fetch_timeout_ms: int
    broker_session_timeout_ms: int
    broker_heartbeat_interval_ms: int
    rack: str
    default_replication_factor: int
    offsets_replication_factor: int
    transactions_replication_factor: int
    auto_leader_rebalance: bool
    leader_imbalance_check_interval_seconds: int

    static: Mapping[str, str]
    """What was given, by Kafka's names: defaults of topics' settings too."""

    @property
    def rack_aware(self) -> bool:
        """Consumers are sent to a replica in their rack (KIP-392)."""
        return self.replica_selector == RACK_AWARE

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> NodeConfig:
        """Raises: ConfigError for an unknown name or an impossible value."""
        longest_first = sorted(given, key=lambda name: -IN_LONGER_UNITS[name][1] if name in IN_LONGER_UNITS else 0)
        texts = dict(named for name in longest_first for named in _named(name, given[name]))
        values = parse_all(BROKER_SETTINGS, texts)
        static = {s.name: as_text(values[s.field]) for s in BROKER_SETTINGS if s.name in texts}
        return cls(**{s.field: values[s.field] for s in NODE_SETTINGS}, static=static)  # type: ignore[arg-type]
        # parse_all gives each field the type of its default


def _named(name: str, value: str) -> Iterator[tuple[str, str]]:
    """A setting by Kafka's name; a time in hours or minutes is one in ms as well. Raises: ConfigError."""
    yield next((s.name for s in BROKER_SETTINGS if s.field == name), name), value
    if name in IN_LONGER_UNITS:
        in_ms, factor, setting = IN_LONGER_UNITS[name]
        number = setting.parse(value)
        assert isinstance(number, int), "its default is one"
        yield in_ms, str(max(-1, number * factor))


def segment_config(config: Mapping[str, str]) -> SegmentConfig:
    """How a topic's partitions keep their logs. Compacted ones are never deleted by age or size, and seal segments as
    often as their records may have to be removed: what is active isn't."""
    policies = config.get("cleanup.policy", "delete").split(",")
    kept = {} if "delete" in policies else {"retention.ms": "-1", "retention.bytes": "-1"}
    segments = by_kafka_names({**config, **kept})
    if "compact" not in policies or "max.compaction.lag.ms" not in config:
        return segments
    return replace(segments, segment_ms=min(segments.segment_ms, int(config["max.compaction.lag.ms"])))


TABLE: tuple[Setting, ...] = (*NODE_SETTINGS, *THROTTLE_SETTINGS, *TOPIC_SETTINGS)
"""Every setting there is: what documentation and commands read."""
