"""What is logged because of what clients do: not more than so much, whatever they do.

Promises: a client that comes back a thousand times a second fills no disk; what was left out is counted, and the count
is logged.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

log = structlog.get_logger("streamflow.broker")

BURST = 20
PER_SECOND = 1.0


class Complaints:
    """Args:
    now: in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left = float(BURST)
        self._at = now()
        self.left_out = 0

    def say(self, level: str, event: str, **about: object) -> None:
        """Logs it, or counts it. `exc_info` is an error whose trace is to be shown."""
        if not self._allowed():
            self.left_out += 1
            return
        self._tell_left_out()
        getattr(log, level)(event, **about)

    def tell(self) -> None:
        """Called every now and then: says what was left out, once it is calm enough to."""
        if self.left_out and self._allowed():
            self._tell_left_out()

    def _allowed(self) -> bool:
        now = self._now()
        self._left = min(BURST, self._left + (now - self._at) * PER_SECOND)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def _tell_left_out(self) -> None:
        if self.left_out:
            log.warning("more of what clients did was left out of this log", count=self.left_out)
            self.left_out = 0
