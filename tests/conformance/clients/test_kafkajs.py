"""kafkajs, unmodified: no flexible version anywhere, and no look at a range's minimum.

What it does is in node/clients.js, which runs for the session and tells what it found; what that must be is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from brokers import Broker
from programs import Conversation
from toolchains import Missing, leave, node_program
from wire import CODECS, stored_codecs

Scenario = Callable[..., Any]
SECONDS = 50


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    try:
        command = node_program()
    except Missing as why:
        leave(str(why))
    process = Conversation(command, tmp_path_factory.mktemp("kafkajs") / "log.txt")
    yield process
    process.stop()


@pytest.fixture
def play(broker: Broker, clients: Conversation, name: Callable[[str], str]) -> Scenario:
    def play(scenario: str, **more: Any) -> Any:
        order = {"scenario": scenario, "bootstrap": broker.address, "name": name("js"), **more}
        found = clients.ask(order, SECONDS)
        assert "failed" not in found, found["failed"]
        return found

    return play


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_produced_with_any_compression_is_consumed(broker: Broker, play: Scenario, codec: str) -> None:
    found = play("round_trip", codec=codec, count=200)
    assert found["values"] == [f"value {n} {'x' * 50}" for n in range(200)]
    assert found["offsets"] == list(range(200))
    assert stored_codecs(broker.endpoint, found["topic"]) == {codec}


def test_keys_values_headers_and_timestamps_come_back_null_or_not(play: Scenario) -> None:
    assert play("fields") == [
        ["key", "value", {"a": ["1", "2"], "empty": ""}, 0],
        [None, "no key", {}, 1],
        ["no value", None, {}, 2],
    ]


def test_two_members_share_the_partitions_and_one_alone_has_all(play: Scenario) -> None:
    alone, both, again = play("rebalance")
    assert alone == again == [[0, 1, 2, 3]]
    assert [len(each) for each in both] == [2, 2] and sorted(both[0] + both[1]) == [0, 1, 2, 3]


def test_a_group_resumes_where_it_committed(play: Scenario) -> None:
    assert play("resume") == {"rest": ["c", "d", "e"], "then": 5}


def test_consuming_begins_at_a_time(play: Scenario) -> None:
    assert play("times") == {"found": [0, 5, 9, 10], "low": "0", "high": "10"}


def test_an_idempotent_producer_keeps_order_over_many_batches(play: Scenario) -> None:
    assert play("idempotent") == [f"{n}{half}" for n in range(20) for half in "ab"]


def test_who_reads_committed_sees_neither_aborted_nor_open_transactions(play: Scenario) -> None:
    assert play("isolation") == {
        "committed": ["0a", "0b", "2a", "2b"],
        "all": ["0a", "0b", "1a", "1b", "2a", "2b", "open"],
    }


def test_offsets_are_committed_with_the_transaction_that_used_them(play: Scenario) -> None:
    assert play("transform") == {"results": ["A", "C"], "offset": 3}


def test_an_older_producer_of_a_transactional_id_is_fenced(play: Scenario) -> None:
    found = play("fencing")
    assert found["refused"] in ("INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED")
    assert found["read"] == ["newer"]


def test_topics_and_records_are_administered(play: Scenario) -> None:
    assert play("topics") == {
        "again": False,
        "bad": "INVALID_TOPIC_EXCEPTION",
        "partitions": [[0, 1, 1], [1, 1, 1], [2, 1, 1]],
        "listed": True,
        "left": [0, 0, 0],
    }


def test_altering_configs_the_old_way_forgets_those_not_named(play: Scenario) -> None:
    assert play("configs") == {"first": ["100000", False], "then": ["604800000", True]}


def test_groups_are_administered(play: Scenario) -> None:
    found = play("groups")
    (listed,) = found.pop("listed")
    assert listed["protocolType"] == "consumer"
    assert found == {
        "busy": ["Stable", "consumer", "RoundRobinAssigner", 1],
        "refused": "NON_EMPTY_GROUP",
        "empty": "Empty",
        "offsets": [2, 1],
        "gone": "Dead",
    }


def test_the_cluster_is_described(broker: Broker, play: Scenario) -> None:
    assert play("cluster") == {"nodes": [broker.address], "controlled": True, "named": True, "reassignments": []}
