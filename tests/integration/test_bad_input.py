"""What a user does wrong, or a disk: one clear error each, and nothing acknowledged is lost. Real directories."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

import streamflow as sf
from streamflow.event import TopicPartition
from streamflow.log.errors import (
    CorruptBatchError,
    DirectoryError,
    DirectoryInUseError,
    LogError,
    StorageFullError,
    UnsupportedFormatError,
)
from streamflow.worker.run import Worker


class Order(sf.Record):
    card: str
    amount: float


class Shop:
    """An app that adds up, on a log in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.app = sf.App("shop", log=f"log://{directory}", partitions=1)
        self.orders = self.app.topic("orders", value=Order, key="card")
        self.spent = self.app.table("spent", default=float)
        self.seen: dict[str, float] = {}

        @self.app.agent(self.orders)
        async def add(stream):
            async for order in stream:
                self.spent[order.card] += order.amount
            self.seen = self.spent.as_dict()

    async def send(self, *amounts: float) -> None:
        async with sf.connect(self.app):
            for amount in amounts:
                await self.orders.send(Order("a", float(amount)))

    async def run(self) -> dict[str, float]:
        await Worker(self.app, until_end=True).run()
        return self.seen


def test_a_directory_that_cannot_be_made_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(DirectoryError, match=r"file/log: Not a directory; choose a directory that this user may write"):
        anyio.run(Shop(tmp_path / "file" / "log").run)


def test_a_log_of_a_newer_format_is_left_as_it_is(tmp_path: Path) -> None:
    anyio.run(Shop(tmp_path).send, 1.0)
    about = tmp_path / "streamflow.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "format": 99}))
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*") if p.is_file() and p.name != "lock")
    with pytest.raises(UnsupportedFormatError, match=r"format 99.*upgrade"):
        anyio.run(Shop(tmp_path).run)
    assert before == sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*") if p.is_file() and p.name != "lock")


def test_a_second_process_is_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    code = (
        "import anyio, sys; from streamflow.transport import open_transport\n"
        "async def main():\n"
        f"    await open_transport('log://{tmp_path}').open(); print('open', flush=True); sys.stdin.read()\n"
        "anyio.run(main)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(DirectoryInUseError, match=rf"process {holder.pid}\b"):
            anyio.run(Shop(tmp_path).run)
        holder.kill()
    assert anyio.run(Shop(tmp_path).run) == {}


def test_a_corrupt_segment_stops_the_reader_and_keeps_every_byte(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    anyio.run(shop.send, *range(1, 11))
    (segment,) = tmp_path.glob("topics/orders*/0/*.log")
    whole = segment.read_bytes()
    at = whole.index(b'"amount":5.0')
    segment.write_bytes(whole[:at] + b'"amount":7.0' + whole[at + 12 :])
    with pytest.raises(CorruptBatchError, match=r"orders-0 can't be read: .*accept-loss orders --partition 0"):
        anyio.run(shop.run)
    assert segment.read_bytes()[: len(whole)] == whole[:at] + b'"amount":7.0' + whole[at + 12 :]

    async def accept() -> None:
        from streamflow.transport import open_transport

        transport = open_transport(shop.app.log)
        await transport.open()
        await transport.accept_loss(TopicPartition("orders", 0))
        await transport.close()

    anyio.run(accept)
    assert anyio.run(Shop(tmp_path).run) == {"a": 55 - 5}


def test_a_torn_tail_is_cut_and_everything_acknowledged_is_there(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    anyio.run(shop.send, 1, 2, 3)
    (tmp_path / "clean").unlink()
    (segment,) = tmp_path.glob("topics/orders*/0/*.log")
    with segment.open("ab") as file:
        file.write(segment.read_bytes()[64:120])
    assert anyio.run(shop.run) == {"a": 6}


def test_a_full_disk_stops_the_worker_and_nothing_acknowledged_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path)
    anyio.run(shop.send, 1, 2)
    real, room = os.pwrite, [3]

    def full(handle: int, data: bytes, at: int) -> int:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data, at)

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(StorageFullError, match="free some space"):
            anyio.run(shop.send, 3, 4, 5, 6, 7, 8)
    room[0] = 0
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(LogError):
            anyio.run(Shop(tmp_path).run)
    assert anyio.run(Shop(tmp_path).run)["a"] >= 3
