"""How many files and sockets the process may have open: as many as the system lets it, and a word when that is few."""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger("streamflow.broker")

SPARE = 200
"""For the log's own files, and what Python has open."""


def raise_limit(connections_max: int, partitions: int) -> int:
    """Raises the soft limit to the hard one. Returns: the limit.

    A connection takes one; a partition that is written to or read takes one or a few, and gives them back.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError) as error:  # macOS has a lower bound that it doesn't tell.
            log.warning("the limit of open files stays as it is", limit=soft, error=str(error))
    needed = connections_max + partitions + SPARE
    if soft != resource.RLIM_INFINITY and soft < needed:
        log.warning(
            "few files may be open: clients may be turned away, and partitions may fail; raise the hard limit "
            "(ulimit -Hn), or lower max.connections",
            limit=soft,
            connections_max=connections_max,
            partitions=partitions,
        )
    return soft
