"""What a running worker shows of itself."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

import streamflow as sf
from streamflow.cli.live import line, moment, watched
from streamflow.errors import AgentError
from streamflow.worker.figures import Figures
from streamflow.worker.run import Worker

QUIET = Figures(
    events_in=1_234_567,
    records_out=9,
    alerts=3,
    lag=0,
    watermark_ms=1_767_225_600_000,
    late=0,
    set_aside=0,
    rows=0,
    commits=7,
)


def test_the_line_says_how_much_how_fast_how_far_and_how_many_alerts() -> None:
    shown = line(QUIET, 45_678.9).plain
    assert " ".join(shown.split()) == "45,679 events/s 1,234,567 in all 0 behind 2026-01-01 00:00:00 3 alerts"


def test_what_is_wrong_is_shown_only_when_it_is() -> None:
    wrong = replace(QUIET, late=2, set_aside=5, stalled="agent 'big' on orders-0 offset 3 (app.py:7) for 12 s")
    shown = line(wrong, 0).plain
    assert "2 late" in shown
    assert "5 set aside" in shown
    assert shown.endswith("stalled: agent 'big' on orders-0 offset 3 (app.py:7) for 12 s")


@pytest.mark.parametrize(("ms", "shown"), [(None, "–"), (0, "1970-01-01 00:00:00"), (10**17, str(10**17))])
def test_event_time_is_shown_whatever_it_is(ms: int | None, shown: str) -> None:
    assert moment(ms) == shown


def test_what_stops_the_worker_comes_out_as_it_was() -> None:
    async def main() -> None:
        async with watched(Worker(sf.App("idle"))):
            raise AgentError("stopped at orders-0 offset 3")

    with pytest.raises(AgentError, match="offset 3"):
        anyio.run(main)
