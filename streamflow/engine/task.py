"""A task: one piece of the graph on one partition. PURE: facts in, orders out.

It owns its operators and its slice of every table, sees its events in order, and is the unit of assignment, commit
and recovery. Between two calls of `step` its state, its outputs and its `positions()` belong together, so a
commit taken there is a consistent cut.

A batch is pushed down the graph depth first. Agents are user code: the graph ends there with a `Deliver`, and goes
on below when the shell answers `Yielded`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from streamflow.codecs import DecodeFailed, encode_key
from streamflow.engine.events import (
    Deliver,
    Effect,
    Ended,
    Fetched,
    Marked,
    Produce,
    Refused,
    TaskEvent,
    Ticked,
    Yielded,
)
from streamflow.engine.inputs import Input, choose
from streamflow.engine.policies import Policy, Skip, final
from streamflow.errors import AgentError, EncodeError
from streamflow.event import TIMESTAMP_MS_MAX, Batch, Event, TopicPartition
from streamflow.operators.base import Change, Operator, OperatorFailed
from streamflow.operators.regroup import WATERMARK_HEADER, Mark, encode_watermark
from streamflow.partitioner import partition_for
from streamflow.state.memory import MemoryStore
from streamflow.topology import (
    AgentNode,
    Node,
    OperatorNode,
    Piece,
    SinkNode,
    SourceNode,
    TableNode,
    TopicDecl,
    TopicNode,
)

KEY_CACHE_MAX = 50_000
"""Encoded keys a task remembers for each topic it writes; forgotten all at once when full."""

_START_MS = -TIMESTAMP_MS_MAX


class Outlet:
    """Turns values into records of one topic: bytes, and a partition for each."""

    def __init__(self, topic: TopicDecl, partitions: int, home: int) -> None:
        self.topic = topic
        self.partitions = partitions
        self._home = home % partitions
        self._cache: dict[Any, tuple[bytes | None, int]] = {}

    def encode(self, batch: Batch, *, as_is: bool = False) -> Produce:
        """`as_is` leaves keys and timestamps alone; otherwise the topic reads them from the values, if it says how."""
        topic = self.topic
        keys, timestamps = batch.keys, batch.timestamps
        if topic.key_of is not None and not as_is:
            keys = [None if v is None else topic.key_of(v) for v in batch.values]
        if topic.timestamp_of is not None and not as_is:
            timestamps = [
                t if v is None else topic.timestamp_of(v) for v, t in zip(batch.values, timestamps, strict=True)
            ]
        cache = self._cache
        encoded: list[bytes | None] = []
        partitions: list[int] = []
        try:
            for key in keys:
                hit = cache.get(key)
                if hit is None:
                    hit = self._place(key)
                encoded.append(hit[0])
                partitions.append(hit[1])
        except TypeError as error:
            raise EncodeError(f"{key!r} can't be a key: {error}; use str, int, float, bytes or tuples") from error
        encode = topic.value.encode
        values = [encode(v) for v in batch.values]
        records = Batch(encoded, values, timestamps, range(len(values)), batch.headers)
        return Produce(topic, records, partitions)

    def _place(self, key: Any) -> tuple[bytes | None, int]:
        """Where a key belongs is murmur2 of its plain form, whatever form the topic keeps it in: so a
        repartition topic is co-partitioned with every topic keyed alike, by any client."""
        if len(self._cache) >= KEY_CACHE_MAX:
            self._cache.clear()
        plain = encode_key(key)
        partition = self._home if plain is None else partition_for(plain, self.partitions)
        placed = (self.topic.key.encode(key), partition)
        self._cache[key] = placed
        return placed

    def marks(self, source_partition: int, watermark_ms: int, idle: bool) -> Produce:
        """The same watermark to every partition."""
        n = self.partitions
        header = ((WATERMARK_HEADER, encode_watermark(source_partition, watermark_ms, idle)),)
        batch = Batch([None] * n, [None] * n, [0] * n, range(n), [header] * n)
        return Produce(self.topic, batch, list(range(n)))


class Task:
    """See the module. `stores` holds the tables of this partition by name; `counts` every topic's partitions."""

    def __init__(
        self,
        piece: Piece,
        partition: int,
        *,
        stores: Mapping[str, MemoryStore],
        counts: Mapping[str, int],
        upstream: Mapping[SourceNode, int],
        policy: Policy,
    ) -> None:
        self.piece = piece
        self.partition = partition
        self.events_in = 0
        self.inputs = {s: Input(s, upstream.get(s, 0)) for s in piece.sources}
        self._inputs = list(self.inputs.values())
        self._stores = stores
        self._policy = final(policy)
        self._outlets: dict[Node, Outlet] = {}
        self._operators: dict[Node, Operator] = {}
        for node in piece.nodes:
            if isinstance(node, OperatorNode):
                operator = node.make([stores[t.table].get for t in node.tables])
                operator.name = node.name
                self._operators[node] = operator
            elif isinstance(node, TopicNode):
                self._outlets[node] = Outlet(node.topic, counts[node.topic.name], partition)
            elif isinstance(node, SinkNode):
                self._outlets[node] = Outlet(node.outbox, counts[node.outbox.name], partition)
        self._watermarks: dict[Node, int] = dict.fromkeys(piece.nodes, _START_MS)
        self._marked: dict[Node, tuple[int, bool]] = {}
        self._effects: list[Effect] = []
        self._raws: deque[tuple[SourceNode, Batch]] = deque()

    def __repr__(self) -> str:
        return f"<Task {self.piece.name}/{self.partition} watermark={self.watermark_ms}>"

    # What comes next

    def take(self, count_max: int) -> Fetched | Marked | None:
        """What to step with next; None when there is nothing, or an input must be waited for."""
        chosen = choose(self._inputs)
        if chosen is None:
            return None
        source, until_ms = chosen
        taken = source.take(count_max, until_ms)
        if isinstance(taken, Mark):
            return Marked(source.source, taken)
        return Fetched(source.source, taken)

    def deadline_ms(self) -> int | None:
        """When, in processing time, `Ticked` is wanted next."""
        deadlines = [d for i in self._inputs if (d := i.deadline_ms()) is not None]
        deadlines += [d for o in self._operators.values() if (d := o.deadline_ms()) is not None]
        return min(deadlines, default=None)

    # Facts in, orders out

    def step(self, event: TaskEvent, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        self._effects = effects
        if isinstance(event, Fetched):
            self._fetched(event, now_ms)
        elif isinstance(event, Marked):
            self.inputs[event.source].mark(event.mark)
        elif isinstance(event, Yielded):
            self._push(event.agent, event.batch)
        elif isinstance(event, Ticked):
            self._ticked(event)
        else:
            assert isinstance(event, Ended)
            for source in self._inputs:
                source.end()
        if not isinstance(event, Yielded):
            self._advance()
        return effects

    def _fetched(self, event: Fetched, now_ms: int) -> None:
        source, raw = event.source, event.batch
        self._raws.append((source, raw))
        batch = self._decode(source.topic, raw)
        self.events_in += len(batch)
        batch.watermarks = self.inputs[source].column(batch.timestamps, now_ms)
        if len(batch):
            self._push(source, batch)

    def _ticked(self, event: Ticked) -> None:
        for source in self._inputs:
            source.drained = source.source in event.drained
            source.tick(event.now_ms)
        for node, operator in self._operators.items():
            due = operator.deadline_ms()
            if due is not None and due <= event.now_ms:
                self._push(node, operator.on_timer(event.now_ms))

    def _decode(self, topic: TopicDecl, raw: Batch) -> Batch:
        """Values of the declared type. A record that isn't one is refused, the others go on."""
        while True:
            try:
                values = topic.value.decode_many(raw.values)
                break
            except DecodeFailed as failure:
                raw = self._refuse(raw, failure.index, failure)
        while True:
            try:
                keys = topic.key.decode_many(raw.keys)
                break
            except DecodeFailed as failure:
                raw = self._refuse(raw, failure.index, failure)
                del values[failure.index]
        timestamp_of = topic.timestamp_of
        while timestamp_of is not None:
            timestamps: list[int] = []
            try:  # a list extended by a generator keeps what came before the failure: its length is the failing index
                timestamps.extend(
                    t if v is None else timestamp_of(v) for v, t in zip(values, raw.timestamps, strict=True)
                )
                return Batch(keys, values, timestamps, raw.offsets, raw.headers)
            except Exception as error:
                at = len(timestamps)
                raw = self._refuse(raw, at, error)
                del values[at], keys[at]
        return Batch(keys, values, raw.timestamps, raw.offsets, raw.headers)

    def _refuse(self, batch: Batch, index: int, failure: Exception) -> Batch:
        """Lets the policy decide on one event; the batch without it, if it doesn't stop.

        Raises: AgentError when the policy is to stop.
        """
        cause = failure.__cause__ if isinstance(failure, OperatorFailed | DecodeFailed) else failure
        error = cause if isinstance(cause, Exception) else failure
        offset = batch.offsets[index]
        event = self.original(offset)
        where = f"{event.topic}-{event.partition} offset {offset}"
        if offset < 0:  # a window's row, which no record is: what can be told of it is how it looks
            event = event._replace(value=repr(batch.values[index]).encode(), timestamp=batch.timestamps[index])
            where = f"a window's row of key {batch.keys[index]!r} on partition {event.partition}"
        if not isinstance(self._policy, Skip):
            raise AgentError(
                f"'{self.piece.name}' stopped at {where}: {type(error).__name__}: {error}; mend the app or the record "
                "and start again, or pass on_error=sf.skip() to set such records aside"
            ) from error
        self._effects.append(Refused(event, error))
        return batch.select([n != index for n in range(len(batch))])

    def original(self, offset: int) -> Event:
        """The record an event came from, as it was read: the bytes, and where it stood."""
        for source, raw in tuple(self._raws)[::-1]:  # a copy: who watches asks from another thread
            at = bisect_left(raw.offsets, offset)
            if at < len(raw) and raw.offsets[at] == offset:
                headers = raw.headers[at] if raw.headers is not None else ()
                where = (source.topic.name, self.partition, headers)
                return Event(raw.keys[at], raw.values[at], raw.timestamps[at], offset, *where)
        return Event(None, None, 0, offset, self._inputs[0].source.topic.name, self.partition)

    def release(self, before: int | None) -> None:
        """Records as read may be forgotten: all of them, or those below the offset an agent still waits with."""
        while self._raws and (before is None or self._raws[0][1].offsets[-1] < before):
            self._raws.popleft()

    # Down the graph

    def _push(self, node: Node, batch: Batch | None) -> None:
        if batch is None or not len(batch):
            return
        for child in node.children:
            if isinstance(child, OperatorNode):
                self._push(child, self._operate(child, batch, child.parents.index(node)))
            elif isinstance(child, TableNode):
                self._mirror(child, batch)
            elif isinstance(child, AgentNode):
                self._effects.append(Deliver(child, batch))
            else:
                self._write(self._outlets[child], batch)

    def _write(self, outlet: Outlet, batch: Batch) -> None:
        try:
            produce = outlet.encode(batch)
        except Exception:
            batch = self._without_refused(outlet, batch)
            if not len(batch):
                return
            produce = outlet.encode(batch)
        self._effects.append(produce)

    def _without_refused(self, outlet: Outlet, batch: Batch) -> Batch:
        """The batch without what the outlet can't write, each of which is the policy's to decide on."""
        at = 0
        while at < len(batch):
            try:
                outlet.encode(batch.slice(at, at + 1))
                at += 1
            except Exception as error:
                batch = self._refuse(batch, at, error)
        return batch

    def check(self, agent: AgentNode, batch: Batch) -> None:
        """Raises what keeps the agent's values from being written, and writes nothing."""
        for child in agent.children:
            self._outlets[child].encode(batch)

    def _operate(self, node: OperatorNode, batch: Batch, side: int) -> Batch | None:
        operator = self._operators[node]
        while True:
            try:
                return operator.on_batch(batch, side)
            except OperatorFailed as failure:
                batch = self._refuse(batch, failure.index, failure)
            except Exception as error:
                raise AgentError(f"'{node.name}' of '{self.piece.name}' failed: {error!r}") from error

    def _mirror(self, node: TableNode, batch: Batch) -> None:
        store = self._stores[node.table]
        for key, value in zip(batch.keys, batch.values, strict=True):
            if value is None:
                store.delete(key)
            else:
                store.set(key, value)

    def _advance(self) -> None:
        """Carries the sources' watermarks down, closing what they close on the way."""
        reached = self._watermarks
        for node in self.piece.nodes:
            if isinstance(node, SourceNode):
                reached[node] = self.inputs[node].watermark_ms
                continue
            if not node.parents:
                continue
            watermark = min(reached[p] for p in self._awake(node.parents))
            operator = self._operators.get(node)
            if operator is None:
                reached[node] = max(reached[node], watermark)
                continue
            delay = operator.watermark_delay_ms
            out = watermark if watermark >= TIMESTAMP_MS_MAX else watermark - delay
            if out > reached[node]:
                reached[node] = out
                self._push(node, operator.on_watermark(watermark))

    def _awake(self, parents: list[Node]) -> list[Node]:
        """The parents that time waits for: an idle source holds nothing back while another isn't."""
        awake = [p for p in parents if not (isinstance(p, SourceNode) and self.inputs[p].idle)]
        return awake or parents

    # What a commit takes

    def marks(self) -> list[Effect]:
        """In-band watermarks for the tasks behind repartition topics, where they moved since the last call."""
        idle = all(i.idle for i in self._inputs)
        effects: list[Effect] = []
        for node, outlet in self._outlets.items():
            now = (self._watermarks[node], idle)
            if outlet.topic.marks and now != self._marked.get(node) and (idle or now[0] > _START_MS):
                self._marked[node] = now
                effects.append(outlet.marks(self.partition, *now))
        return effects

    def changes(self) -> list[tuple[str, list[Change]]]:
        """State that changed since the last call, by operator."""
        found = [(o.name, o.snapshot()) for o in self._operators.values()]
        return [(name, changes) for name, changes in found if changes]

    def positions(self) -> dict[TopicPartition, tuple[int, str]]:
        """The next offset of every input, with what to remember beside it."""
        return {
            TopicPartition(s.topic.name, self.partition): (i.position, i.progress()) for s, i in self.inputs.items()
        }

    def restore(self, name: str, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """The state of one operator, before the first step."""
        for operator in self._operators.values():
            if operator.name == name:
                operator.restore(changes)

    def resume(self) -> list[Effect]:
        """Once all is restored: takes event time up where it had come to."""
        effects: list[Effect] = []
        self._effects = effects
        self._advance()
        return effects

    @property
    def watermark_ms(self) -> int:
        """How far event time has come on the slowest input."""
        awake = [i.watermark_ms for i in self._inputs if not i.idle and not i.is_table]
        return min(awake or [i.watermark_ms for i in self._inputs])

    @property
    def late_records(self) -> int:
        return sum(getattr(o, "late_records", 0) for o in self._operators.values())

    @property
    def stateful(self) -> list[str]:
        """Operators that keep state, by name."""
        return [o.name for o in self._operators.values() if type(o).snapshot is not Operator.snapshot]
