"""One partition on this node: its log, the machine that leads it or follows its leader, and who waits for it to move.

Promises: whoever listens is called whenever there may be more to read, or leadership is lost. Everything here runs on
the event loop's thread but for `log.flush`, which may run on another while the loop appends. Who changes the role, or
the log other than by appending, holds `turn`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import anyio

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import INTERNAL_TOPICS
from streamflow.log.errors import NotLeaderError
from streamflow.log.node.admission import Admission
from streamflow.log.node.ballast import Ballast
from streamflow.log.replication.events import (
    Answered,
    Appended,
    Assignment,
    Diverged,
    Fetched,
    Flushed,
    FollowerEffect,
    HighWatermarkMoved,
    IsrCommitted,
    LeaderEvent,
    ProposeIsr,
    Reassigned,
    Refusal,
    StartedAnew,
    Truncated,
)
from streamflow.log.replication.follower import Follower
from streamflow.log.replication.leader import Leader
from streamflow.log.storage.partition import AppendInfo, PartitionLog, SegmentConfig

UNASKED = Admission()


class Listeners:
    """Who is called, in the order they came: the same every time."""

    def __init__(self) -> None:
        self._all: dict[Callable[[], None], None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, listener: Callable[[], None]) -> None:
        self._all[listener] = None

    def discard(self, listener: Callable[[], None]) -> None:
        self._all.pop(listener, None)

    def call(self) -> None:
        for listener in tuple(self._all):
            listener()


class Replica:
    """Args:
    admission: what producers may append.
    """

    def __init__(
        self,
        where: TopicPartition,
        path: str,
        log: PartitionLog,
        role: Leader | Follower,
        ballast: Ballast,
        admission: Admission = UNASKED,
    ) -> None:
        self._ballast = ballast
        self._internal = where.topic in INTERNAL_TOPICS
        self.where = where
        self.path = path
        self.log = log
        self.role = role
        self.reign = 0
        """Counts how often this node has come to follow: what was appended before may be gone."""
        self.admission = admission
        self.turn = anyio.Lock(fast_acquire=True)
        self.listeners = Listeners()
        self.grown = Listeners()
        """Who is called whenever the log's end has moved, or its start: followers, who read what isn't committed."""
        self.propose: Callable[[Replica, ProposeIsr], None] = lambda replica, proposal: None
        """Told when the leader wants another ISR."""
        self.deleted = False
        self.last_stable_offset = log.last_stable_offset(role.high_watermark)

    def __repr__(self) -> str:
        return f"<Replica {self.where} {self.role!r}>"

    @property
    def leads(self) -> bool:
        return isinstance(self.role, Leader)

    @property
    def leader(self) -> Leader:
        """The machine that leads. Raises: NotLeaderError."""
        if not isinstance(self.role, Leader):
            raise NotLeaderError(f"{self.where} is led by broker {self.role.leader}; ask there")
        return self.role

    @property
    def leader_epoch(self) -> int:
        return self.role.leader_epoch

    @property
    def high_watermark(self) -> int:
        return self.role.high_watermark

    @property
    def end(self) -> int:
        """The log's, as the role knows it."""
        return self.role.end

    @property
    def flushed_end(self) -> int:
        """Everything below is durable."""
        return self.role.flushed

    @property
    def unflushed(self) -> bool:
        return self.role.flushed < self.role.end

    def configure(self, config: SegmentConfig, admission: Admission) -> None:
        """Other settings, from now on."""
        self.log.config, self.admission = config, admission
        if isinstance(self.role, Leader) and self.role.assignment.in_sync_min != admission.in_sync_min:
            self.step(Reassigned(assignment=replace(self.role.assignment, in_sync_min=admission.in_sync_min)), 0)

    # Leading

    def lead(self, assignment: Assignment, leader_epoch: int, now_ms: int) -> None:
        """Leads from now on, or goes on leading."""
        role = self.role
        goes_on = isinstance(role, Leader) and role.assignment.me == assignment.me
        if goes_on and role.leader_epoch == leader_epoch:
            self.step(Reassigned(assignment=assignment), now_ms)
            return
        self.role = role.successor(leader_epoch, assignment)
        self.role.begin(now_ms)
        self.last_stable_offset = self.log.last_stable_offset(self.role.high_watermark)
        self._notify_grown()
        self.notify()

    def append(self, batches: bytes | bytearray | memoryview, now_ms: int, *, repaired: bool = False) -> AppendInfo:
        """Appends as the leader, without making durable. See `Appended` for `repaired`. Raises: NotLeaderError,
        LogError."""
        leader = self.leader
        info = self._ballast.lend(
            lambda: self.log.append(batches, leader_epoch=leader.leader_epoch, now_ms=now_ms),
            housekeeping=repaired or self._internal,
        )
        self.step(Appended(end=self.log.log_end_offset, repaired=repaired), now_ms)
        self._notify_grown()
        return info

    def fetched(self, fetch: Fetched, now_ms: int) -> Refusal | Diverged | None:
        """A follower fetches: None when it is to be served. Raises: NotLeaderError."""
        problem = self.leader.examine(fetch, self.log.epochs, self.log.log_start_offset)
        if problem is None:
            known = self.leader.standing(fetch.replica)
            moved = known is not None and fetch.log_start_offset > known.log_start_offset
            self.step(fetch, now_ms)
            if moved:
                self.notify()  # Who waits for the low watermark may wait no longer.
        return problem

    def delete_before(self, offset: int) -> None:
        """The log begins there from now on, if it began below. Followers are told at once. Raises: LogError."""
        self._ballast.lend(lambda: self.log.delete_before(offset), housekeeping=True)
        self._notify_grown()

    def step(self, event: LeaderEvent, now_ms: int) -> None:
        """Something has happened to the leader. Raises: NotLeaderError."""
        for effect in self.leader.step(event, now_ms):
            match effect:
                case HighWatermarkMoved():
                    self._moved(effect.offset)
                case ProposeIsr():
                    self.propose(self, effect)
        if isinstance(event, Reassigned | IsrCommitted):
            self.notify()  # Who waits for enough replicas may wait no longer.

    # Following

    def follow(self, leader: int, leader_epoch: int) -> None:
        """Follows that broker from now on, or goes on following."""
        role = self.role
        if isinstance(role, Follower) and (role.leader, role.leader_epoch) == (leader, leader_epoch):
            return
        if isinstance(role, Leader):
            self.reign += 1
        self.role = Follower(
            leader=leader,
            leader_epoch=leader_epoch,
            start=self.log.log_start_offset,
            end=role.end,
            flushed=role.flushed,
            high_watermark=role.high_watermark,
            flush_before_fetch=role.durable,
        )
        self._notify_grown()
        self.notify()

    def answered(self, event: Answered | Truncated | StartedAnew) -> list[FollowerEffect]:
        """What is to be done with a leader's answer; nothing when this node doesn't follow any more."""
        return self._follow_step(event)

    def append_fetched(self, batches: memoryview, now_ms: int) -> None:
        """Appends as the leader sent it, without making durable. Raises: LogError."""
        self._ballast.lend(lambda: self.log.append_fetched(batches, now_ms), housekeeping=self._internal)
        self._follow_step(Appended(end=self.log.log_end_offset))

    def _follow_step(self, event: Appended | Flushed | Answered | Truncated | StartedAnew) -> list[FollowerEffect]:
        if not isinstance(self.role, Follower):
            return []
        self.role.moved_start(self.log.log_start_offset)
        left: list[FollowerEffect] = []
        for effect in self.role.step(event, self.log.epochs):
            if isinstance(effect, HighWatermarkMoved):
                self._moved(effect.offset)
            else:
                left.append(effect)
        return left

    # Both

    def flushed(self, end: int, now_ms: int) -> None:
        """The log was made durable below `end`."""
        if isinstance(self.role, Leader):
            self.step(Flushed(end=end), now_ms)
        else:
            self._follow_step(Flushed(end=end))

    def _moved(self, high_watermark: int) -> None:
        self.last_stable_offset = self.log.last_stable_offset(high_watermark)
        self.notify()

    def notify(self) -> None:
        self.listeners.call()

    def _notify_grown(self) -> None:
        self.grown.call()
