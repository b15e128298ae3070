"""What a partition's batches come to, read in order: its producers' state and its leader epochs.

Saved now and then, checksummed, under the offset it was read up to, so that opening a log reads its end and not all
of it. A reading aid: without it, or with one that can't be read, the batches say the same.
"""

from __future__ import annotations

import msgspec
import structlog

from streamflow.log.epochs import EpochStarts
from streamflow.log.model import Aborted
from streamflow.log.records import BatchHeader, read_marker
from streamflow.log.storage.checksummed import unwrap, wrap
from streamflow.log.storage.files import Files
from streamflow.log.storage.producers import Producers

log = structlog.get_logger("streamflow.log")

_SUFFIX = ".state"
INT64_MAX = 2**63 - 1


class _Content(msgspec.Struct, array_like=True):
    producers: bytes
    epochs: list[tuple[int, int]]


class History:
    """Of one partition."""

    def __init__(self, files: Files, directory: str) -> None:
        self.producers = Producers()
        self.epochs = EpochStarts()
        self._files = files
        self._directory = directory
        self._saved_at: int | None = None
        """Up to where the newest reading that is saved goes, where that is known."""

    def learn(self, header: BatchHeader, batch: memoryview) -> None:
        """The batch is the log's newest. Raises: CorruptBatchError for a control record that isn't a marker."""
        marker = read_marker(batch) if header.control else None
        self.producers.appended(header, header.base_offset, marker=marker)
        self.epochs.assign(header.leader_epoch, header.base_offset)

    def save(self, offset: int, active_base: int) -> None:
        """Notes what the batches below `offset` come to. Two are kept: this one, and the newest that a start which
        trusts nothing of the active segment can begin with."""
        if offset == self._saved_at:
            return
        content = _Content(self.producers.snapshot(), self.epochs.entries)
        self._files.replace(self._path(offset), wrap(msgspec.msgpack.encode(content)))
        self._saved_at = offset
        sealed = max((o for o in self._saved() if o <= active_base), default=offset)
        for old in self._saved():
            if old not in (offset, sealed):
                self._files.remove(self._path(old))

    def load(self, limit: int) -> int:
        """Takes the newest reading of batches below `limit`. Returns: the offset to go on from; 0 without any."""
        self.producers, self.epochs = Producers(), EpochStarts()
        for offset in self._saved():
            reading = self._read(offset) if offset <= limit else None
            if reading is not None:
                self.producers, self.epochs = reading
                self._saved_at = offset
                return offset
        return 0

    def _read(self, offset: int) -> tuple[Producers, EpochStarts] | None:
        """What was saved under the offset; None when it can't be read."""
        data = self._files.read(self._path(offset))
        try:
            content = msgspec.msgpack.decode(unwrap(data or b"") or b"", type=_Content)
            return Producers.restored(content.producers), EpochStarts(content.epochs)
        except msgspec.MsgspecError:
            log.warning("saved producer state can't be read, an older one is used", path=self._path(offset))
            return None

    def is_saved_within(self, first: int, last: int) -> bool:
        """Whether a reading of batches up to an offset between the two is there."""
        return any(first <= offset <= last for offset in self._saved())

    def saved_aborted(self) -> list[Aborted]:
        """What a start may know again of aborted transactions. Blocks."""
        readings = [r for offset in self._saved() if (r := self._read(offset)) is not None]
        return [a for producers, _ in readings for a in producers.aborted(0, INT64_MAX)]

    def forget_from(self, offset: int) -> None:
        """Batches from `offset` on are gone: no reading that knows of them may be taken again."""
        if self._saved_at is not None and self._saved_at > offset:
            self._saved_at = None
        for saved in self._saved():
            if saved > offset:
                self._files.remove(self._path(saved))

    def forget_all(self) -> None:
        """No batch is left."""
        self.producers, self.epochs = Producers(), EpochStarts()
        self.forget_from(-1)

    def begin_at(self, offset: int) -> None:
        """Batches below `offset` are gone."""
        self.producers.forget_before(offset)
        self.epochs.begin_at(offset)

    def _path(self, offset: int) -> str:
        return f"{self._directory}/{offset:020d}{_SUFFIX}"

    def _saved(self) -> list[int]:
        """Offsets of what is there, newest first."""
        names = self._files.names(self._directory)
        return sorted((int(n.removesuffix(_SUFFIX)) for n in names if n.endswith(_SUFFIX)), reverse=True)
