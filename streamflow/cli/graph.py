"""`streamflow graph`: an app's graph as text, and as SVG."""

from __future__ import annotations

from pathlib import Path

import anyio

from streamflow.app import App
from streamflow.cli.load import load_app
from streamflow.cli.render import as_svg, as_text
from streamflow.errors import AppError, ConfigError
from streamflow.topology import Piece, assign_partitions


async def pieces_of(app: App) -> list[Piece]:
    """The app's pieces with the partitions they would have on an empty log."""
    plan = await app.plan()
    assign_partitions(plan.pieces, {}, app.partitions)
    return plan.pieces


def run(target: str, svg: str | None) -> None:
    app = load_app(target)
    pieces = anyio.run(pieces_of, app)
    if not pieces:
        raise AppError(f"app '{app.id}' has nothing to draw: no agent and no stream")
    print(as_text(pieces), end="")
    if svg is not None:
        try:
            Path(svg).write_text(as_svg(pieces))
        except OSError as error:
            raise ConfigError(f"can't draw into '{svg}': {error.strerror}; name a file that can be written") from error
        print(f"\ndrawn into {svg}")
