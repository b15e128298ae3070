"""Has coordinators take over and resign as the partitions they stand on come to this node and leave it.

Promises: who takes over was told to resign before, if it reigned; what one reign began goes on in no other. Who can't
read back what the partition holds is to try again as long as it reigns: what is damaged is fetched from another replica
meanwhile (`mending`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import anyio
import structlog
from anyio.abc import TaskGroup

from streamflow.event import TopicPartition
from streamflow.log.errors import CorruptBatchError
from streamflow.log.node.replica import Replica

log = structlog.get_logger("streamflow.log")

RETRY_SECONDS = 0.5


class Coordinator(Protocol):
    async def take_over(self) -> None:
        """Reads back what the partition holds, and coordinates from then on. Returns early when told to resign.

        Raises: CorruptBatchError: it is to be called again then.
        """

    def resign(self) -> None:
        """Another node coordinates, or nobody."""


class Reigns:
    """Args:
    coordinators: by the partition whose leader they are.
    """

    def __init__(
        self, replicas: Mapping[TopicPartition, Replica], coordinators: Mapping[TopicPartition, Coordinator]
    ) -> None:
        self._replicas = replicas
        self._coordinators = coordinators
        self._reigns: dict[TopicPartition, int] = {}
        """Leader epoch by partition, of those that this node coordinates."""
        self._group: TaskGroup | None = None

    def __repr__(self) -> str:
        return f"<Reigns {self._reigns}>"

    def begin(self, group: TaskGroup) -> None:
        """From now on, partitions come and go. A node alone never begins: it has them all."""
        self._group = group
        for coordinator in self._coordinators.values():
            coordinator.resign()

    def look(self) -> None:
        """Metadata has changed."""
        if self._group is None:
            return
        for where, coordinator in self._coordinators.items():
            replica = self._replicas.get(where)
            epoch = replica.leader_epoch if replica is not None and replica.leads else None
            if epoch == self._reigns.get(where):
                continue
            if self._reigns.pop(where, None) is not None:
                coordinator.resign()
            if epoch is not None:
                self._reigns[where] = epoch
                self._group.start_soon(self._take_over, where, epoch, coordinator)

    async def _take_over(self, where: TopicPartition, epoch: int, coordinator: Coordinator) -> None:
        told = False
        while self._reigns.get(where) == epoch:
            try:
                await coordinator.take_over()
                return
            except CorruptBatchError as error:
                if not told:
                    log.error("a coordinator can't take over yet", partition=str(where), reason=str(error))
                told = True
            await anyio.sleep(RETRY_SECONDS)
