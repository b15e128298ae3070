"""Space kept back for a full disk, so that what frees space (deleting, ending transactions, closing) still works.

Promises: when the disk is full, records are refused and everything else goes on; records are taken again once there is
room for the ballast and as much beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from streamflow.log.errors import StorageFullError
from streamflow.log.storage.files import Files

log = structlog.get_logger("streamflow.log")

T = TypeVar("T")

PATH = "ballast"


class Ballast:
    """Invariant: the file is there, or `spent`.

    Args:
        size: in bytes; 0 keeps nothing back.
    """

    def __init__(self, files: Files, size: int) -> None:
        self._files = files
        self._size = size
        self.spent = False

    def fill(self) -> None:
        """Takes the space, if it is there to be taken. Blocks."""
        if not self._size:
            return
        file = self._files.open(PATH)
        try:
            if file.size() != self._size:
                file.write(0, bytes(2 * self._size))
                file.truncate(self._size)
                file.sync()
        except StorageFullError:
            self._spend()
            return
        finally:
            file.close()
        if self.spent:
            self.spent = False
            log.info("there is space again; records are taken", path=f"{self._files.root}/{PATH}")

    def _spend(self) -> None:
        if not self.spent:
            log.error("no space left; records are refused until there is some", path=self._files.root)
        self.spent = True
        self._files.remove(PATH)

    def lend(self, work: Callable[[], T], *, housekeeping: bool) -> T:
        """Does what writes to the disk.

        Args:
            housekeeping: it frees space, or ends what was begun; it may use the ballast.

        Raises: StorageFullError, for records already when the ballast is spent.
        """
        if self.spent and not housekeeping:
            raise StorageFullError(
                f"no space left in {self._files.root}. Nothing acknowledged is lost; free some space, delete records "
                f"or topics, or shorten retention"
            )
        try:
            return work()
        except StorageFullError:
            if self._size:
                self._spend()
            if not self._size or not housekeeping:
                raise
            return work()
