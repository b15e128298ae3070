"""Whose time is up in a KIP-848 group: members not heard of, and members that don't give up what they must. PURE.

Promises: `due_ms` is never later than the first deadline; it may be earlier, since heartbeats only put deadlines off.
These aren't persisted: a start begins them anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from streamflow.log.coordinators.consumer_records import MemberState
from streamflow.log.coordinators.consumer_state import Member


class Deadlines:
    """Args:
    session_timeout_ms: without a heartbeat for so long, a member's time is up.
    """

    def __init__(self, session_timeout_ms: int) -> None:
        self.due_ms: int | None = None
        self._session_timeout_ms = session_timeout_ms
        self._sessions: dict[str, int] = {}
        self._revocations: dict[str, tuple[int, int]] = {}

    def heard(self, member_id: str, now_ms: int) -> None:
        due_ms = self._sessions[member_id] = now_ms + self._session_timeout_ms
        self.watch(due_ms)

    def reconciled(self, member: Member, now_ms: int) -> None:
        """What the member has to give up may have changed: it has its rebalance time-out for it, in this epoch."""
        if member.current.state is MemberState.UNREVOKED_PARTITIONS:
            due_ms = now_ms + member.subscription.rebalance_timeout_ms
            self._revocations[member.member_id] = (member.current.epoch, due_ms)
            self.watch(due_ms)

    def watch(self, due_ms: int) -> None:
        """Time is to be looked at then, at the latest."""
        self.due_ms = due_ms if self.due_ms is None else min(self.due_ms, due_ms)

    def expired(self, members: Mapping[str, Member], now_ms: int) -> set[str]:
        """Those whose time is up. Who isn't a member any more is forgotten."""
        self._sessions = {m: due for m, due in self._sessions.items() if m in members}
        self._revocations = {
            m: (epoch, due)
            for m, (epoch, due) in self._revocations.items()
            if m in members and members[m].current.revoking and members[m].current.epoch == epoch
        }
        due = [*self._sessions.items(), *((m, due) for m, (_, due) in self._revocations.items())]
        self.due_ms = min((at for _, at in due if at > now_ms), default=None)
        return {m for m, at in due if at <= now_ms}

    def covers(self, members: Mapping[str, Member]) -> bool:
        """Whether all of them have a session."""
        return members.keys() <= self._sessions.keys()
