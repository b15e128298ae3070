"""What to keep of a partition when it is opened. (RELIABILITY: torn tails, rot, missing files)

- After a clean stop the indexes say what each segment comes to; they are held against the files' sizes.
- A segment that has another behind it was flushed before that one was made, so only the last can have a torn tail.
- What the sealed ones come to is read again where no reading was saved, and saved then: they may be deleted or
  compacted before the next start.
- After an unclean stop the last is scanned. What doesn't verify at its end, with nothing behind it that was durable
  later, and lies above what is known to have been flushed, is a torn tail: it is cut.
- Everything else that doesn't verify, or isn't there, is quarantined: kept where it is, reported, and never skipped.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import structlog

from streamflow.log.errors import StorageFullError
from streamflow.log.model import Identity
from streamflow.log.storage.files import Files
from streamflow.log.storage.history import History
from streamflow.log.storage.kept import Kept, Quarantine
from streamflow.log.storage.segment import Damage, Segment, Stored

log = structlog.get_logger("streamflow.log")


def segment_bases(files: Files, directory: str) -> list[int]:
    """Where the segments in a directory begin, in order."""
    return sorted(int(n.removesuffix(".log")) for n in files.names(directory) if n.endswith(".log"))


def quarantine_damage(kept: Kept, segment: Segment, damage: Damage, limit: int) -> Quarantine:
    """`limit` is where what can't be read ends if no sound batch follows in the segment."""
    after = max(limit, damage.offset + 1) if damage.next_offset is None else damage.next_offset
    return kept.quarantine(damage.offset, after, segment.path, damage.reason)


@dataclass(slots=True)
class Recovery:
    """Of one partition with at least one segment."""

    identity: Identity
    segments: list[Segment]
    kept: Kept
    history: History
    recovery_point: int
    """Everything below was flushed."""

    def __post_init__(self) -> None:
        if self.recovery_point <= self.kept.log_start_offset:
            self.recovery_point = 0  # Nothing of it has to be there any more.

    def run(self, *, clean: bool) -> int:
        """Makes sure of every segment's end and brings the history up to the log's.

        Returns: where the next batch goes. It may lie above the last segment's end, which is kept as it is then.
        """
        active = self.segments[-1]
        for segment, following in pairwise(self.segments):
            self._check_sealed(segment, following.base_offset)
        first = self.segments[0].base_offset
        if self.kept.log_start_offset < first:
            self.kept.quarantine(self.kept.log_start_offset, first, self.segments[0].path, "the files before are gone")
        trusted = clean and active.load_tail() and active.sound_header() and self._whole(active)
        known = self.history.load(active.next_offset if trusted else active.base_offset)
        for segment in self.segments if trusted else self.segments[:-1]:
            self._replay(segment, known)
        if trusted:
            return active.next_offset
        if known < active.base_offset:
            with suppress(StorageFullError):  # It is an aid: without it, the next start reads as much again.
                self.history.save(active.base_offset, [segment.base_offset for segment in self.segments])
        return self._check_active(active)

    def _check_sealed(self, segment: Segment, following: int) -> None:
        if not segment.load_tail():
            damages = [found for found in segment.scan() if isinstance(found, Damage)]
            for damage in damages:
                quarantine_damage(self.kept, segment, damage, following)
            if not damages:
                segment.save_index()
            segment.close()
        if segment.next_offset < following:
            self.kept.quarantine(segment.next_offset, following, segment.path, "the file ends before")

    def _replay(self, segment: Segment, known: int) -> None:
        if segment.next_offset <= known:
            return
        for found in segment.walk(segment.position_of(known)):
            if isinstance(found, Stored) and found.header.base_offset >= known:
                self.history.learn(found.header, found.data)
        if segment is not self.segments[-1]:
            segment.close()

    def _whole(self, active: Segment) -> bool:
        return active.next_offset >= self.recovery_point

    def _check_active(self, active: Segment) -> int:
        named = active.sound_header()
        if not named and active.empty and self._whole(active):
            active.create()
        elif not named:
            log.warning("a segment's header doesn't verify; its batches say whose they are", path=active.path)
        for found in active.scan():
            if isinstance(found, Stored):
                self.history.learn(found.header, found.data)
            elif named and self._torn(active, found):
                self._cut(active, found)
                break
            else:
                limit = max(self.recovery_point, active.next_offset)
                quarantine = quarantine_damage(self.kept, active, found, limit)
                if found.next_offset is None:
                    active.sync()
                    return quarantine.next_offset
        active.sync()
        if self._whole(active):
            return active.next_offset
        missing = (active.next_offset, self.recovery_point)
        return self.kept.quarantine(*missing, active.path, "the file ends before").next_offset

    def _torn(self, active: Segment, damage: Damage) -> bool:
        return max(self.recovery_point, active.durable_behind(damage)) <= damage.offset

    def _cut(self, active: Segment, damage: Damage) -> None:
        log.warning(
            "torn tail cut: what was written last and not flushed",
            partition=str(self.identity),
            offset=damage.offset,
            bytes=active.file.size() - damage.position,
        )
        active.cut(damage.position)
