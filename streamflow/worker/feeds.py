"""Runs the app's sources: each Feed's records and its position are one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import msgspec

from streamflow.app import Feed, SourceFn
from streamflow.engine.events import Produce
from streamflow.engine.task import Outlet
from streamflow.errors import AgentError, AppError, ConfigError
from streamflow.event import Batch, TopicPartition
from streamflow.topic import Topic
from streamflow.transport.base import Committed, Transport
from streamflow.worker.outputs import Outputs

POSITION_BYTES_MAX = 4_096
"""Of a position as JSON; precedent: Kafka's `offset.metadata.max.bytes`."""


def feeds_topic(app_id: str) -> str:
    """The topic whose partition 0 the sources' positions are committed for."""
    return f"{app_id}-sources"


def source_group(app_id: str, source: str) -> str:
    return f"{app_id}.source.{source}"


async def run_source(
    source: SourceFn, app_id: str, transport: Transport, counts: Mapping[str, int], now_ms: Callable[[], int]
) -> None:
    """From the last committed position to the end of the source.

    Raises: AgentError when the source raises, or sends what its topic can't hold; AppError or ConfigError when it
        yields something else than a Feed, or a position that can't be kept.
    """
    group, where = source_group(app_id, source.name), TopicPartition(feeds_topic(app_id), 0)
    writer = await transport.writer(group)
    try:
        kept = (await transport.committed(group)).get(where)
        count = kept.offset if kept is not None else 0
        outputs = Outputs(writer)
        encoder = _Encoder(source.name, app_id, counts)
        async with aclosing(_feeds(source, kept)) as feeds:
            async for feed in feeds:
                metadata = encoder.position(feed)
                for produce in encoder.records(feed, now_ms()):
                    outputs.add(produce)
                count += 1
                await outputs.commit({group: {where: Committed(count, metadata)}})
    finally:
        await writer.close()


async def _feeds(source: SourceFn, kept: Committed | None) -> AsyncGenerator[Any, None]:
    """What the user's code yields, its errors told apart from ours."""
    position: Any = msgspec.json.decode(kept.metadata) if kept is not None else None
    try:
        made = source.fn(position)
        if not isinstance(made, AsyncGenerator):
            raise TypeError(
                f"it isn't an async generator; write 'async def {source.name}(position):' with a yield in it"
            )
        async with aclosing(made) as feeds:
            async for feed in feeds:
                yield feed
    except Exception as error:
        raise failed(source.name, error) from error


def failed(source: str, error: Exception) -> AgentError:
    return AgentError(
        f"source '{source}' failed: {type(error).__name__}: {error}; at the next start it goes on from its last "
        "committed position"
    )


class _Encoder:
    """Turns one source's feeds into what is written."""

    def __init__(self, source: str, app_id: str, counts: Mapping[str, int]) -> None:
        self._source = source
        self._app_id = app_id
        self._counts = counts
        self._outlets: dict[str, Outlet] = {}

    def position(self, feed: Any) -> str:
        """The feed's position as it is committed."""
        if not isinstance(feed, Feed):
            raise AppError(f"source '{self._source}' yielded {type(feed).__name__}; yield sf.Feed(records, position)")
        what = f"the position of source '{self._source}'"
        try:
            encoded = msgspec.json.encode(feed.position)
        except (TypeError, ValueError, RecursionError) as error:
            kind = type(feed.position).__name__
            raise AppError(
                f"{what} is a {kind}, which JSON can't hold: {error}; use numbers, texts, lists, dicts"
            ) from error
        if len(encoded) > POSITION_BYTES_MAX:
            raise ConfigError(f"{what} takes {len(encoded)} bytes; {POSITION_BYTES_MAX} is the most")
        back = msgspec.json.decode(encoded)
        if back != feed.position:
            raise AppError(f"{what} would come back as {back!r} after a restart, not as {feed.position!r}; yield that")
        return encoded.decode()

    def records(self, feed: Feed, now_ms: int) -> list[Produce]:
        """The feed's records by topic. All can be written, or it raises."""
        by_topic: defaultdict[Topic, list[Any]] = defaultdict(list)
        try:
            for topic, value in feed.records:
                by_topic[topic].append(value)
        except (TypeError, ValueError) as error:
            raise AppError(f"a Feed of source '{self._source}' needs (topic, value) pairs: {error}") from error
        return [self._encode(topic, values, now_ms) for topic, values in by_topic.items()]

    def _encode(self, topic: Topic, values: list[Any], now_ms: int) -> Produce:
        if not isinstance(topic, Topic):
            raise AppError(f"a Feed of source '{self._source}' needs (topic, value) pairs, not {topic!r} for a topic")
        decl = topic.decl
        if decl.name not in self._counts:
            raise AppError(
                f"source '{self._source}' sends to topic '{decl.name}', which app '{self._app_id}' doesn't declare"
            )
        outlet = self._outlets.setdefault(decl.name, Outlet(decl, self._counts[decl.name], 0))
        n = len(values)
        try:
            return outlet.encode(Batch([None] * n, values, [now_ms] * n, range(n)))
        except Exception as error:  # the topic's functions of key and timestamp are user code
            raise failed(self._source, error) from error
