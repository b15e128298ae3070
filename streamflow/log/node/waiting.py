"""Waiting for partitions to move: costs nothing while nothing moves, and ends with whoever waits."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from streamflow.log.node.replica import Replica


async def wait_for_news(replicas: Sequence[Replica], timeout_seconds: float, *, uncommitted: bool = False) -> None:
    """Until one of them may have more to read, or is deleted, or the time is up.

    Args:
        uncommitted: what isn't committed is read too.
    """
    moved = anyio.Event()
    for replica in replicas:
        replica.listeners.add(moved.set)
        if uncommitted:
            replica.grown.add(moved.set)
    try:
        with anyio.move_on_after(timeout_seconds):
            await moved.wait()
    finally:
        for replica in replicas:
            replica.listeners.discard(moved.set)
            if uncommitted:
                replica.grown.discard(moved.set)
