"""One partition on this node: its log, the machine that leads it, and who waits for it to move.

Promises: whoever listens is called whenever there may be more to read. Everything here runs on the event loop's thread
but for `log.flush`, which may run on another while the loop appends.
"""

from __future__ import annotations

from collections.abc import Callable

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import INTERNAL_TOPICS
from streamflow.log.node.admission import Admission
from streamflow.log.node.ballast import Ballast
from streamflow.log.replication.events import Appended, Event, Flushed
from streamflow.log.replication.leader import Leader
from streamflow.log.storage.partition import AppendInfo, PartitionLog, SegmentConfig

UNASKED = Admission()


class Replica:
    """Args:
    admission: what producers may append.
    """

    def __init__(
        self,
        where: TopicPartition,
        path: str,
        log: PartitionLog,
        leader: Leader,
        ballast: Ballast,
        admission: Admission = UNASKED,
    ) -> None:
        self._ballast = ballast
        self._internal = where.topic in INTERNAL_TOPICS
        self.where = where
        self.path = path
        self.log = log
        self.leader = leader
        self.admission = admission
        self.listeners: set[Callable[[], None]] = set()
        self.deleted = False
        self.last_stable_offset = log.last_stable_offset(leader.high_watermark)

    def __repr__(self) -> str:
        return f"<Replica {self.where} {self.leader!r}>"

    @property
    def high_watermark(self) -> int:
        return self.leader.high_watermark

    @property
    def unflushed(self) -> bool:
        return self.leader.flushed < self.leader.end

    def configure(self, config: SegmentConfig, admission: Admission) -> None:
        """Other settings, from now on."""
        self.log.config, self.admission = config, admission

    def append(self, batches: bytes | bytearray | memoryview, now_ms: int, *, repaired: bool = False) -> AppendInfo:
        """Appends, without making durable. See `Appended` for `repaired`."""
        info = self._ballast.lend(
            lambda: self.log.append(batches, leader_epoch=self.leader.leader_epoch, now_ms=now_ms),
            housekeeping=repaired or self._internal,
        )
        self._step(Appended(end=self.log.log_end_offset, repaired=repaired), now_ms)
        return info

    def flushed(self, end: int, now_ms: int) -> None:
        """The log was made durable below `end`."""
        self._step(Flushed(end=end), now_ms)

    def _step(self, event: Event, now_ms: int) -> None:
        moved = self.leader.step(event, now_ms)
        if moved:
            self.last_stable_offset = self.log.last_stable_offset(moved[-1].offset)
            self.notify()

    def notify(self) -> None:
        for listener in tuple(self.listeners):
            listener()
