"""Fetch sessions (KIP-227): a consumer says once what it wants, and later only what has changed. PURE but for its ids.

A request's (session id, epoch) means:

    (0, 0)      a full fetch, and a session if there is room          (n, 0)      the same, and the end of session n
    (0, -1)     a full fetch without a session                        (n, -1)     the same, and the end of session n
                                                                      (n, e > 0)  what changed in session n

An answer within a session has only the partitions that have news.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import fetch_request, fetch_response

SESSIONS_MAX = 1000
"""`max.incremental.fetch.session.cache.slots`, as Kafka. Who comes when all are taken replaces the one that was used
longest ago: it will be told, and fetch in full again."""
PARTITIONS_MAX = 500_000
"""Of all sessions together: each takes some 400 bytes. Kafka bounds the sessions only, and one may name as many as its
requests hold. Those used longest ago make room, as above."""


INITIAL_EPOCH, FINAL_EPOCH = 0, -1
_EPOCH_END = 2**31 - 1

Key = tuple[str, bytes, int]
"""Topic, its id (one of the two is given), partition."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a consumer or a follower wants of a partition. `last_epoch` is the epoch of the last record it has,
    `log_start_offset` where a follower's log begins, `high_watermark` the one it knows, as far as it tells (KIP-1166).
    """

    offset: int
    bytes_max: int
    leader_epoch: int
    last_epoch: int = -1
    log_start_offset: int = -1
    high_watermark: int = 2**63 - 1


@dataclass(slots=True)
class Session:
    """`told` is what the consumer was last told of each partition."""

    id: int
    epoch: int = 0
    wanted: dict[Key, Wanted] = field(default_factory=dict)
    told: dict[Key, tuple[int, int, int]] = field(default_factory=dict)

    def update(self, request: fetch_request.FetchRequest) -> None:
        """Partitions named again go to the end: nobody starves (KIP-227)."""
        for topic in request.forgotten_topics_data:
            for partition in topic.partitions:
                key = (topic.topic, topic.topic_id, partition)
                self.wanted.pop(key, None)
                self.told.pop(key, None)
        for key, wanted in wanted_of(request).items():
            self.wanted.pop(key, None)
            self.wanted[key] = wanted

    def has_news(self, key: Key, data: fetch_response.PartitionData) -> bool:
        """Whether the consumer doesn't know this of the partition yet; it is told now."""
        marks = (data.high_watermark, data.last_stable_offset, data.log_start_offset)
        news = bool(data.records) or data.error_code != ErrorCode.none or self.told.get(key) != marks
        if data.error_code == ErrorCode.none:
            self.told[key] = marks
        else:
            self.told.pop(key, None)
        return news


def wanted_of(request: fetch_request.FetchRequest) -> dict[Key, Wanted]:
    return {
        (topic.topic, topic.topic_id, p.partition): Wanted(
            p.fetch_offset,
            p.partition_max_bytes,
            p.current_leader_epoch,
            p.last_fetched_epoch,
            p.log_start_offset,
            p.high_watermark,
        )
        for topic in request.topics
        for p in topic.partitions
    }


class FetchSessions:
    """All of a broker's."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[int, Session] = OrderedDict()
        self._next_id = 1
        self._partitions = 0

    def __repr__(self) -> str:
        return f"<FetchSessions: {len(self._sessions)}>"

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, request: fetch_request.FetchRequest) -> Session | ErrorCode:
        """The session the request belongs to, with what it wants by now. One with id 0 lasts no longer than the
        request."""
        if request.session_id == 0 or request.session_epoch in (INITIAL_EPOCH, FINAL_EPOCH):
            self._forget(request.session_id)
            session = self._new() if request.session_epoch == INITIAL_EPOCH else Session(0)
        else:
            found = self._sessions.get(request.session_id)
            if found is None:
                return ErrorCode.fetch_session_id_not_found
            if found.epoch != request.session_epoch:
                return ErrorCode.invalid_fetch_session_epoch
            found.epoch = found.epoch % _EPOCH_END + 1
            self._sessions.move_to_end(found.id)
            session = found
        before = len(session.wanted)
        session.update(request)
        if session.id:
            self._partitions += len(session.wanted) - before
            self._make_room(session)
        return session

    def _make_room(self, session: Session) -> None:
        """A session that is too large by itself isn't kept: its client fetches in full again."""
        while self._partitions > PARTITIONS_MAX:
            oldest = next(iter(self._sessions))
            self._forget(oldest)
            if oldest == session.id:
                session.id = 0
                return

    def _forget(self, session_id: int) -> None:
        session = self._sessions.pop(session_id, None)
        if session is not None:
            self._partitions -= len(session.wanted)

    def _new(self) -> Session:
        while len(self._sessions) >= SESSIONS_MAX:
            self._forget(next(iter(self._sessions)))
        session = Session(self._next_id, epoch=1)
        self._next_id = self._next_id % _EPOCH_END + 1
        self._sessions[session.id] = session
        return session
