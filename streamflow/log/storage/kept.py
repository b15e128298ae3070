"""What is known of a partition beside its segments: where it begins, and which offsets can't be read.

The rest can be made anew from the segments; this can't, so it is written durably at each change. Unreadable, it costs
no record: the log begins with its first segment then, and damage is found again where it is met.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import structlog

from streamflow.log.model import Identity
from streamflow.log.storage.checksummed import unwrap, wrap
from streamflow.log.storage.files import Files

log = structlog.get_logger("streamflow.log")


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Offsets whose bytes don't verify: from `first_offset` to `next_offset` - 1. `accepted`: read over them."""

    first_offset: int
    next_offset: int
    path: str
    reason: str
    accepted: bool = False


class _Content(msgspec.Struct, array_like=True):
    log_start_offset: int
    quarantined: list[tuple[int, int, str, str, bool]]
    cleaned_to: int = 0


class Kept:
    """Of one partition. Read when made."""

    def __init__(self, files: Files, directory: str, identity: Identity, first_base: int) -> None:
        """Args: first_base: where the first segment begins, for when nothing better is known."""
        self.log_start_offset = first_base
        self.cleaned_to = 0
        """Below, each key was compacted to its newest record. Forgotten, it is done again."""
        self._files = files
        self._path = f"{directory}/kept"
        self._identity = identity
        self._found: dict[int, Quarantine] = {}
        data = files.read(self._path)
        if data is None:
            return
        try:
            content = msgspec.msgpack.decode(unwrap(data) or b"", type=_Content)
        except msgspec.MsgspecError:
            log.error(
                "what was kept beside the segments can't be read: the log begins with its first segment, and losses "
                "accepted before are asked for again",
                partition=str(identity),
                path=self._path,
                log_start_offset=first_base,
            )
            return
        self.log_start_offset, self.cleaned_to = content.log_start_offset, content.cleaned_to
        self._found = {q[0]: Quarantine(*q) for q in content.quarantined}

    def _save(self) -> None:
        found = [(q.first_offset, q.next_offset, q.path, q.reason, q.accepted) for q in self._found.values()]
        content = _Content(self.log_start_offset, found, self.cleaned_to)
        self._files.replace(self._path, wrap(msgspec.msgpack.encode(content)))

    @property
    def quarantined(self) -> list[Quarantine]:
        return sorted(self._found.values(), key=lambda q: q.first_offset)

    def holding(self, offset: int) -> Quarantine | None:
        """The quarantined range that the offset lies in."""
        return next((q for q in self._found.values() if q.first_offset <= offset < q.next_offset), None)

    def quarantine(self, first_offset: int, next_offset: int, path: str, reason: str) -> Quarantine:
        """Notes the range and reports it, once."""
        known = self._found.get(first_offset)
        if known is not None:
            return known
        found = self._found[first_offset] = Quarantine(first_offset, next_offset, path, reason)
        self._save()
        log.error(
            "corrupt records quarantined",
            partition=str(self._identity),
            first_offset=first_offset,
            next_offset=next_offset,
            path=path,
            reason=reason,
        )
        return found

    def accept(self) -> list[Quarantine]:
        """All ranges are read over from now on. Returns: those that weren't before."""
        asked = [q for q in self.quarantined if not q.accepted]
        self._found.update((q.first_offset, replace(q, accepted=True)) for q in asked)
        if asked:
            self._save()
        return asked

    def found_again(self, first_offset: int) -> None:
        """The range that begins there can be read."""
        if self._found.pop(first_offset, None) is not None:
            self._save()

    def begin_anew_at(self, offset: int) -> None:
        """Nothing of the log is left, this file included: without it, it begins with its first segment."""
        self.log_start_offset, self.cleaned_to, self._found = offset, 0, {}

    def begin_at(self, offset: int) -> None:
        """The log begins there; ranges wholly below are nobody's business any more."""
        self.log_start_offset = offset
        self._found = {first: q for first, q in self._found.items() if q.next_offset > offset}
        self._save()

    def end_at(self, offset: int) -> None:
        """The log ends there; ranges from there on are gone with it."""
        left = {first: q for first, q in self._found.items() if first < offset}
        if left != self._found or self.cleaned_to > offset:
            self._found, self.cleaned_to = left, min(self.cleaned_to, offset)
            self._save()

    def clean_to(self, offset: int) -> None:
        """Compacted up to there."""
        if offset != self.cleaned_to:
            self.cleaned_to = offset
            self._save()
