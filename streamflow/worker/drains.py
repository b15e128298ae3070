"""Feeds a sink from its outbox: committed rows only, in order, and nothing twice.

The sink is called in a thread, one call at a time. Rows it has stored are deleted from the outbox.

A sink that keeps its offsets is believed before the group is. One that is ahead of its outbox was filled from another
log: it would take new rows for old ones and drop them, so it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog

from streamflow.codecs import DecodeFailed
from streamflow.errors import ConfigError, SinkError, StreamflowError
from streamflow.event import Batch, TopicPartition
from streamflow.sinks.base import Sink, SinkBatch
from streamflow.topology import TopicDecl
from streamflow.transport.base import EARLIEST, LATEST, Committed, Reader, Transport
from streamflow.worker.stall import Held, Place

log = structlog.get_logger("streamflow.worker")

T = TypeVar("T")

ROWS_MAX = 20_000
ATTEMPTS = 5
"""Writes of the same rows before the worker stops; the pauses between them double from `BACKOFF_SECONDS`."""
BACKOFF_SECONDS = 0.2
STALLED_SECONDS = 10.0
"""A call of the sink's that takes longer is told of."""


class Drain:
    """One sink and its reader."""

    def __init__(self, sink: Sink, outbox: TopicDecl, partitions: int, group: str, transport: Transport) -> None:
        self.sink = sink
        self.rows = 0
        self._outbox = outbox
        self._group = group
        self._transport = transport
        self._partitions = [TopicPartition(outbox.name, p) for p in range(partitions)]
        self._reader: Reader | None = None
        self._writing = False
        self._calls = 0
        self._at: Place | None = None

    async def open(self) -> None:
        """Connects the sink and goes where it stopped.

        Raises: SinkError when the sink has rows that this outbox never had.
        """
        await self._call(lambda: self.sink.open(self._outbox.value_type))
        known = await self._call(lambda: dict(self.sink.offsets()))
        committed = await self._transport.committed(self._group)
        starts = await self._transport.offsets_for_times(dict.fromkeys(self._partitions, EARLIEST))
        ends = await self._transport.offsets_for_times(dict.fromkeys(self._partitions, LATEST))
        known = {tp: offset for tp, offset in known.items() if tp.topic == self._outbox.name}
        self._refuse_another_log(known, ends)
        if committed and not known:
            log.info("sink keeps no offsets; rows it was given before aren't written again", sink=self.sink.name)
        for tp in self._partitions:
            kept = known.get(tp, committed[tp].offset if tp in committed else None)
            if kept is not None:
                self._tell_lost(tp, kept, starts[tp])
                starts[tp] = max(starts[tp], kept)
        self._reader = await self._transport.reader()
        self._reader.assign(starts)

    def _refuse_another_log(self, known: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
        for tp, kept in sorted(known.items()):
            if kept > ends.get(tp, 0):
                raise SinkError(
                    f"sink '{self.sink.name}' has the rows of {tp} up to offset {kept}, but in {self._transport.url} "
                    f"it ends at {ends.get(tp, 0)}: the sink was filled from another log, or this one was deleted or "
                    "lost its end, and new rows would be taken for old ones. Either bring that log back, or move away "
                    "what the sink holds, rows and offsets, so that it begins anew"
                )

    def _tell_lost(self, tp: TopicPartition, kept: int, start: int) -> None:
        """Nothing brings them back, so the others aren't held up."""
        if kept < start:
            log.warning(
                "rows were deleted from the outbox before this sink had them",
                sink=self.sink.name,
                partition=str(tp),
                first_lost=kept,
                next=start,
            )

    async def run(self) -> None:
        assert self._reader is not None, "a drain is opened before it runs"
        while True:
            fetched = await self._reader.poll(ROWS_MAX, 3600.0)
            if not fetched:
                continue
            self._writing = True
            batches = []
            for tp, raw in fetched:
                batches.append(SinkBatch(tp, self._decode(tp, raw), self._reader.position(tp)))
            await self._write(batches)
            done = {b.partition: b.next_offset for b in batches}
            await self._transport.commit_offsets(self._group, {tp: Committed(o) for tp, o in done.items()})
            await self._transport.delete_records(done)
            self.rows += sum(len(b.batch) for b in batches)
            self._writing = False

    def _decode(self, tp: TopicPartition, raw: Batch) -> Batch:
        try:
            batch = raw.with_values(self._outbox.value.decode_many(raw.values))
            batch.keys = self._outbox.key.decode_many(raw.keys)
        except DecodeFailed as failure:
            raise SinkError(
                f"sink '{self.sink.name}' can't be given the row at {tp} offset {raw.offsets[failure.index]}, which "
                f"was written before the rows' type was changed: {failure.__cause__}; run the app with the old type "
                "until its sinks are done, or give new fields defaults"
            ) from failure.__cause__
        return batch

    async def _write(self, batches: list[SinkBatch]) -> None:
        first = batches[0]
        offset = first.batch.offsets[0] if len(first.batch) else first.next_offset
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._call(lambda: self.sink.write(batches), first.partition.partition, offset)
                return
            except ConfigError:
                raise
            except Exception as error:
                if attempt == ATTEMPTS:
                    raise StreamflowError(
                        f"sink '{self.sink.name}' refused {sum(len(b.batch) for b in batches)} rows {ATTEMPTS} times: "
                        f"{error}; they stay in '{self._outbox.name}' and are written at the next start"
                    ) from error
                log.warning("sink failed, will retry", sink=self.sink.name, attempt=attempt, error=str(error))
                await anyio.sleep(BACKOFF_SECONDS * 2 ** (attempt - 1))
                await self._call(self._reopen)

    def _reopen(self) -> None:
        """A sink that lost its file or its connection is told to find it again."""
        self.sink.close()
        self.sink.open(self._outbox.value_type)

    async def _call(self, fn: Callable[[], T], partition: int = 0, offset: int | None = None) -> T:
        self._calls += 1
        self._at = Place(f"sink '{self.sink.name}'", self._outbox.name, partition, offset)
        try:
            # A thread isn't cancelled: a write that has begun is finished before this returns.
            return await anyio.to_thread.run_sync(fn)
        finally:
            self._at = None

    def held(self) -> list[Held]:
        """The call that the sink hasn't returned from, for who watches from another thread."""
        at = self._at
        return [] if at is None else [Held(("sink", self.sink.name), self._calls, STALLED_SECONDS, lambda: at)]

    async def quiet(self) -> bool:
        """Every committed row is written."""
        return self._reader is not None and not self._writing and not any((await self._reader.lag()).values())

    async def close(self) -> None:
        if self._reader is not None:
            await self._reader.close()
        await self._call(self.sink.close)
