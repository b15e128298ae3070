"""When what was appended may be acknowledged: once it is as safe as whoever asked wanted it.

    acks=all    committed: everybody in sync has it, and enough are (`min.insync.replicas`)
    acks=1      kept: the leader's own copy is as durable as the flush policy says

Promises: what is acknowledged as committed is below the high watermark of the leadership it was appended in. Whoever
waits is told at once when leadership is lost or too few are in sync: what was appended may be committed nevertheless.
For a node alone nothing is waited for but the flush.
"""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from streamflow.errors import StreamflowError
from streamflow.log.errors import (
    NotEnoughReplicasAfterAppendError,
    NotLeaderError,
    RequestTimedOutError,
    StorageFailedError,
)
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.replica import Replica


async def committed(flusher: Flusher, ends: Mapping[Replica, int], *, timeout_ms: int) -> None:
    """Returns once everything below the ends, just appended, is committed.

    Raises: NotLeaderError, NotEnoughReplicasAfterAppendError, RequestTimedOutError, StorageFailedError: it isn't known
    then whether it will be.
    """
    failures = await Acknowledgement(flusher, ends).committed(timeout_ms)
    for error in failures.values():
        raise error


class Acknowledgement:
    """Of appends, each up to an end. To be made right after them, before anything else happens."""

    def __init__(self, flusher: Flusher, ends: Mapping[Replica, int]) -> None:
        self._flusher = flusher
        self._ends = {replica: (end, replica.reign) for replica, end in ends.items()}

    def __repr__(self) -> str:
        return f"<Acknowledgement of {len(self._ends)} partitions>"

    @property
    def is_committed(self) -> bool:
        return not any(self._is_open(replica) for replica in self._ends) and not self._failures()

    @property
    def is_kept(self) -> bool:
        return all(self._is_kept(r, end) for r, (end, _) in self._ends.items())

    def want(self) -> None:
        """It is made durable whether or not anybody waits."""
        self._flusher.want(r for r in self._ends if r.role.durable)

    async def kept(self) -> dict[Replica, StreamflowError]:
        """Returns: which of them failed."""
        try:
            await self._flusher.flush([r for r, (end, _) in self._ends.items() if not self._is_kept(r, end)])
        except StorageFailedError as error:
            return dict.fromkeys(self._ends, error)
        return {r: _lost(r) for r, (_, reign) in self._ends.items() if r.reign != reign}

    async def committed(self, timeout_ms: int) -> dict[Replica, StreamflowError]:
        """Returns: which of them failed."""
        failures = await self.kept()
        if not failures and any(self._is_open(replica) for replica in self._ends):
            await self._wait(timeout_ms)
        return {**self._failures(), **failures}

    @staticmethod
    def _is_kept(replica: Replica, end: int) -> bool:
        return not replica.role.durable or replica.flushed_end >= end

    def _is_open(self, replica: Replica) -> bool:
        """Whether waiting may help."""
        end, reign = self._ends[replica]
        if replica.deleted or not replica.leads or replica.reign != reign:
            return False
        return replica.high_watermark < end and replica.leader.enough_in_sync

    async def _wait(self, timeout_ms: int) -> None:
        moved = anyio.Event()

        def look() -> None:
            if not any(self._is_open(replica) for replica in self._ends):
                moved.set()

        for replica in self._ends:
            replica.listeners.add(look)
        try:
            with anyio.move_on_after(timeout_ms / 1000):
                await moved.wait()
        finally:
            for replica in self._ends:
                replica.listeners.discard(look)

    def _failures(self) -> dict[Replica, StreamflowError]:
        """Of those that aren't committed."""
        failures: dict[Replica, StreamflowError] = {}
        for replica, (end, reign) in self._ends.items():
            if replica.reign != reign or not replica.leads or replica.deleted:
                failures[replica] = _lost(replica)
            elif replica.high_watermark < end:
                failures[replica] = _short(replica, end)
        return failures


def _lost(replica: Replica) -> NotLeaderError:
    return NotLeaderError(f"the leadership of {replica.where} was lost before what was appended was acknowledged")


def _short(replica: Replica, end: int) -> StreamflowError:
    leader = replica.leader
    if not leader.enough_in_sync:
        return NotEnoughReplicasAfterAppendError(
            f"{replica.where} has {len(leader.isr.committed)} replica(s) in sync, and min.insync.replicas is "
            f"{leader.assignment.in_sync_needed}; what was appended is in the leader's log"
        )
    return RequestTimedOutError(
        f"{replica.where} is committed up to {leader.high_watermark}, not {end}: waited for {leader.isr.maximal}"
    )
