"""Three nodes in place of one broker, whose leader is killed in the middle of a test; which tests, and why not others.

A trio has the face of a `Broker`. `Killer` waits for the test's first topic to have a record, or a moment if none
comes, kills the node that leads it, and starts it again; before the next test all replicas are in sync.

Rules for whoever edits this: a client's test is in `UNDER_A_KILL` or has its reason in `NOT_UNDER_A_KILL`; a new test
that is in neither is an error of collection.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from brokers import SETTINGS
from clusters import Cluster, Plan

KINDS = {"three-streamflow": "streamflow", "three-kafka": "kafka"}
"""Names of targets, and whose nodes they are."""
TRIOS = {name: kind for name, kind in KINDS.items() if name in os.environ.get("STREAMFLOW_TEST_TRIOS", "").split(",")}
"""Those that were asked for."""

TRIO_SETTINGS = {**SETTINGS, "broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
"""A killed node is missed in seconds: tests wait no longer than twenty."""
KAFKA_ONLY = {
    "group.consumer.min.heartbeat.interval.ms": "200",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "300",
}
LOOK_SECONDS = 0.02
NO_RECORD_SECONDS = 0.1
DOWN_SECONDS = 1.0
SETTLE_SECONDS = 60

UNDER_A_KILL = {
    "test_confluent": {
        "test_what_was_produced_with_any_compression_is_consumed",
        "test_keys_values_headers_and_timestamps_come_back_null_or_not",
        "test_two_members_share_the_partitions_and_one_alone_has_all",
        "test_a_group_resumes_where_it_committed",
        "test_consuming_begins_at_a_time",
        "test_an_idempotent_producer_keeps_order_over_many_batches",
        "test_committed_transactions_are_read_and_aborted_ones_are_not",
        "test_an_open_transaction_holds_back_who_reads_committed",
        "test_offsets_are_committed_with_the_transaction_that_used_them",
        "test_the_newer_producer_of_a_transactional_id_fences_the_older",
        "test_a_transaction_that_takes_too_long_is_aborted_by_the_broker",
        "test_an_offset_that_is_not_there_is_reset_or_told",
    },
    "test_java_clients": {
        "test_what_was_produced_with_any_compression_is_consumed",
        "test_keys_values_headers_and_timestamps_come_back_null_or_not",
        "test_two_members_share_the_partitions_and_one_alone_has_all",
        "test_the_broker_finds_topics_by_a_regular_expression",
        "test_consuming_begins_at_a_time",
        "test_who_reads_committed_sees_neither_aborted_nor_open_transactions",
        "test_offsets_are_committed_with_the_transaction_that_used_them",
        "test_a_member_that_has_left_commits_no_offsets_in_a_transaction",
        "test_an_older_producer_of_a_transactional_id_is_fenced",
        "test_a_transaction_that_takes_too_long_is_aborted_by_the_broker",
        "test_offsets_are_listed_by_every_kind_of_time_and_records_deleted",
    },
    "test_franz": {
        "test_keys_values_headers_and_timestamps_come_back_null_or_not",
        "test_two_members_share_the_partitions_and_one_alone_has_all",
        "test_a_group_resumes_where_it_committed",
        "test_consuming_begins_at_a_time",
        "test_an_idempotent_producer_keeps_order_over_many_batches",
        "test_who_reads_committed_sees_neither_aborted_nor_open_transactions",
        "test_offsets_are_committed_with_the_transaction_that_used_them",
        "test_an_older_producer_of_a_transactional_id_is_fenced",
    },
    "test_kafka_python": {"test_an_idempotent_producer_keeps_order_over_many_batches"},
    "test_kcat": {"test_an_idempotent_producer_keeps_order_over_many_batches"},
}

ASKED_ONCE = (
    "an administrator's question or a refusal: one request, which a kill only repeats; and static members, who "
    "must be back before their session ends"
)
BY_HAND = (
    "requests by hand, over one connection to one node: a kill is its end, and what follows is a client's business"
)
TWICE = "its producer isn't idempotent: what it sends again after a kill may be there twice, with Apache Kafka too"
NOT_UNDER_A_KILL = {
    "test_wire": BY_HAND,
    "test_wire_admin": BY_HAND,
    "test_wire_consumer_groups": BY_HAND,
    "test_kafka_tools": "a process a command, most of which ask once: a kill would test the tools' patience",
    "test_confluent": ASKED_ONCE + "; acks=0 and 1, of which a kill may lose records",
    "test_java_clients": ASKED_ONCE
    + "; a group that resumes: it is told to read so many records, and a rebalance brings more",
    "test_franz": ASKED_ONCE
    + "; one of compression, whose consumer may be connecting: franz-go takes a connection that "
    "closes at its first request for missing SASL, and says so instead of trying again",
    "test_kafka_python": TWICE,
    "test_aiokafka": TWICE + "; and its admin can't ask for as many replicas as the cluster makes",
    "test_kafkajs": TWICE + "; and its few retries end before another leads",
    "test_kcat": TWICE,
}
"""Why the rest of a module isn't."""


def dies_in(module: str, test: str) -> bool:
    """Whether this test is one in whose middle a leader is killed. Raises: KeyError for a module nobody thought of."""
    return test in UNDER_A_KILL.get(module, set()) or not NOT_UNDER_A_KILL[module]


@dataclass(frozen=True)
class Trio:
    """Three nodes, as a `Broker`."""

    name: str
    cluster: Cluster

    @property
    def address(self) -> str:
        return self.cluster.bootstrap

    @property
    def endpoint(self) -> tuple[str, int]:
        """Of a node that runs."""
        return next(node for node in self.cluster.nodes.values() if node.running).endpoint

    @property
    def alive(self) -> bool:
        return all(node.running for node in self.cluster.nodes.values())

    def said(self) -> str:
        """The ends of their logs."""
        return "\n".join(node.said() for node in self.cluster.nodes.values())

    def stop(self) -> None:
        """Kill them and what they wrote."""
        self.cluster.stop()
        self.cluster.remove()

    def topics(self) -> set[str]:
        """Those that are nobody's own, as the first node that answers knows them."""
        for node in self.cluster.nodes:
            if answer := self.cluster.metadata(node):
                return {topic.name for topic in answer.topics if not topic.is_internal}
        return set()


def start_trio(kind: str, home: Path) -> Trio:
    """Raises: toolchains.Missing; BrokerDied."""
    settings = {**TRIO_SETTINGS, **(KAFKA_ONLY if kind == "kafka" else {})}
    cluster = Cluster(Plan(kind, home, settings=settings))
    try:
        cluster.start()
    except BaseException:
        cluster.stop()
        raise
    return Trio(kind, cluster)


class Killer(threading.Thread):
    """Kills the leader of the first topic that comes, once.

    Attributes: killed: which node, of which topic; None if the test was over first.
    """

    def __init__(self, trio: Trio) -> None:
        super().__init__(name="killer", daemon=True)
        self.killed: tuple[int, str] | None = None
        self._trio, self._over = trio, threading.Event()
        self._known = trio.topics()

    def __enter__(self) -> Killer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(SETTLE_SECONDS)
        for node in self._trio.cluster.nodes.values():
            if not node.running:
                node.start()
        self._trio.cluster.wait(SETTLE_SECONDS)

    def run(self) -> None:
        seen: float | None = None
        while not self._over.wait(LOOK_SECONDS):
            if not (new := self._trio.topics() - self._known):
                continue
            seen = time.monotonic() if seen is None else seen
            topic = sorted(new)[0]
            if time.monotonic() < seen + NO_RECORD_SECONDS and not self._has_records(topic):
                continue
            leader = self._trio.cluster.leader(topic)
            if leader is not None:
                self._kill(leader, topic)
                return

    def _kill(self, leader: int, topic: str) -> None:
        node = self._trio.cluster.nodes[leader]
        node.kill()
        self.killed = leader, topic
        self._over.wait(DOWN_SECONDS)
        node.start()

    def _has_records(self, topic: str) -> bool:
        return any(self._trio.cluster.end(topic, k) for k in self._trio.cluster.leaders(topic))
