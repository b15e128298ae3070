"""Runs the app's sources: each Feed's records and its position are one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from streamflow.app import Feed, SourceFn
from streamflow.engine.task import Outlet
from streamflow.errors import AppError, ConfigError
from streamflow.event import Batch, TopicPartition
from streamflow.topology import TopicDecl
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

    Raises: AppError when it yields something else than a Feed, or a position that is too large.
    """
    group, where = source_group(app_id, source.name), TopicPartition(feeds_topic(app_id), 0)
    writer = await transport.writer(group)
    try:
        kept = (await transport.committed(group)).get(where)
        count = kept.offset if kept is not None else 0
        position: Any = msgspec.json.decode(kept.metadata) if kept is not None else None
        outputs = Outputs(writer)
        outlets: dict[str, Outlet] = {}
        async for feed in source.fn(position):
            if not isinstance(feed, Feed):
                raise AppError(
                    f"source '{source.name}' yielded {type(feed).__name__}; yield sf.Feed(records, position)"
                )
            _encode(feed, outputs, outlets, counts, now_ms())
            count += 1
            metadata = msgspec.json.encode(feed.position).decode()
            if len(metadata) > POSITION_BYTES_MAX:
                raise ConfigError(
                    f"the position of source '{source.name}' takes {len(metadata)} bytes; "
                    f"{POSITION_BYTES_MAX} is the most"
                )
            await outputs.commit({group: {where: Committed(count, metadata)}})
    finally:
        await writer.close()


def _encode(feed: Feed, outputs: Outputs, outlets: dict[str, Outlet], counts: Mapping[str, int], now_ms: int) -> None:
    by_topic: dict[str, tuple[TopicDecl, list[Any]]] = {}
    for topic, value in feed.records:
        by_topic.setdefault(topic.name, (topic.decl, []))[1].append(value)
    for name, (decl, values) in by_topic.items():
        outlet = outlets.setdefault(name, Outlet(decl, counts[name], 0))
        n = len(values)
        outputs.add(outlet.encode(Batch([None] * n, values, [now_ms] * n, range(n))))
