"""Who is in sync: as committed, and as it may already be by proposals whose outcome isn't known. PURE. (KIP-497)

The controller elects from what it has committed, and may have committed a proposal before the leader hears of it. So
the leader waits for the `maximal` set: everybody who may be elected. A proposal carries the partition epoch it was made
in, and can be committed in no other: once a higher one is known, all that were made before are settled.

Rule for whoever edits this: a member leaves `maximal` only when the partition epoch grows. Neither a refusal nor
hearing again what was known does: another copy of the proposal may be under way.
"""

from __future__ import annotations

from collections.abc import Collection


class Isr:
    """Invariant: `committed` has the leader; what is doubted was proposed in `partition_epoch`."""

    __slots__ = ("_doubted", "committed", "in_flight", "partition_epoch")

    def __init__(self, committed: Collection[int], partition_epoch: int) -> None:
        self.committed = tuple(sorted(committed))
        self.partition_epoch = partition_epoch
        self.in_flight = False
        self._doubted: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"<Isr {self.committed} in partition epoch {self.partition_epoch}, perhaps {self.maximal}>"

    @property
    def doubted(self) -> bool:
        """Whether somebody may be in sync, or may not be any more, by a proposal nobody answered."""
        return bool(self._doubted)

    @property
    def maximal(self) -> tuple[int, ...]:
        """Everybody whom the controller might count as in sync."""
        return tuple(sorted({*self.committed, *self._doubted})) if self._doubted else self.committed

    def propose(self, members: Collection[int]) -> None:
        assert not self.in_flight, "one proposal at a time"
        self.in_flight = True
        self._doubted = tuple(sorted({*self._doubted, *members}))

    def not_committed(self, partition_epoch: int) -> None:
        """The proposal made in that epoch has no known outcome."""
        if partition_epoch == self.partition_epoch:
            self.in_flight = False

    def learn(self, committed: Collection[int], partition_epoch: int) -> None:
        """What is committed. What comes late changes nothing."""
        if partition_epoch > self.partition_epoch:
            self.committed = tuple(sorted(committed))
            self.partition_epoch = partition_epoch
            self.in_flight = False
            self._doubted = ()
