"""Sources: a Feed's records and its position are one transaction, and a source goes on where its last one ended."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

import streamflow as sf
from streamflow.app import SourceFn
from streamflow.errors import AgentError, AppError, ConfigError
from streamflow.event import TopicPartition
from streamflow.transport import open_transport
from streamflow.transport.base import Committed, TopicSpec, Transport
from streamflow.worker.feeds import feeds_topic, run_source, source_group

app = sf.App("mill", log="memory://")
grain = app.topic("grain", value=int, key=lambda n: "odd" if n in (1, 3) else "even")
chaff = app.topic("chaff", value=str)
elsewhere = sf.App("elsewhere").topic("elsewhere", value=int)

Source = Callable[[Any], AsyncIterator[Any]]


async def opened() -> Transport:
    transport = open_transport("memory://", now_ms=lambda: 7)
    await transport.open()
    for name, partitions in (("grain", 2), ("chaff", 1), (feeds_topic(app.id), 1)):
        await transport.create_topic(TopicSpec(name=name, partitions=partitions))
    return transport


async def run(source: Source, transport: Transport) -> None:
    await run_source(SourceFn("fields", source), app.id, transport, {"grain": 2, "chaff": 1}, lambda: 7)


async def read(transport: Transport, topic: str, partitions: int = 1) -> list[tuple[bytes | None, bytes | None, int]]:
    reader = await transport.reader()
    reader.assign({TopicPartition(topic, n): 0 for n in range(partitions)})
    found = []
    while any((await reader.lag()).values()):
        for _, batch in await reader.poll(1_000, 0):
            found += list(zip(batch.keys, batch.values, batch.timestamps, strict=True))
    await reader.close()
    return found


async def committed_position(transport: Transport) -> Committed:
    return (await transport.committed(source_group(app.id, "fields")))[TopicPartition(feeds_topic(app.id), 0)]


def test_a_feeds_records_are_keyed_as_their_topics_say_and_reach_their_partitions_in_order() -> None:
    async def harvest(position: Any) -> AsyncIterator[sf.Feed]:
        yield sf.Feed([(grain, 1), (chaff, "a"), (grain, 2), (grain, 3)], position=None)

    async def main() -> None:
        transport = await opened()
        await run(harvest, transport)
        assert [v for v in await read(transport, "grain", 2) if v[0] == b"odd"] == [
            (b"odd", b"1", 7),
            (b"odd", b"3", 7),
        ]
        assert await read(transport, "chaff") == [(None, b'"a"', 7)]
        await transport.close()

    anyio.run(main)


def test_a_source_goes_on_behind_the_last_feed_that_was_committed() -> None:
    asked = []

    async def counting(position: Any) -> AsyncIterator[sf.Feed]:
        asked.append(position)
        start = position["next"] if position else 0
        for n in range(start, start + 3):
            if n == 2 and len(asked) == 1:
                raise OSError("the field is under water")
            yield sf.Feed([(chaff, str(n))], position={"next": n + 1})

    async def main() -> None:
        transport = await opened()
        with pytest.raises(AgentError, match=r"source 'fields' failed: OSError: the field is under water; .* goes on"):
            await run(counting, transport)
        await run(counting, transport)
        assert [v for _, v, _ in await read(transport, "chaff")] == [b'"0"', b'"1"', b'"2"', b'"3"', b'"4"']
        await transport.close()

    anyio.run(main)
    assert asked == [None, {"next": 2}]


def test_a_feed_that_cannot_be_written_whole_leaves_neither_records_nor_a_position() -> None:
    async def mixed(position: Any) -> AsyncIterator[sf.Feed]:
        yield sf.Feed([(chaff, "good")], position=1)
        yield sf.Feed([(chaff, "lost with the next"), (grain, "no number")], position=2)

    async def main() -> None:
        transport = await opened()
        with pytest.raises(AgentError, match=r"source 'fields' failed: .*'no number' is a str"):
            await run(mixed, transport)
        assert [v for _, v, _ in await read(transport, "chaff")] == [b'"good"']
        assert (await committed_position(transport)).metadata == "1"
        await transport.close()

    anyio.run(main)


def test_a_feed_without_records_moves_the_position_alone() -> None:
    async def nothing_new(position: Any) -> AsyncIterator[sf.Feed]:
        yield sf.Feed([], position="page 2")

    async def main() -> None:
        transport = await opened()
        await run(nothing_new, transport)
        assert (await committed_position(transport)).metadata == '"page 2"'
        await transport.close()

    anyio.run(main)


@pytest.mark.parametrize(
    ("made", "error", "says"),
    [
        ({"not": "a feed"}, AppError, r"yielded dict; yield sf\.Feed"),
        (sf.Feed([], position="x" * 5_000), ConfigError, "takes 5002 bytes; 4096 is the most"),
        (sf.Feed([], position=object()), AppError, "position of source 'fields' is a object, which JSON can't hold"),
        (sf.Feed([], position=math.nan), AppError, "position of source 'fields' would come back as None"),
        (sf.Feed([], position=(1, 2)), AppError, r"would come back as \[1, 2\]"),
        (sf.Feed([(elsewhere, 1)], position=1), AppError, "topic 'elsewhere', which app 'mill' doesn't declare"),
        (sf.Feed([grain], position=1), AppError, r"needs \(topic, value\) pairs: cannot unpack"),
        (sf.Feed([("grain", 1)], position=1), AppError, r"needs \(topic, value\) pairs, not 'grain'"),
    ],
)
def test_what_is_no_feed_is_refused_and_says_why(made: Any, error: type[Exception], says: str) -> None:
    async def source(position: Any) -> AsyncIterator[Any]:
        yield made

    async def main() -> None:
        transport = await opened()
        with pytest.raises(error, match=says):
            await run(source, transport)
        assert await transport.committed(source_group(app.id, "fields")) == {}
        await transport.close()

    anyio.run(main)


def test_a_function_that_does_not_yield_is_no_source() -> None:
    async def main() -> None:
        transport = await opened()
        with pytest.raises(AgentError, match="isn't an async generator"):
            await run_source(SourceFn("forgot", lambda _: None), app.id, transport, {}, lambda: 7)
        await transport.close()

    anyio.run(main)


def test_a_source_that_is_cancelled_in_the_middle_leaves_what_it_committed_and_is_closed() -> None:
    closed = []

    async def endless(position: Any) -> AsyncIterator[sf.Feed]:
        try:
            yield sf.Feed([(chaff, "once")], position=1)
            await anyio.sleep_forever()
        finally:
            closed.append(position)

    async def main() -> None:
        transport = await opened()
        with anyio.move_on_after(0.01):
            await run(endless, transport)
        assert [v for _, v, _ in await read(transport, "chaff")] == [b'"once"']
        await transport.close()

    anyio.run(main)
    assert closed == [None]
