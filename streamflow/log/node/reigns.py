"""Has coordinators take over and resign as the partitions they stand on come to this node and leave it.

Promises: who takes over was told to resign before, if it reigned; what one reign began goes on in no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from anyio.abc import TaskGroup

from streamflow.event import TopicPartition
from streamflow.log.node.replica import Replica


class Coordinator(Protocol):
    async def take_over(self) -> None:
        """Reads back what the partition holds, and coordinates from then on. Returns early when told to resign."""

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
                self._group.start_soon(coordinator.take_over)
