"""What a worker shows of itself: counts since its start, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figures:
    """`records_out` counts what was written anywhere; `alerts` what of it left the app, to topics that aren't its
    own and to sinks. `lag` counts records not fetched or not dealt with; `watermark_ms` is the slowest task's, None
    before any event; `late` counts records too late for their windows, `set_aside` dead letters, `rows` what sinks
    stored. `stalled` says which code has been at one event for too long, None when none has."""

    events_in: int
    records_out: int
    alerts: int
    lag: int
    watermark_ms: int | None
    late: int
    set_aside: int
    rows: int
    commits: int
    stalled: str | None = None
