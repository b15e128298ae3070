"""What a partition's batches come to, saved now and then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.records import Producer, build_batch, parse_header, stamp
from streamflow.log.storage.files import MemoryFiles
from streamflow.log.storage.history import History


def learn(history: History, offset: int, *, epoch: int = 0, count: int = 5) -> None:
    data = build_batch([None] * count, [b""] * count, [0] * count, producer=Producer(1, 0, offset))
    stamp(data, offset, epoch)
    history.learn(parse_header(data), memoryview(data))


def saved(files: MemoryFiles) -> list[int]:
    return sorted(int(name.split("/")[1].split(".")[0]) for name in files.content if name.endswith(".state"))


def test_the_newest_reading_below_the_limit_is_taken() -> None:
    files = MemoryFiles()
    history = History(files, "d")
    for offset in (0, 5, 10):
        learn(history, offset, epoch=offset)
        history.save(offset + 5, bases=[0, 5])
    assert saved(files) == [5, 15]
    again = History(files, "d")
    assert again.load(15) == 15
    assert again.epochs.entries == [(0, 0), (5, 5), (10, 10)]
    assert again.load(14) == 5
    assert again.epochs.entries == [(0, 0)]
    assert again.load(4) == 0
    assert again.epochs.entries == []


@given(st.integers(0), st.integers(1, 255))
def test_a_reading_that_is_damaged_is_passed_over_and_may_be_saved_again(at: int, change: int) -> None:
    files = MemoryFiles()
    history = History(files, "d")
    learn(history, 0)
    history.save(5, bases=[5])
    learn(history, 5)
    history.save(10, bases=[5])
    data = files.content[f"d/{10:020d}.state"]
    data[at % len(data)] ^= change
    again = History(files, "d")
    assert again.load(100) == 5
    learn(again, 5)
    again.save(10, bases=[5])
    assert History(files, "d").load(100) == 10


def test_there_is_one_wherever_a_segment_begins_and_the_newest() -> None:
    files = MemoryFiles()
    history = History(files, "d")
    history.save(100, bases=[])
    for end in (110, 120, 130):
        history.save(end, bases=[100])
        assert saved(files) == [100, end]
    history.save(140, bases=[100, 130])
    assert saved(files) == [100, 130, 140]


def test_of_those_up_to_where_a_log_may_be_truncated_to_the_newest_stays() -> None:
    for limit, left in ((99, [100, 110, 120]), (100, [100, 110, 120]), (115, [110, 120]), (500, [120])):
        files = MemoryFiles()
        history = History(files, "d")
        for offset in (100, 110, 120):
            history.save(offset, bases=[100, 110, 120])
        history.forget_below(limit)
        assert saved(files) == history.readings == left


def test_readings_of_what_was_removed_are_removed() -> None:
    files = MemoryFiles()
    history = History(files, "d")
    history.save(100, bases=[100])
    history.save(120, bases=[100])
    history.forget_from(110)
    assert saved(files) == history.readings == [100]
