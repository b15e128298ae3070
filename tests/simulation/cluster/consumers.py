"""Simulated consumers: who reads partitions it chose, committed records or all."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import fetch_request
from streamflow.log.records import decode, marker_commits, parse_header
from tests.simulation.checkers.operations import OK
from tests.simulation.cluster.client import TROUBLE, Client, World
from tests.simulation.cluster.history import ANYTHING, COMMITTED

BYTES_MAX = 2000
Record = tuple[int, int | None, int]
"""Offset, value, and where to go on. A value of None is of what a reader isn't given."""


class Reader(Client):
    """Reads its partitions from their beginning, on and on."""

    def __init__(self, name: str, world: World, chance: Random, *, committed: bool = True) -> None:
        super().__init__(name, world, chance)
        self._committed = committed
        self.positions = dict.fromkeys(world.partitions, 0)
        self.stable: dict[str, int] = {}
        """The last stable offsets it was told."""
        self.watermarks: dict[str, int] = {}

    async def step(self) -> None:
        await self.poll(self.chance.choice(list(self.positions)))

    async def poll(self, partition: str, wait_ms: int = 200) -> bool:
        """Asks once. Returns: whether there was an answer without an error."""
        records = await self.records(partition, wait_ms)
        if records is None:
            return False
        operation = self.world.history.begin(self.name, COMMITTED if self._committed else ANYTHING)
        for offset, value, end in records:
            if value is not None:
                operation.saw(partition, offset, value)
            self.positions[partition] = end
        self.world.history.end(operation, OK)
        return True

    async def records(self, partition: str, wait_ms: int = 200) -> list[Record] | None:
        """From its position on; None when there was no answer, or an error."""
        topic, _, number = partition.rpartition("-")
        try:
            leader = await self.leader(partition)
            wanted = fetch_request.FetchPartition(
                partition=int(number), fetch_offset=self.positions[partition], partition_max_bytes=BYTES_MAX
            )
            request = fetch_request.FetchRequest(
                max_wait_ms=wait_ms,
                min_bytes=1,
                max_bytes=BYTES_MAX,
                isolation_level=int(self._committed),
                session_epoch=-1,
                topics=[fetch_request.FetchTopic(topic_id=self.world.ids[topic], partitions=[wanted])],
            )
            answer = await self.ask(leader, request)
            [data] = answer.responses[0].partitions if answer.responses else [None]
        except TROUBLE:
            self.forget(partition)
            return None
        if data is None or data.error_code != ErrorCode.none:
            self.forget(partition)
            if data is not None and data.error_code == ErrorCode.offset_out_of_range:
                self.world.history.violations.append(f"{self.name}: {self.positions[partition]} of {partition} is gone")
            return None
        self.stable[partition] = data.last_stable_offset
        self.watermarks[partition] = data.high_watermark
        return list(self._records(data, self.positions[partition]))

    def _records(self, data: Any, position: int) -> Iterator[Record]:
        aborted = sorted(data.aborted_transactions or (), key=lambda a: a.first_offset, reverse=True)
        out: set[int] = set()
        view = memoryview(b"".join(data.records)) if isinstance(data.records, list) else data.records
        at = 0
        while view is not None and at < len(view):
            header = parse_header(view, at)
            batch = view[at : at + header.size]
            at += header.size
            while aborted and aborted[-1].first_offset <= header.last_offset:
                out.add(aborted.pop().producer_id)
            hidden = header.control or (header.transactional and header.producer_id in out and self._committed)
            if header.control and not marker_commits(batch):
                out.discard(header.producer_id)
            if hidden:
                yield header.last_offset, None, header.last_offset + 1
                continue
            columns = decode(batch, 1 << 20)
            for offset, value in zip(columns.offsets, columns.values, strict=True):
                if offset >= position and value is not None:
                    yield offset, int(value), offset + 1
            yield header.last_offset, None, header.last_offset + 1
