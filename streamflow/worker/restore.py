"""Brings a task's state back: reads a changelog partition from its start to its end, the latest value of each key."""

from __future__ import annotations

import anyio

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.transport.base import EARLIEST, LATEST, Transport

SILENCE_SECONDS = 30.0
"""A changelog that gives nothing for this long though it isn't at its end can't be restored from."""


async def read_changelog(transport: Transport, where: TopicPartition) -> dict[bytes, bytes]:
    """The live keys of a changelog partition.

    Raises: StreamflowError when the log stops answering before the end.
    """
    start = (await transport.offsets_for_times({where: EARLIEST}))[where]
    end = (await transport.offsets_for_times({where: LATEST}))[where]
    state: dict[bytes, bytes] = {}
    reader = await transport.reader()
    reader.assign({where: start})
    heard = anyio.current_time()
    try:
        while reader.position(where) < end and (await reader.lag())[where]:
            for _, batch in await reader.poll(10_000, SILENCE_SECONDS):
                heard = anyio.current_time()
                for key, value in zip(batch.keys, batch.values, strict=True):
                    if value is None:
                        state.pop(key, None)
                    else:
                        state.pop(key, None)
                        state[key] = value
            if anyio.current_time() - heard >= SILENCE_SECONDS:
                raise StreamflowError(
                    f"restoring from {where} stopped at offset {reader.position(where)} of {end}: the log gave nothing "
                    f"for {SILENCE_SECONDS:.0f} s; check that its broker runs, then start the worker again"
                )
    finally:
        await reader.close()
    return state
