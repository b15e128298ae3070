"""`streamflow cluster status`: which nodes there are, who leads the quorum, which partitions lack replicas.

Everything is asked over the wire of one node, where clients are served: what it shows is what that node knows. It
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from rich.console import Console
from rich.table import Table

from streamflow.cli.broker import parse_address
from streamflow.errors import ConfigError
from streamflow.log.controller.records import METADATA_TOPIC
from streamflow.log.errors import PeerUnreachableError
from streamflow.log.node.membership import Endpoint
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    describe_cluster_request,
    describe_configs_request,
    describe_quorum_request,
    metadata_request,
)
from streamflow.log.server.config_resources import ResourceType
from streamflow.log.server.peers import CONNECT_SECONDS, Conversation, dial

ANSWER_SECONDS = 10.0
"""For each question. Where nobody leads the quorum, it takes as long to hear that."""
LISTED_MAX = 20
"""Partitions of a kind that are named; the others are counted."""
MIN_IN_SYNC = "min.insync.replicas"
NOBODY = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """`standing` is its part in the quorum, in words; empty for one that doesn't vote."""

    node_id: int
    at: str
    rack: str
    state: str
    standing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`quorum` says in words who leads it. Partitions are described, with who is in sync."""

    cluster_id: str
    nodes: Sequence[NodeStatus]
    quorum: str
    has_quorum: bool
    topics: int
    partitions: int
    under_replicated: Sequence[str]
    under_min_isr: Sequence[str]
    offline: Sequence[str]

    @property
    def served(self) -> bool:
        """Whether metadata can change, and every partition has a leader."""
        return self.has_quorum and not self.offline


def run(bootstrap: str) -> bool:
    """Prints it. Returns: whether everything is served. Raises: ConfigError, PeerUnreachableError."""
    addresses = [parse_address(part.strip()) for part in bootstrap.split(",")]
    status = anyio.run(_ask_any, [Endpoint(address.host, address.port) for address in addresses])
    console = Console()
    if console.is_terminal:
        console.print(_table(status))
        print()
        told = [line for line in lines(status) if not line.startswith("node ")]
    else:
        told = list(lines(status))
    print("\n".join(told))
    return status.served


# Asking


async def _ask_any(addresses: Sequence[Endpoint]) -> Status:
    """Of the first that answers."""
    wrong = []
    for at in addresses:
        try:
            return await _ask(at)
        except PeerUnreachableError as error:
            wrong.append(f"{at}: {error}")
    raise PeerUnreachableError(f"no node answers; name one that runs with --bootstrap HOST:PORT ({'; '.join(wrong)})")


async def _ask(at: Endpoint) -> Status:
    conversation = await connect(at)
    try:
        cluster, metadata = [
            await conversation.ask(request, ANSWER_SECONDS)
            for request in (
                describe_cluster_request.DescribeClusterRequest(include_fenced_brokers=True),
                metadata_request.MetadataRequest(topics=None, allow_auto_topic_creation=False),
            )
        ]
        configs = await conversation.ask(_settings_of(metadata), ANSWER_SECONDS)
        # Last: where nobody leads the quorum, the connection is closed in place of an answer.
        try:
            quorum = await conversation.ask(_quorum(), ANSWER_SECONDS)
        except PeerUnreachableError as error:
            quorum = str(error)
    finally:
        conversation.abort("all is asked")
    return judge(cluster, metadata, configs, quorum)


async def connect(at: Endpoint) -> Conversation:
    """Raises: PeerUnreachableError."""
    try:
        with anyio.fail_after(CONNECT_SECONDS):
            return await dial(lambda: Conversation(b"streamflow", lambda conversation: None), at)
    except TimeoutError:
        raise PeerUnreachableError(f"no connection within {CONNECT_SECONDS:g} s") from None
    except OSError as error:
        raise PeerUnreachableError(error.strerror or str(error)) from error


def _settings_of(metadata: Any) -> describe_configs_request.DescribeConfigsRequest:
    resources = [
        describe_configs_request.DescribeConfigsResource(
            resource_type=ResourceType.TOPIC, resource_name=topic.name, configuration_keys=[MIN_IN_SYNC]
        )
        for topic in metadata.topics
    ]
    return describe_configs_request.DescribeConfigsRequest(resources=resources)


def _quorum() -> describe_quorum_request.DescribeQuorumRequest:
    partition = describe_quorum_request.PartitionData(partition_index=0)
    topic = describe_quorum_request.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])
    return describe_quorum_request.DescribeQuorumRequest(topics=[topic])


# Judging


def judge(cluster: Any, metadata: Any, configs: Any, quorum: Any) -> Status:
    """What the answers come to.

    Args:
        quorum: its answer, or why there is none.

    Raises: ConfigError when what answers isn't a broker that may be asked.
    """
    if cluster.error_code != ErrorCode.none:
        raise ConfigError(f"it can't be asked for the cluster: {cluster.error_message}; name a broker's --listen")
    partitions = [(topic.name, p) for topic in metadata.topics for p in topic.partitions]
    needed = {r.resource_name: int(r.configs[0].value) for r in configs.results if r.configs}
    lagging, few, offline = [], [], []
    for name, p in partitions:
        described = _described(name, p)
        if len(p.isr_nodes) < len(p.replica_nodes):
            lagging.append(described)
        if len(p.isr_nodes) < needed.get(name, 1):
            few.append(described)
        if p.leader_id == NOBODY:
            offline.append(described)
    standings, told, has_quorum = _standings(quorum)
    return Status(
        cluster_id=cluster.cluster_id,
        nodes=_nodes(cluster, quorum, standings),
        quorum=told,
        has_quorum=has_quorum,
        topics=len(metadata.topics),
        partitions=len(partitions),
        under_replicated=lagging,
        under_min_isr=few,
        offline=offline,
    )


def _described(name: str, partition: Any) -> str:
    in_sync = partition.isr_nodes
    missing = [n for n in partition.replica_nodes if n not in in_sync]
    return (
        f"{name}-{partition.partition_index}: led by {_of(partition.leader_id)}, in sync {_listed(in_sync)}, "
        f"not {_listed(missing)}"
    )


def _of(node_id: int) -> str:
    return "nobody" if node_id == NOBODY else f"node {node_id}"


def _listed(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers)) or "nobody"


def _standings(quorum: Any) -> tuple[Mapping[int, str], str, bool]:
    """Of each voter, in words; who leads them; whether somebody does."""
    if isinstance(quorum, str):
        return {}, f"no leader is reached ({quorum})", False
    partition = quorum.topics[0].partitions[0]
    if partition.error_code != ErrorCode.none:
        return {}, f"no leader is reached ({partition.error_message})", False
    voters = partition.current_voters
    end = max(voter.log_end_offset for voter in voters)
    standings = {
        voter.replica_id: "leader" if voter.replica_id == partition.leader_id else _lag(end, voter.log_end_offset)
        for voter in voters
    }
    told = f"led by node {partition.leader_id} in epoch {partition.leader_epoch}, {len(voters)} voters"
    return standings, told, True


def _lag(end: int, own: int) -> str:
    """A voter's, in records of the metadata log."""
    return "voter, not heard of" if own < 0 else f"voter, {end - own} behind"


def _nodes(cluster: Any, quorum: Any, standings: Mapping[int, str]) -> list[NodeStatus]:
    """Brokers, and controllers that aren't brokers, by number."""
    found = {
        b.broker_id: NodeStatus(
            node_id=b.broker_id,
            at=str(Endpoint(b.host, b.port)),
            rack=b.rack or "",
            state="fenced" if b.is_fenced else "serving",
            standing=standings.get(b.broker_id, ""),
        )
        for b in cluster.brokers
    }
    for node in () if isinstance(quorum, str) else quorum.nodes:
        if node.node_id not in found:
            at = node.listeners[0]
            found[node.node_id] = NodeStatus(
                node_id=node.node_id,
                at=str(Endpoint(at.host, at.port)),
                rack="",
                state="controller only",
                standing=standings.get(node.node_id, ""),
            )
    return [found[n] for n in sorted(found)]


# Showing


def lines(status: Status) -> Iterator[str]:
    """For people and scripts: one fact a line."""
    yield f"cluster {status.cluster_id}"
    for node in status.nodes:
        told = (node.state, f"rack {node.rack}" if node.rack else "", node.standing)
        yield f"node {node.node_id} at {node.at}: {', '.join(filter(None, told))}"
    yield f"quorum: {status.quorum}"
    yield f"partitions: {status.partitions} of {status.topics} topics"
    for title, found in (
        ("under-replicated", status.under_replicated),
        (f"under {MIN_IN_SYNC}", status.under_min_isr),
        ("offline", status.offline),
    ):
        yield f"{title}: {len(found)}"
        yield from (f"  {partition}" for partition in found[:LISTED_MAX])
        if len(found) > LISTED_MAX:
            yield f"  … and {len(found) - LISTED_MAX} more"


def _table(status: Status) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("node", "address", "rack", "state", "quorum"):
        table.add_column(title, no_wrap=True)
    for node in status.nodes:
        style = "red" if node.state == "fenced" else None
        table.add_row(str(node.node_id), node.at, node.rack, node.state, node.standing, style=style)
    return table
