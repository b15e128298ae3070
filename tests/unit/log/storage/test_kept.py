"""Where a partition begins, and what of it can't be read."""

from __future__ import annotations

from uuid import UUID

import pytest
from structlog.testing import capture_logs

from streamflow.log.model import Identity
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.kept import Kept, Quarantine

WHO = Identity("events", UUID(int=7), 3)


def opened(files: MemoryFiles, first_base: int = 100) -> Kept:
    return Kept(files, "d", WHO, first_base)


def test_a_new_partition_begins_with_its_first_segment() -> None:
    assert opened(MemoryFiles()).log_start_offset == 100


def test_each_change_is_there_when_it_is_opened_again() -> None:
    files = MemoryFiles()
    kept = opened(files)
    kept.begin_at(120)
    kept.quarantine(130, 140, "d/x.log", "rot")
    again = opened(files)
    assert (again.log_start_offset, again.quarantined) == (120, [Quarantine(130, 140, "d/x.log", "rot")])
    assert [again.holding(o) is not None for o in (129, 130, 139, 140)] == [False, True, True, False]


def test_a_range_is_reported_once_however_often_it_is_met() -> None:
    files = MemoryFiles()
    with capture_logs() as logs:
        for _ in range(3):
            opened(files).quarantine(130, 140, "d/x.log", "rot")
    (line,) = logs
    assert line == {
        "event": "corrupt records quarantined",
        "log_level": "error",
        "partition": "events-3",
        "first_offset": 130,
        "next_offset": 140,
        "path": "d/x.log",
        "reason": "rot",
    }


def test_losses_are_accepted_once_and_for_good() -> None:
    files = MemoryFiles()
    kept = opened(files)
    found = [kept.quarantine(n, n + 1, "d/x.log", "rot") for n in (130, 110)]
    assert kept.accept() == found[::-1]
    assert kept.accept() == []
    assert all(q.accepted for q in opened(files).quarantined)
    kept.quarantine(150, 151, "d/x.log", "rot")
    assert [q.first_offset for q in kept.accept()] == [150]


def test_ranges_go_with_the_records_around_them() -> None:
    kept = opened(MemoryFiles())
    for n in (110, 120, 130):
        kept.quarantine(n, n + 5, "d/x.log", "rot")
    kept.begin_at(115)
    assert [q.first_offset for q in kept.quarantined] == [120, 130]
    kept.end_at(130)
    assert [q.first_offset for q in kept.quarantined] == [120]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped"])
def test_unreadable_it_costs_no_record(damage: str) -> None:
    files = MemoryFiles()
    kept = opened(files)
    kept.begin_at(150)
    whole = bytes(files.content["d/kept"])
    flipped = whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:]
    files.content["d/kept"] = bytearray({"empty": b"", "cut": whole[:-1], "flipped": flipped}[damage])
    with capture_logs() as logs:
        assert opened(files).log_start_offset == 100
    assert logs[0]["log_level"] == "error"
