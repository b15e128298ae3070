"""Builds the tasks of a plan: topics created, stores and operators restored, inputs where they stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from streamflow.app import App, Plan
from streamflow.codecs import Codec, key_codec, table_codec, value_codec
from streamflow.engine.task import Task
from streamflow.errors import AppError, DecodeError, EncodeError
from streamflow.event import Batch, TopicPartition
from streamflow.log.errors import TopicExistsError
from streamflow.operators.base import Change
from streamflow.state.memory import MISSING, MemoryStore
from streamflow.topology import Piece, SourceNode, TopicDecl, assign_partitions
from streamflow.transport.base import TopicSpec, Transport
from streamflow.worker.feeds import feeds_topic
from streamflow.worker.restore import read_changelog

RAW = value_codec("raw", bytes)
KEEP = {"retention.ms": "-1", "retention.bytes": "-1"}
"""Internal topics are emptied by who reads them, never by age."""


class Stores(dict[str, MemoryStore]):
    """The tables of one partition by name, made when first used."""

    def __missing__(self, name: str) -> MemoryStore:
        self[name] = store = MemoryStore(name)
        return store


@dataclass(slots=True)
class Assembly:
    """The tasks of this worker with all they need. `counts` is every topic's number of partitions."""

    plan: Plan
    counts: dict[str, int]
    tasks: list[Task] = field(default_factory=list)
    stores: dict[int, Stores] = field(default_factory=dict)
    table_codecs: dict[str, tuple[Codec, Codec]] = field(default_factory=dict)

    def of(self, piece: Piece) -> Iterator[Task]:
        return (t for t in self.tasks if t.piece is piece)


def group_name(app: App, piece: Piece) -> str:
    return f"{app.id}.{piece.name}"


def changelog(app: App, name: str) -> TopicDecl:
    """The topic that holds the state of a table or an operator."""
    return TopicDecl(name=f"{app.id}-{name}-changelog", key=RAW, value=RAW, value_type=bytes, internal=True)


async def create_topics(app: App, plan: Plan, transport: Transport) -> dict[str, int]:
    """Every topic the plan needs, created where it doesn't exist.

    Raises: AppError where an existing topic contradicts the app.
    """
    existing = {name: info.partitions for name, info in (await transport.topics()).items()}
    counts = assign_partitions(plan.pieces, existing, app.partitions)
    for topic in plan.topics:
        if topic.name not in counts:
            counts[topic.name] = existing.get(topic.name) or topic.partitions or app.partitions
    for topic in plan.topics:
        config = {**KEEP, **topic.config} if topic.internal else dict(topic.config)
        await _ensure(transport, existing, topic.name, counts[topic.name], config)
    for table in app.tables:
        name = changelog(app, table).name
        counts[name] = existing.get(name) or max((p.partitions for p in plan.pieces), default=1)
        await _ensure(transport, existing, name, counts[name], {**KEEP, "cleanup.policy": "compact"})
    if app.sources:
        await _ensure(transport, existing, feeds_topic(app.id), 1, KEEP)
    return counts


async def _ensure(
    transport: Transport, existing: dict[str, int], name: str, partitions: int, config: dict[str, str]
) -> None:
    have = existing.get(name)
    if have is None:
        try:
            await transport.create_topic(TopicSpec(name=name, partitions=partitions, config=config))
        except TopicExistsError:
            have = (await transport.topics())[name].partitions
    if have is not None and have != partitions:
        raise AppError(
            f"topic '{name}' has {have} partitions and needs {partitions}; the app's inputs were repartitioned"
        )
    existing[name] = partitions


async def assemble(app: App, transport: Transport) -> Assembly:
    """All tasks of the app on this worker, restored. Call it once the transactional writer is open: what a worker
    before this one left unfinished is out of the way then."""
    plan = await app.plan()
    counts = await create_topics(app, plan, transport)
    assembly = Assembly(plan, counts)
    homes = {node: piece for piece in plan.pieces for node in piece.nodes}
    for piece in plan.pieces:
        upstream = {s: homes[s.upstream].partitions for s in piece.sources if s.upstream is not None}
        for partition in range(piece.partitions):
            assembly.tasks.append(_task(assembly, piece, partition, upstream))
    await _restore_tables(app, assembly, transport)
    for piece in plan.pieces:
        await _restore_piece(app, assembly, piece, transport)
    return assembly


def _task(assembly: Assembly, piece: Piece, partition: int, upstream: dict[SourceNode, int]) -> Task:
    return Task(
        piece,
        partition,
        stores=assembly.stores.setdefault(partition, Stores()),
        counts=assembly.counts,
        upstream=upstream,
        policy=assembly.plan.policies[piece.name],
    )


async def _restore_tables(app: App, assembly: Assembly, transport: Transport) -> None:
    for name, table in app.tables.items():
        keys, values = key_codec("any"), table_codec(table.value_type)
        assembly.table_codecs[name] = (keys, values)
        topic = changelog(app, name).name
        for partition in range(assembly.counts[topic]):
            kept = await read_changelog(transport, TopicPartition(topic, partition))
            store = assembly.stores.setdefault(partition, Stores())[name]
            try:
                store.load((keys.decode(k), values.decode(v)) for k, v in kept.items())
            except DecodeError as error:
                raise AppError(
                    f"table '{name}' was kept with values of another type: {error}; give new fields defaults, or the "
                    "table another name, to begin anew"
                ) from error


async def _restore_piece(app: App, assembly: Assembly, piece: Piece, transport: Transport) -> None:
    committed = await transport.committed(group_name(app, piece))
    existing = await transport.topics()
    for task in assembly.of(piece):
        for name in task.stateful:
            topic = changelog(app, name).name
            if topic not in existing:
                spec = TopicSpec(name=topic, partitions=piece.partitions, config={**KEEP, "cleanup.policy": "compact"})
                await transport.create_topic(spec)
                existing = await transport.topics()
            if existing[topic].partitions != piece.partitions:
                raise AppError(
                    f"the state of '{name}' is kept in {existing[topic].partitions} partitions, its input has "
                    f"{piece.partitions}; rename the operator to start anew, or restore the topic's partitions"
                )
            kept = await read_changelog(transport, TopicPartition(topic, task.partition))
            try:
                task.restore(name, kept.items())
            except Exception as error:
                raise AppError(
                    f"the state of '{name}' was kept by other code and can't be read: {error}; bring that code back, "
                    "or rename the operator, to begin anew"
                ) from error
        for source, state in task.inputs.items():
            known = committed.get(TopicPartition(source.topic.name, task.partition))
            if known is not None:
                state.restore(known.offset, known.metadata)


def change_batch(changes: list[Change]) -> Batch:
    """State changes as changelog records; None deletes."""
    n = len(changes)
    return Batch([k for k, _ in changes], [v for _, v in changes], [0] * n, range(n))


def table_changes(store: MemoryStore, codecs: tuple[Codec, Codec]) -> list[Change]:
    """What changed in a table since the last call, as bytes.

    Raises: AppError for what couldn't be read back.
    """
    keys, values = codecs
    found: list[Change] = []
    for key, value in store.changes():
        try:
            encoded: Any = keys.encode(key)
            found.append((encoded, None if value is MISSING else values.encode(value)))
        except EncodeError as error:
            raise AppError(
                f"table '{store.name}' can't keep what it has for key {key!r}: {error}; declare the type with "
                f"app.table('{store.name}', value=…), or keep plain values"
            ) from error
    return found
