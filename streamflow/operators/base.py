"""The operator contract. PURE: no clock, no I/O, no loop, no logger, no chance.

An operator turns batches into batches and owns its state. The engine calls, in this order and never concurrently:

    restore(changes)                     once, before anything else, with what `snapshot` gave earlier, in any order
    on_batch(batch, side)                events of one input, in partition order
    on_watermark(watermark_ms)           event time has come this far: no earlier event is expected
    on_timer(now_ms)                     processing time, when `deadline_ms()` has passed
    snapshot()                           the state changed since the last `snapshot`, as (key, value | None)

Each `on_…` returns the output batch or None. State keys and values are bytes: they are written to a compacted
changelog, where None deletes. An operator never awaits and never raises for late, null or disordered events; it
raises what user functions raise, and the engine applies the agent's policy.

`name` is unique in its task and stable over restarts: it is the key of the state.
"""

from __future__ import annotations

from collections.abc import Iterable

from streamflow.event import Batch

Change = tuple[bytes, bytes | None]


class OperatorFailed(Exception):
    """A user's function raised on the event at `index` of the batch. `__cause__` is what it raised."""

    def __init__(self, index: int) -> None:
        super().__init__(f"event {index} of the batch failed")
        self.index = index


class Operator:
    """Stateless by default: override what differs."""

    name: str = ""
    """Set by the engine before anything else is called."""

    watermark_delay_ms: int = 0
    """How far the output's event time trails the input's: a window with a grace period emits that much later."""

    def on_batch(self, batch: Batch, side: int = 0) -> Batch | None:
        """`side` is the input's position for operators with several (0 is the main stream)."""
        raise NotImplementedError

    def on_watermark(self, watermark_ms: int) -> Batch | None:
        return None

    def on_timer(self, now_ms: int) -> Batch | None:
        return None

    def deadline_ms(self) -> int | None:
        """When, in processing time, `on_timer` is wanted next."""
        return None

    def snapshot(self) -> list[Change]:
        return []

    def restore(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """State as it was: an empty iterable for a new task."""
