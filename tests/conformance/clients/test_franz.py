"""franz-go, unmodified: the newest versions, transactions of KIP-890, groups of KIP-848.

What it does is in go/main.go, which runs for the session and tells what it found; what that must be is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from brokers import Broker
from programs import Conversation
from toolchains import Missing, go_program, leave
from wire import CODECS, stored_codecs

Scenario = Callable[..., Any]
SECONDS = 50
BALANCERS = pytest.mark.parametrize("balancer", ["range", "consumer"])


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    try:
        command = [go_program()]
    except Missing as why:
        leave(str(why))
    process = Conversation(command, tmp_path_factory.mktemp("franz") / "log.txt")
    yield process
    process.stop()


@pytest.fixture
def play(broker: Broker, clients: Conversation, name: Callable[[str], str]) -> Scenario:
    def play(scenario: str, **more: Any) -> Any:
        order = {"scenario": scenario, "bootstrap": broker.address, "name": name("go"), **more}
        found = clients.ask(order, SECONDS)
        assert "failed" not in (found if isinstance(found, dict) else {}), found["failed"]
        return found

    return play


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_produced_with_any_compression_is_consumed(broker: Broker, play: Scenario, codec: str) -> None:
    found = play("round_trip", codec=codec, count=300)
    assert found["values"] == [f"value {n} {'x' * 50}" for n in range(300)]
    assert found["last"] == 299
    assert stored_codecs(broker.endpoint, found["topic"]) == {codec}


def test_keys_values_headers_and_timestamps_come_back_null_or_not(play: Scenario) -> None:
    assert play("fields") == [
        ["key", "value", [["a", "1"], ["a", "2"], ["none", None], ["empty", ""]], 0],
        [None, "no key", [], 1],
        ["no value", None, [], 2],
        [None, None, [], 3],
    ]


@pytest.mark.parametrize("balancer", ["range", "cooperative-sticky", "consumer"])
def test_two_members_share_the_partitions_and_one_alone_has_all(play: Scenario, balancer: str) -> None:
    alone, both, again = play("rebalance", balancer=balancer)
    assert alone == again == [[0, 1, 2, 3]]
    assert [len(each) for each in both] == [2, 2] and sorted(both[0] + both[1]) == [0, 1, 2, 3]


def test_a_static_member_comes_back_to_what_it_had(play: Scenario) -> None:
    assert play("static_member", balancer="range") == {"same": True, "more rebalances": 0}


@BALANCERS
def test_a_group_resumes_where_it_committed(play: Scenario, balancer: str) -> None:
    assert play("resume", balancer=balancer) == ["c", "d", "e"]


def test_consuming_begins_at_a_time(play: Scenario) -> None:
    found = play("times")
    assert found["found"] == [[0, 0], [5, 5000], [9, 9000]]
    assert found["after all"] == 10, "kadm's word for it"
    assert found["rest"] == ["5", "6", "7", "8", "9"]


def test_an_idempotent_producer_keeps_order_over_many_batches(play: Scenario) -> None:
    assert play("idempotent") is True


def test_who_reads_committed_sees_neither_aborted_nor_open_transactions(play: Scenario) -> None:
    assert play("isolation") == {
        "committed": ["0a", "0b", "2a", "2b"],
        "all": ["0a", "0b", "1a", "1b", "2a", "2b", "open"],
        "stable": 9,
    }


@BALANCERS
def test_offsets_are_committed_with_the_transaction_that_used_them(play: Scenario, balancer: str) -> None:
    assert play("transform", balancer=balancer) == {"aborted": True, "results": ["A", "B", "C"]}


def test_an_older_producer_of_a_transactional_id_is_fenced(play: Scenario) -> None:
    assert play("fencing") == {"refused": "INVALID_PRODUCER_EPOCH", "read": ["newer"]}


def test_an_open_transaction_is_seen_by_the_admin(play: Scenario) -> None:
    assert play("transactions") == {"open": ["Ongoing", True, True, 0], "listed": "Ongoing"}


def test_topics_are_administered(play: Scenario) -> None:
    assert play("topics") == {
        "again": "TOPIC_ALREADY_EXISTS",
        "bad": "INVALID_TOPIC_EXCEPTION",
        "fewer": "INVALID_PARTITIONS",
    }


def test_configs_are_described_and_altered(play: Scenario) -> None:
    assert play("configs") == {
        "first": ["604800000", "DEFAULT_CONFIG"],
        "then": ["5000", "DYNAMIC_TOPIC_CONFIG"],
    }


def test_groups_are_administered(play: Scenario) -> None:
    found = play("groups", balancer="range")
    assert found.pop("gone")[0] == "Dead"
    assert found == {
        "busy": ["Stable", "consumer", "range", 1],
        "refused": "NON_EMPTY_GROUP",
        "empty": "Empty",
        "listed": ["consumer", "Empty"],
        "deleted": "",
        "lag": 0,
    }


def test_offsets_are_listed_and_records_deleted(play: Scenario) -> None:
    assert play("offsets") == {
        "start": 0,
        "end": 3,
        "local start": 0,
        "deleted": 2,
        "then start": 2,
        "beyond": "OFFSET_OUT_OF_RANGE",
        "epoch": [0, 3],
    }


def test_the_cluster_is_described(broker: Broker, play: Scenario) -> None:
    found = play("cluster")
    assert "unknown" not in found.pop("guess")
    assert found == {"node": broker.address, "controlled": True}
