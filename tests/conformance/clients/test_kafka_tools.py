"""Apache Kafka's command-line tools, unmodified: each by its own main, in one JVM for the session."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from brokers import Broker
from differences import differs
from programs import Conversation
from programs import run as run_alone
from toolchains import Missing, java, java_program, leave, tools_jars
from waiting import eventually
from wire import CODECS, stored_codecs

Name = Callable[[str], str]
Run = Callable[..., str]
SECONDS = 20

TOPICS = "org.apache.kafka.tools.TopicCommand"
CONFIGS = "kafka.admin.ConfigCommand"
GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
ALL_GROUPS = "org.apache.kafka.tools.GroupsCommand"
PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
PRODUCER_SPEED = "org.apache.kafka.tools.ProducerPerformance"
CONSUMER_SPEED = "org.apache.kafka.tools.ConsumerPerformance"
LATENCY = "org.apache.kafka.tools.EndToEndLatency"
VERIFIABLE_PRODUCER = "org.apache.kafka.tools.VerifiableProducer"
VERIFIABLE_CONSUMER = "org.apache.kafka.tools.VerifiableConsumer"
TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"
DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand"
OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
DISKS = "org.apache.kafka.tools.LogDirsCommand"
VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand"
FEATURES = "org.apache.kafka.tools.FeatureCommand"
CLUSTER = "org.apache.kafka.tools.ClusterTool"
ELECTION = "org.apache.kafka.tools.LeaderElectionCommand"
REASSIGNMENT = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"


class ToolFailed(Exception):
    """A tool exited with a code other than zero."""


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    try:
        command = java().command(java_program("Tools", tools_jars()), "Tools")
    except Missing as why:
        leave(str(why))
    process = Conversation(command, tmp_path_factory.mktemp("tools") / "log.txt")
    yield process
    process.stop()


@pytest.fixture
def run(broker: Broker, tools: Conversation) -> Run:
    """Runs a tool against the broker. Returns what it printed. Raises: ToolFailed."""

    def run(main: str, *args: str, stdin: str = "") -> str:
        where = ("--bootstrap-server", broker.address)
        given = [*where, *args] if main in (TRANSACTIONS, FEATURES) else [*args, *where]
        answer = tools.ask({"main": main, "args": given, "stdin": stdin, "seconds": SECONDS}, SECONDS + 10)
        if answer["code"]:
            raise ToolFailed(f"{main} {given}: {answer['code']}\n{answer['out']}\n{answer['err']}")
        return str(answer["out"])

    return run


@pytest.fixture
def topic(run: Run, name: Name) -> str:
    topic = name("topic")
    run(TOPICS, "--create", "--topic", topic)
    eventually(lambda: topic in run(TOPICS, "--list").splitlines(), True)
    return topic


def rows(table: str) -> list[list[str]]:
    """The cells of a printed table, its heading first."""
    return [line.split() for line in table.splitlines() if line.strip()]


def events(said: str) -> dict[str, list[dict[str, Any]]]:
    """What a verifiable client told, by the name of the event."""
    told: dict[str, list[dict[str, Any]]] = {}
    for line in said.splitlines():
        event = json.loads(line)
        told.setdefault(event["name"], []).append(event)
    return told


def test_topics_are_created_listed_described_widened_and_deleted(run: Run, name: Name) -> None:
    topic = name("topic")
    create = partial(run, TOPICS, "--create", "--topic", topic)
    assert create("--partitions", "3", "--config", "retention.ms=100000") == f"Created topic {topic}.\n"
    with pytest.raises(ToolFailed, match="already exists"):
        create()
    assert create("--if-not-exists") == ""
    eventually(lambda: topic in run(TOPICS, "--list").splitlines(), True)
    head, *partitions = run(TOPICS, "--describe", "--topic", topic).splitlines()
    assert re.fullmatch(
        rf"Topic: {topic}\tTopicId: [\w-]{{22}}\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: .*retention.ms=1\d+",
        head,
    )
    assert [re.sub(r"\t", " ", line).split(" Elr")[0].strip() for line in partitions] == [
        f"Topic: {topic} Partition: {n} Leader: {leader(partitions)} Replicas: {leader(partitions)}"
        f" Isr: {leader(partitions)}"
        for n in range(3)
    ]
    assert run(TOPICS, "--describe", "--unavailable-partitions") == ""
    assert run(TOPICS, "--describe", "--under-replicated-partitions") == ""
    assert topic in run(TOPICS, "--list").splitlines()
    run(TOPICS, "--alter", "--topic", topic, "--partitions", "4")
    eventually(lambda: "PartitionCount: 4" in run(TOPICS, "--describe", "--topic", topic), True)
    with pytest.raises(ToolFailed, match="would not be an increase"):
        run(TOPICS, "--alter", "--topic", topic, "--partitions", "2")
    run(TOPICS, "--delete", "--topic", topic)
    eventually(lambda: topic in run(TOPICS, "--list").splitlines(), False)
    with pytest.raises(ToolFailed, match="does not exist"):
        run(TOPICS, "--describe", "--topic", topic)


def leader(partitions: list[str]) -> str:
    found = re.search(r"Leader: (\d+)", partitions[0])
    assert found is not None
    return found[1]


def test_configs_are_described_with_where_they_come_from_and_altered(run: Run, broker: Broker, topic: str) -> None:
    def described(*more: str) -> dict[str, str]:
        lines = run(CONFIGS, "--describe", "--topic", topic, *more).splitlines()[1:]
        return {line.split("=")[0].strip(): line.split("synonyms=")[1] for line in lines}

    every = described("--all")
    assert every["cleanup.policy"] == "{DEFAULT_CONFIG:log.cleanup.policy=delete}"
    assert every["max.message.bytes"] == "{DEFAULT_CONFIG:message.max.bytes=1048588}"
    size = 128 << 20 if differs(broker, "defaults") else 1 << 30
    assert every["segment.bytes"] == f"{{DEFAULT_CONFIG:log.segment.bytes={size}}}"
    alter = partial(run, CONFIGS, "--alter", "--topic", topic)
    assert described().get("retention.ms") is None
    alter("--add-config", "cleanup.policy=[compact,delete],retention.ms=5000")
    eventually(lambda: described().keys() >= {"retention.ms", "cleanup.policy"}, True)
    changed = described()
    assert changed["retention.ms"].startswith("{DYNAMIC_TOPIC_CONFIG:retention.ms=5000")
    assert changed["cleanup.policy"] == (
        "{DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}"
    )
    alter("--delete-config", "cleanup.policy")
    eventually(lambda: "cleanup.policy" in described(), False)
    with pytest.raises(ToolFailed, match=r"[Uu]nknown .*no\.such"):
        alter("--add-config", "no.such=1")
    with pytest.raises(ToolFailed, match=r"retention\.ms"):
        alter("--add-config", "retention.ms=soon")


def test_the_brokers_own_configs_are_described(run: Run, broker: Broker) -> None:
    (head, *_), *_ = [re.findall(r"\(id: (\d+)", run(VERSIONS))]
    lines = run(CONFIGS, "--describe", "--broker", head, "--all").splitlines()
    configs = dict(line.strip().split(" sensitive=")[0].split("=", 1) for line in lines[1:])
    assert configs["auto.create.topics.enable"] == "true"
    assert configs["num.partitions"] == "1"
    assert configs["group.initial.rebalance.delay.ms"] == "0"
    assert configs["log.retention.hours"] == "168"


@pytest.mark.parametrize("codec", CODECS)
def test_the_console_produces_with_every_compression_and_consumes(
    run: Run, broker: Broker, topic: str, codec: str
) -> None:
    lines = "".join(f"header:{n}\tkey{n}\tvalue {n} {'x' * 50}\n" for n in range(50))
    parsing = ("--reader-property", "parse.key=true", "--reader-property", "parse.headers=true")
    run(PRODUCER, "--topic", topic, "--compression-codec", codec, *parsing, stdin=lines)
    shown = [f"print.{what}=true" for what in ("key", "headers", "partition", "offset")]
    printing = [word for each in shown for word in ("--formatter-property", each)]
    said = run(CONSUMER, "--topic", topic, "--from-beginning", "--max-messages", "50", *printing)
    assert said.splitlines() == [
        f"Partition:0\tOffset:{n}\theader:{n}\tkey{n}\tvalue {n} {'x' * 50}" for n in range(50)
    ]
    assert stored_codecs(broker.endpoint, topic) == {codec}


def test_groups_are_listed_described_reset_and_deleted(run: Run, broker: Broker, topic: str, name: Name) -> None:
    group = name("group")
    of = partial(run, GROUPS, "--group", group)
    run(PRODUCER, "--topic", topic, stdin="a\nb\nc\n")
    assert run(CONSUMER, "--topic", topic, "--group", group, "--from-beginning", "--max-messages", "3") == "a\nb\nc\n"

    def offsets() -> list[str]:
        heading, *partitions = rows(of("--describe"))
        assert heading[:6] == ["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG"]
        return partitions[0][1:6]

    assert offsets() == [topic, "0", "3", "3", "0"]
    assert rows(of("--describe", "--state"))[1][:2] == [group, broker.address]
    assert rows(of("--describe", "--state"))[1][-2:] == ["Empty", "0"]
    assert rows(of("--describe", "--members"))[1:] == []
    assert [group, "Empty"] in rows(run(GROUPS, "--list", "--state"))
    assert [group, "Classic", "consumer"] in rows(run(ALL_GROUPS, "--list"))
    moved = of("--reset-offsets", "--to-offset", "1", "--topic", topic, "--execute")
    assert rows(moved)[1:] == [[group, topic, "0", "1"]]
    assert offsets() == [topic, "0", "1", "3", "2"]
    assert "Successful" in of("--delete-offsets", "--topic", topic)
    assert "was successful" in of("--delete")
    assert "GroupIdNotFoundException" in of("--delete")
    assert group not in run(GROUPS, "--list").splitlines()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_what_a_verifiable_producer_was_told_a_verifiable_consumer_finds(
    run: Run, broker: Broker, topic: str, name: Name, protocol: str
) -> None:
    alone = java().command(f"{tools_jars()}/*", VERIFIABLE_PRODUCER)  # it tells the most as its JVM ends
    sending = ["--topic", topic, "--max-messages", "200", "--acks", "-1", "--bootstrap-server", broker.address]
    produced = events(run_alone([*alone, *sending], SECONDS))
    assert [event["offset"] for event in produced["producer_send_success"]] == list(range(200))
    assert (produced["tool_data"][0]["sent"], produced["tool_data"][0]["acked"]) == (200, 200)
    group = ("--group-id", name("group"), "--group-protocol", protocol)
    consumed = events(
        run(VERIFIABLE_CONSUMER, "--topic", topic, *group, "--max-messages", "200", "--reset-policy", "earliest")
    )
    assert sum(event["count"] for event in consumed["records_consumed"]) == 200
    assert consumed["offsets_committed"][-1]["offsets"] == [{"topic": topic, "partition": 0, "offset": 200}]
    assert all(event["success"] for event in consumed["offsets_committed"])


@pytest.mark.parametrize("acks", ["1", "all"])
def test_the_performance_tools_run_to_their_end(run: Run, topic: str, acks: str) -> None:
    sizes = ("--num-records", "3000", "--record-size", "100", "--throughput", "-1")
    said = run(PRODUCER_SPEED, "--topic", topic, *sizes, "--command-property", f"acks={acks}")
    assert said.startswith("3000 records sent")
    said = run(CONSUMER_SPEED, "--topic", topic, "--num-records", "3000", "--timeout", "10000")
    assert said.splitlines()[1].split(", ")[4] == "3000"
    sizes = ("--num-records", "20", "--record-size", "100", "--producer-acks", acks)
    assert "Avg latency" in run(LATENCY, "--topic", topic, *sizes)


def test_transactions_of_the_performance_tool_are_listed_and_none_hangs(run: Run, topic: str, name: Name) -> None:
    identity = name("transaction")
    sizes = ("--num-records", "300", "--record-size", "100", "--throughput", "-1")
    run(PRODUCER_SPEED, "--topic", topic, *sizes, "--transactional-id", identity, "--transaction-duration-ms", "20")

    def listed() -> list[str]:
        said = run(TRANSACTIONS, "list")
        return [row[-1] for row in rows(said) if row[0] == identity]

    eventually(listed, ["CompleteCommit"])
    described = rows(run(TRANSACTIONS, "describe", "--transactional-id", identity))
    assert "TransactionState" in described[0] and "CompleteCommit" in described[1]
    producers = rows(run(TRANSACTIONS, "describe-producers", "--topic", topic, "--partition", "0"))
    assert producers[0][0] == "ProducerId" and producers[1][-1] == "None", "no transaction is open"
    hanging = run(TRANSACTIONS, "find-hanging", "--topic", topic, "--partition", "0")
    assert len(rows(hanging)) == 1
    said = run(CONSUMER, "--topic", topic, "--from-beginning", "--isolation-level", "read_committed", "--max-messages",
               "300")  # fmt: skip
    assert len(said.splitlines()) == 300


def test_records_are_deleted_and_offsets_found(run: Run, topic: str, tmp_path: Any) -> None:
    run(PRODUCER, "--topic", topic, stdin="a\nb\nc\n")
    offsets = partial(run, OFFSETS, "--topic", topic)
    assert offsets() == f"{topic}:0:3\n"
    wanted = tmp_path / "offsets.json"
    wanted.write_text(json.dumps({"partitions": [{"topic": topic, "partition": 0, "offset": 2}], "version": 1}))
    assert "low_watermark: 2" in run(DELETE_RECORDS, "--offset-json-file", str(wanted))
    assert offsets("--time", "earliest") == f"{topic}:0:2\n"
    assert run(CONSUMER, "--topic", topic, "--from-beginning", "--max-messages", "1") == "c\n"


def test_disks_versions_features_and_the_cluster_are_described(run: Run, broker: Broker, topic: str) -> None:
    run(PRODUCER, "--topic", topic, stdin="a\n")
    disks = json.loads(run(DISKS, "--describe", "--topic-list", topic).splitlines()[-1])
    ((found,),) = [disk["partitions"] for disk in disks["brokers"][0]["logDirs"]]
    assert found["partition"] == f"{topic}-0" and found["size"] > 60 and not found["isFuture"]
    versions = run(VERSIONS)
    assert versions.startswith(f"{broker.address} (id: ")
    assert re.search(r"Produce\(0\): 0 to \d+ \[usable: \d+\]", versions)
    features = {row[1]: row for row in rows(run(FEATURES, "describe"))}
    assert {"metadata.version", "group.version", "transaction.version"} <= features.keys()
    assert re.fullmatch(r"Cluster ID: \S+\n", run(CLUSTER, "cluster-id"))
    host, port = broker.endpoint
    (endpoint,) = rows(run(CLUSTER, "list-endpoints"))[1:]
    assert endpoint[1:3] == [host, str(port)]


def test_elections_and_reassignments_have_nothing_to_do_on_one_node(run: Run, topic: str) -> None:
    run(ELECTION, "--election-type", "preferred", "--all-topic-partitions")
    assert run(REASSIGNMENT, "--list") == "No partition reassignments found.\n"
