"""Brings fetched records to the tasks of a piece, and knows which inputs are read to their end."""

from __future__ import annotations

import math

from streamflow.event import TopicPartition
from streamflow.topology import Piece, SourceNode
from streamflow.transport.base import Reader
from streamflow.worker.runner import Runner

POLL_RECORDS = 10_000
BUFFERED_MAX = 20_000
"""Records a task may have waiting before its partitions are left out of the next fetch."""


class Poller:
    """One piece's reader. `run` never ends by itself."""

    def __init__(self, piece: Piece, reader: Reader, runners: dict[int, Runner]) -> None:
        self._reader = reader
        self._runners = runners
        self._sources = {
            TopicPartition(s.topic.name, p): (s, runners[p]) for s in piece.sources for p in range(piece.partitions)
        }
        self.lag = math.inf

    def assign(self) -> None:
        """Starts every input where its task stands."""
        self._reader.assign({tp: r.task.inputs[s].position for tp, (s, r) in self._sources.items()})

    async def run(self) -> None:
        paused: set[TopicPartition] = set()
        await self.measure()
        while True:
            full = {tp for tp, (s, r) in self._sources.items() if r.task.inputs[s].buffered >= BUFFERED_MAX}
            self._reader.pause(full - paused)
            self._reader.resume(paused - full)
            paused = full
            # A full task is looked at again soon; otherwise the log says when there is something.
            fetched = await self._reader.poll(POLL_RECORDS, 0.02 if full else 3600.0)
            # Measured before what was fetched is handed on: "at its end" must never be older than a record.
            await self.measure()
            for tp, batch in fetched:
                source, runner = self._sources[tp]
                runner.task.inputs[source].add(batch, self._reader.position(tp))
                runner.wake()

    async def measure(self) -> None:
        """Tells the tasks which inputs are at their end; `lag` counts what hasn't been fetched."""
        lags = await self._reader.lag()
        if not lags:
            self.lag = math.inf  # The worker has stopped, and closed it.
            return
        self.lag = sum(lags.values())
        for tp, (source, runner) in self._sources.items():
            self._tell(source, runner, not lags[tp])

    def _tell(self, source: SourceNode, runner: Runner, drained: bool) -> None:
        known = source in runner.drained
        if drained == known:
            return
        if drained:
            runner.drained.add(source)
        else:
            runner.drained.discard(source)
        runner.task.inputs[source].drained = drained
        runner.wake()

    @property
    def positions(self) -> dict[TopicPartition, int]:
        return {tp: self._reader.position(tp) for tp in self._sources}

    async def close(self) -> None:
        await self._reader.close()
