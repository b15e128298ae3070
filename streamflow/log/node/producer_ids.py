"""Producer ids: numbers no producer ever had.

Promises: an id is given out once, whatever crashes: blocks of them are taken durably (KIP-730), and what a crash leaves
of a block is lost.
"""

from __future__ import annotations

from collections import deque

import anyio

from streamflow.log.controller import records as r
from streamflow.log.node.topics import Topics

BLOCK = 1000
"""Taken at once (as Kafka): a start uses few, and there are 2**63."""


class ProducerIds:
    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._free: deque[int] = deque()
        self._taking = anyio.Lock()

    async def take(self) -> int:
        """Raises: LogError."""
        while not self._free:
            async with self._taking:
                if not self._free:
                    await self._take_block()
        return self._free.popleft()

    def give_back(self, producer_id: int) -> None:
        """Nobody was told of the id, and nothing holds it."""
        self._free.appendleft(producer_id)

    async def _take_block(self) -> None:
        metadata = self._topics.metadata
        first = metadata.image.next_producer_id
        end = first + BLOCK
        await self._topics.write([r.ProducerIds(broker_id=metadata.node_id, next_producer_id=end)])
        self._free.extend(range(first, end))
