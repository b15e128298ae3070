"""The broker epoch that a data directory is known to be complete under, written in the directory itself.

It vouches for the data beside it: whoever brings it back after a stop, and lost nothing on the way, still has all it
acknowledged (see `controller.brokers`). Promises: an epoch is there before the broker serves under it, and an empty
disk has none. It must never be taken from anywhere else, the metadata log least of all: that one is copied from others.
"""

from __future__ import annotations

from streamflow.log.storage.checksummed import unwrap, wrap
from streamflow.log.storage.files import Files

PATH = "broker-epoch"
NONE = -1


def read_epoch(files: Files, *, nothing_lost: bool) -> int:
    """The epoch to register with; -1 when the data may lack something.

    Args:
        nothing_lost: the last run acknowledged nothing that wasn't durable (`log.flush=commit`), or ended cleanly.
    """
    content = unwrap(files.read(PATH) or b"")
    return int(content) if nothing_lost and content is not None else NONE


def write_epoch(files: Files, broker_epoch: int) -> None:
    """Blocks until it is durable."""
    files.replace(PATH, wrap(str(broker_epoch).encode()))
