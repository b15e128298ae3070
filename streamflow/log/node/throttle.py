"""Holds back the copying of replicas that aren't in sync (KIP-73): `leader.` and `follower.replication.throttled.rate`.

Promises: over any time, what is copied is at most the rate for that time and a second, and a batch of each copy (it
isn't divided). All who copy at present have equal shares, whatever the sizes of their batches; who stops copying leaves
its share to the others within `IDLE_MS`.

Each copy saves up its share, for a second at most, and may go into debt by the last batch it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamflow.log.node.replica import Replica

SAVED_MS_MAX = 1_000
IDLE_MS = 3_000
"""Who hasn't asked for as long copies no more: well beyond what a fetch waits for news."""
LOOK_MS = 500
"""How often those are looked for."""

Copy = tuple[Replica, int]
"""A replica here, and who follows it: this node itself where it copies from a leader."""


@dataclass(slots=True)
class Share:
    """What a copy had saved up when it last asked, in bytes, and how much every share had grown by then."""

    credit: float
    grown: float
    asked_ms: int


class Throttle:
    """Of one side, the leader's or the follower's.

    Args:
        rate: what all throttled copies of that side may take together, in bytes a second; None for a replica that isn't
            throttled.
    """

    def __init__(self, rate: Callable[[Replica], int | None], now_ms: Callable[[], int]) -> None:
        self._rate = rate
        self._now_ms = now_ms
        self._shares: dict[Copy, Share] = {}
        self._grown, self._grown_ms = 0.0, now_ms()
        """How much a share has grown that was there from the start."""
        self._look_at = now_ms()
        self.bytes = 0
        """Copied under the throttle, ever."""

    def __repr__(self) -> str:
        return f"<Throttle of {len(self._shares)} copies>"

    @property
    def copies(self) -> int:
        """How many share the rate at present."""
        return len(self._shares)

    def allowance(self, replica: Replica, follower: int) -> int | None:
        """The bytes that may be copied now, or one batch; 0 for nothing yet; None without a limit. Only who has
        something to copy, and isn't in sync, is to ask."""
        rate, copy, now_ms = self._rate(replica), (replica, follower), self._now_ms()
        if rate is None:
            self._shares.pop(copy, None)
            return None
        self._grow(rate, now_ms)
        share = self._shares.setdefault(copy, Share(0, self._grown, now_ms))
        saved_max = rate / len(self._shares) * SAVED_MS_MAX / 1000
        share.credit, share.grown = min(share.credit + self._grown - share.grown, saved_max), self._grown
        share.asked_ms = now_ms
        return max(0, int(share.credit))

    def took(self, replica: Replica, follower: int, size: int) -> None:
        """That many bytes were copied; by a copy that isn't throttled, maybe."""
        share = self._shares.get((replica, follower))
        if share is not None:
            share.credit -= size
            self.bytes += size

    def _grow(self, rate: int, now_ms: int) -> None:
        if self._shares:
            self._grown += rate / len(self._shares) * min(now_ms - self._grown_ms, SAVED_MS_MAX) / 1000
        self._grown_ms = now_ms
        if now_ms >= self._look_at:
            self._look_at = now_ms + LOOK_MS
            for copy in [c for c, share in self._shares.items() if self._is_idle(share, now_ms)]:
                del self._shares[copy]

    def _is_idle(self, share: Share, now_ms: int) -> bool:
        """Debts are kept until they are paid: nobody gets rid of them by a pause."""
        return now_ms - share.asked_ms > IDLE_MS and share.credit + self._grown - share.grown >= 0
