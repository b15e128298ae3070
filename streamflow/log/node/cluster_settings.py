"""The settings of a node that concern the other nodes: sessions, elections, how many replicas there are."""

from __future__ import annotations

from streamflow.log.controller.configs import Setting

CLUSTER_SETTINGS = (
    Setting(
        field="quorum_election_timeout_ms",
        name="controller.quorum.election.timeout.ms",
        default=1_000,
        unit="ms",
        least=10,
        most=2**31 - 1,
        reason="as Kafka: how long a controller waits for votes, and up to twice that, before it asks again",
    ),
    Setting(
        field="quorum_fetch_timeout_ms",
        name="controller.quorum.fetch.timeout.ms",
        default=2_000,
        unit="ms",
        least=10,
        most=2**31 - 1,
        reason="as Kafka: how long the active controller may be silent before another is elected",
    ),
    Setting(
        field="broker_session_timeout_ms",
        name="broker.session.timeout.ms",
        default=9_000,
        unit="ms",
        least=100,
        most=2**31 - 1,
        reason="as Kafka: a broker that is silent for so long is fenced, and others lead in its place",
    ),
    Setting(
        field="broker_heartbeat_interval_ms",
        name="broker.heartbeat.interval.ms",
        default=500,
        unit="ms",
        least=10,
        most=2**31 - 1,
        reason="how often a broker tells the controller that it is there; Kafka: 2 s. One that is late and refuses "
        "connections is taken for gone, without waiting for its session's end",
    ),
    Setting(
        field="rack",
        name="broker.rack",
        default="",
        unit="",
        reason="where the node stands: a partition's replicas are on as many racks as there are. Empty: nowhere in "
        "particular",
    ),
    Setting(
        field="default_replication_factor",
        name="default.replication.factor",
        default=1,
        unit="replicas",
        least=1,
        most=2**15 - 1,
        reason="as Kafka: of topics that are created on the way, or without a count",
    ),
    Setting(
        field="offsets_replication_factor",
        name="offsets.topic.replication.factor",
        default=3,
        unit="replicas",
        least=1,
        most=2**15 - 1,
        reason="as Kafka, or as many as the cluster has nodes: where groups' offsets are kept",
    ),
    Setting(
        field="transactions_replication_factor",
        name="transaction.state.log.replication.factor",
        default=3,
        unit="replicas",
        least=1,
        most=2**15 - 1,
        reason="as Kafka, or as many as the cluster has nodes: where it is kept how transactions ended",
    ),
    Setting(
        field="auto_leader_rebalance",
        name="auto.leader.rebalance.enable",
        default=True,
        unit="",
        reason="as Kafka: partitions go back to their preferred leaders once those are in sync again",
    ),
    Setting(
        field="leader_imbalance_check_interval_seconds",
        name="leader.imbalance.check.interval.seconds",
        default=300,
        unit="seconds",
        least=1,
        most=2**31 - 1,
        reason="as Kafka: how often that is looked at",
    ),
)
