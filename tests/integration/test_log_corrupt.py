"""Bytes of log://PATH that rot: told, never skipped in silence, never cut; and read over once that is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamflow.errors import StreamflowError
from streamflow.event import Batch, TopicPartition
from streamflow.log.errors import CorruptBatchError, UnsupportedFormatError
from streamflow.transport.base import Committed, TopicSpec
from streamflow.transport.embedded import EmbeddedTransport

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

T0 = TopicPartition("t", 0)
OFFSETS = TopicPartition("__consumer_offsets", 0)


def transport(path: Path) -> EmbeddedTransport:
    return EmbeddedTransport(f"log://{path}/log", now_ms=lambda: 1_700_000_000_000)


async def written(path: Path) -> None:
    log = transport(path)
    await log.open()
    await log.create_topic(TopicSpec(name="t"))
    writer = await log.writer()
    for n in range(10):
        await writer.append(T0, Batch([None], [b"value-%d" % n], [n], range(1)))
        await log.commit_offsets("g", {T0: Committed(n, f"note-{n}")})
    await log.close()


def rot(path: Path, topic: str, found: bytes) -> None:
    [file] = (path / "log" / "topics").glob(f"{topic}.*/0/*.log")
    data = bytearray(file.read_bytes())
    data[data.index(found)] ^= 1
    file.write_bytes(data)


async def values(log: EmbeddedTransport) -> list[bytes]:
    reader = await log.reader()
    reader.assign({T0: 0})
    found: list[bytes] = []
    while (await reader.lag())[T0]:
        for _, batch in await reader.poll(100, 1):
            found += batch.values
    return found


async def test_what_lies_before_rot_is_read_and_then_the_reader_is_told(tmp_path: Path) -> None:
    await written(tmp_path)
    rot(tmp_path, "t", b"value-4")
    log = transport(tmp_path)
    await log.open()
    reader = await log.reader()
    reader.assign({T0: 0})
    [(_, batch)] = await reader.poll(100, 1)
    assert batch.values == [b"value-%d" % n for n in range(4)]
    for _ in range(2):
        with pytest.raises(CorruptBatchError, match=r"offsets 4 to 4 of t-0 .* accept-loss t --partition 0"):
            await reader.poll(100, 1)
    reader.assign({T0: 5})
    [(_, batch)] = await reader.poll(100, 1)
    assert len(batch) == 5
    await log.close()


async def test_an_accepted_loss_is_read_over_also_when_opened_again(tmp_path: Path) -> None:
    await written(tmp_path)
    rot(tmp_path, "t", b"value-4")
    log = transport(tmp_path)
    await log.open()
    with pytest.raises(CorruptBatchError):
        await values(log)
    assert await log.accept_loss(T0) == [(4, 5)]
    for _ in range(2):
        assert await values(log) == [b"value-%d" % n for n in range(10) if n != 4]
        await log.close()
        await log.open()
    await log.close()


async def test_rot_at_the_end_accepted_leaves_the_reader_at_the_end(tmp_path: Path) -> None:
    await written(tmp_path)
    rot(tmp_path, "t", b"value-9")
    log = transport(tmp_path)
    assert await log.accept_loss(T0) == []
    await log.open()
    with pytest.raises(CorruptBatchError, match="offsets 9 to 9"):
        await values(log)
    await log.accept_loss(T0)
    assert await values(log) == [b"value-%d" % n for n in range(9)]
    await log.close()


async def test_rot_in_the_logs_own_topics_stops_it_from_opening_until_it_is_accepted(tmp_path: Path) -> None:
    await written(tmp_path)
    rot(tmp_path, "__consumer_offsets", b"note-9")
    log = transport(tmp_path)
    for _ in range(2):
        with pytest.raises(CorruptBatchError, match="accept-loss __consumer_offsets --partition 0"):
            await log.open()
    assert len(await log.accept_loss(OFFSETS)) == 1
    await log.open()
    assert await log.committed("g") == {T0: Committed(8, "note-8")}
    await log.close()


async def test_a_directory_of_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    await written(tmp_path)
    about = tmp_path / "log" / "streamflow.json"
    about.write_text('{"format": 99, "written_by": "streamflow 9.0"}')
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "log").rglob("*.log")}
    with pytest.raises(UnsupportedFormatError, match=r"format 99 .* upgrade"):
        await transport(tmp_path).open()
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "log").rglob("*.log")} == before


async def test_a_log_in_a_place_that_cannot_be_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with pytest.raises(StreamflowError, match="choose a directory"):
        await transport(tmp_path).open()
