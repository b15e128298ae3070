"""App: what a user declares. Building one runs nothing and touches nothing: it is an ordinary module's data.

    app = sf.App("card-fraud")
    payments = app.topic("payments", value=Payment, timestamp="at")

    @app.agent(payments)
    async def big(stream): ...

`plan` turns the declarations into a graph; `streamflow worker` (or `sf.run`) runs it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from streamflow.agent import Agent, AgentFn, probe
from streamflow.codecs import key_codec, table_codec, value_codec
from streamflow.engine.policies import Policy, Retry, Skip, Stop, final, policy_of
from streamflow.errors import AppError, ConfigError, EncodeError
from streamflow.event import Headers
from streamflow.schedule import Crontab, Duration, duration_ms
from streamflow.stream import Stream, field_reader, stream_of
from streamflow.table import Table
from streamflow.topic import Topic, timestamp_reader
from streamflow.topology import (
    AgentNode,
    Node,
    Piece,
    SinkNode,
    SourceNode,
    TableNode,
    TopicDecl,
    TopicNode,
    Topology,
)
from streamflow.transport import DEFAULT_LOG

if TYPE_CHECKING:
    from streamflow.sinks.base import Sink
    from streamflow.state.memory import MemoryStore

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,200}")


class Runtime(Protocol):
    """What runs an app, as the app's own objects see it."""

    async def send(self, topic: TopicDecl, key: Any, value: Any, timestamp: int | None, headers: Headers) -> None: ...

    def stores_of(self, table: str) -> list[MemoryStore]: ...


@dataclass(frozen=True, slots=True)
class Timer:
    """Code that runs by the clock: every `interval_ms`, or as `crontab` says."""

    name: str
    fn: Callable[[], Awaitable[None]]
    interval_ms: int = 0
    crontab: Crontab | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """What a source yields: records to append, and the position to start from after them. One transaction.

    The position is kept as JSON: None, numbers, texts, lists and dicts with keys of text, 4,096 bytes at most.
    """

    records: list[tuple[Topic, Any]]
    position: Any


@dataclass(frozen=True, slots=True)
class SourceFn:
    """Code that brings events in: given the last committed position, it yields `Feed`s."""

    name: str
    fn: Callable[[Any], AsyncIterator[Feed]]


@dataclass(frozen=True, slots=True)
class Plan:
    """An app, planned: its pieces upstream first, the policy of each, and every topic it reads or writes."""

    pieces: list[Piece]
    policies: dict[str, Policy]
    topics: list[TopicDecl]


class App:
    """An application: topics, tables, agents, streams, timers and sources under one id.

    Args:
        id: prefixes the names of groups, changelogs and other topics of the app's own. Letters, digits, `. _ -`.
        log: the address of the log: `memory://`, `log://PATH` or `kafka://host:port,…`.
        partitions: of topics that neither exist nor say how many they have.
        commit_interval: offsets, state and outputs of this long are one transaction.
        compression: of what the app writes: none, gzip, snappy, lz4 or zstd.
    """

    def __init__(
        self,
        id: str,
        *,
        log: str = DEFAULT_LOG,
        partitions: int = 4,
        commit_interval: Duration = "100ms",
        compression: str = "none",
    ) -> None:
        if not _NAME.fullmatch(id):
            raise ConfigError(f"app id {id!r} can't prefix a topic; use letters, digits, '.', '_' and '-'")
        if partitions < 1:
            raise ConfigError(f"partitions={partitions}; an app's topics need 1 or more")
        self.id = id
        self.log = log
        self.partitions = partitions
        self.commit_interval_ms = duration_ms(commit_interval, what="commit_interval", allow_zero=False)
        self.compression = compression
        self.topology = Topology()
        self.policies: dict[Node, Policy] = {}
        self.agents: list[Agent] = []
        self.tables: dict[str, Table[Any]] = {}
        self.timers: list[Timer] = []
        self.tasks: list[Callable[[], Awaitable[None]]] = []
        self.sources: list[SourceFn] = []
        self._topics: dict[str, Topic] = {}
        self._outboxes: dict[str, tuple[Sink, TopicDecl]] = {}
        self._runtime: Runtime | None = None
        self._plan: Plan | None = None

    def __repr__(self) -> str:
        return f"<App {self.id} on {self.log}>"

    # Declarations

    def topic(
        self,
        name: str,
        *,
        value: Any = Any,
        key: str | Callable[[Any], Any] | None = None,
        key_type: Any = str,
        codec: str = "json",
        partitions: int | None = None,
        timestamp: str | Callable[[Any], Any] | None = None,
        disorder: Duration = 0,
        config: Mapping[str, str] | None = None,
    ) -> Topic:
        """A topic to read, to write, or both. It is created when the app starts, if need be.

        Args:
            value: type of the values: a `Record`, a dataclass, `dict`, `str`, … Any takes what the codec gives.
            key: a field's name or a function that reads the key from a value being sent.
            key_type: type of the keys; str reads UTF-8, bytes leaves them.
            codec: json, msgpack, text or raw.
            partitions: how many it must have; None takes what exists or the app's default.
            timestamp: a field's name or a function that reads event time (datetime, or ms) from a value; by
                default the record's own timestamp.
            disorder: how far events may come out of order; the watermark trails the newest event by this much.
            config: topic settings by Kafka's names, for when it is created (`{"retention.ms": "86400000"}`).

        Raises: ConfigError when the topic is declared twice.
        """
        if name in self._topics:
            raise ConfigError(f"topic '{name}' is declared twice; share the object app.topic returned")
        decl = TopicDecl(
            name=name,
            key=key_codec(key_type),
            value=value_codec(codec, value),
            value_type=value,
            key_type=key_type,
            partitions=partitions,
            key_of=field_reader(key) if isinstance(key, str) else key,
            timestamp_of=timestamp_reader(timestamp) if timestamp is not None else None,
            disorder_ms=duration_ms(disorder, what="disorder"),
            config=dict(config or {}),
        )
        self._topics[name] = topic = Topic(self, decl)
        return topic

    def table(
        self,
        name: str,
        *,
        default: Callable[[], Any] | None = None,
        value: Any = None,
        source: Topic | None = None,
    ) -> Table[Any]:
        """A table: keyed state that survives the worker.

        Args:
            default: makes the value of a key that isn't there, as in `defaultdict`.
            value: type of the values, where they are more than plain ones: a `Record`, `list[Order]`, …; by default
                what `default` makes, or the source's type.
            source: a topic the table mirrors, for `stream.join`; agents don't write to such a table.

        Raises: ConfigError when the name is taken, or values of the type can't be kept.
        """
        if name in self.tables:
            raise ConfigError(f"table '{name}' is declared twice; share the object app.table returned")
        if value is None and source is not None:
            value = source.decl.value_type
        elif value is None:
            value = _type_of_default(default)
        _check_kept(name, value, default)
        table = Table(self, name, default, value)
        if source is not None:
            table.source = SourceNode(name=self.topology.name(f"{name}-source"), topic=source.decl)
            table.node = TableNode(name=self.topology.name(name, explicit=True), parents=[table.source], table=name)
            self.topology.add(table.source)
            self.topology.add(table.node)
        self.tables[name] = table
        return table

    def agent(
        self,
        source: Topic | Stream,
        *,
        sink: Topic | Sink | list[Topic | Sink] | None = None,
        concurrency: int = 1,
        on_error: Policy | str | None = None,
        name: str | None = None,
        stalled_after: Duration = "10s",
    ) -> Callable[[AgentFn], AgentFn]:
        """Decorates an async function that loops over a stream.

        Args:
            sink: where what it yields goes, with the key and event time of the event in hand.
            concurrency: runs of the body for each partition; events of one key stay in order, in one run.
            on_error: for an event the body raises on, or a record that can't be decoded: 'stop' (default),
                `sf.skip(…)` or `sf.retry(…)`.
            name: of the agent and its group (`APP.NAME`); by default the function's.
            stalled_after: code that works on one event for longer is told of in a warning, again and again.

        Raises: ConfigError for a concurrency below 1, an unknown policy, or a `stalled_after` that isn't above zero.
        """
        if not isinstance(source, Topic | Stream):
            raise ConfigError(f"@app.agent was given {source!r}; give it what the agent reads: @app.agent(topic)")
        if concurrency < 1:
            raise ConfigError(f"concurrency={concurrency}; an agent needs 1 or more runs")
        policy = policy_of(on_error)
        stalled_after_ms = duration_ms(stalled_after, what="stalled_after", allow_zero=False)
        sinks = sink if isinstance(sink, list) else [] if sink is None else [sink]

        def declare(fn: AgentFn) -> AgentFn:
            label = name or _label(fn)
            if isinstance(source, Topic):
                stream = stream_of(self, source.decl, name=label, policy=policy)
            else:
                stream = source
            self.agents.append(Agent(label, fn, stream, sinks, concurrency, policy, stalled_after_ms))
            return fn

        return declare

    def timer(self, interval: Duration) -> Callable[[Callable[[], Awaitable[None]]], Callable[[], Awaitable[None]]]:
        """Decorates an async function that runs at every interval from the worker's start."""
        ms = duration_ms(interval, what="timer", allow_zero=False)

        def declare(fn: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
            self.timers.append(Timer(_label(fn), fn, interval_ms=ms))
            return fn

        return declare

    def crontab(
        self, expression: str, *, timezone: str = "UTC"
    ) -> Callable[[Callable[[], Awaitable[None]]], Callable[[], Awaitable[None]]]:
        """Decorates an async function that runs when the crontab says, in the time zone."""
        crontab = Crontab(expression, timezone)

        def declare(fn: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
            self.timers.append(Timer(_label(fn), fn, crontab=crontab))
            return fn

        return declare

    def task(self, fn: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Decorates an async function that runs once, when the worker has started."""
        self.tasks.append(fn)
        return fn

    def source(self, fn: Callable[[Any], AsyncIterator[Feed]]) -> Callable[[Any], AsyncIterator[Feed]]:
        """Decorates an async generator that brings events in and yields `Feed`s.

        It is called with the position of the last Feed that was committed (None the first time). A Feed's records
        and its position are one transaction: after a crash nothing is missing and nothing comes twice.
        """
        self.sources.append(SourceFn(_label(fn), fn))
        return fn

    # Sending

    @property
    def running(self) -> bool:
        return self._runtime is not None

    @property
    def runtime(self) -> Runtime:
        """Raises: AppError when the app isn't running."""
        if self._runtime is None:
            raise AppError(
                f"app '{self.id}' isn't running; start it with 'streamflow worker', or send from a script inside "
                "'async with sf.connect(app):'"
            )
        return self._runtime

    @runtime.setter
    def runtime(self, runtime: Runtime | None) -> None:
        self._runtime = runtime

    async def send(self, topic: Topic | str, value: Any = None, **options: Any) -> None:
        """`topic.send`, for a declared topic or its name. Raises: ConfigError for a name not declared."""
        if isinstance(topic, str):
            found = self._topics.get(topic)
            if found is None:
                raise ConfigError(f"topic '{topic}' isn't declared; this app has: {', '.join(sorted(self._topics))}")
            topic = found
        await topic.send(value, **options)

    def send_to(self, stream: Stream, target: Topic | Sink) -> None:
        """`stream.to`: hangs a topic or a sink below the stream."""
        if isinstance(target, Topic):
            name = self.topology.name(f"{stream._name}-to-{target.name}")
            stream._then(TopicNode(name=name, parents=list(stream._nodes), topic=target.decl), stream.type)
            return
        outbox = self._outbox(target, stream.type)
        name = self.topology.name(f"{stream._name}-to-{target.name}")
        stream._then(SinkNode(name=name, parents=list(stream._nodes), sink=target, outbox=outbox), stream.type)

    def _outbox(self, sink: Sink, value_type: Any) -> TopicDecl:
        known = self._outboxes.get(sink.name)
        if known is None:
            decl = TopicDecl(
                name=f"{self.id}-{sink.name}-outbox",
                key=key_codec("any"),
                value=value_codec("msgpack", value_type),
                value_type=value_type,
                internal=True,
            )
            self._outboxes[sink.name] = (sink, decl)
            return decl
        if known[0] is not sink:
            raise ConfigError(f"two sinks are named '{sink.name}'; give one of them a name=…")
        if known[1].value_type != value_type:
            raise ConfigError(
                f"sink '{sink.name}' is given {value_type} by one stream and {known[1].value_type} by another; a sink "
                "takes one type: map the streams to it, or use two sinks"
            )
        return known[1]

    @property
    def sinks(self) -> list[tuple[Sink, TopicDecl]]:
        """Every sink with the topic that feeds it."""
        return list(self._outboxes.values())

    # Planning

    async def plan(self) -> Plan:
        """The graph, cut into pieces. Starts each agent's body up to its loop; idempotent.

        Raises: AppError for a graph that can't run.
        """
        if self._plan is None:
            for agent in self.agents:
                await self._plan_agent(agent)
            self.topology.planned = True
            pieces = self.topology.pieces()
            policies = {p.name: self._policy_of(p) for p in pieces}
            topics = {t.name: t for t in self.topology.topics()}
            for policy in policies.values():
                last = final(policy)
                if isinstance(last, Skip):
                    letters = self.dead_letters(last)
                    topics.setdefault(letters.name, letters)
            for topic in self._topics.values():
                topics.setdefault(topic.name, topic.decl)
            self._plan = Plan(pieces, policies, list(topics.values()))
        return self._plan

    async def _plan_agent(self, agent: Agent) -> None:
        planned = await probe(agent)
        agent.reading = planned.reading
        node = AgentNode(
            name=self.topology.name(f"{agent.name}-agent"), parents=list(planned.stream._nodes), agent=agent
        )
        agent.node = node
        if agent.sinks and not agent.yields:
            raise AppError(f"agent '{agent.name}' has a sink but never yields; add a yield or drop sink=")
        out_type = agent.out_type
        if out_type is Any:
            out_type = next((t.decl.value_type for t in agent.sinks if isinstance(t, Topic)), Any)
        out = planned.stream._then(node, out_type)
        out._name = agent.name
        self.policies[node] = agent.policy
        for target in agent.sinks:
            self.send_to(out, target)

    def _policy_of(self, piece: Piece) -> Policy:
        """An agent's policy is its piece's; else the first that isn't the default."""
        for node in piece.nodes:
            if isinstance(node, AgentNode):
                return self.policies[node]
        chosen = (self.policies[n] for n in piece.nodes if n in self.policies)
        return next((p for p in chosen if isinstance(p, Skip | Retry)), Stop())

    def dead_letters(self, policy: Skip) -> TopicDecl:
        """The topic a skip policy writes to: keys and values as they were read."""
        raw = value_codec("raw", bytes)
        return TopicDecl(name=policy.dead_letter or f"{self.id}-dead-letters", key=raw, value=raw, value_type=bytes)


def _label(fn: Any) -> str:
    return str(getattr(fn, "__name__", "function"))


def _check_kept(table: str, value_type: Any, default: Callable[[], Any] | None) -> None:
    codec = table_codec(value_type)
    if default is not None:
        try:
            codec.encode(default())
        except EncodeError as error:
            raise ConfigError(f"table '{table}' can't keep what its default makes: {error}") from error


def _type_of_default(default: Callable[[], Any] | None) -> Any:
    if default is None:
        return Any
    if isinstance(default, type):
        return default
    made = default()
    return Any if made is None else type(made)
