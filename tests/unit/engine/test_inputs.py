"""What a task reads next, and how far event time has come on each input."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamflow.codecs import key_codec, value_codec
from streamflow.engine.inputs import IDLE_AFTER_MS, LIVE_WITHIN_MS, Input, choose
from streamflow.event import TIMESTAMP_MS_MAX, Batch
from streamflow.operators.regroup import WATERMARK_HEADER, Mark, encode_watermark
from streamflow.operators.watermark import START_MS
from streamflow.topology import SourceNode, TableNode, TopicDecl

NOW = 1_800_000_000_000


def an_input(
    name: str = "in", *, marks: bool = False, table: bool = False, upstream: int = 0, disorder: int = 0
) -> Input:
    topic = TopicDecl(name=name, key=key_codec(str), value=value_codec("raw"), marks=marks, disorder_ms=disorder)
    source = SourceNode(name=name, topic=topic)
    if table:
        TableNode(name=f"{name}-table", parents=[source], table=f"{name}-table")
    return Input(source, upstream)


def records(timestamps: list[int], first: int = 0) -> Batch:
    n = len(timestamps)
    return Batch([None] * n, [b"v"] * n, timestamps, range(first, first + n))


def fill(source: Input, timestamps: list[int], *, drained: bool = True) -> Input:
    source.add(records(timestamps), len(timestamps))
    source.drained = drained
    return source


def read_in_order(inputs: list[Input]) -> list[tuple[str, int]]:
    found = []
    while (chosen := choose(inputs)) is not None:
        source, until = chosen
        batch = source.take(100, until)
        assert isinstance(batch, Batch)
        found += [(source.source.name, t) for t in batch.timestamps]
    return found


@given(st.lists(st.lists(st.integers(0, 50), max_size=15).map(sorted), min_size=2, max_size=4))
def test_inputs_in_order_are_merged_by_event_time(columns: list[list[int]]) -> None:
    inputs = [fill(an_input(f"in-{n}"), column) if column else an_input(f"in-{n}") for n, column in enumerate(columns)]
    for source in inputs:
        source.drained = True
    found = [t for _, t in read_in_order(inputs)]
    assert found == sorted(t for column in columns for t in column)


def test_a_table_comes_before_a_stream_at_the_same_time() -> None:
    stream, table = fill(an_input("stream"), [1, 2, 3]), fill(an_input("table", table=True), [2, 3])
    assert read_in_order([stream, table]) == [("stream", 1), ("table", 2), ("stream", 2), ("table", 3), ("stream", 3)]


def test_an_input_that_holds_more_than_was_fetched_is_waited_for() -> None:
    ready, behind = fill(an_input("ready"), [5]), an_input("behind")
    assert choose([ready, behind]) is None
    behind.drained = True
    assert choose([ready, behind]) is not None


def test_records_out_of_order_are_read_in_the_order_of_the_log() -> None:
    one, two = fill(an_input("one"), [9, 1, 9]), fill(an_input("two"), [5])
    assert read_in_order([one, two]) == [("two", 5), ("one", 9), ("one", 1), ("one", 9)]


def test_small_fetches_are_taken_together_and_the_position_follows() -> None:
    source = an_input()
    for n in range(5):
        source.add(records([n], first=n * 3), n * 3 + 3)
    batch = source.take(3, None)
    assert isinstance(batch, Batch)
    assert list(batch.offsets) == [0, 3, 6]
    assert source.position == 9
    assert source.buffered == 2
    source.take(10, None)
    assert source.position == 15


def test_the_position_within_a_fetch_is_behind_the_last_record_taken() -> None:
    source = an_input()
    source.add(records([1, 2, 3, 4]), 7)
    source.take(3, None)
    assert source.position == 3
    source.take(3, None)
    assert source.position == 7


def mark(partition: int, watermark: int, idle: bool = False) -> tuple[tuple[str, bytes], ...]:
    return ((WATERMARK_HEADER, encode_watermark(partition, watermark, idle)),)


def test_marks_come_between_records_and_the_slowest_upstream_holds_time_back() -> None:
    source = an_input(marks=True, upstream=2)
    headers = [(), mark(0, 100), (), mark(1, 40)]
    source.add(Batch([None] * 4, [b"v", None, b"v", None], [1, 0, 2, 0], range(4), headers), 4)
    seen = []
    while source.buffered:
        item = source.take(10, None)
        if isinstance(item, Mark):
            source.mark(item)
        seen.append(source.watermark_ms if isinstance(item, Mark) else list(item.offsets))
    assert seen == [[0], START_MS, [2], 40]
    source.mark(Mark(1, 40, True, 5))
    assert source.watermark_ms == 100


def test_an_idle_input_is_known_only_once_it_was_read_to_its_end() -> None:
    source = an_input()
    assert source.deadline_ms() is None
    source.drained = True
    source.tick(NOW)
    source.tick(NOW + IDLE_AFTER_MS - 1)
    assert not source.idle
    assert source.deadline_ms() == NOW + IDLE_AFTER_MS
    source.tick(NOW + IDLE_AFTER_MS)
    assert source.idle
    source.column([NOW], NOW + IDLE_AFTER_MS)
    assert not source.idle


def test_a_live_input_that_falls_silent_follows_the_clock_and_a_replay_does_not() -> None:
    live, replay = an_input(disorder=1_000), an_input()
    for source, newest in ((live, NOW - LIVE_WITHIN_MS), (replay, NOW - LIVE_WITHIN_MS - 1)):
        source.drained = True
        source.column([newest], NOW)
        source.tick(NOW + 60_000)
    assert live.watermark_ms == NOW + 60_000 - IDLE_AFTER_MS - 1_000
    assert replay.watermark_ms == NOW - LIVE_WITHIN_MS - 1
    assert live.deadline_ms() is not None
    assert replay.deadline_ms() is None


def test_the_watermark_never_moves_back_when_a_silent_live_input_speaks_again() -> None:
    source = an_input()
    source.drained = True
    source.column([NOW], NOW)
    source.tick(NOW + 100_000)
    reached = source.watermark_ms
    assert source.column([NOW + 10], NOW + 100_001) == [reached]
    assert source.watermark_ms == reached


def test_progress_is_taken_up_where_it_stood() -> None:
    plain, marked = an_input(), an_input(marks=True, upstream=2)
    plain.column([500, 900], NOW)
    marked.mark(Mark(0, 70, False, 0))
    marked.mark(Mark(1, 60, False, 1))
    again, marked_again = an_input(), an_input(marks=True, upstream=2)
    again.restore(12, plain.progress())
    marked_again.restore(3, marked.progress())
    assert (again.position, again.watermark_ms) == (12, 900)
    assert (marked_again.position, marked_again.watermark_ms) == (3, 60)
    marked_again.mark(Mark(1, 65, False, 4))
    assert marked_again.watermark_ms == 65


def test_an_input_that_has_ended_stays_ended() -> None:
    source = an_input()
    source.end()
    assert source.watermark_ms == TIMESTAMP_MS_MAX
    again = an_input()
    again.restore(0, source.progress())
    assert again.watermark_ms == TIMESTAMP_MS_MAX
