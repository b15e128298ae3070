"""Producer ids: numbers no producer ever had.

Promises: an id is given out once, whatever crashes: blocks of them are taken durably (KIP-730), and what a crash leaves
of a block is lost.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

import anyio

from streamflow.log.controller import records as r
from streamflow.log.errors import CoordinatorNotAvailableError
from streamflow.log.node.topics import Topics
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import allocate_producer_ids_request

BLOCK = 1000
"""Taken at once (as Kafka): a start uses few, and there are 2**63."""
ALLOCATE_TIMEOUT_MS = 5_000


class Allocator(Protocol):
    """The way to the controller, for a node among others."""

    @property
    def broker_epoch(self) -> int: ...

    async def ask(self, request: Any, *, timeout_ms: int) -> Any:
        """Raises: RequestTimedOutError."""


class ProducerIds:
    """Args:
    allocator: None for a node alone, which takes its blocks itself.
    """

    def __init__(self, topics: Topics, allocator: Allocator | None = None) -> None:
        self._topics = topics
        self._allocator = allocator
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
        if self._allocator is not None:
            self._free.extend(await self._allocated(self._allocator))
            return
        first = metadata.image.next_producer_id
        end = first + BLOCK
        await self._topics.write([r.ProducerIds(broker_id=metadata.node_id, next_producer_id=end)])
        self._free.extend(range(first, end))

    async def _allocated(self, allocator: Allocator) -> range:
        request = allocate_producer_ids_request.AllocateProducerIdsRequest(
            broker_id=self._topics.metadata.node_id, broker_epoch=allocator.broker_epoch
        )
        answer = await allocator.ask(request, timeout_ms=ALLOCATE_TIMEOUT_MS)
        if answer.error_code != ErrorCode.none:
            name = ErrorCode(answer.error_code).name
            raise CoordinatorNotAvailableError(f"the controller gives no producer ids: {name}; try again soon")
        return range(answer.producer_id_start, answer.producer_id_start + answer.producer_id_len)
