"""What every sink promises (streamflow/sinks/base.py), run over each of them.

To certify another sink, add it to `SINKS`: how to make one in a directory, and how to read its rows back while it
is closed. Run as a program, this file is the writer that the kill test kills.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamflow
from streamflow.errors import SinkError
from streamflow.event import Batch, TopicPartition
from streamflow.sinks.base import Sink, SinkBatch
from streamflow.sinks.duckdb import DuckDB


class Row(msgspec.Struct, frozen=True, order=True):
    partition: int
    number: int
    text: str


@dataclass(frozen=True)
class SinkUnderTest:
    """`make` gives a sink that keeps its rows in the directory; `rows` reads them, sorted, once it is closed."""

    make: Callable[[Path], Sink]
    rows: Callable[[Path], list[Row]]


def duckdb_rows(directory: Path) -> list[Row]:
    with duckdb.connect(str(directory / "x.duckdb")) as connection:
        found = connection.execute('SELECT "partition", number, text FROM t').fetchall()
    return sorted(Row(*row) for row in found)


SINKS = {
    "duckdb": SinkUnderTest(lambda directory: DuckDB(directory / "x.duckdb", "t"), duckdb_rows),
    "duckdb-key": SinkUnderTest(
        lambda directory: DuckDB(directory / "x.duckdb", "t", key=("partition", "number")), duckdb_rows
    ),
}

pytestmark = pytest.mark.parametrize("sink", SINKS.values(), ids=SINKS)


def row(partition: int, offset: int) -> Row:
    return Row(partition, offset, f"row {offset} of {partition}")


def rows_of(partition: int, start: int, stop: int) -> SinkBatch:
    """The rows that offsets `start` to `stop` - 1 of a partition have on every reading."""
    rows = [row(partition, offset) for offset in range(start, stop)]
    columns = Batch([None] * len(rows), rows, [0] * len(rows), range(start, stop))
    return SinkBatch(TopicPartition("out", partition), columns, stop)


def all_rows(ends: dict[int, int]) -> list[Row]:
    return sorted(row(partition, offset) for partition, end in ends.items() for offset in range(end))


class Opened:
    """A sink in a directory, opened and closed as often as wanted."""

    def __init__(self, sink: SinkUnderTest, directory: Path) -> None:
        self._sink, self._directory = sink, directory
        self.sink = sink.make(directory)
        self.sink.open(Row)

    def write(self, *batches: SinkBatch) -> None:
        self.sink.write(list(batches))

    def reopen(self) -> None:
        self.sink.close()
        self.sink = self._sink.make(self._directory)
        self.sink.open(Row)

    def offsets(self) -> dict[int, int]:
        return {at.partition: offset for at, offset in self.sink.offsets().items()}

    def rows(self) -> list[Row]:
        self.sink.close()
        found = self._sink.rows(self._directory)
        self.reopen()
        return found


@pytest.fixture
def opened(sink: SinkUnderTest, tmp_path: Path) -> Iterator[Opened]:
    opened = Opened(sink, tmp_path)
    yield opened
    opened.sink.close()


def test_a_new_sink_knows_no_offsets(opened: Opened) -> None:
    assert opened.offsets() == {}


def test_rows_and_offsets_are_there_after_reopening(opened: Opened) -> None:
    opened.write(rows_of(0, 0, 3), rows_of(1, 0, 2))
    opened.reopen()
    assert opened.offsets() == {0: 3, 1: 2}
    assert opened.rows() == all_rows({0: 3, 1: 2})


def test_a_write_again_adds_nothing(opened: Opened) -> None:
    opened.write(rows_of(0, 0, 3))
    opened.write(rows_of(0, 0, 3))
    opened.reopen()
    opened.write(rows_of(0, 0, 3))
    assert opened.rows() == all_rows({0: 3})


def test_of_a_batch_that_overlaps_only_the_new_rows_are_added(opened: Opened) -> None:
    opened.write(rows_of(0, 0, 3))
    opened.write(rows_of(0, 1, 5))
    assert opened.rows() == all_rows({0: 5})
    assert opened.offsets() == {0: 5}


def test_batches_of_one_write_may_overlap(opened: Opened) -> None:
    opened.write(rows_of(0, 0, 3), rows_of(0, 2, 4), rows_of(0, 0, 2))
    assert opened.rows() == all_rows({0: 4})


def test_an_offset_never_moves_back(opened: Opened) -> None:
    opened.write(rows_of(0, 0, 5))
    opened.write(rows_of(0, 0, 2))
    assert opened.offsets() == {0: 5}


def test_an_offset_moves_over_what_had_no_rows(opened: Opened) -> None:
    """Aborted records and transaction markers take offsets, too."""
    gap = rows_of(0, 0, 2)
    opened.write(SinkBatch(gap.partition, gap.batch, 7))
    opened.write(SinkBatch(gap.partition, Batch([], [], [], range(0)), 9))
    opened.reopen()
    assert opened.offsets() == {0: 9}


def test_nothing_to_write_is_fine(opened: Opened) -> None:
    opened.write()
    assert opened.offsets() == {}


def test_a_row_that_cannot_be_written_leaves_nothing_of_its_write(opened: Opened) -> None:
    opened.write(rows_of(0, 0, 2))
    bad = rows_of(1, 0, 3)
    bad.batch.values[1] = object()
    with pytest.raises(SinkError):
        opened.write(rows_of(0, 2, 4), bad, rows_of(2, 0, 2))
    assert opened.offsets() == {0: 2}
    opened.write(rows_of(0, 2, 4), rows_of(1, 0, 3))
    assert opened.rows() == all_rows({0: 4, 1: 3})


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_replays_from_any_earlier_offset_give_the_same_rows(
    sink: SinkUnderTest, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    opened = Opened(sink, tmp_path_factory.mktemp("replay"))
    ends = {0: 0, 1: 0}
    for _ in range(data.draw(st.integers(1, 6))):
        if data.draw(st.booleans()):
            opened.reopen()
        batches = []
        for partition in data.draw(st.lists(st.sampled_from([0, 1]), max_size=3)):
            start = data.draw(st.integers(0, ends[partition]))
            stop = data.draw(st.integers(start, start + 8))
            batches.append(rows_of(partition, start, stop))
            ends[partition] = max(ends[partition], stop)
        opened.write(*batches)
    assert {0: 0, 1: 0} | opened.offsets() == ends
    found = opened.rows()
    opened.sink.close()
    assert found == all_rows(ends)


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_loses_and_doubles_nothing(sink: SinkUnderTest, tmp_path: Path) -> None:
    name = next(name for name, each in SINKS.items() if each is sink)
    command = [sys.executable, __file__, name, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(streamflow.__file__).parents[1])}
    chance = random.Random()
    reached = {0: 0, 1: 0}
    for _ in range(12):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"opening\n"
            time.sleep(chance.uniform(0, 0.3))
            writer.kill()
        opened = Opened(sink, tmp_path)
        ends = {0: 0, 1: 0} | opened.offsets()
        assert all(ends[partition] >= reached[partition] for partition in ends)
        assert opened.rows() == all_rows(ends)
        opened.sink.close()
        reached = ends
    assert min(reached.values()) > 0


def write_for_ever(sink: Sink) -> None:
    """Resumes at the stored offsets, or before them as a worker whose commit came too late would."""
    print("opening", flush=True)
    sink.open(Row)
    chance = random.Random()
    while True:
        batches = []
        for partition in (0, 1):
            stored = sink.offsets().get(TopicPartition("out", partition), 0)
            start = max(0, stored - chance.randrange(100))
            batches.append(rows_of(partition, start, stored + chance.randrange(400)))
        sink.write(batches)


if __name__ == "__main__":
    write_for_ever(SINKS[sys.argv[1]].make(Path(sys.argv[2])))
