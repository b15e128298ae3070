"""Where log lines go and how they look: to stderr, for people on a terminal and as key=value elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import TextIO, cast

import structlog


class _Stderr:
    """Whatever is sys.stderr at the moment: the live line puts itself in its place, and log lines above itself."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(*, verbose: bool = False) -> None:
    """Sets up structlog for a command. Called once, before anything is logged."""
    level = logging.DEBUG if verbose else logging.INFO
    stamp = structlog.processors.TimeStamper(
        fmt="%H:%M:%S" if sys.stderr.isatty() else "iso", utc=not sys.stderr.isatty()
    )
    shown: structlog.typing.Processor
    if sys.stderr.isatty():
        shown = structlog.dev.ConsoleRenderer(pad_event_to=0)
    else:
        shown = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    structlog.configure(
        processors=[structlog.processors.add_log_level, stamp, structlog.processors.format_exc_info, shown],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Stderr())),
        cache_logger_on_first_use=False,
    )
