"""Streams: what a user chains operators on. Every call returns a new stream and leaves this one as it was.

The same class serves both forms. Declared from a topic, a chain runs as soon as the app does. Inside an agent the
same calls shape what its `async for` is handed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from streamflow.agent import Planned, Reading, reading_of_take
from streamflow.codecs import key_codec, value_codec
from streamflow.engine.policies import Policy, Stop
from streamflow.errors import AppError
from streamflow.operators.aggregate import Aggregate
from streamflow.operators.base import Operator
from streamflow.operators.fields import type_of
from streamflow.operators.join import Joined, JoinTable
from streamflow.operators.keyed import KeyedAggregate
from streamflow.operators.stateless import BranchOf, Filter, FlatMap, Map, Rekey
from streamflow.operators.window import WindowAggregate, WindowSpec, result_type
from streamflow.schedule import Duration, duration_ms
from streamflow.table import Table
from streamflow.topology import Node, OperatorNode, SourceNode, TopicDecl, TopicNode

if TYPE_CHECKING:
    from streamflow.app import App
    from streamflow.sinks.base import Sink
    from streamflow.topic import Topic


class Stream:
    """Events of one node of the graph. `type` is that of the values, `key_type` of the keys; Any where unknown."""

    def __init__(
        self,
        app: App,
        nodes: list[Node],
        value_type: Any,
        *,
        name: str,
        policy: Policy,
        agent: bool = False,
        key_type: Any = Any,
    ) -> None:
        self.app = app
        self.type = value_type
        self.key_type = key_type
        self._nodes = nodes
        self._name = name
        self._policy = policy
        self._agent = agent

    def __repr__(self) -> str:
        return f"<Stream {self._name} of {getattr(self.type, '__name__', self.type)}>"

    def in_agent(self) -> Stream:
        """The stream an agent's body is given while the app is planned."""
        return Stream(
            self.app, self._nodes, self.type, name=self._name, policy=self._policy, agent=True, key_type=self.key_type
        )

    def _then(self, node: Node, value_type: Any) -> Stream:
        self.app.topology.add(node)
        self.app.policies.setdefault(node, self._policy)
        return Stream(
            self.app,
            [node],
            value_type,
            name=self._name,
            policy=self._policy,
            agent=self._agent,
            key_type=self.key_type,
        )

    def _operator(
        self, kind: str, make: Callable[[list[Any]], Operator], value_type: Any, *, name: str | None = None
    ) -> Stream:
        wanted = self.app.topology.name(name or f"{self._name}-{kind}", explicit=name is not None)
        node = OperatorNode(name=wanted, parents=list(self._nodes), make=make, kind=kind)
        return self._then(node, value_type)

    # One event at a time

    def filter(self, predicate: Callable[[Any], object]) -> Stream:
        """Events for which the predicate is true."""
        return self._operator("filter", lambda _: Filter(predicate), self.type)

    def map(self, fn: Callable[[Any], Any], *, type: Any = None) -> Stream:
        """Each value replaced by `fn(value)`; key and event time stay.

        `type` is the new values' type; by default what `fn`'s return annotation says, else Any.
        """
        return self._operator("map", lambda _: Map(fn), _returned(fn) if type is None else type)

    def flat_map(self, fn: Callable[[Any], Any], *, type: Any = Any) -> Stream:
        """Each value replaced by any number of values; `type` is the new values' type."""
        return self._operator("flat-map", lambda _: FlatMap(fn), type)

    def branch(self, *predicates: Callable[[Any], object]) -> tuple[Stream, ...]:
        """One stream a predicate; each event goes to the first whose predicate is true, or to none."""
        return tuple(
            self._operator(f"branch-{n + 1}", lambda _, n=n: BranchOf(predicates, n), self.type)  # type: ignore[misc]
            for n in range(len(predicates))
        )

    def merge(self, *others: Stream) -> Stream:
        """The events of all these streams, in event-time order as far as they have been read."""
        types = {s.type for s in (self, *others)}
        merged = Stream(
            self.app,
            [n for s in (self, *others) for n in s._nodes],
            types.pop() if len(types) == 1 else Any,
            name=self._name,
            policy=self._policy,
            agent=self._agent,
            key_type=self.key_type if len({s.key_type for s in (self, *others)}) == 1 else Any,
        )
        return merged._operator("merge", lambda _: Map(_same), merged.type)

    # By key

    def group_by(self, key: Callable[[Any], Any] | str, *, name: str | None = None) -> Stream:
        """The same events, keyed anew and sent through a topic so that equal keys meet in one task.

        `key` is a function of the value or a field's name. `name` names the topic (`APP-NAME-repartition`), which
        otherwise follows from the stream's name.

        Raises: AppError when the values' type isn't known: they have to be read back from the topic.
        """
        key_fn = key if callable(key) else field_reader(key)
        topic_name = self.app.topology.name(name or f"{self._name}-by-key", explicit=name is not None)
        decl = TopicDecl(
            name=f"{self.app.id}-{topic_name}-repartition",
            key=key_codec("any"),
            value=value_codec("msgpack", self.type, strict=True),
            value_type=self.type,
            internal=True,
            marks=True,
        )
        rekeyed = self._operator("rekey", lambda _: Rekey(key_fn), self.type)
        outlet = TopicNode(name=topic_name, parents=rekeyed._nodes, topic=decl)
        rekeyed._then(outlet, self.type)
        source = SourceNode(name=decl.name, topic=decl, upstream=outlet)
        stream = self._then(source, self.type)
        stream._name = topic_name
        stream.key_type = _or_none(type_of(self.type, key))
        return stream

    def window(self, spec: WindowSpec, *, grace: Duration = 0) -> Windowed:
        """Event-time windows for each key, complete once the watermark has passed their end and the grace.

        Raises: ConfigError for a negative grace.
        """
        return Windowed(self, spec, duration_ms(grace, what="grace"))

    def aggregate(self, *, name: str | None = None, **aggregates: Aggregate) -> Stream:
        """A running row for each key: `key` and one field an aggregate, emitted whenever it changed."""
        row = result_type(
            self._row_name(name), aggregates, windowed=False, value_type=self.type, key_type=self.key_type
        )

        def make(_: list[Any]) -> Operator:
            return KeyedAggregate(dict(aggregates), row, value_type=self.type)

        return self._operator("totals", make, row, name=name)

    def join(
        self,
        table: Table[Any],
        merge: Callable[[Any, Any], Any] | None = None,
        *,
        how: Literal["inner", "left"] = "inner",
        type: Any = None,
    ) -> Stream:
        """Each event with the table's value of its key, as it is when the event is read.

        The inputs of the join are read in event-time order, so a table that mirrors a topic is as of the event's
        time. `merge(value, row)` makes the new value (default `Joined(left, right)`); `how="left"` keeps events
        without a row, with None for it. `type` is the new values' type, by default what `merge` says it returns.
        """
        if merge is None:
            right = table.value_type if how == "inner" else table.value_type | None
            new_type: Any = Joined[Any, Any].__origin__[self.type, right]  # type: ignore[attr-defined]
        else:
            new_type = _returned(merge) if type is None else type
        if table.node is None:
            raise AppError(
                f"'{self._name}' joins table '{table.name}', which mirrors no topic; declare it with "
                f"app.table('{table.name}', source=TOPIC), or look it up inside an agent"
            )
        joined = self._operator("join", lambda lookups: JoinTable(lookups[0], merge, how), new_type)
        joined._nodes[0].tables.append(table.node)
        return joined

    # Out

    def to(self, target: Topic | Sink) -> None:
        """Writes every event to a topic or a sink."""
        self.app.send_to(self, target)

    def through(self, topic: Topic) -> Stream:
        """Writes every event to the topic, and goes on from there."""
        self.to(topic)
        source = SourceNode(name=f"{topic.name}-through", topic=topic.decl)
        stream = self._then(source, topic.decl.value_type)
        stream.key_type = _or_none(topic.decl.key_type)
        return stream

    # Inside an agent

    def take(self, count_max: int, within: Duration | None = None) -> Reader:
        """Lists of up to `count_max` values: handed over when full, or `within` after the first one came."""
        return Reader(self, reading_of_take(count_max, within))

    def batches(self) -> Reader:
        """Lists of values as they come from the log: no waiting, no fixed length."""
        return Reader(self, Reading("batches"))

    def events(self) -> Reader:
        """`Event`s: the value with its key, event time, headers, and where it stood."""
        return Reader(self, Reading("events"))

    def __aiter__(self) -> AsyncIterator[Any]:
        return Reader(self, Reading()).__aiter__()

    # Names

    def _row_name(self, name: str | None) -> str:
        words = (name or self._name).replace(".", "-").replace("_", "-").split("-")
        return "".join(w.capitalize() for w in words if w) + "Row"


class Reader:
    """What an agent loops over. Outside an agent there is nothing to loop over: events come to agents."""

    def __init__(self, stream: Stream, reading: Reading) -> None:
        self._stream = stream
        self._reading = reading

    def __aiter__(self) -> AsyncIterator[Any]:
        if not self._stream._agent:
            raise AppError("a stream is read inside an agent: write @app.agent(topic) and loop over its argument")
        raise Planned(self._stream, self._reading)


class Windowed:
    """A stream cut into windows, waiting for what to compute in each."""

    def __init__(self, stream: Stream, spec: WindowSpec, grace_ms: int) -> None:
        self._stream = stream
        self._spec = spec
        self._grace_ms = grace_ms

    def aggregate(
        self, *, emit: Literal["final", "updates"] = "final", name: str | None = None, **aggregates: Aggregate
    ) -> Stream:
        """One row a key and window: `key`, `start`, `end` (UTC), `final`, and one field an aggregate.

        `emit="final"` (default) emits a window once, complete; `"updates"` also whenever it changed, with `final`
        False. Records too late for every window they belong to are counted (`late` in the worker's figures).
        """
        stream, spec, grace_ms = self._stream, self._spec, self._grace_ms
        row = result_type(
            stream._row_name(name), aggregates, windowed=True, value_type=stream.type, key_type=stream.key_type
        )

        def make(_: list[Any]) -> Operator:
            return WindowAggregate(spec, grace_ms, dict(aggregates), row, emit=emit, value_type=stream.type)

        return stream._operator("windows", make, row, name=name)


def field_reader(name: str) -> Callable[[Any], Any]:
    """A function that reads a field of an object or an item of a dict."""

    def read(value: Any) -> Any:
        return value[name] if isinstance(value, Mapping) else getattr(value, name)

    return read


def _or_none(key_type: Any) -> Any:
    """Any record may come without a key."""
    return Any if key_type is Any else key_type | None


def _same(value: Any) -> Any:
    return value


def _returned(fn: Callable[..., Any]) -> Any:
    try:
        return get_type_hints(fn).get("return", Any)
    except (NameError, TypeError):
        return Any


def stream_of(app: App, decl: TopicDecl, *, name: str | None = None, policy: Policy | None = None) -> Stream:
    """A stream that reads a topic from the group's offset, or from its beginning."""
    wanted = app.topology.name(name or decl.name, explicit=name is not None)
    source = SourceNode(name=wanted, topic=decl)
    app.topology.add(source)
    key_type = _or_none(decl.key_type)
    return Stream(app, [source], decl.value_type, name=wanted, policy=policy or Stop(), key_type=key_type)
