"""One append-only file of record batches.

    header (64 bytes) | frame | frame | …          frame: previous check u32 | check u32 | unflushed u32 | batch v2

The check is the CRC of the topic's id, the partition, how many offsets before the batch weren't durable when it was
written, and the batch's first 21 bytes (base offset, length, leader epoch, magic, the batch's own CRC), seeded with
the check before it. With the batch's CRC over the rest, every byte is covered once, and a batch that was misplaced,
dropped or kept from an older copy of the file breaks the chain. Clients see batches without frames.

Promises: what `walk` yields as stored is what was appended, where it was appended. A write that failed leaves nothing
behind that could be taken for records. A segment that nobody reads holds no file open and no index in memory.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from crc32c import crc32c

from streamflow.log.errors import CorruptBatchError, LogError, UnsupportedFormatError
from streamflow.log.model import Identity
from streamflow.log.records import HEADER_BYTES, LENGTH_BYTES, BatchHeader, check_crc, parse_header
from streamflow.log.storage.files import File, Files
from streamflow.log.storage.index import HEAD_BYTES, Index, Tail, decode_tail

FORMAT = 1
FRAME_BYTES = 12
CHECKED_BYTES = 21
READ_BYTES = 256 * 1024
"""Of a walk's reads."""
SCAN_BYTES = 1024 * 1024
BATCH_BYTES_MAX = 2**30
"""A length above is no length: no allocation follows from it."""
NO_TIMESTAMP = -(2**63)
UNFLUSHED_MAX = 2**32 - 1

_HEADER = struct.Struct(">4sHxxi16sqI")
_CRC = struct.Struct(">I")
_FRAME = struct.Struct(">III")
_UNFLUSHED = struct.Struct(">I")
_HEADER_SIZE = 64

_LOOKS_LIKE_A_FRAME = re.compile(rb"(?=.{12}\0\0.{6}[\0-\x3f].{7}\x02)", re.DOTALL)
"""A base offset below 2**48, a length below 2**30, magic 2. Only what looks so is worth a checksum."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that aren't the batch that should begin at `offset`; the next sound one is `next_offset`, if any."""

    offset: int
    position: int
    reason: str
    next_offset: int | None
    next_position: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A sound batch, where it stands, and its check. Offsets below `durable` were when it was written."""

    header: BatchHeader
    data: memoryview
    position: int
    check: int
    durable: int


def segment_path(directory: str, base_offset: int, suffix: str = "log") -> str:
    return f"{directory}/{base_offset:020d}.{suffix}"


class Segment:
    """Batches from `base_offset` to `next_offset` - 1. `size` is where the next frame goes."""

    def __init__(
        self,
        files: Files,
        directory: str,
        identity: Identity,
        base_offset: int,
        index_bytes: int,
        *,
        path: str = "",
    ) -> None:
        """Args: path: of the file, when it isn't called what it will be in the end."""
        self.base_offset = base_offset
        self.next_offset = base_offset
        self.max_timestamp = NO_TIMESTAMP
        self.size = _HEADER_SIZE
        self.path = path or segment_path(directory, base_offset)
        self.damages: list[Damage] = []
        self._files = files
        self.index_path = segment_path(directory, base_offset, "index")
        self._who = identity.topic_id.bytes + struct.pack(">i", identity.partition)
        self._index_bytes = index_bytes
        self._seed = self._check = crc32c(struct.pack(">q", base_offset), crc32c(self._who))
        self._index: Index | None = None
        self._file: File | None = None
        self._closing = Lock()
        self._torn = False
        self._saved: Tail | None = None
        """What the index beside the file says, where that is known."""

    def __repr__(self) -> str:
        return f"<Segment {self.path} {self.base_offset}..{self.next_offset} {self.size} bytes>"

    # Opening and closing

    def create(self) -> None:
        """A new file with its header, durably: there as a whole or not at all. One left half made, while appends go on
        in the segment before, would hide those from the next start."""
        self.close()
        self._saved = None
        self._files.replace(self.path, self._file_header())
        self._index = Index()

    def _file_header(self) -> bytes:
        topic_id, (partition,) = self._who[:16], struct.unpack(">i", self._who[16:])
        head = _HEADER.pack(b"SFSG", FORMAT, partition, topic_id, self.base_offset, self._seed)
        return (head + _CRC.pack(crc32c(head))).ljust(_HEADER_SIZE, b"\0")

    def sound_header(self) -> bool:
        """Whether the file says that it is this segment's. Its batches say so too, each.

        Raises: UnsupportedFormatError.
        """
        found = self.file.read(0, _HEADER_SIZE)
        if found == self._file_header():
            return True
        if len(found) == _HEADER_SIZE and _CRC.unpack_from(found, _HEADER.size)[0] == crc32c(found[: _HEADER.size]):
            magic, version, *_ = _HEADER.unpack_from(found)
            if magic == b"SFSG" and version > FORMAT:
                raise UnsupportedFormatError(
                    f"{self.path} is written in segment format {version}, this version knows up to {FORMAT}; upgrade "
                    "streamflow-log. Nothing was changed"
                )
        return False

    @property
    def empty(self) -> bool:
        """Whether the file holds no byte of a batch."""
        return self.file.size() <= _HEADER_SIZE

    @property
    def file(self) -> File:
        if self._file is None:
            self._file = self._files.open(self.path)
        return self._file

    def sync(self) -> None:
        """May run on another thread. A segment that was closed meanwhile had been flushed before."""
        with self._closing:
            if self._file is not None:
                self._file.sync()

    def close(self) -> None:
        """Lets go of the file, and of an index that can be read again."""
        with self._closing:
            if self._file is not None:
                self._file.close()
                self._file = None
        self._index = None

    def rename(self, path: str) -> None:
        """The file is called so from now on, and after a crash once its directory is synced."""
        self.close()
        self._files.rename(self.path, path)
        self.path = path

    def remove(self) -> None:
        self.close()
        self._files.remove(self.path)
        self._files.remove(self.index_path)

    # Index

    def load_tail(self) -> bool:
        """Takes what the index beside the file says the segment comes to; False when it doesn't speak of this file."""
        tail = decode_tail(self._files.read(self.index_path, HEAD_BYTES) or b"")
        if tail is None or tail.size != self._files.size(self.path):
            return False
        self.size, self.next_offset = tail.size, tail.next_offset
        self.max_timestamp, self._check = tail.max_timestamp, tail.check
        self._saved = tail
        return True

    @property
    def index(self) -> Index:
        """Read again, or made anew, where it was let go of."""
        if self._index is None:
            data = self._files.read(self.index_path) or b""
            if decode_tail(data) == self._tail:
                self._index = Index.decode(data)
        if self._index is None:
            for _ in self.scan():
                pass
        assert self._index is not None, "a scan makes one"
        return self._index

    @property
    def _tail(self) -> Tail:
        return Tail(self.size, self.next_offset, self.max_timestamp, self._check)

    def save_index(self) -> None:
        """Unless the one that is there says it all."""
        if self._saved != self._tail:
            self._files.replace(self.index_path, self.encoded_index())
            self._saved = self._tail

    def encoded_index(self) -> bytes:
        """What is saved beside the file."""
        return self.index.encode(self._tail)

    # Writing

    def append(self, batches: list[tuple[BatchHeader, memoryview]], durable: int) -> None:
        """Stamped batches, in one write; offsets below `durable` are by now.

        Raises: LogError; the segment is as it was then, and can be appended to once there is room.
        """
        parts: list[bytes | memoryview] = []
        index = self.index  # Before anything is written: made anew, it is made of what is there.
        check, size = self._check, self.size
        for header, data in batches:
            unflushed = min(max(header.base_offset - durable, 0), UNFLUSHED_MAX)
            previous, check = check, self._checked(data, check, unflushed)
            parts += [_FRAME.pack(previous, check, unflushed), data]
        if self._torn:
            self._clear_tail()
        try:
            self.file.write(size, b"".join(parts))
        except LogError:
            self._torn = True
            with suppress(LogError):
                self._clear_tail()
            raise
        for header, _ in batches:
            self._note(index, header, self.size)
        self._check = check

    def append_damaged(self, data: bytes) -> None:
        """Bytes that can't be read, as they were found in a file that this one replaces: reads run into them here too.

        Raises: LogError.
        """
        self.file.write(self.size, data)
        self.size += len(data)

    def _clear_tail(self) -> None:
        """What a failed write left could hold whole batches, which nobody was told are there."""
        self.file.truncate(self.size)
        self._torn = False

    def _checked(self, data: memoryview, previous: int, unflushed: int) -> int:
        return crc32c(data[:CHECKED_BYTES], crc32c(_UNFLUSHED.pack(unflushed), crc32c(self._who, previous)))

    def _note(self, index: Index, header: BatchHeader, position: int) -> None:
        """A sound batch stands at `position`."""
        if not index or position - index.positions[-1] >= self._index_bytes:
            index.add(header.base_offset, position, self.max_timestamp)
        if header.count:
            self.max_timestamp = max(self.max_timestamp, header.max_timestamp)
        self.next_offset = header.last_offset + 1
        self.size = position + FRAME_BYTES + header.size

    def cut(self, position: int) -> None:
        """Removes what stands at `position` and behind: a torn tail, or what another leader didn't have."""
        self._saved = None
        self._files.remove(self.index_path)
        self.file.truncate(position)
        self.damages = [d for d in self.damages if d.position < position]
        if position != self.size:
            for _ in self.scan():
                pass

    # Reading

    def position_of(self, offset: int) -> int:
        """Where to begin looking for the batch that holds the offset."""
        return self.index.before_offset(offset) or _HEADER_SIZE

    def position_of_time(self, timestamp: int) -> int:
        """Where to begin looking for the first record at or after the timestamp."""
        return self.index.before_time(timestamp) or _HEADER_SIZE

    def walk(
        self, position: int = _HEADER_SIZE, read_bytes: int = READ_BYTES, end: int | None = None
    ) -> Iterator[Stored | Damage]:
        """Batches from a frame's position on, each verified; what isn't sound comes as damage, and what follows it
        goes on. An end cut short comes as damage without a next offset."""
        end = self.size if end is None else end
        expected = self.base_offset if position == _HEADER_SIZE else None
        previous: int | None = self._seed if position == _HEADER_SIZE else None
        buffer, start = memoryview(b""), position
        while position < end:
            at = position - start
            needed = self._needed(buffer, at)
            if len(buffer) - at < needed:
                buffer, start, at = self._filled(position, read_bytes, end), position, 0
            found = self._sound(buffer, at, previous)
            if isinstance(found, str):
                damage = self._damaged(position, expected, found, end)
                yield damage
                if damage.next_offset is None:
                    return
                position, previous, expected = damage.next_position, None, damage.next_offset
                continue
            header, check, durable = found
            data = buffer[at + FRAME_BYTES : at + FRAME_BYTES + header.size]
            yield Stored(header, data, position, check, durable)
            position, previous, expected = position + FRAME_BYTES + header.size, check, header.last_offset + 1

    def _filled(self, position: int, size: int, end: int) -> memoryview:
        """At least the frame at the position, as far as the file has it."""
        size = max(size, FRAME_BYTES + HEADER_BYTES)
        buffer = memoryview(self.file.read(position, min(size, end - position)))
        needed = self._needed(buffer, 0)
        if len(buffer) < needed and self._framed(buffer, 0):
            buffer = memoryview(self.file.read(position, min(needed, end - position)))
        return buffer

    @staticmethod
    def _needed(buffer: memoryview, at: int) -> int:
        """Bytes of the frame at `at`, as far as they can be known; never more than a batch may claim."""
        if len(buffer) - at < FRAME_BYTES + HEADER_BYTES:
            return FRAME_BYTES + HEADER_BYTES
        (length,) = struct.unpack_from(">i", buffer, at + FRAME_BYTES + 8)
        return FRAME_BYTES + LENGTH_BYTES + length if 0 <= length < BATCH_BYTES_MAX else FRAME_BYTES + HEADER_BYTES

    def _sound(self, buffer: memoryview, at: int, previous: int | None) -> tuple[BatchHeader, int, int] | str:
        """The batch at `at`, its check, and what was durable before it; what is wrong with it otherwise."""
        if len(buffer) - at < FRAME_BYTES + HEADER_BYTES:
            return "it is cut short"
        before, check, unflushed = _FRAME.unpack_from(buffer, at)
        if previous is not None and before != previous:
            return "it doesn't follow the batch before it"
        if not self._framed(buffer, at):
            return "its frame fails the checksum"
        try:
            header = parse_header(buffer, at + FRAME_BYTES)
            check_crc(buffer, header, at + FRAME_BYTES)
        except CorruptBatchError as error:
            return str(error)
        return header, check, header.base_offset - unflushed

    def _framed(self, buffer: memoryview, at: int) -> bool:
        """Whether a frame vouches for the header at `at`, and so for the length in it."""
        if len(buffer) - at < FRAME_BYTES + CHECKED_BYTES:
            return False
        before, check, unflushed = _FRAME.unpack_from(buffer, at)
        checked = buffer[at + FRAME_BYTES : at + FRAME_BYTES + CHECKED_BYTES]
        return bool(check == self._checked(checked, before, unflushed))

    def _damaged(self, position: int, expected: int | None, reason: str, end: int) -> Damage:
        """Looks behind the damage for the next sound batch: any position whose frame and batch verify."""
        for known in self.damages:
            if known.position == position:
                return known
        if position == _HEADER_SIZE and not self.sound_header():
            reason = "the segment's header isn't this partition's"
        first = expected
        if first is None:
            first = (self._index.offset_at(position) if self._index else None) or self.base_offset
        next_offset, next_position = self._next_sound(position + 1, first, end) or (None, end)
        damage = Damage(first, position, reason, next_offset, next_position)
        self.damages.append(damage)
        return damage

    def _next_sound(self, position: int, first: int, end: int) -> tuple[int, int] | None:
        """Offset and position of the next batch that verifies and isn't below `first`."""
        for start in range(position, end, SCAN_BYTES):
            data = memoryview(self.file.read(start, min(SCAN_BYTES + FRAME_BYTES + CHECKED_BYTES, end - start)))
            for match in _LOOKS_LIKE_A_FRAME.finditer(data):
                if not self._framed(data, match.start()):
                    continue
                at = start + match.start()
                found = self._sound(self._filled(at, 0, end), 0, None)
                if not isinstance(found, str) and found[0].base_offset >= first:
                    return found[0].base_offset, at
        return None

    def first_timestamp(self) -> int | None:
        """The newest of the first batch's; None when there is none that can be read."""
        found = next(self.walk(read_bytes=FRAME_BYTES + HEADER_BYTES), None)
        return found.header.max_timestamp if isinstance(found, Stored) else None

    def durable_behind(self, damage: Damage) -> int:
        """What the sound batches behind the damage say was durable when they were written; 0 when there are none. If
        that isn't above the damage, it may be of records that the disk, losing power, wrote out of order."""
        if damage.next_offset is None:
            return 0
        found = self.walk(damage.next_position, end=self.file.size())
        return max((f.durable for f in found if isinstance(f, Stored)), default=0)

    def scan(self) -> Iterator[Stored | Damage]:
        """Every batch from the start, whatever the index says, which is made anew on the way. Damage at the end counts
        as the segment's: it is kept, and reads run into it."""
        index = self._index = Index()
        self.max_timestamp, self.next_offset, self.damages = NO_TIMESTAMP, self.base_offset, []
        self.size, self._check, end = _HEADER_SIZE, self._seed, self.file.size()
        for found in self.walk(read_bytes=SCAN_BYTES, end=end):
            if isinstance(found, Stored):
                self._note(index, found.header, found.position)
                self._check = found.check
            yield found
        self.size = max(end, _HEADER_SIZE)
