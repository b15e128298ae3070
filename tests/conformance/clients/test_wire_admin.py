"""Administration by hand, one request at a time: the codes and counts that clients' libraries fold into exceptions.

What is asserted holds for both brokers, but for what `differences` tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from brokers import Broker
from differences import differs
from waiting import eventually
from wire import Wire, message

from streamflow.log.records import build_batch

Name = Callable[[str], str]
TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)
EXACT, DEFAULT, SPECIFIED = range(3)


@pytest.fixture
def wire(broker: Broker) -> Iterator[Wire]:
    with Wire(broker.endpoint) as wire:
        yield wire


@pytest.fixture
def node(wire: Wire) -> int:
    return int(wire.ask(message("metadata", 1, topics=[])).controller_id)


def create(wire: Wire, *topics: dict[str, Any], version: int = 7, validate_only: bool = False) -> dict[str, Any]:
    asked = message("create_topics", version, topics=list(topics), timeout=9000, validate_only=validate_only)
    return {each.name: each for each in wire.ask(asked).topics}


def plain(name: str, partitions: int = 1, factor: int = 1, **config: str | None) -> dict[str, Any]:
    configs = [{"name": key.replace("_", "."), "value": value} for key, value in config.items()]
    return {"name": name, "num_partitions": partitions, "replication_factor": factor, "configs": configs}


def made(wire: Wire, name: Name, partitions: int = 1, **config: str) -> str:
    """A new topic's name; everybody knows it."""
    topic = name("topic")
    assert create(wire, plain(topic, partitions, **config))[topic].error_code.name == "none"
    eventually(lambda: len(partitions_of(wire, topic)), partitions)
    return topic


def partitions_of(wire: Wire, topic: str) -> Sequence[Any]:
    asked = message("metadata", 9, topics=[{"name": topic}])
    return tuple(wire.ask(asked).topics[0].partitions)


def codes(results: Sequence[Any]) -> list[str]:
    return [each.error_code.name for each in results]


# Topics and partitions


def test_a_check_makes_no_topic_and_answers_as_if(wire: Wire, name: Name) -> None:
    topic = name("topic")
    for _ in range(2):
        found = create(wire, plain(topic, 3, retention_ms="5000"), validate_only=True)[topic]
        assert (found.error_code.name, found.num_partitions, found.replication_factor) == ("none", 3, 1)
        sources = {each.name: (each.value, each.config_source) for each in found.configs}
        assert sources["retention.ms"] == ("5000", 1)
        assert sources["cleanup.policy"] == ("delete", 5)


def test_topics_that_cannot_be_are_refused_each_on_its_own(wire: Wire, name: Name) -> None:
    stem = name("t")
    topics = {
        "zero": plain(f"{stem}-zero", 0),
        "less": plain(f"{stem}-less", -2),
        "none": plain(f"{stem}-none", 1, 0),
        "two": plain(f"{stem}-two", 1, 2),
        "name": plain(f"{stem}-name", no_such="1"),
        "value": plain(f"{stem}-value", retention_ms="soon"),
        "range": plain(f"{stem}-range", retention_ms="-2"),
        "policy": plain(f"{stem}-policy", cleanup_policy="burn"),
        "null": plain(f"{stem}-null", retention_ms=None),
        "sync": plain(f"{stem}-sync", min_insync_replicas="0"),
        "good": plain(f"{stem}-good", cleanup_policy="compact, delete"),
    }
    found = create(wire, *topics.values())
    assert {key: found[topic["name"]].error_code.name for key, topic in topics.items()} == {
        "zero": "invalid_partitions",
        "less": "invalid_partitions",
        "none": "invalid_replication_factor",
        "two": "invalid_replication_factor",
        "name": "invalid_config",
        "value": "invalid_config",
        "range": "invalid_config",
        "policy": "invalid_config",
        "null": "invalid_config",
        "sync": "invalid_config",
        "good": "none",
    }
    assert {each.num_partitions for each in found.values()} == {-1, 1}
    assert create(wire, topics["good"])[f"{stem}-good"].error_code.name == "topic_already_exists"


def test_replicas_are_assigned_to_brokers_there_are(wire: Wire, node: int, name: Name) -> None:
    def assigned(*replicas: tuple[int, list[int]], count: int = -1) -> tuple[str, int]:
        topic = name("topic")
        assignments = [{"partition_index": number, "broker_ids": brokers} for number, brokers in replicas]
        found = create(wire, {**plain(topic, count, -1), "assignments": assignments})[topic]
        return found.error_code.name, found.num_partitions

    assert assigned((0, [node]), (1, [node])) == ("none", 2)
    for wrong in ([(0, [99])], [(1, [node])], [(0, [node, node])], [(0, [])], [(0, [node]), (0, [node])]):
        assert assigned(*wrong) == ("invalid_replica_assignment", -1)
    assert assigned((0, [node]), count=1) == ("invalid_request", -1)


def test_topics_are_deleted_by_name_and_by_id(wire: Wire, name: Name) -> None:
    def delete(*topics: dict[str, Any]) -> list[str]:
        return codes(wire.ask(message("delete_topics", 6, topics=list(topics), timeout=9000)).responses)

    by_name, by_id, stays = (made(wire, name) for _ in range(3))
    asked = message("metadata", 12, topics=[{"name": each} for each in (by_name, by_id, stays)])
    ids = {each.name: each.topic_id for each in wire.ask(asked).topics}
    assert delete({"name": by_name}) == ["none"]
    assert delete({"name": None, "topic_id": ids[by_id]}) == ["none"]
    assert delete({"name": None, "topic_id": ids[by_id]}) == ["unknown_topic_id"]
    assert delete({"name": None, "topic_id": UUID(int=99)}) == ["unknown_topic_id"]
    assert delete({"name": by_name}) == ["unknown_topic_or_partition"]
    assert delete({"name": stays, "topic_id": ids[stays]}) == ["invalid_request"]
    assert delete({"name": None}) == ["invalid_request"]
    assert set(delete({"name": stays}, {"name": stays})) == {"invalid_request"}
    assert set(delete({"name": stays}, {"name": None, "topic_id": ids[stays]})) == {"invalid_request"}
    assert delete({"name": stays}) == ["none"]


def test_partitions_are_added_and_never_taken_away(wire: Wire, node: int, name: Name) -> None:
    def widen(topic: str, count: int, assignments: list[list[int]] | None = None, check: bool = False) -> str:
        given = None if assignments is None else [{"broker_ids": brokers} for brokers in assignments]
        wanted = [{"name": topic, "count": count, "assignments": given}]
        asked = message("create_partitions", 3, topics=wanted, timeout=9000, validate_only=check)
        return str(wire.ask(asked).results[0].error_code.name)

    topic = made(wire, name, 2)
    assert widen(topic, 9, check=True) == "none"
    assert [widen(topic, count) for count in (2, 1, 0, -1)] == ["invalid_partitions"] * 4
    assert widen(name("no-topic"), 2) == "unknown_topic_or_partition"
    for wrong in ([], [[node], [node]], [[99]], [[]], [[node, node]]):
        assert widen(topic, 3, wrong) == "invalid_replica_assignment"
    assert widen(topic, 3, [[node]]) == "none"
    assert widen(topic, 5) == "none"
    eventually(lambda: len(partitions_of(wire, topic)), 5)


def test_records_are_not_deleted_where_there_are_none_or_none_may_be(wire: Wire, name: Name) -> None:
    topic, compacted = made(wire, name, 2), made(wire, name, cleanup_policy="compact")
    both = made(wire, name, cleanup_policy="compact,delete")

    def delete(topic: str, partition: int, offset: int) -> tuple[str, int]:
        wanted = [{"name": topic, "partitions": [{"partition_index": partition, "offset": offset}]}]
        answer = wire.ask(message("delete_records", 2, topics=wanted, timeout=9000)).topics[0].partitions[0]
        return answer.error_code.name, answer.low_watermark

    eventually(lambda: delete(topic, 1, -1), ("none", 0))
    eventually(lambda: delete(both, 0, -1), ("none", 0))
    assert delete(topic, 0, 0) == ("none", 0)
    assert delete(topic, 0, 5) == delete(topic, 0, -2) == ("offset_out_of_range", -1)
    assert delete(topic, 7, 0) == delete(name("no-topic"), 0, 0) == ("unknown_topic_or_partition", -1)
    eventually(lambda: delete(compacted, 0, -1), ("policy_violation", -1))


def test_nobody_writes_to_the_brokers_own_topics(wire: Wire) -> None:
    asked = message("find_coordinator", 4, key_type=0, coordinator_keys=["any"])
    eventually(lambda: codes(wire.ask(asked).coordinators), ["none"])
    offsets, batch = "__consumer_offsets", bytes(build_batch([b"k"], [b"v"], [int(time.time() * 1000)]))
    data = [{"name": offsets, "partition_data": [{"index": 0, "records": batch}]}]
    answer = wire.ask(message("produce", 9, acks=-1, timeout=5000, topic_data=data)).responses[0]
    assert codes(answer.partition_responses) == ["invalid_topic_exception"]
    deleted = [{"name": offsets, "partitions": [{"partition_index": 0, "offset": 0}]}]
    answer = wire.ask(message("delete_records", 2, topics=deleted, timeout=5000)).topics[0]
    assert codes(answer.partitions) == ["invalid_topic_exception"]


def test_topics_are_described_a_page_at_a_time(wire: Wire, name: Name) -> None:
    stem = name("t")
    a, b, gone = f"{stem}-a", f"{stem}-b", f"{stem}-c"
    create(wire, plain(a, 3), plain(b, 4))
    eventually(lambda: (len(partitions_of(wire, a)), len(partitions_of(wire, b))), (3, 4))

    def page(*topics: str, limit: int = 100, cursor: tuple[str, int] | None = None) -> tuple[Any, Any]:
        begin = None if cursor is None else {"topic_name": cursor[0], "partition_index": cursor[1]}
        wanted = [{"name": each} for each in topics]
        asked = message("describe_topic_partitions", 0, topics=wanted, response_partition_limit=limit, cursor=begin)
        answer = wire.ask(asked)
        found = {
            each.name.removeprefix(stem): each.error_code.name
            if each.error_code
            else [p.partition_index for p in each.partitions]
            for each in answer.topics
        }
        end = answer.next_cursor
        return found, None if end is None else (end.topic_name.removeprefix(stem), end.partition_index)

    every = {"-a": [0, 1, 2], "-b": [0, 1, 2, 3]}
    assert page(b, gone, a, b) == ({**every, "-c": "unknown_topic_or_partition"}, None)
    assert page(a, b, limit=2) == ({"-a": [0, 1]}, ("-a", 2))
    assert page(a, b, limit=3) == ({"-a": [0, 1, 2]}, ("-b", 0))
    assert page(a, b, limit=3, cursor=(a, 1)) == ({"-a": [1, 2], "-b": [0]}, ("-b", 1))
    assert page(a, b, cursor=(b, 9)) == ({"-b": []}, None)
    assert page(a, b, limit=0) == ({"-a": [0]}, ("-a", 1))
    for wrong in ((gone, 0), (a, -1)):
        assert page(a, b, cursor=wrong) == ({"-a": "invalid_request", "-b": "invalid_request"}, None)


# Settings


def incremental(
    wire: Wire, kind: int, resource: str, *changes: tuple[str, int, str | None], check: bool = False
) -> str:
    configs = [{"name": n, "config_operation": o, "value": v} for n, o, v in changes]
    wanted = [{"resource_type": kind, "resource_name": resource, "configs": configs}]
    answer = wire.ask(message("incremental_alter_configs", 1, resources=wanted, validate_only=check))
    return str(answer.responses[0].error_code.name)


def described(wire: Wire, kind: int, resource: str, *keys: str) -> dict[str, tuple[str | None, int]]:
    """Values and sources."""
    wanted = [{"resource_type": kind, "resource_name": resource, "configuration_keys": list(keys) or None}]
    (answer,) = wire.ask(message("describe_configs", 4, resources=wanted)).results
    assert answer.error_code.name == "none", answer.error_message
    return {each.name: (each.value, each.config_source) for each in answer.configs}


def test_lists_are_added_to_and_taken_from_and_settings_deleted(wire: Wire, name: Name) -> None:
    topic, key = made(wire, name), "cleanup.policy"

    def now() -> tuple[str | None, int]:
        return described(wire, TOPIC, topic, key)[key]

    for operation, value, becomes in [
        (APPEND, "compact", ("delete,compact", 1)),
        (APPEND, "compact", ("delete,compact", 1)),
        (SUBTRACT, "delete", ("compact", 1)),
        (SUBTRACT, "compact", ("", 1)),
        (DELETE, None, ("delete", 5)),
        (DELETE, None, ("delete", 5)),
        (SET, "compact,delete", ("compact,delete", 1)),
    ]:
        assert incremental(wire, TOPIC, topic, (key, operation, value)) == "none"
        eventually(now, becomes)


def test_changes_that_cannot_be_are_refused_as_a_whole(wire: Wire, name: Name) -> None:
    topic, good = made(wire, name), ("segment.ms", SET, "7000")
    for change, code in [
        (("retention.ms", SET, "soon"), "invalid_config"),
        (("retention.ms", APPEND, "1"), "invalid_config"),
        (("no.such", SET, "1"), "invalid_config"),
        (("no.such", APPEND, "1"), "invalid_config"),
        (("cleanup.policy", APPEND, "burn"), "invalid_config"),
        (("retention.ms", SET, None), "invalid_request"),
        (("segment.ms", DELETE, None), "invalid_request"),
        (("leader.replication.throttled.replicas", SET, "junk"), "invalid_config"),
        (("remote.storage.enable", SET, "true"), "invalid_config"),
    ]:
        assert incremental(wire, TOPIC, topic, good, change) == code, change
    lags = [("min.compaction.lag.ms", SET, "10"), ("max.compaction.lag.ms", SET, "5")]
    assert incremental(wire, TOPIC, topic, *lags) == "invalid_config"
    assert incremental(wire, TOPIC, topic, good, check=True) == "none"
    assert described(wire, TOPIC, topic, "segment.ms")["segment.ms"][1] == 5
    assert incremental(wire, TOPIC, name("no-topic"), good) == "unknown_topic_or_partition"
    assert incremental(wire, 3, "x", good) == incremental(wire, 99, "x", good) == "invalid_request"


def test_a_resource_is_altered_once_in_a_request(wire: Wire, name: Name) -> None:
    topic = made(wire, name)
    wanted = [
        {"resource_type": TOPIC, "resource_name": topic, "configs": [{"name": key, "value": "7000"}]}
        for key in ("segment.ms", "retention.ms")
    ]
    assert codes(wire.ask(message("incremental_alter_configs", 1, resources=wanted)).responses) == [
        "invalid_request",
        "invalid_request",
    ]


def test_the_old_way_to_alter_forgets_what_it_does_not_name(wire: Wire, name: Name) -> None:
    topic = made(wire, name, retention_ms="5000")

    def alter(key: str, value: str | None) -> str:
        configs = [{"name": key, "value": value}]
        wanted = [{"resource_type": TOPIC, "resource_name": topic, "configs": configs}]
        return str(wire.ask(message("alter_configs", 2, resources=wanted)).responses[0].error_code.name)

    assert alter("segment.ms", "soon") == "invalid_config"
    assert alter("segment.ms", None) == "invalid_request"
    assert alter("segment.ms", "7000") == "none"
    eventually(lambda: described(wire, TOPIC, topic, "segment.ms", "retention.ms"), {
        "segment.ms": ("7000", 1), "retention.ms": ("604800000", 5),
    })  # fmt: skip


def test_a_brokers_settings_are_its_topics_defaults(wire: Wire, node: int, name: Name) -> None:
    """A setting that no other test looks at."""
    topic, key, ours = made(wire, name), "segment.index.bytes", "log.index.size.max.bytes"

    def now() -> tuple[str | None, int]:
        return described(wire, TOPIC, topic, key)[key]

    broker = str(node)
    for resource, change, becomes in [
        ("", (ours, SET, "1000000"), ("1000000", 3)),
        (broker, (ours, SET, "2000000"), ("2000000", 2)),
        ("", (ours, DELETE, None), ("2000000", 2)),
        (broker, (ours, DELETE, None), ("10485760", 5)),
    ]:
        assert incremental(wire, BROKER, resource, change) == "none"
        eventually(now, becomes)
    for resource in ("", broker):
        assert incremental(wire, BROKER, resource, ("num.partitions", SET, "7")) == "invalid_request"
    assert incremental(wire, BROKER, broker, (ours, SET, "many")) == "invalid_request"
    assert incremental(wire, BROKER, "99", (ours, SET, "1000000")) == "invalid_request"
    assert incremental(wire, BROKER, "word", (ours, SET, "1000000")) == "invalid_request"


def test_settings_that_would_do_nothing_are_refused(broker: Broker, wire: Wire, node: int, name: Name) -> None:
    topic = made(wire, name)
    for kind, resource, key, value in [
        (TOPIC, topic, "compression.type", "gzip"),
        (TOPIC, topic, "flush.messages", "1000"),
        (TOPIC, topic, "flush.ms", "1000"),
        (TOPIC, topic, "max.decompressed.message.bytes", "100000000"),
        (BROKER, str(node), "no.such", "1"),
    ]:
        refused = "invalid_config" if kind == TOPIC else "invalid_request"
        code = refused if differs(broker, "refused-settings") else "none"
        assert incremental(wire, kind, resource, (key, SET, value)) == code, key
        assert incremental(wire, kind, resource, (key, DELETE, None)) == "none"
    for key, value in [
        ("preallocate", "true"),
        ("segment.jitter.ms", "1000"),
        ("file.delete.delay.ms", "0"),
        ("unclean.leader.election.enable", "true"),
        ("leader.replication.throttled.replicas", "*"),
        ("compression.zstd.level", "5"),
    ]:
        assert incremental(wire, TOPIC, topic, (key, SET, value)) == "none", key


def test_synonyms_are_told_by_strength(wire: Wire, name: Name) -> None:
    topic = made(wire, name, max_message_bytes="5000")
    wanted = [{"resource_type": TOPIC, "resource_name": topic, "configuration_keys": ["max.message.bytes"]}]
    asked = message("describe_configs", 4, resources=wanted, include_synonyms=True, include_documentation=True)
    (found,) = wire.ask(asked).results[0].configs
    assert (found.config_type, found.read_only, found.is_sensitive) == (3, False, False)
    assert [(each.name, each.value, each.source) for each in found.synonyms] == [
        ("max.message.bytes", "5000", 1),
        ("message.max.bytes", "1048588", 5),
    ]
    assert found.documentation


def test_every_setting_of_a_topic_has_kafkas_type_and_source(wire: Wire, name: Name) -> None:
    wanted = [{"resource_type": TOPIC, "resource_name": made(wire, name), "configuration_keys": None}]
    (answer,) = wire.ask(message("describe_configs", 4, resources=wanted)).results
    found = {each.name: each.config_type for each in answer.configs if each.config_source == 5}
    kinds = {"cleanup.policy": 7, "compression.type": 2, "preallocate": 1, "segment.bytes": 3, "retention.ms": 5}
    assert found.items() >= kinds.items()
    assert len(answer.configs) >= 33
    assert not any(each.read_only or each.is_sensitive for each in answer.configs)


def test_what_has_no_settings_is_refused(wire: Wire, name: Name) -> None:
    def ask(kind: int, resource: str) -> str:
        wanted = [{"resource_type": kind, "resource_name": resource, "configuration_keys": None}]
        return str(wire.ask(message("describe_configs", 4, resources=wanted)).results[0].error_code.name)

    assert ask(TOPIC, name("no-topic")) == "unknown_topic_or_partition"
    assert ask(TOPIC, "") == ask(TOPIC, "a b") == "invalid_topic_exception"
    assert {ask(BROKER, "99"), ask(BROKER, "word"), ask(3, "x"), ask(99, "x")} == {"invalid_request"}


def test_what_has_settings_is_listed(wire: Wire, node: int, name: Name) -> None:
    topic = made(wire, name)

    def listed(*kinds: int) -> set[tuple[int, str]]:
        answer = wire.ask(message("list_config_resources", 1, resource_types=list(kinds)))
        assert answer.error_code.name == "none"
        return {(each.resource_type, each.resource_name) for each in answer.config_resources}

    assert {(TOPIC, topic), (BROKER, str(node))} <= listed()
    assert listed(BROKER) == {(BROKER, str(node))}
    assert (TOPIC, topic) in listed(TOPIC)
    assert listed(METRICS) == set()
    unknown = wire.ask(message("list_config_resources", 1, resource_types=[3]))
    assert unknown.error_code.name == "unsupported_version"
    assert wire.ask(message("list_config_resources", 0)).config_resources == ()


# Quotas


def alter_quota(wire: Wire, entity: dict[str, str | None], check: bool = False, **quotas: float | None) -> str:
    entry = {
        "entity": [{"entity_type": kind, "entity_name": name} for kind, name in entity.items()],
        "ops": [{"key": key, "value": float(value or 0), "remove": value is None} for key, value in quotas.items()],
    }
    answer = wire.ask(message("alter_client_quotas", 1, entries=[entry], validate_only=check))
    return str(answer.entries[0].error_code.name)


def quotas(wire: Wire, *components: tuple[str, int, str | None], strict: bool = False) -> Any:
    wanted = [{"entity_type": kind, "match_type": match, "match": name} for kind, match, name in components]
    answer = wire.ask(message("describe_client_quotas", 1, components=wanted, strict=strict))
    if answer.error_code:
        assert answer.entries is None
        return answer.error_code.name
    return {
        frozenset((part.entity_type, part.entity_name) for part in entry.entity): {
            each.key: each.value for each in entry.values
        }
        for entry in answer.entries
    }


def test_quotas_are_kept_found_and_taken_away(wire: Wire, name: Name) -> None:
    user, client = name("user"), name("client")
    alone, both = {"user": user}, {"user": user, "client-id": client}
    assert alter_quota(wire, alone, producer_byte_rate=1000, request_percentage=50.5) == "none"
    assert alter_quota(wire, both, consumer_byte_rate=10) == "none"
    assert alter_quota(wire, alone, check=True, producer_byte_rate=7) == "none"
    of_alone = {frozenset(alone.items()): {"producer_byte_rate": 1000, "request_percentage": 50.5}}
    of_both = {frozenset(both.items()): {"consumer_byte_rate": 10}}
    eventually(lambda: quotas(wire, ("user", EXACT, user)), {**of_alone, **of_both})
    assert quotas(wire, ("user", EXACT, user), strict=True) == of_alone
    assert quotas(wire, ("user", EXACT, user), ("client-id", SPECIFIED, None), strict=True) == of_both
    assert quotas(wire, ("user", SPECIFIED, None)).keys() >= {*of_alone, *of_both}
    assert quotas(wire, ("user", DEFAULT, None)) == {}
    assert alter_quota(wire, alone, producer_byte_rate=None, request_percentage=None) == "none"
    assert alter_quota(wire, both, consumer_byte_rate=None) == "none"
    eventually(lambda: quotas(wire, ("user", EXACT, user)), {})


def test_defaults_of_quotas_are_for_those_without_a_name(wire: Wire) -> None:
    for kind, key in (("user", "producer_byte_rate"), ("client-id", "consumer_byte_rate")):
        assert alter_quota(wire, {kind: None}, **{key: 5_000_000_000.0}) == "none"
        found = {frozenset({(kind, None)}): {key: 5_000_000_000.0}}
        eventually(lambda kind=kind: quotas(wire, (kind, DEFAULT, None)), found)  # type: ignore[misc]
        assert alter_quota(wire, {kind: None}, **{key: None}) == "none"
        eventually(lambda kind=kind: quotas(wire, (kind, DEFAULT, None)), {})  # type: ignore[misc]


def test_quotas_and_filters_that_cannot_be_are_refused(wire: Wire, name: Name) -> None:
    user = {"user": name("user")}
    for entity, given in [
        ({}, {"producer_byte_rate": 1}),
        ({"group": "g"}, {"producer_byte_rate": 1}),
        ({"user": ""}, {"producer_byte_rate": 1}),
        (user, {"no_such": 1}),
        (user, {"producer_byte_rate": 0}),
        (user, {"producer_byte_rate": -1}),
        (user, {"producer_byte_rate": 1.5}),
        (user, {"producer_byte_rate": float("nan")}),
        ({"ip": "10.0.0.1"}, {"producer_byte_rate": 1}),
        ({"ip": "not an address"}, {"connection_creation_rate": 1}),
        ({"ip": "10.0.0.1", **user}, {"connection_creation_rate": 1}),
    ]:
        assert alter_quota(wire, entity, **given) == "invalid_request", (entity, given)
    assert quotas(wire, ("x", SPECIFIED, None)) == "unsupported_version"
    for wrong in [("", SPECIFIED, None), ("user", 5, None), ("user", EXACT, None), ("user", DEFAULT, "x")]:
        assert quotas(wire, wrong) == "invalid_request"
    assert quotas(wire, ("user", SPECIFIED, None), ("user", EXACT, "u")) == "invalid_request"
    assert quotas(wire, ("ip", SPECIFIED, None), ("user", SPECIFIED, None)) == "invalid_request"


def test_nobody_has_credentials(wire: Wire, name: Name) -> None:
    def ask(users: list[str] | None) -> list[str]:
        named = None if users is None else [{"name": each} for each in users]
        answer = wire.ask(message("describe_user_scram_credentials", 0, users=named))
        assert answer.error_code.name == "none"
        return codes(answer.results)

    user = name("user")
    assert ask(None) == ask([]) == []
    assert (ask([user]), ask([user, user])) == (["resource_not_found"], ["duplicate_resource"])


# One node


def test_the_disk_is_described(wire: Wire, name: Name) -> None:
    topic = made(wire, name, 2)
    wanted = [{"topic": topic, "partitions": [0, 9]}, {"topic": name("no-topic"), "partitions": [0]}]
    there = message("describe_log_dirs", 1, topics=wanted)
    eventually(lambda: len(wire.ask(there).results[0].topics), 1)
    for version in range(1, 6):
        (disk,) = wire.ask(message("describe_log_dirs", version, topics=wanted)).results
        assert [(each.name, [p.partition_index for p in each.partitions]) for each in disk.topics] == [(topic, [0])]
        assert disk.log_dir
    assert 0 < disk.usable_bytes <= disk.total_bytes
    (disk,) = wire.ask(message("describe_log_dirs", 5, topics=None)).results
    assert topic in {each.name for each in disk.topics}
    (disk,) = wire.ask(message("describe_log_dirs", 5, topics=[])).results
    assert disk.topics == ()


def test_no_election_is_needed(wire: Wire, name: Name) -> None:
    topic, gone = made(wire, name), name("no-topic")

    def elect(kind: int) -> tuple[str, dict[tuple[str, int], str]]:
        wanted = [{"topic": topic, "partitions": [0, 9]}, {"topic": gone, "partitions": [0]}]
        answer = wire.ask(message("elect_leaders", 2, election_type=kind, topic_partitions=wanted, timeout=9000))
        found = {
            (each.topic, p.partition_id): p.error_code.name
            for each in answer.replica_election_results
            for p in each.partition_result
        }
        return answer.error_code.name, found

    unknown = {(topic, 9): "unknown_topic_or_partition", (gone, 0): "unknown_topic_or_partition"}
    for kind in (0, 1):
        assert elect(kind) == ("none", {(topic, 0): "election_not_needed", **unknown})
    assert elect(5)[0] == "invalid_request"
    every = wire.ask(message("elect_leaders", 2, election_type=0, topic_partitions=None, timeout=9000))
    assert [p for each in every.replica_election_results for p in each.partition_result] == []


def test_nothing_is_moved(wire: Wire, node: int, name: Name) -> None:
    topic = made(wire, name, 2)

    def move(topic: str, partition: int, replicas: list[int] | None) -> str:
        wanted = [{"name": topic, "partitions": [{"partition_index": partition, "replicas": replicas}]}]
        answer = wire.ask(message("alter_partition_reassignments", 1, topics=wanted, timeout=9000))
        assert answer.error_code.name == "none"
        return str(answer.responses[0].partitions[0].error_code.name)

    assert move(topic, 0, [node]) == "none"
    assert move(topic, 0, None) == "no_reassignment_in_progress"
    for wrong in ([], [99], [node, 99], [node, node], [-1]):
        assert move(topic, 1, wrong) == "invalid_replica_assignment"
    assert move(topic, 9, [node]) == move(name("no-topic"), 0, None) == "unknown_topic_or_partition"
    answer = wire.ask(message("list_partition_reassignments", 0, topics=None, timeout=9000))
    assert (answer.error_code.name, answer.topics) == ("none", ())


def test_the_quorum_is_one_node(wire: Wire, node: int, name: Name) -> None:
    def quorum(*topics: tuple[str, int]) -> Any:
        wanted = [{"topic_name": each, "partitions": [{"partition_index": number}]} for each, number in topics]
        return wire.ask(message("describe_quorum", 2, topics=wanted))

    metadata = ("__cluster_metadata", 0)
    answer = quorum(metadata)
    (found,) = answer.topics[0].partitions
    assert (found.error_code.name, found.leader_id, found.observers) == ("none", node, ())
    assert [each.replica_id for each in found.current_voters] == [each.node_id for each in answer.nodes] == [node]
    assert found.leader_epoch > 0 and found.high_watermark > 0
    for wrong in ([(name("topic"), 0)], [("__cluster_metadata", 1)], [metadata, (name("topic"), 0)]):
        answer = quorum(*wrong)
        assert {p.error_code.name for each in answer.topics for p in each.partitions} == {"unknown_topic_or_partition"}


def test_features_stay_at_their_levels(wire: Wire) -> None:
    asked = message("api_versions", 4, client_software_name="wire", client_software_version="1")
    levels = {each.name: each.max_version_level for each in wire.ask(asked).finalized_features}

    def update(feature: str, level: int) -> str:
        wanted = [{"feature": feature, "max_version_level": level, "upgrade_type": 1}]
        answer = wire.ask(message("update_features", 2, feature_updates=wanted, timeout=9000))
        return str(answer.error_code.name)

    assert update("transaction.version", levels["transaction.version"]) == "none"
    assert update("transaction.version", 99) == update("transaction.version", -1) == "invalid_update_version"
    assert update("metadata.version", 99) == update("no.such", 1) == "invalid_update_version"
    assert wire.ask(message("update_features", 2, feature_updates=[], timeout=9000)).error_code.name == "none"
