"""`streamflow graph`: an app's graph as text, and as SVG."""

from __future__ import annotations

from pathlib import Path

import anyio

from streamflow.app import App
from streamflow.cli.load import load_app
from streamflow.cli.render import as_svg, as_text
from streamflow.topology import Piece, assign_partitions


async def pieces_of(app: App) -> list[Piece]:
    """The app's pieces with the partitions they would have on an empty log."""
    plan = await app.plan()
    assign_partitions(plan.pieces, {}, app.partitions)
    return plan.pieces


def run(target: str, svg: str | None) -> None:
    pieces = anyio.run(pieces_of, load_app(target))
    print(as_text(pieces), end="")
    if svg is not None:
        Path(svg).write_text(as_svg(pieces))
        print(f"\ndrawn into {svg}")
