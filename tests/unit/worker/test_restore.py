"""State brought back from a changelog: the latest value of each key, all of it or an error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from streamflow.errors import StreamflowError
from streamflow.event import Batch, TopicPartition
from streamflow.testing.loop import VirtualLoop
from streamflow.transport import open_transport
from streamflow.transport.base import TopicSpec, Transport, Writer
from streamflow.worker.restore import SILENCE_SECONDS, read_changelog

WHERE = TopicPartition("changelog", 0)


@asynccontextmanager
async def changelog() -> AsyncIterator[Transport]:
    transport = open_transport("memory://", now_ms=lambda: 0)
    await transport.open()
    try:
        await transport.create_topic(TopicSpec(name=WHERE.topic))
        yield transport
    finally:
        await transport.close()


async def append(writer: Writer, *changes: tuple[bytes, bytes | None]) -> None:
    n = len(changes)
    await writer.append(WHERE, Batch([k for k, _ in changes], [v for _, v in changes], [0] * n, range(n)))


def test_the_latest_value_of_each_key_is_kept_in_the_order_in_which_it_came() -> None:
    async def main() -> None:
        async with changelog() as transport:
            writer = await transport.writer()
            await append(writer, (b"a", b"1"), (b"b", b"1"), (b"gone", b"1"))
            await append(writer, (b"a", b"2"), (b"gone", None), (b"never was", None))
            assert list((await read_changelog(transport, WHERE)).items()) == [(b"b", b"1"), (b"a", b"2")]

    anyio.run(main)


def test_a_changelog_that_was_never_written_is_empty() -> None:
    async def main() -> None:
        async with changelog() as transport:
            assert await read_changelog(transport, WHERE) == {}

    anyio.run(main)


def test_what_was_not_committed_is_not_restored_though_the_log_ends_with_it() -> None:
    async def main() -> None:
        async with changelog() as transport:
            writer = await transport.writer("app")
            await writer.begin()
            await append(writer, (b"a", b"1"))
            await writer.commit()
            await writer.begin()
            await append(writer, (b"a", b"2"), (b"b", b"2"))
            await writer.abort()
            assert await read_changelog(transport, WHERE) == {b"a": b"1"}
            await writer.begin()
            await append(writer, (b"a", b"3"))
            with anyio.fail_after(5):
                assert await read_changelog(transport, WHERE) == {b"a": b"1"}

    anyio.run(main)


def test_a_changelog_is_read_from_where_it_begins_now() -> None:
    async def main() -> None:
        async with changelog() as transport:
            await append(await transport.writer(), (b"a", b"1"), (b"b", b"1"), (b"c", b"1"))
            await transport.delete_records({WHERE: 1})
            assert await read_changelog(transport, WHERE) == {b"b": b"1", b"c": b"1"}

    anyio.run(main)


class Silent:
    """A log that has records and gives none."""

    closed = False

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        return dict.fromkeys(times, 0 if WHERE in times and times[WHERE] == -2 else 9)

    async def reader(self) -> Silent:
        return self

    def assign(self, positions: dict[TopicPartition, int]) -> None: ...

    def position(self, where: TopicPartition) -> int:
        return 0

    async def lag(self) -> dict[TopicPartition, int]:
        return {WHERE: 9}

    async def poll(self, max_records: int, timeout_s: float) -> list[tuple[TopicPartition, Batch]]:
        await anyio.sleep(timeout_s)
        return []

    async def close(self) -> None:
        self.closed = True


def test_a_log_that_stops_answering_before_the_end_is_an_error_that_says_how_far_it_came() -> None:
    silent, loop = Silent(), VirtualLoop()
    with pytest.raises(StreamflowError, match=r"stopped at offset 0 of 9: the log gave nothing for 30 s"):
        loop.drive(read_changelog(silent, WHERE), unless=lambda: False, waiting=lambda: "the log")  # type: ignore[arg-type]
    assert loop.time() == SILENCE_SECONDS
    assert silent.closed
    loop.close()
