"""One append-only file of record batches.

    header (64 bytes) | frame | frame | …          frame: previous check u32 | check u32 | unflushed u32 | batch v2

The check is the CRC of the topic's id, the partition, how many offsets before the batch weren't durable when it was
written, and the batch's first 21 bytes (base offset, length, leader epoch, magic, the batch's own CRC), seeded with the
check before it. With the batch's CRC over the rest, every byte is
covered once, and a batch that was misplaced, dropped or kept from an older copy of the file breaks the chain. Clients
see batches without frames.

The index is a hint: every so many bytes, where a batch begins and how far timestamps had come before it. It is made
anew by a scan wherever it is missing or doubtful.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from crc32c import crc32c

from streamflow.log.errors import CorruptBatchError
from streamflow.log.model import Identity
from streamflow.log.records import HEADER_BYTES, LENGTH_BYTES, MAGIC, BatchHeader, check_crc, parse_header
from streamflow.log.storage.files import File, Files

FORMAT = 1
FRAME_BYTES = 12
CHECKED_BYTES = 21
READ_BYTES = 256 * 1024
"""Of a scan's reads."""
NO_TIMESTAMP = -(2**63)

_HEADER = struct.Struct(">4sHxxi16sqI")
_FRAME = struct.Struct(">III")
_UNFLUSHED = struct.Struct(">I")
UNFLUSHED_MAX = 2**32 - 1
_INDEX = struct.Struct(">4sHxxqqqII")
_HEADER_SIZE = 64


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

    def __init__(self, files: Files, directory: str, identity: Identity, base_offset: int, index_bytes: int) -> None:
        self.base_offset = base_offset
        self.next_offset = base_offset
        self.max_timestamp = NO_TIMESTAMP
        self.size = _HEADER_SIZE
        self.path = segment_path(directory, base_offset)
        self.damages: list[Damage] = []
        self._files = files
        self._index_path = segment_path(directory, base_offset, "index")
        self._who = identity.topic_id.bytes + struct.pack(">i", identity.partition)
        self._index_bytes = index_bytes
        self._check = crc32c(struct.pack(">q", base_offset), crc32c(self._who))
        self._offsets, self._positions, self._times = array("q"), array("q"), array("q")
        self._file: File | None = None

    def __repr__(self) -> str:
        return f"<Segment {self.path} {self.base_offset}..{self.next_offset} {self.size} bytes>"

    # Opening

    def create(self) -> None:
        """A new file with its header."""
        self.file.truncate(0)
        self.file.write(0, self._file_header())

    def _file_header(self) -> bytes:
        topic_id, partition = self._who[:16], struct.unpack(">i", self._who[16:])[0]
        head = _HEADER.pack(b"SFSG", FORMAT, partition, topic_id, self.base_offset, self._seed)
        return (head + struct.pack(">I", crc32c(head))).ljust(_HEADER_SIZE, b"\0")

    @property
    def _seed(self) -> int:
        return crc32c(struct.pack(">q", self.base_offset), crc32c(self._who))

    def sound_header(self) -> bool:
        """Whether the file is this segment's, and not another's put in its place."""
        return self.file.read(0, _HEADER_SIZE) == self._file_header()

    @property
    def file(self) -> File:
        if self._file is None:
            self._file = self._files.open(self.path)
        return self._file

    def load_index(self) -> bool:
        """Takes the index kept beside the file; False when it is missing or doesn't fit the file."""
        data = self._files.read(self._index_path)
        if data is None or len(data) < _INDEX.size:
            return False
        magic, version, size, next_offset, max_timestamp, check, crc = _INDEX.unpack_from(data)
        body = data[_INDEX.size :]
        fits = magic == b"SFIX" and version == FORMAT and size == self.file.size() and len(body) % 24 == 0
        if not fits or crc != crc32c(body, crc32c(data[: _INDEX.size - 4])):
            return False
        third = len(body) // 3
        self._offsets, self._positions, self._times = array("q"), array("q"), array("q")
        self._offsets.frombytes(body[:third])
        self._positions.frombytes(body[third : 2 * third])
        self._times.frombytes(body[2 * third :])
        self.size, self.next_offset, self.max_timestamp, self._check = size, next_offset, max_timestamp, check
        return True

    def save_index(self) -> None:
        body = self._offsets.tobytes() + self._positions.tobytes() + self._times.tobytes()
        fields = (b"SFIX", FORMAT, self.size, self.next_offset, self.max_timestamp, self._check)
        head = _INDEX.pack(*fields, 0)[:-4]
        self._files.replace(self._index_path, head + struct.pack(">I", crc32c(body, crc32c(head))) + body)

    # Writing

    def append(self, batches: list[tuple[BatchHeader, memoryview]], durable: int) -> None:
        """Stamped batches, in one write; offsets below `durable` are by now. Raises: LogError; the segment is as it was
        then."""
        parts: list[bytes | memoryview] = []
        check, size = self._check, self.size
        for header, data in batches:
            unflushed = min(header.base_offset - durable, UNFLUSHED_MAX)
            previous, check = check, self._checked(data, check, unflushed)
            parts += [_FRAME.pack(previous, check, unflushed), data]
        self.file.write(size, b"".join(parts))
        for header, _ in batches:
            self._note(header, self.size)
        self._check = check

    def _checked(self, data: memoryview, previous: int, unflushed: int) -> int:
        return crc32c(data[:CHECKED_BYTES], crc32c(_UNFLUSHED.pack(unflushed), crc32c(self._who, previous)))

    def _note(self, header: BatchHeader, position: int) -> None:
        """A sound batch stands at `position`."""
        if not self._positions or position - self._positions[-1] >= self._index_bytes:
            self._offsets.append(header.base_offset)
            self._positions.append(position)
            self._times.append(self.max_timestamp)
        self.max_timestamp = max(self.max_timestamp, header.max_timestamp)
        self.next_offset = header.last_offset + 1
        self.size = position + FRAME_BYTES + header.size

    def cut(self, position: int) -> None:
        """Forgets what stands at `position` and behind. The index and the chain are made anew by a scan."""
        self.file.truncate(position)
        self.size = min(self.size, position)
        self.damages = [d for d in self.damages if d.position < position]

    def keep_tail(self) -> None:
        """Counts the damaged bytes at the end as the segment's: they are kept, and reads run into them."""
        self.size = self.file.size()

    def sync(self) -> None:
        self.file.sync()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        self.close()
        self._files.remove(self.path)
        self._files.remove(self._index_path)

    # Reading

    def position_of(self, offset: int) -> int:
        """Where to begin looking for the batch that holds the offset."""
        at = bisect_right(self._offsets, offset) - 1
        return self._positions[at] if at >= 0 else _HEADER_SIZE

    def position_of_time(self, timestamp: int) -> int:
        """Where to begin looking for the first record at or after the timestamp."""
        at = bisect_left(self._times, timestamp) - 1
        return self._positions[at] if at >= 0 else _HEADER_SIZE

    def walk(self, position: int, read_bytes: int = READ_BYTES) -> Iterator[Stored | Damage]:
        """Batches from a frame's position on, each verified; what isn't sound comes as damage, and what follows it
        goes on. Nothing comes of an end cut short but damage without a next offset."""
        expected = self.base_offset if position == _HEADER_SIZE else None
        previous: int | None = self._seed if position == _HEADER_SIZE else None
        buffer, start = memoryview(b""), position
        while position < self.size:
            at = position - start
            if len(buffer) - at < FRAME_BYTES + HEADER_BYTES or len(buffer) - at < self._needed(buffer, at):
                want = max(read_bytes, self._needed(buffer, at))
                buffer, start, at = memoryview(self.file.read(position, min(want, self.size - position))), position, 0
                if len(buffer) < self._needed(buffer, 0):
                    buffer = memoryview(self.file.read(position, min(self._needed(buffer, 0), self.size - position)))
            found = self._sound(buffer, at, previous)
            if isinstance(found, str):
                damage = self._damaged(position, expected, found)
                yield damage
                if damage.next_offset is None:
                    return
                position, previous, expected = damage.next_position, None, damage.next_offset
                continue
            header, check, durable = found
            data = buffer[at + FRAME_BYTES : at + FRAME_BYTES + header.size]
            yield Stored(header, data, position, check, durable)
            position, previous, expected = position + FRAME_BYTES + header.size, check, header.last_offset + 1

    @staticmethod
    def _needed(buffer: memoryview, at: int) -> int:
        """Bytes of the frame at `at`, as far as they can be known; never more than a batch may claim."""
        if len(buffer) - at < FRAME_BYTES + HEADER_BYTES:
            return FRAME_BYTES + HEADER_BYTES
        (length,) = struct.unpack_from(">i", buffer, at + FRAME_BYTES + 8)
        return FRAME_BYTES + LENGTH_BYTES + length if 0 <= length < 2**30 else FRAME_BYTES + HEADER_BYTES

    def _sound(self, buffer: memoryview, at: int, previous: int | None) -> tuple[BatchHeader, int, int] | str:
        """The batch at `at`, its check, and what was durable before it; what is wrong with it otherwise."""
        if len(buffer) - at < FRAME_BYTES + HEADER_BYTES:
            return "it is cut short"
        before, check, unflushed = _FRAME.unpack_from(buffer, at)
        if previous is not None and before != previous:
            return "it doesn't follow the batch before it"
        if check != self._checked(buffer[at + FRAME_BYTES : at + FRAME_BYTES + CHECKED_BYTES], before, unflushed):
            return "its frame fails the checksum"
        try:
            header = parse_header(buffer, at + FRAME_BYTES)
            check_crc(buffer, header, at + FRAME_BYTES)
        except CorruptBatchError as error:
            return str(error)
        return header, check, header.base_offset - unflushed

    def _damaged(self, position: int, expected: int | None, reason: str) -> Damage:
        """Looks behind the damage for the next sound batch: any position whose frame and batch verify."""
        for known in self.damages:
            if known.position == position:
                return known
        data = memoryview(self.file.read(position, self.size - position))
        first = expected if expected is not None else self._expected_at(position)
        next_offset, next_position = None, self.size
        for at in range(1, len(data) - FRAME_BYTES - HEADER_BYTES + 1):
            if data[at + FRAME_BYTES + 16] != MAGIC:
                continue
            found = self._sound(data, at, None)
            if not isinstance(found, str) and found[0].base_offset >= first:
                next_offset, next_position = found[0].base_offset, position + at
                break
        damage = Damage(first, position, reason, next_offset, next_position)
        self.damages.append(damage)
        return damage

    def durable_behind(self, damage: Damage) -> int:
        """What the sound batches behind the damage say was durable when they were written; 0 when there are none. If
        that isn't above the damage, it may be of records that the disk, losing power, wrote out of order."""
        found = self.walk(damage.next_position) if damage.next_offset is not None else ()
        return max((f.durable for f in found if isinstance(f, Stored)), default=0)

    def _expected_at(self, position: int) -> int:
        """Which offset should begin at a position that an index entry names."""
        at = bisect_right(self._positions, position) - 1
        return self._offsets[at] if at >= 0 and self._positions[at] == position else self.base_offset

    def scan(self) -> Iterator[Stored | Damage]:
        """Every batch from the start, whatever the index says, which is made anew on the way."""
        self._offsets, self._positions, self._times = array("q"), array("q"), array("q")
        self.max_timestamp, self.next_offset, self.damages = NO_TIMESTAMP, self.base_offset, []
        self.size, end = self.file.size(), _HEADER_SIZE
        size = self.size
        for found in self.walk(_HEADER_SIZE, 4 * READ_BYTES):
            if isinstance(found, Stored):
                self._note(found.header, found.position)
                end, self._check, self.size = self.size, found.check, size
            yield found
        self.size = end
