from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import anyio
import pytest

from streamflow.event import TopicPartition
from streamflow.log.errors import StorageFailedError
from streamflow.log.model import Identity
from streamflow.log.node.ballast import Ballast
from streamflow.log.node.flusher import Flusher, inline
from streamflow.log.node.replica import Replica
from streamflow.log.records import build_batch
from streamflow.log.replication.leader import Leader
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.partition import PartitionLog, SegmentConfig

T = TypeVar("T")

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def replica(name: str = "t") -> Replica:
    identity = Identity(name, UUID(int=1), 0)
    log = PartitionLog.open(MemoryFiles(), name, identity, SegmentConfig(), recovery_point=0, clean=True, now_ms=0)
    return Replica(
        TopicPartition(name, 0),
        name,
        log,
        Leader(leader_epoch=0, end=0, flush_before_commit=True),
        Ballast(MemoryFiles(), 0),
    )


def append(to: Replica) -> None:
    to.append(build_batch([None], [b"v"], [0]), 0)


class SlowDisk:
    """Does the work when it is let go."""

    def __init__(self) -> None:
        self.rounds = 0
        self.gate = anyio.Event()

    async def __call__(self, fn: Callable[[], T]) -> T:
        self.rounds += 1
        done = fn()
        await self.gate.wait()
        return done


async def test_a_flush_commits_what_was_appended() -> None:
    r, flusher = replica(), Flusher(inline, lambda: 0)
    append(r)
    assert r.high_watermark == 0
    await flusher.flush([r])
    assert r.high_watermark == 1
    assert not r.unflushed


async def test_whoever_asks_during_a_flush_shares_the_next() -> None:
    r, disk = replica(), SlowDisk()
    flusher = Flusher(disk, lambda: 0)

    async def produce() -> None:
        append(r)
        await flusher.flush([r])

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(produce)
        await anyio.wait_all_tasks_blocked()
        assert disk.rounds == 1
        disk.gate.set()
    assert disk.rounds <= 2
    assert r.high_watermark == 50


async def test_what_came_after_a_flush_began_is_not_committed_by_it() -> None:
    r, disk = replica(), SlowDisk()
    flusher = Flusher(disk, lambda: 0)
    append(r)
    async with anyio.create_task_group() as group:
        group.start_soon(flusher.flush, [r])
        await anyio.wait_all_tasks_blocked()
        append(r)
        disk.gate.set()
    assert r.high_watermark == 1


async def test_a_failed_fsync_fails_the_log_for_good() -> None:
    r = replica()

    async def failing(fn: Callable[[], T]) -> T:
        raise StorageFailedError("fsync failed")

    flusher = Flusher(failing, lambda: 0)
    append(r)
    with pytest.raises(StorageFailedError):
        await flusher.flush([r])
    flusher._blocking = inline
    for call in (flusher.flush([r]), flusher.alone(lambda: None)):
        with pytest.raises(StorageFailedError, match="the log has failed: fsync failed"):
            await call
    assert r.high_watermark == 0


async def test_everybody_who_waits_for_a_flush_that_fails_is_told() -> None:
    replicas, gate, told = [replica("a"), replica("b")], anyio.Event(), []

    async def failing(fn: Callable[[], T]) -> T:
        await gate.wait()
        raise StorageFailedError("fsync failed")

    flusher = Flusher(failing, lambda: 0)

    async def produce(r: Replica) -> None:
        append(r)
        with pytest.raises(StorageFailedError):
            await flusher.flush([r])
        told.append(r)

    async with anyio.create_task_group() as group:
        for r in replicas:
            group.start_soon(produce, r)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert len(told) == 2


async def test_a_cancelled_caller_leaves_the_flush_running_for_the_others() -> None:
    r, disk = replica(), SlowDisk()
    flusher = Flusher(disk, lambda: 0)
    append(r)
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as impatient:
            group.start_soon(flusher.flush, [r])
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
            impatient.cancel()
            disk.gate.set()
    append(r)
    await flusher.flush([r])
    assert r.high_watermark == 2


async def test_what_is_wanted_is_flushed_though_who_appended_has_gone() -> None:
    flusher = Flusher(inline, lambda: 0)
    one = replica()
    one.append(build_batch([None], [b"v"], [0]), 0)
    flusher.want([one])
    assert one.high_watermark == 0
    await flusher.flush_wanted()
    assert one.high_watermark == 1
    await flusher.flush_wanted()
