"""What a running worker shows: a live line a second on a terminal, log lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
import structlog
from rich.console import Console
from rich.live import Live
from rich.text import Text

from streamflow.worker.figures import Figures
from streamflow.worker.run import Worker

log = structlog.get_logger("streamflow.worker")

LIVE_SECONDS = 1.0
LOG_SECONDS = 10.0


def moment(ms: int | None) -> str:
    """Event time for people; a dash where there is none."""
    if ms is None:
        return "–"
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(ms)


def line(figures: Figures, rate: float) -> Text:
    """The live line."""
    parts = [
        (f"{rate:>9,.0f}", "bold green"),
        (" events/s", ""),
        (f"   {figures.events_in:,}", "bold"),
        (" in all", ""),
        (f"   {figures.lag:,}", "bold yellow" if figures.lag else "bold"),
        (" behind", ""),
        (f"   {moment(figures.watermark_ms)}", "cyan"),
        (f"   {figures.alerts:,}", "bold"),
        (" alerts", ""),
    ]
    if figures.late:
        parts += [(f"   {figures.late:,}", "bold yellow"), (" late", "")]
    if figures.set_aside:
        parts += [(f"   {figures.set_aside:,}", "bold red"), (" set aside", "")]
    if figures.stalled:
        parts += [(f"   stalled: {figures.stalled}", "bold red")]
    return Text.assemble(*parts)


@asynccontextmanager
async def watched(worker: Worker) -> AsyncIterator[None]:
    """Shows the worker's figures while the body runs, and once more at its end."""
    console = Console(stderr=True)
    stopped_by: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_live if console.is_terminal else _logged, worker, console)
        try:
            yield
        except Exception as error:  # the task group would wrap it
            stopped_by = error
        finally:
            group.cancel_scope.cancel()
    if stopped_by is not None:
        raise stopped_by


async def _live(worker: Worker, console: Console) -> None:
    started = time.monotonic()
    seen, at = 0, started
    with Live(console=console, auto_refresh=False, transient=False) as live:
        try:
            while True:
                await anyio.sleep(LIVE_SECONDS)
                figures, now = worker.figures(), time.monotonic()
                live.update(line(figures, (figures.events_in - seen) / (now - at)), refresh=True)
                seen, at = figures.events_in, now
        finally:
            figures = worker.figures()
            live.update(line(figures, figures.events_in / (time.monotonic() - started)), refresh=True)


async def _logged(worker: Worker, console: Console) -> None:
    seen = -1
    while True:
        await anyio.sleep(LOG_SECONDS)
        figures = worker.figures()
        if figures.events_in != seen:
            rate = round((figures.events_in - max(seen, 0)) / LOG_SECONDS)
            log.info(
                "working",
                events=figures.events_in,
                per_second=rate,
                lag=figures.lag,
                watermark=moment(figures.watermark_ms),
                alerts=figures.alerts,
                late=figures.late,
                set_aside=figures.set_aside,
            )
            seen = figures.events_in
