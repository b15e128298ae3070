"""Which brokers are alive: what the active controller hears, in its memory only. PURE.

A controller that becomes active has heard nobody yet: it gives each broker a session, as if it had heard of it then.
The same is done when the controller itself was asleep: it was not the brokers who were silent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streamflow.log.controller.image import BrokerImage


@dataclass(slots=True)
class Session:
    """`applied`: the metadata offset the broker had come to; `stopping_at`: what others must have come to before it may
    stop, once it wants to."""

    broker_epoch: int
    heard_ms: int
    applied: int = -1
    stopping_at: int | None = None


class Sessions:
    """Args:
    timeout_ms: how long a broker may be silent (`broker.session.timeout.ms`).
    """

    def __init__(self, timeout_ms: int) -> None:
        self.timeout_ms = timeout_ms
        self._sessions: dict[int, Session] = {}

    def begin(self, brokers: Iterable[BrokerImage], now_ms: int) -> None:
        """A fresh session for each broker that is believed to be alive."""
        self._sessions = {b.broker_id: Session(b.broker_epoch, now_ms) for b in brokers if not b.fenced}

    def hear(self, broker_id: int, broker_epoch: int, now_ms: int, applied: int = -1) -> Session:
        session = self._sessions.get(broker_id)
        if session is None or session.broker_epoch != broker_epoch:
            session = self._sessions[broker_id] = Session(broker_epoch, now_ms)
        session.heard_ms = now_ms
        session.applied = max(session.applied, applied)
        return session

    def end(self, broker_id: int) -> None:
        """Nothing is expected of it any more."""
        self._sessions.pop(broker_id, None)

    def alive(self, broker_id: int, now_ms: int) -> bool:
        session = self._sessions.get(broker_id)
        return session is not None and now_ms < session.heard_ms + self.timeout_ms

    def silent(self, brokers: Iterable[BrokerImage], now_ms: int) -> list[int]:
        """Brokers that should be fenced."""
        return [b.broker_id for b in brokers if not b.fenced and not self.alive(b.broker_id, now_ms)]

    def overdue(self, brokers: Iterable[BrokerImage], now_ms: int, after_ms: int) -> list[int]:
        """Brokers that should have been heard of meanwhile, and whose sessions go on."""
        return [
            b.broker_id
            for b in brokers
            if not b.fenced and self.alive(b.broker_id, now_ms) and not self.heard_since(b.broker_id, now_ms - after_ms)
        ]

    def heard_since(self, broker_id: int, then_ms: int) -> bool:
        session = self._sessions.get(broker_id)
        return session is not None and session.heard_ms >= then_ms

    def known_to_others(self, broker_id: int, offset: int, now_ms: int) -> bool:
        """Whether every other broker that is alive has come to that offset."""
        return all(
            session.applied >= offset
            for other, session in self._sessions.items()
            if other != broker_id and self.alive(other, now_ms)
        )
