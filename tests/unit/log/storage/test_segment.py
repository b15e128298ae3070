"""One append-only file: the chain of frames, what a failed write leaves, and where reading goes on behind damage."""

from __future__ import annotations

import struct
import tracemalloc
from uuid import UUID

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import StorageFailedError, StorageFullError, UnsupportedFormatError
from streamflow.log.model import Identity
from streamflow.log.records import build_batch, parse_header, stamp
from streamflow.log.storage.files import MemoryFile, MemoryFiles
from streamflow.log.storage.segment import FRAME_BYTES, SCAN_BYTES, Damage, Segment, Stored

WHO = Identity("events", UUID(int=7), 3)
PATH = f"d/{100:020d}.log"


def new(files: MemoryFiles, *, who: Identity = WHO, base: int = 100) -> Segment:
    return Segment(files, "d", who, base, 200)


def placed(offset: int, count: int = 3, text: str = "value") -> list:
    values = [f"{text}-{n}".encode() for n in range(offset, offset + count)]
    data = build_batch([None] * count, values, [n * 10 for n in range(offset, offset + count)])
    stamp(data, offset, 1)
    return [(parse_header(data), memoryview(data))]


def filled(files: MemoryFiles, batches: int = 6) -> Segment:
    segment = new(files)
    segment.create()
    for n in range(batches):
        segment.append(placed(100 + 3 * n), durable=100)
    return segment


def scanned(files: MemoryFiles, **options: object) -> list[Stored | Damage]:
    return list(new(files, **options).scan())


def offsets(found: list[Stored | Damage]) -> list[int]:
    return [f.header.base_offset for f in found if isinstance(f, Stored)]


def test_batches_come_back_byte_for_byte_without_their_frames() -> None:
    files = MemoryFiles()
    segment = filled(files)
    assert [bytes(f.data) for f in segment.walk()] == [bytes(placed(100 + 3 * n)[0][1]) for n in range(6)]
    assert (segment.next_offset, segment.max_timestamp, segment.size) == (118, 1_170, files.size(PATH))
    assert [f.durable for f in segment.walk()] == [100] * 6


def test_the_checks_cover_identity_place_and_header_as_described() -> None:
    files = MemoryFiles()
    filled(files, 1)
    data = bytes(files.content[PATH])
    previous, check, unflushed = struct.unpack_from(">III", data, 64)
    identity = WHO.topic_id.bytes + struct.pack(">i", 3)
    assert previous == crc32c(struct.pack(">q", 100), crc32c(identity))
    expected = crc32c(identity, previous)
    expected = crc32c(struct.pack(">I", unflushed), expected)
    assert check == crc32c(data[64 + FRAME_BYTES : 64 + FRAME_BYTES + 21], expected)


@pytest.mark.parametrize("read_bytes", [1, 100, 333, 10**6])
def test_a_walk_is_the_same_however_much_is_read_at_once(read_bytes: int) -> None:
    segment = filled(MemoryFiles(), 20)
    assert offsets(list(segment.walk(read_bytes=read_bytes))) == [100 + 3 * n for n in range(20)]


def test_a_seek_begins_at_or_before_the_batch_and_not_far_before() -> None:
    segment = filled(MemoryFiles(), 40)
    for offset in range(100, 220):
        position = segment.position_of(offset)
        first = next(segment.walk(position))
        assert isinstance(first, Stored)
        assert first.header.base_offset <= offset < first.header.base_offset + 12


def test_a_batch_dropped_moved_doubled_or_of_another_time_breaks_the_chain() -> None:
    files = MemoryFiles()
    positions = [f.position for f in filled(files).walk()]
    other = MemoryFiles()
    filled(other, 2).append(placed(106, text="VALUE"), durable=100)
    whole, size = bytes(files.content[PATH]), positions[1] - positions[0]
    a, b, c, d = (whole[p : p + size] for p in positions[:4])
    rest = whole[positions[4] :]
    stale = bytes(other.content[PATH])[positions[2] : positions[2] + size]
    for name, frames in {
        "dropped": [a, c, d],
        "swapped": [a, c, b, d],
        "doubled": [a, b, b, c, d],
        "older": [a, b, stale, d],
    }.items():
        files.content[PATH] = bytearray(whole[:64] + b"".join(frames) + rest)
        found = scanned(files)
        assert any(isinstance(f, Damage) for f in found), name
        assert offsets(found) == sorted(set(offsets(found))), name


def test_batches_of_another_partition_or_place_are_damage() -> None:
    files = MemoryFiles()
    filled(files)
    for who in (Identity("events", UUID(int=8), 3), Identity("events", UUID(int=7), 4)):
        (damage,) = scanned(files, who=who)
        assert isinstance(damage, Damage)
        assert (damage.offset, damage.next_offset) == (100, None)
        assert damage.reason == "the segment's header isn't this partition's"
        assert not new(files, who=who).sound_header()


def test_every_flipped_byte_is_damage_to_one_batch_and_the_others_stay() -> None:
    files = MemoryFiles()
    segment = filled(files)
    whole, size = bytes(files.content[PATH]), (segment.size - 64) // 6
    for at in range(64, len(whole)):
        files.content[PATH] = bytearray(whole)
        files.content[PATH][at] ^= 0x01
        found = scanned(files)
        hit = 100 + 3 * ((at - 64) // size)
        damage = [f for f in found if isinstance(f, Damage)]
        assert [d.offset for d in damage] == [hit], at
        assert offsets(found) == [o for o in range(100, 118, 3) if o != hit], at


def test_what_follows_a_hole_of_many_megabytes_is_found() -> None:
    files = MemoryFiles()
    segment = filled(files)
    at = [f.position for f in segment.walk()][2]
    content = files.content[PATH]
    hole = (b"\x02" * 7 + b"\0" * 57) * 40_000
    files.content[PATH] = content[:at] + hole + content[at:]
    found = scanned(files)
    assert offsets(found) == [100, 103, 106, 109, 112, 115]
    (damage,) = [f for f in found if isinstance(f, Damage)]
    assert (damage.offset, damage.next_offset) == (106, 106)


@pytest.mark.parametrize("short", range(0, 48, 3))
def test_what_follows_a_hole_is_found_wherever_a_read_ends(short: int) -> None:
    files = MemoryFiles()
    segment = filled(files, 2)
    at = [f.position for f in segment.walk()][1]
    content = files.content[PATH]
    files.content[PATH] = content[:at] + bytes(SCAN_BYTES - short) + content[at:]
    assert offsets(scanned(files)) == [100, 103]


def test_reads_run_into_damage_at_the_end_however_often() -> None:
    files = MemoryFiles()
    filled(files)
    files.content[PATH][-1] ^= 1
    segment = new(files)
    for _ in range(2):
        assert isinstance(list(segment.scan())[-1], Damage)
        assert isinstance(list(segment.walk())[-1], Damage)


def test_an_index_of_the_file_as_it_was_is_not_taken_for_one_of_the_file_as_it_is() -> None:
    files = MemoryFiles()
    segment = filled(files, 5)
    segment.save_index()
    for n in range(5, 40):
        segment.append(placed(100 + 3 * n), durable=100)
    position = segment.position_of(215)
    segment.close()
    assert segment.position_of(215) == position


def test_a_length_that_rotted_costs_no_memory() -> None:
    files = MemoryFiles()
    segment = filled(files)
    at = [f.position for f in segment.walk()][1]
    files.content[PATH] += bytes(40 << 20)
    struct.pack_into(">i", files.content[PATH], at + FRAME_BYTES + 8, 39 << 20)
    segment = new(files)
    tracemalloc.start()
    found = list(segment.scan())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert offsets(found) == [100, 106, 109, 112, 115]
    assert peak < 8 << 20


def test_a_record_that_holds_the_bytes_of_an_older_batch_is_not_taken_for_it() -> None:
    files = MemoryFiles()
    segment = filled(files, 2)
    inner = bytes(files.content[PATH][64 : segment.size])
    data = build_batch([None], [inner], [0])
    stamp(data, 106, 1)
    segment.append([(parse_header(data), memoryview(data))], durable=100)
    segment.append(placed(107), durable=100)
    at = files.content[PATH].rindex(inner)
    files.content[PATH][at - 5] ^= 1
    found = scanned(files)
    assert offsets(found) == [100, 103, 107]


def test_an_index_kept_beside_the_file_says_what_it_comes_to() -> None:
    files = MemoryFiles()
    segment = filled(files, 40)
    segment.save_index()
    again = new(files)
    assert again.load_tail()
    assert (again.size, again.next_offset, again.max_timestamp) == (segment.size, 220, 2_190)
    assert again.position_of(180) == segment.position_of(180) > 64
    again.append(placed(220), durable=100)
    assert offsets(list(again.walk()))[-1] == 220
    assert not new(files).load_tail(), "it is of a shorter file"


def test_an_index_let_go_of_is_read_again_or_made_anew() -> None:
    files = MemoryFiles()
    segment = filled(files, 40)
    segment.save_index()
    position = segment.position_of(180)
    segment.close()
    assert segment.position_of(180) == position
    segment.close()
    files.content[f"d/{100:020d}.index"][-1] ^= 1
    assert segment.position_of(180) == position
    segment.close()
    files.remove(f"d/{100:020d}.index")
    assert segment.position_of(180) == position
    assert (segment.next_offset, segment.size) == (220, files.size(PATH))


def test_a_cut_segment_goes_on_where_it_was_cut() -> None:
    files = MemoryFiles()
    segment = filled(files)
    segment.save_index()
    segment.cut([f.position for f in segment.walk()][3])
    assert (segment.next_offset, segment.max_timestamp) == (109, 1_080)
    segment.append(placed(109, text="other"), durable=100)
    assert offsets(scanned(files)) == [100, 103, 106, 109]
    assert all(isinstance(f, Stored) for f in scanned(files))


def test_a_newer_segment_format_is_refused() -> None:
    files = MemoryFiles()
    segment = filled(files)
    head = bytearray(files.content[PATH][:36])
    struct.pack_into(">H", head, 4, 2)
    size = struct.calcsize(">4sHxxi16sqI")
    files.content[PATH][: size + 4] = bytes(head[:size]).ljust(size, b"\0") if len(head) < size else head[:size]
    files.content[PATH][4:6] = b"\0\2"
    files.content[PATH][size : size + 4] = struct.pack(">I", crc32c(bytes(files.content[PATH][:size])))
    with pytest.raises(UnsupportedFormatError, match="segment format 2"):
        segment.sound_header()


# Laws


def grown(files: MemoryFiles, batches: list[tuple[int, int, int]], index_bytes: int, who: Identity = WHO) -> Segment:
    """Batches of so many records, value bytes, and with that timestamp."""
    segment = Segment(files, "d", who, 100, index_bytes)
    segment.create()
    for count, size, timestamp in batches:
        data = build_batch([None] * count, [bytes([who.partition]) * size] * count, [timestamp] * count)
        stamp(data, segment.next_offset, 1)
        segment.append([(parse_header(data), memoryview(data))], durable=100)
    return segment


batches = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 150), st.integers(-50, 50)), min_size=1, max_size=25)


@given(batches, st.integers(1, 800), st.booleans())
def test_a_seek_by_offset_or_time_finds_what_a_look_at_every_batch_does(
    batches: list[tuple[int, int, int]], index_bytes: int, reopened: bool
) -> None:
    files = MemoryFiles()
    segment = grown(files, batches, index_bytes)
    every = [f for f in segment.walk() if isinstance(f, Stored)]
    if reopened:
        segment.save_index()
        segment = Segment(files, "d", WHO, 100, index_bytes)
        assert segment.load_tail()
    for offset in range(100, segment.next_offset):
        position = segment.position_of(offset)
        sought = next(f for f in segment.walk(position) if isinstance(f, Stored) and f.header.last_offset >= offset)
        assert sought.position == next(f.position for f in every if f.header.last_offset >= offset)
        assert sought.position - position < index_bytes, "no more is read in vain than lies between two entries"
    for timestamp in range(-51, 52, 3):
        late = (f for f in segment.walk(segment.position_of_time(timestamp)) if isinstance(f, Stored))
        sought = next((f for f in late if f.header.max_timestamp >= timestamp), None)
        first = next((f for f in every if f.header.max_timestamp >= timestamp), None)
        assert (sought and sought.position) == (first and first.position)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "double", "swap", "foreign", "flip", "cut", "zero"]),
        st.integers(0, 50),
        st.integers(0, 10_000),
    ),
    min_size=1,
    max_size=3,
)


def edited(frames: list[bytes], foreign: list[bytes], edits: list[tuple[str, int, int]]) -> list[bytes]:
    frames = list(frames)
    for kind, number, where in edits:
        at = number % len(frames)
        frame = bytearray(frames[at])
        if kind == "drop" and len(frames) > 1:
            del frames[at]
        elif kind == "double":
            frames.insert(where % (len(frames) + 1), frames[at])
        elif kind == "swap":
            other = where % len(frames)
            frames[at], frames[other] = frames[other], frames[at]
        elif kind == "foreign":
            last = at + 1 + where % 3
            frames[at:last] = foreign[at:last]
        elif frame and kind == "flip":
            frame[where % len(frame)] ^= 1 << where % 8
            frames[at] = bytes(frame)
        elif frame and kind == "cut":
            frames[at] = bytes(frame[: where % len(frame)])
        elif kind == "zero":
            frames[at] = bytes(len(frame))
    return frames


@given(batches, EDITS)
def test_whatever_is_done_to_the_file_what_is_read_is_what_was_written_and_what_is_not_is_damage(
    batches: list[tuple[int, int, int]], edits: list[tuple[str, int, int]]
) -> None:
    """Every offset up to the last is either read or part of damage: none is skipped in silence, none comes twice."""
    files, others = MemoryFiles(), MemoryFiles()
    written = {f.header.base_offset: (bytes(f.data), f.position) for f in grown(files, batches, 200).walk()}
    grown(others, batches, 200, Identity("events", UUID(int=7), 4))
    starts = [position for _, position in written.values()]
    ends = [*starts[1:], len(files.content[PATH])]
    mine, foreign = ([bytes(f.content[PATH][a:b]) for a, b in zip(starts, ends, strict=True)] for f in (files, others))
    files.content[PATH][64:] = b"".join(edited(mine, foreign, edits))
    expected: int | None = 100
    for found in new(files).scan():
        assert expected is not None, "nothing follows an end that can't be read"
        if isinstance(found, Stored):
            assert found.header.base_offset == expected
            assert bytes(found.data) == written[expected][0]
            expected = found.header.last_offset + 1
        else:
            assert found.offset == expected
            assert found.next_offset is None or found.next_offset >= expected
            expected = found.next_offset


# Writes that fail


class FullFiles(MemoryFiles):
    """Has room for `room` more bytes, and writes what fits before it says so."""

    room = 1 << 30
    cuts = True

    def open(self, path: str) -> MemoryFile:
        super().open(path)
        return FullFile(self, path)


class FullFile(MemoryFile):
    def __init__(self, files: FullFiles, path: str) -> None:
        super().__init__(files, path)
        self.files = files

    def write(self, at: int, data: bytes | bytearray) -> None:
        fits = min(len(data), self.files.room)
        self.files.room -= fits
        super().write(at, data[:fits])
        if fits < len(data):
            raise StorageFullError("full")

    def truncate(self, size: int) -> None:
        if not self.files.cuts:
            raise StorageFailedError("broken")
        super().truncate(size)


@pytest.mark.parametrize("cuts", [True, False], ids=["what was written is removed", "even that fails for a while"])
def test_a_write_that_fails_halfway_leaves_no_batch_behind(cuts: bool) -> None:
    whole = MemoryFiles()
    filled(whole, 3)
    content = bytes(whole.content[PATH])
    several = placed(109) + placed(112) + placed(115)
    for room in range(0, sum(len(d) + FRAME_BYTES for _, d in several), 7):
        files = FullFiles()
        segment = filled(files, 3)
        files.room, files.cuts = room, cuts
        with pytest.raises(StorageFullError):
            segment.append(several, durable=100)
        assert segment.next_offset == 109
        assert offsets(list(segment.walk())) == [100, 103, 106]
        if cuts:
            assert files.content[PATH] == content
        files.room, files.cuts = 1 << 30, True
        segment.append(placed(109, 1), durable=100)
        found = scanned(files)
        assert offsets(found) == [100, 103, 106, 109]
        assert all(isinstance(f, Stored) for f in found)
