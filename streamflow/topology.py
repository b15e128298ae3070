"""The graph both forms compile to. PURE.

Agents and declarative streams add nodes to one `Topology`; `plan` cuts it where events travel through a topic into
**pieces** that each run as one task a partition. A piece's sources have equally many partitions and equal keys sit
in equally numbered ones (co-partitioning): that is what makes a join or a shared table local.

Rules for whoever edits this: nodes say what is wanted and never run it; a node's name is the key of its state and
stable over restarts; whatever is wrong with an app's shape is an `AppError` here, before anything is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamflow.codecs import Codec
from streamflow.errors import AppError
from streamflow.operators.base import Operator

if TYPE_CHECKING:
    from streamflow.sinks.base import Sink

Lookup = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TopicDecl:
    """A topic as an app sees it. `partitions` None takes what the log has or the app's default.

    `key_of` and `timestamp_of` read a value's key and event time (ms); None leaves the record's own.
    `marks` says that watermarks travel in-band: a repartition topic, which only this app writes.
    """

    name: str
    key: Codec
    value: Codec
    value_type: Any = Any
    key_type: Any = Any
    partitions: int | None = None
    key_of: Callable[[Any], Any] | None = None
    timestamp_of: Callable[[Any], int] | None = None
    disorder_ms: int = 0
    internal: bool = False
    marks: bool = False
    config: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<topic {self.name}>"


@dataclass(slots=True, eq=False)
class Node:
    """One step of the graph. `children` is filled as the graph grows; `parents` are main inputs."""

    name: str
    parents: list[Node] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    tables: list[TableNode] = field(default_factory=list)

    def __post_init__(self) -> None:
        for parent in self.parents:
            parent.children.append(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


@dataclass(slots=True, eq=False)
class SourceNode(Node):
    """Events enter from a topic. `upstream` is the repartition node that writes it, if the topic is one."""

    topic: TopicDecl = None  # type: ignore[assignment]
    upstream: TopicNode | None = None


@dataclass(slots=True, eq=False)
class OperatorNode(Node):
    """`make` builds a fresh operator for a task; it is given the lookups of the node's tables, in order."""

    make: Callable[[list[Lookup]], Operator] = None  # type: ignore[assignment]
    kind: str = "operator"


@dataclass(slots=True, eq=False)
class TableNode(Node):
    """A table that mirrors a topic: the latest value of each key. Its store bears the table's name."""

    table: str = ""


@dataclass(slots=True, eq=False)
class AgentNode(Node):
    """User code: the engine hands it batches and pushes what it yields to the children."""

    agent: Any = None


@dataclass(slots=True, eq=False)
class TopicNode(Node):
    """Events leave to a topic."""

    topic: TopicDecl = None  # type: ignore[assignment]


@dataclass(slots=True, eq=False)
class SinkNode(Node):
    """Events leave to a sink, by way of its outbox topic."""

    sink: Sink = None  # type: ignore[assignment]
    outbox: TopicDecl = None  # type: ignore[assignment]


@dataclass(slots=True, eq=False)
class Piece:
    """Nodes that run together: one task a partition. `nodes` is in topological order."""

    name: str
    nodes: list[Node]
    partitions: int = 0

    @property
    def sources(self) -> list[SourceNode]:
        return [n for n in self.nodes if isinstance(n, SourceNode)]

    @property
    def agents(self) -> list[AgentNode]:
        return [n for n in self.nodes if isinstance(n, AgentNode)]

    def outputs(self) -> Iterator[TopicDecl]:
        """The topics this piece writes."""
        for node in self.nodes:
            if isinstance(node, TopicNode):
                yield node.topic
            elif isinstance(node, SinkNode):
                yield node.outbox


class Topology:
    """The nodes of an app, in the order they were declared."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.planned = False
        self._names: dict[str, int] = {}

    def add(self, node: Node) -> Node:
        """Raises: AppError once the app is planned: what is declared later would never run."""
        if self.planned:
            raise AppError(f"'{node.name}' is declared after the app was planned; declare everything before it runs")
        self.nodes.append(node)
        return node

    def name(self, wanted: str, *, explicit: bool = False) -> str:
        """A name no node has: the wanted one, or with a number behind it.

        Raises: AppError when a name the user chose is taken.
        """
        seen = self._names.get(wanted, 0)
        self._names[wanted] = seen + 1
        if not seen:
            return wanted
        if explicit:
            raise AppError(f"the name '{wanted}' is used twice; names key the state, so give each its own")
        return self.name(f"{wanted}-{seen + 1}")

    def topics(self) -> list[TopicDecl]:
        """Every topic of the graph, each once, in the order of first use."""
        found: dict[str, TopicDecl] = {}
        for node in self.nodes:
            if isinstance(node, SourceNode | TopicNode):
                found.setdefault(node.topic.name, node.topic)
            elif isinstance(node, SinkNode):
                found.setdefault(node.outbox.name, node.outbox)
        return list(found.values())

    def pieces(self) -> list[Piece]:
        """The graph cut at its topics, upstream pieces first."""
        roots: dict[Node, Node] = {n: n for n in self.nodes}

        def find(node: Node) -> Node:
            while roots[node] is not node:
                roots[node] = roots[roots[node]]
                node = roots[node]
            return node

        for node in self.nodes:
            for neighbour in (*node.parents, *node.tables):
                roots[find(node)] = find(neighbour)
        groups: dict[Node, list[Node]] = {}
        for node in self.nodes:
            groups.setdefault(find(node), []).append(node)
        pieces = [Piece(_piece_name(nodes), _topological(nodes)) for nodes in groups.values()]
        _check_names(pieces)
        return _upstream_first(pieces)


def _check_names(pieces: list[Piece]) -> None:
    seen: set[str] = set()
    for piece in pieces:
        while piece.name in seen:
            piece.name += "-2"
        seen.add(piece.name)


def _piece_name(nodes: list[Node]) -> str:
    """After its agent, else after what keeps its state, else after its first source: what a user would call it."""
    for kind in (AgentNode, SinkNode, TopicNode):
        for node in nodes:
            if isinstance(node, kind):
                return node.agent.name if isinstance(node, AgentNode) else node.name
    return nodes[0].name


def _topological(nodes: list[Node]) -> list[Node]:
    """Parents and tables before what reads them. Nodes are declared in that order already, but for tables."""
    members, done, ordered = set(nodes), set[Node](), list[Node]()

    def visit(node: Node) -> None:
        if node in done:
            return
        done.add(node)
        for before in (*node.tables, *node.parents):
            if before in members:
                visit(before)
        ordered.append(node)

    for node in nodes:
        visit(node)
    return ordered


def _upstream_first(pieces: list[Piece]) -> list[Piece]:
    """Pieces ordered by the topics between them; a cycle through user topics keeps the declared order."""
    writers: dict[str, list[Piece]] = {}
    for piece in pieces:
        for topic in piece.outputs():
            writers.setdefault(topic.name, []).append(piece)
    ordered: list[Piece] = []
    visiting: list[Piece] = []

    def visit(piece: Piece) -> None:
        if piece in ordered or piece in visiting:
            return
        visiting.append(piece)
        for source in piece.sources:
            for writer in writers.get(source.topic.name, ()):
                visit(writer)
        visiting.remove(piece)
        ordered.append(piece)

    for piece in pieces:
        visit(piece)
    return ordered


def assign_partitions(pieces: list[Piece], existing: Mapping[str, int], default: int) -> dict[str, int]:
    """How many partitions every topic of the plan has, and `Piece.partitions` with it.

    `existing` is what the log has already. A topic that neither exists nor says how many takes the app's default;
    a repartition topic takes the number of its reader's other sources, else its writer's.

    Raises: AppError where a declaration contradicts the log, or the inputs of a join aren't co-partitioned.
    """
    counts: dict[str, int] = {}
    home = {node: piece for piece in pieces for node in piece.nodes}

    def settle(topic: TopicDecl, fallback: int) -> int:
        if topic.name in counts:
            return counts[topic.name]
        have, want = existing.get(topic.name), topic.partitions
        if have is not None and want is not None and have != want:
            raise AppError(
                f"topic '{topic.name}' has {have} partitions, the app declares {want}; keys would move, so declare "
                f"partitions={have}, or copy the events to a new topic"
            )
        counts[topic.name] = have or want or fallback
        return counts[topic.name]

    for piece in pieces:
        for source in piece.sources:
            if not source.topic.marks:
                settle(source.topic, default)
        plain = [counts[s.topic.name] for s in piece.sources if not s.topic.marks]
        for source in piece.sources:
            if source.upstream is not None:
                settle(source.topic, plain[0] if plain else home[source.upstream].partitions or default)
        sizes = {s.topic.name: counts[s.topic.name] for s in piece.sources}
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"'{name}' has {n}" for name, n in sizes.items())
            odd = min(sizes, key=lambda name: (sizes[name], name))
            raise AppError(
                f"the inputs of '{piece.name}' aren't co-partitioned: {listed} partitions; send '{odd}' through "
                f".group_by(…) first, or give the topics the same number"
            )
        piece.partitions = next(iter(sizes.values()))
        for topic in piece.outputs():
            if not topic.marks:
                settle(topic, piece.partitions if topic.internal else default)
    return counts
