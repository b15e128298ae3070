"""Whether this node coordinates what a partition of the log's own holds: it does while it leads the partition.

Promises: nothing is answered from a state that isn't read back, or that another coordinator may have changed. Each time
the partition is gained or lost is another reign; what was begun in one isn't finished in the next.

A node alone leads everything from its start, and is never told.
"""

from __future__ import annotations

from streamflow.event import TopicPartition
from streamflow.log.errors import CoordinatorLoadingError, NotCoordinatorError


class Coordination:
    """Args:
    where: the partition.
    """

    def __init__(self, where: TopicPartition) -> None:
        self._where = where
        self._leads, self._loading = True, False
        self.reign = 0
        """Which one this is."""

    def __repr__(self) -> str:
        return f"<Coordination by {self._where}, reign {self.reign}: leads {self._leads}, loading {self._loading}>"

    @property
    def active(self) -> bool:
        return self._leads and not self._loading

    def begin(self) -> int:
        """The partition is led by this node from now on, and is to be read back. Returns: the reign."""
        self._leads, self._loading = True, True
        self.reign += 1
        return self.reign

    def loaded(self) -> None:
        """The reign's state is what its partition says."""
        self._loading = False

    def resign(self) -> None:
        """Another node leads, or none."""
        self._leads = self._loading = False
        self.reign += 1

    def check(self) -> None:
        """Raises: NotCoordinatorError, CoordinatorLoadingError."""
        if not self._leads:
            raise NotCoordinatorError(f"this node doesn't lead {self._where}; find the coordinator again")
        if self._loading:
            raise CoordinatorLoadingError(f"{self._where} is being read back; try again soon")
