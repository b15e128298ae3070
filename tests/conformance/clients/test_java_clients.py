"""Java's own clients, unmodified: producer, consumer by both group protocols, admin.

What they do is in java/Clients.java, which runs for the session and tells what it found; what that must be is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from brokers import Broker
from differences import differs
from programs import Conversation
from toolchains import Missing, java, java_program, kafka_jars, leave
from wire import CODECS, stored_codecs

Scenario = Callable[..., Any]
SECONDS = 50
RANGE = {"partition.assignment.strategy": "org.apache.kafka.clients.consumer.RangeAssignor"}
STICKY = {"partition.assignment.strategy": "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"}
CONSUMER = {"group.protocol": "consumer"}
EITHER = pytest.mark.parametrize("settings", [RANGE, CONSUMER], ids=["classic", "consumer"])


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    try:
        command = java().command(java_program("Clients", kafka_jars()), "Clients")
    except Missing as why:
        leave(str(why))
    process = Conversation(command, tmp_path_factory.mktemp("clients") / "log.txt")
    yield process
    process.stop()


@pytest.fixture
def play(broker: Broker, clients: Conversation, name: Callable[[str], str]) -> Scenario:
    def play(scenario: str, **more: Any) -> Any:
        order = {"scenario": scenario, "bootstrap": broker.address, "name": name("java"), **more}
        found = clients.ask(order, SECONDS)
        assert "failed" not in found, found["failed"]
        return found

    return play


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_produced_with_any_compression_is_consumed(broker: Broker, play: Scenario, codec: str) -> None:
    found = play("round_trip", codec=codec, count=300)
    assert found["values"] == [f"value {n}" for n in range(300)]
    assert found["offsets"] == list(range(300))
    assert stored_codecs(broker.endpoint, found["topic"]) == {codec}


def test_keys_values_headers_and_timestamps_come_back_null_or_not(play: Scenario) -> None:
    assert play("fields") == [
        ["key", "value", [["a", "1"], ["a", "2"], ["none", None], ["empty", ""]], 0],
        [None, "no key", [], 1],
        ["no value", None, [], 2],
        [None, None, [], 3],
    ]


@pytest.mark.parametrize(
    "settings",
    [RANGE, STICKY, CONSUMER, {**CONSUMER, "group.remote.assignor": "range"}],
    ids=["range", "cooperative-sticky", "consumer", "consumer-range"],
)
def test_two_members_share_the_partitions_and_one_alone_has_all(play: Scenario, settings: dict[str, str]) -> None:
    alone, both, again = play("rebalance", settings=settings)
    assert alone == again == [[0, 1, 2, 3]]
    assert [len(each) for each in both] == [2, 2] and sorted(both[0] + both[1]) == [0, 1, 2, 3]


def test_the_broker_finds_topics_by_a_regular_expression(play: Scenario) -> None:
    assert play("pattern") == ["matching-a"]


@EITHER
def test_a_group_resumes_where_it_committed(play: Scenario, settings: dict[str, str]) -> None:
    found = play("resume", settings=settings)
    assert found == {"rest": ["c", "d", "e"], "offset": 2, "metadata": "two are done", "epoch": 0}


def test_consuming_begins_at_a_time(play: Scenario) -> None:
    found = play("times")
    assert found["found"] == [[0, 0], [0, 0], [5, 5000], [9, 9000], None]
    assert found["rest"] == ["5", "6", "7", "8", "9"]
    assert (found["beginning"], found["end"]) == (0, 10)


def test_who_reads_committed_sees_neither_aborted_nor_open_transactions(play: Scenario) -> None:
    found = play("isolation")
    assert found["committed"] == ["0a", "0b", "2a", "2b"]
    assert found["all"] == ["0a", "0b", "1a", "1b", "2a", "2b", "open"]
    assert found["more"] == 0
    assert found["stable end"] == 9, "three transactions of two records and a marker"
    assert found["end"] in (10, 11), "the open one's record; its marker is written after the answer"


@EITHER
def test_offsets_are_committed_with_the_transaction_that_used_them(play: Scenario, settings: dict[str, str]) -> None:
    assert play("transform", settings=settings) == {
        "after abort": 2,
        "in the end": 4,
        "results": ["A", "B", "C", "D"],
    }


@EITHER
def test_a_member_that_has_left_commits_no_offsets_in_a_transaction(play: Scenario, settings: dict[str, str]) -> None:
    assert play("stale_member", settings=settings) == "CommitFailedException"


def test_an_older_producer_of_a_transactional_id_is_fenced(play: Scenario) -> None:
    found = play("fencing")
    assert found["commit"] == "ProducerFencedException"
    assert found["send"] == "InvalidProducerEpochException"
    assert found["by the admin"] == "InvalidProducerEpochException"
    assert found["read"] == ["newer"]


def test_a_transaction_that_takes_too_long_is_aborted_by_the_broker(play: Scenario) -> None:
    found = play("timeout")
    assert found["read"] == ["behind it"]
    assert found["commit"] in ("InvalidTxnStateException", "ProducerFencedException"), "as the abort came before it"


@EITHER
def test_a_static_member_comes_back_to_what_it_had(play: Scenario, settings: dict[str, str]) -> None:
    found = play("static_member", settings=settings)
    assert found["same"] is True and found["more rebalances"] == 0
    if settings is not CONSUMER:
        assert found["fenced"] == "FencedInstanceIdException", "the one whose name another took"


def test_what_cannot_be_is_refused_by_name(play: Scenario) -> None:
    found = play("refusals")
    assert "transaction timeout is larger" in found.pop("timeout")
    assert found == {
        "bad name": "InvalidTopicException",
        "no key": "InvalidRecordException",
        "out of range": "OffsetOutOfRangeException",
        "session": "InvalidSessionTimeoutException",
        "too large": "RecordTooLargeException",
    }


def test_topics_are_administered_by_name_and_id(play: Scenario) -> None:
    assert play("topics") == {
        "after validation": False,
        "created": [2, 1, "100000"],
        "again": "TopicExistsException",
        "bad name": "InvalidTopicException",
        "replicas": "InvalidReplicationFactorException",
        "no partitions": "InvalidPartitionsException",
        "assigned": "InvalidReplicaAssignmentException",
        "fewer": "InvalidPartitionsException",
        "partitions": [0, 1, 2],
        "same id": True,
        "by id": True,
        "delete again": "UnknownTopicOrPartitionException",
        "new id": True,
    }


def test_configs_are_described_and_altered(broker: Broker, play: Scenario) -> None:
    found = play("configs")
    default, dynamic = "DEFAULT_CONFIG", "DYNAMIC_TOPIC_CONFIG"
    segment = str(128 << 20 if differs(broker, "defaults") else 1 << 30)
    names = set(found.pop("names"))
    assert names >= {
        "cleanup.policy", "compression.type", "delete.retention.ms", "file.delete.delay.ms", "flush.messages",
        "flush.ms", "index.interval.bytes", "max.compaction.lag.ms", "max.message.bytes",
        "message.timestamp.after.max.ms", "message.timestamp.before.max.ms", "message.timestamp.type",
        "min.cleanable.dirty.ratio", "min.compaction.lag.ms", "min.insync.replicas", "preallocate", "retention.bytes",
        "retention.ms", "segment.bytes", "segment.index.bytes", "segment.jitter.ms", "segment.ms",
        "unclean.leader.election.enable",
    }  # fmt: skip
    assert found == {
        "first": [["100000", dynamic], ["delete", default], [segment, default]],
        "then": [["604800000", default], ["delete,compact", dynamic]],
        "subtracted": ["compact", dynamic],
        "append to a number": "InvalidConfigurationException",
        "unknown": "InvalidConfigurationException",
        "no topic": "UnknownTopicOrPartitionException",
        "documented": True,
    }


@EITHER
def test_groups_are_administered(play: Scenario, settings: dict[str, str]) -> None:
    kind, assignor = ("Consumer", "uniform") if settings is CONSUMER else ("Classic", "range")
    assert play("groups", settings=settings) == {
        "busy": ["Stable", kind, assignor, [["me", True]]],
        "delete busy": "GroupNotEmptyException",
        "alter busy": "UnknownMemberIdException",
        "delete offsets busy": "GroupSubscribedToTopicException",
        "empty": "Empty",
        "listed": [[kind, "Empty", "consumer"]],
        "committed": 2,
        "moved": 1,
        "forgotten": -1,
        "gone": "GroupIdNotFoundException",
        "delete again": "GroupIdNotFoundException",
    }


def test_offsets_are_listed_by_every_kind_of_time_and_records_deleted(play: Scenario) -> None:
    assert play("offsets") == {
        "earliest": 0,
        "latest": 3,
        "max timestamp": 1,
        "by time": 1,
        "after all": -1,
        "earliest local": 0,
        "latest tiered": -1,
        "deleted": 2,
        "then earliest": 2,
        "all deleted": 3,
        "beyond": "OffsetOutOfRangeException",
        "no topic": "UnknownTopicOrPartitionException",
    }


def test_transactions_are_described_listed_and_aborted(play: Scenario) -> None:
    assert play("transactions") == {
        "open": ["Ongoing", True, True, 0, 0],
        "listed": ["Ongoing"],
        "end after abort": 2,
        "unknown": "TransactionalIdNotFoundException",
    }


def test_the_cluster_is_described(broker: Broker, play: Scenario) -> None:
    found = play("cluster")
    assert set(found.pop("features")) >= {"group.version", "metadata.version", "transaction.version"}
    assert found == {
        "nodes": [broker.address],
        "controller is it": True,
        "disk": True,
        "quotas": 0,
        "reassignments": 0,
        "election": "ElectionNotNeededException",
        "broker config": ["true", "STATIC_BROKER_CONFIG"],
        "resources": True,
    }
