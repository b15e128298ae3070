"""What a commit interval writes: records gathered by partition, appended in batches inside one transaction."""

from __future__ import annotations

from collections.abc import Mapping

from streamflow.engine.events import Produce
from streamflow.event import Batch, Headers, TopicPartition
from streamflow.transport.base import Committed, Writer

RECORDS_MAX = 4_000
BYTES_MAX = 512 * 1024
"""Of one append: half of `max.message.bytes`, so that headers and framing fit beside."""

HELD_MAX = 20_000
"""Records held back before they are appended without waiting for the commit."""


class Outputs:
    """Collects; `flush` appends. The transaction begins with the first append after a commit."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._pending: dict[TopicPartition, Batch] = {}
        self._begun = False
        self.held = 0

    def add(self, produce: Produce) -> None:
        name, batch, partitions = produce.topic.name, produce.batch, produce.partitions
        self.held += len(partitions)
        first = partitions[0]
        if partitions.count(first) == len(partitions):
            self._extend(TopicPartition(name, first), batch)
            return
        for partition in sorted(set(partitions)):
            self._extend(TopicPartition(name, partition), batch.select([p == partition for p in partitions]))

    def _extend(self, where: TopicPartition, batch: Batch) -> None:
        have = self._pending.get(where)
        if have is None:
            self._pending[where] = have = Batch([], [], [], range(0))
        have.keys += batch.keys
        have.values += batch.values
        have.timestamps += batch.timestamps
        if batch.headers is not None or have.headers is not None:
            known = have.headers if have.headers is not None else _none(len(have) - len(batch))
            have.headers = known + (batch.headers if batch.headers is not None else _none(len(batch)))

    async def flush(self) -> None:
        """Appends everything held."""
        pending, self._pending, self.held = self._pending, {}, 0
        if not pending:
            return
        await self._begin()
        await self._writer.append_all({where: chunks(batch) for where, batch in pending.items()})

    async def _begin(self) -> None:
        if not self._begun:
            await self._writer.begin()
            self._begun = True

    async def commit(self, offsets: Mapping[str, Mapping[TopicPartition, Committed]]) -> bool:
        """Everything since the last commit, and these offsets by group, at once. False when there was nothing."""
        await self.flush()
        for group, positions in offsets.items():
            if positions:
                await self._begin()
                await self._writer.add_offsets(group, positions)
        if not self._begun:
            return False
        await self._writer.commit()
        self._begun = False
        return True

    async def abandon(self) -> None:
        """Leaves nothing of the interval behind."""
        self._pending, self.held = {}, 0
        if self._begun:
            self._begun = False
            await self._writer.abort()


def _none(count: int) -> list[Headers]:
    return [()] * count


def chunks(batch: Batch) -> list[Batch]:
    """Pieces no larger than one append should be; a single record may be."""
    size = sum(len(v) for v in batch.values if v is not None) + sum(len(k) for k in batch.keys if k is not None)
    if len(batch) == 1 or (len(batch) <= RECORDS_MAX and size <= BYTES_MAX):
        return [batch] if len(batch) else []
    middle = len(batch) // 2
    return [*chunks(batch.slice(0, middle)), *chunks(batch.slice(middle, len(batch)))]
