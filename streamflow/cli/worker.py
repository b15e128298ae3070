"""`streamflow worker`: runs an app and shows how it does."""

from __future__ import annotations

import anyio
import structlog

from streamflow.cli.live import watched
from streamflow.cli.load import load_app
from streamflow.cli.logs import configure
from streamflow.errors import AppError
from streamflow.worker.run import Worker

log = structlog.get_logger("streamflow.worker")


def run(target: str, address: str | None, *, until_end: bool) -> None:
    """Raises: StreamflowError saying what stopped the worker."""
    configure()
    app = load_app(target)
    if address is not None:
        app.log = address
    anyio.run(_run, Worker(app, until_end=until_end))


async def _run(worker: Worker) -> None:
    app = worker.app
    if not (await app.plan()).pieces and not (app.timers or app.tasks or app.sources):
        raise AppError(f"app '{app.id}' has nothing to run: no agent, stream, timer, task or source")
    async with watched(worker):
        await worker.run(signals=True)
    figures = worker.figures()
    log.info("done", events=figures.events_in, alerts=figures.alerts, commits=figures.commits)
