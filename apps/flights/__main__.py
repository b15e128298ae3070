"""`make run`: replays the month to its end, and prints what came out.

Stop it at any moment, even with kill -9, and start it again: it goes on where the last commit left it.
"""

from __future__ import annotations

import sys
import time

import anyio
from rich.console import Console

from apps.flights.app import DATABASE, app
from apps.flights.report import show
from streamflow.cli.live import watched
from streamflow.cli.logs import configure
from streamflow.errors import StreamflowError
from streamflow.worker.run import Worker


async def work() -> float:
    started = time.monotonic()
    worker = Worker(app, until_end=True)
    async with watched(worker):
        await worker.run(signals=True)
    return time.monotonic() - started


def main() -> int:
    configure()
    console = Console()
    try:
        took = anyio.run(work)
    except StreamflowError as error:
        Console(stderr=True).print(f"[red]error:[/] {error}")
        return 1
    show(console, DATABASE)
    console.print(
        f"Done in {took:.1f} s. To look further:\n"
        f"  .venv/bin/python -c \"import duckdb; print(duckdb.connect('{DATABASE}').sql('FROM weather_alerts'))\"\n"
        f"  .venv/bin/streamflow graph apps/flights/app.py\n"
        f"  .venv/bin/streamflow topic list --log {app.log}\n"
        f"  .venv/bin/streamflow group list --log {app.log}\n"
        f"To begin anew: rm -r {DATABASE.parent}\n",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
