"""What a partition's batches come to, read in order: its producers' state and its leader epochs.

Saved, checksummed, under the offset it was read up to: so that opening a log reads its end and not all of it, and so
that a log that is truncated knows what it knew there. The batches that are left can't always say: some before were
deleted, or compacted away. So there is a reading wherever a segment begins, as far down as a log may be truncated to;
and where a reading can't be read, the batches say what they can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec
import structlog

from streamflow.log.epochs import EpochStarts
from streamflow.log.model import Aborted
from streamflow.log.records import BatchHeader, read_marker
from streamflow.log.storage.checksummed import unwrap, wrap
from streamflow.log.storage.files import Files
from streamflow.log.storage.kept import Quarantine
from streamflow.log.storage.producers import Producers
from streamflow.log.storage.segment import Stored

log = structlog.get_logger("streamflow.log")

_SUFFIX = ".state"
INT64_MAX = 2**63 - 1


class _Content(msgspec.Struct, array_like=True):
    producers: bytes
    epochs: list[tuple[int, int]]


Reading = tuple[Producers, EpochStarts]


class History:
    """Of one partition. `readings` are the offsets of those that are saved, in order."""

    def __init__(self, files: Files, directory: str) -> None:
        self.producers = Producers()
        self.epochs = EpochStarts()
        self._files = files
        self._directory = directory
        names = files.names(directory)
        self.readings = sorted(int(n.removesuffix(_SUFFIX)) for n in names if n.endswith(_SUFFIX))

    def learn(self, header: BatchHeader, batch: memoryview) -> None:
        """The batch is the log's newest. Raises: CorruptBatchError for a control record that isn't a marker."""
        marker = read_marker(batch) if header.control else None
        self.producers.appended(header, header.base_offset, marker=marker)
        self.epochs.assign(header.leader_epoch, header.base_offset)

    def save(self, offset: int, bases: Collection[int]) -> None:
        """Notes what the batches below `offset` come to, unless that is noted. Beside this one, those are kept that
        stand where a segment begins (`bases`)."""
        if offset not in self.readings:
            self._write(offset, self.producers, self.epochs)
        for old in self.readings[:]:
            if old != offset and old not in bases:
                self._remove(old)

    def _write(self, offset: int, producers: Producers, epochs: EpochStarts) -> None:
        content = _Content(producers.snapshot(), epochs.entries)
        self._files.replace(self._path(offset), wrap(msgspec.msgpack.encode(content)))
        self.readings = sorted({*self.readings, offset})

    def load(self, limit: int) -> int:
        """Takes the newest reading of batches below `limit`. Returns: the offset to go on from; 0 without any."""
        self.producers, self.epochs = Producers(), EpochStarts()
        for offset in self.readings[::-1]:
            reading = self._read(offset) if offset <= limit else None
            if reading is not None:
                self.producers, self.epochs = reading
                return offset
        return 0

    def _read(self, offset: int) -> Reading | None:
        """What was saved under the offset; None when it can't be read."""
        data = self._files.read(self._path(offset))
        try:
            content = msgspec.msgpack.decode(unwrap(data or b"") or b"", type=_Content)
            return Producers.restored(content.producers), EpochStarts(content.epochs)
        except msgspec.MsgspecError:
            log.warning("saved producer state can't be read, an older one is used", path=self._path(offset))
            self.readings.remove(offset)
            return None

    def is_saved_within(self, first: int, last: int) -> bool:
        """Whether a reading of batches up to an offset between the two is there."""
        return any(first <= offset <= last for offset in self.readings)

    def saved_aborted(self) -> list[Aborted]:
        """What a start may know again of aborted transactions. Blocks."""
        readings = [r for offset in self.readings[:] if (r := self._read(offset)) is not None]
        return [a for producers, _ in readings for a in producers.aborted(0, INT64_MAX)]

    def forget_from(self, offset: int) -> None:
        """Batches from `offset` on are gone: no reading that knows of them may be taken again."""
        for saved in self.readings[:]:
            if saved > offset:
                self._remove(saved)

    def forget_below(self, offset: int) -> None:
        """No log is truncated to below `offset`, nor opened with less: of the readings up to there the newest will
        do."""
        needless = [saved for saved in self.readings if saved <= offset][:-1]
        for saved in needless:
            self._remove(saved)

    def forget_all(self) -> None:
        """No batch is left."""
        self.producers, self.epochs = Producers(), EpochStarts()
        self.forget_from(-1)

    def learn_again(self, offset: int, batches: Callable[[int], Iterable[Stored | Quarantine]]) -> None:
        """Of batches from `offset` on, some weren't known. All are read again, and the readings that stand behind
        corrected; what was known before of others that are gone stays known.

        Args: batches: gives those from an offset on.
        """
        before = self.producers, self.epochs
        behind = [saved for saved in self.readings if saved > offset]
        known = self.load(offset)
        for found in batches(known):
            if isinstance(found, Stored) and found.header.base_offset >= known:
                while behind and behind[0] <= found.header.base_offset:
                    self._correct(behind.pop(0))
                self.learn(found.header, found.data)
        for saved in behind:
            self._correct(saved)
        self.producers, self.epochs = _joined((self.producers, self.epochs), before)

    def _correct(self, offset: int) -> None:
        before = self._read(offset) or (Producers(), EpochStarts())
        self._write(offset, *_joined((self.producers, self.epochs), before))

    def begin_at(self, offset: int) -> None:
        """Batches below `offset` are gone."""
        self.producers.forget_before(offset)
        self.epochs.begin_at(offset)

    def _remove(self, offset: int) -> None:
        self._files.remove(self._path(offset))
        self.readings.remove(offset)

    def _path(self, offset: int) -> str:
        return f"{self._directory}/{offset:020d}{_SUFFIX}"


def _joined(now: Reading, before: Reading) -> Reading:
    """Args: before: knows some of the batches and others that are gone."""
    producers = Producers.restored(now[0].snapshot())
    producers.remember(before[0])
    starts = dict(before[1].entries)
    starts.update((epoch, min(start, starts.get(epoch, start))) for epoch, start in now[1].entries)
    return producers, EpochStarts(sorted(starts.items()))
