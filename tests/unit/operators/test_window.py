"""Windows against a program that reads the whole stream at once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.errors import ConfigError
from streamflow.event import TIMESTAMP_MS_MAX, Batch
from streamflow.operators.aggregate import collect, count, fold, max, mean, min, sum
from streamflow.operators.base import OperatorFailed
from streamflow.operators.watermark import WatermarkTracker
from streamflow.operators.window import WindowAggregate, hopping, result_type, tumbling


class Sale(msgspec.Struct):
    price: Decimal


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AGGREGATES = {"n": count(), "total": sum(), "least": min(), "most": max(), "average": mean(), "all": collect()}

events = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", 7, ("t", 1), None]),
        st.one_of(st.none(), st.integers(-5, 5)),
        st.integers(-400, 1_000),
    ),
    max_size=40,
)
cuts = st.lists(st.integers(0, 40), max_size=6)
specs = st.sampled_from([tumbling("100ms"), hopping("100ms", "40ms"), hopping("90ms", "30ms")])


def oracle(stream, spec, grace, disorder):
    """Every complete window's events, and how many were late for all of theirs."""
    windows, late, reached = {}, 0, -TIMESTAMP_MS_MAX
    for key, value, t in stream:
        reached = reached if reached > t - disorder else t - disorder
        taken = False
        start = t // spec.step_ms * spec.step_ms
        while start > t - spec.size_ms:
            if start + spec.size_ms + grace > reached:
                windows.setdefault((start, key), []).append(value)
                taken = True
            start -= spec.step_ms
        late += not taken
    rows = {}
    for window, values in windows.items():
        there = [v for v in values if v is not None]
        total = None
        for v in there:
            total = v if total is None else total + v
        rows[window] = (
            len(values),
            total,
            sorted(there)[0] if there else None,
            sorted(there)[-1] if there else None,
            total / len(there) if there else None,
            there,
        )
    return rows, late


def batches(stream, positions):
    edges = [0, *sorted(p for p in positions if 0 < p < len(stream)), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges) if b > a]


def columns(part):
    return Batch([k for k, _, _ in part], [v for _, v, _ in part], [t for _, _, t in part], range(len(part)))


def made(spec, grace, aggregates=AGGREGATES, emit="final"):
    return WindowAggregate(spec, grace, aggregates, result_type("Row", aggregates, windowed=True), emit=emit)


def millis(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


@given(events, cuts, cuts, specs, st.sampled_from([0, 30, 150]), st.sampled_from([0, 50]))
def test_however_the_stream_is_cut_and_restored_the_rows_are_those_of_the_whole(
    stream, positions, crashes, spec, grace, disorder
) -> None:
    operator, tracker = made(spec, grace), WatermarkTracker(disorder)
    state, rows = {}, []

    def keep() -> None:
        for key, value in operator.snapshot():
            if value is None:
                state.pop(key, None)
            else:
                state[key] = value

    for n, part in enumerate(batches(stream, positions)):
        batch = columns(part)
        batch.watermarks = tracker.column(batch.timestamps)
        assert operator.on_batch(batch) is None
        out = operator.on_watermark(tracker.watermark_ms)
        rows += out.values if out is not None else []
        keep()
        if n in crashes:
            operator = made(spec, grace)
            operator.restore(state.items())
            assert operator.on_watermark(tracker.watermark_ms) is None
    out = operator.on_watermark(TIMESTAMP_MS_MAX)
    rows += out.values if out is not None else []
    keep()
    want, late = oracle(stream, spec, grace, disorder)
    got = {(millis(r.start), r.key): (r.n, r.total, r.least, r.most, r.average, r.all) for r in rows}
    assert got == want
    assert len(got) == len(rows)
    assert operator.late_records == late
    assert all(r.final and r.end - r.start == timedelta(milliseconds=spec.size_ms) for r in rows)
    assert set(state) <= {b"\xa4late"}


@given(events, cuts, cuts, specs, st.sampled_from([0, 30]))
def test_with_updates_the_last_row_of_a_window_before_its_final_one_is_the_same(
    stream, positions, crashes, spec, grace
) -> None:
    operator, tracker, state, shown, final = made(spec, grace, emit="updates"), WatermarkTracker(), {}, {}, {}

    def look(out) -> None:
        for row in out.values if out is not None else []:
            assert (row.start, row.key) not in final
            (final if row.final else shown)[row.start, row.key] = (row.n, row.total, row.all)

    for n, part in enumerate(batches(stream, positions)):
        batch = columns(part)
        batch.watermarks = tracker.column(batch.timestamps)
        look(operator.on_batch(batch))
        look(operator.on_watermark(tracker.watermark_ms))
        state.update(operator.snapshot())
        if n in crashes:
            operator = made(spec, grace, emit="updates")
            operator.restore((k, v) for k, v in state.items() if v is not None)
    look(operator.on_watermark(TIMESTAMP_MS_MAX))
    assert final == shown
    assert {(millis(start), key): row for (start, key), row in final.items()} == {
        window: (row[0], row[1], row[5]) for window, row in oracle(stream, spec, grace, 0)[0].items()
    }


@given(events, cuts, specs)
def test_a_bare_count_agrees_with_a_count_among_others(stream, positions, spec) -> None:
    fast, slow = made(spec, 0, {"n": count()}), made(spec, 0, {"n": count(), "total": sum()})
    found = []
    for operator in (fast, slow):
        tracker, rows = WatermarkTracker(), []
        for part in batches(stream, positions):
            batch = columns(part)
            batch.watermarks = tracker.column(batch.timestamps)
            operator.on_batch(batch)
            out = operator.on_watermark(tracker.watermark_ms)
            rows += out.values if out is not None else []
        out = operator.on_watermark(TIMESTAMP_MS_MAX)
        rows += out.values if out is not None else []
        found.append([(r.start, r.key, r.n) for r in rows])
    assert found[0] == found[1]
    assert fast.late_records == slow.late_records


def test_updates_show_a_window_grow_and_the_last_row_is_final() -> None:
    operator = made(tumbling("1s"), 0, {"n": count()}, emit="updates")
    first = operator.on_batch(Batch(["a"], [1], [10], range(1)))
    second = operator.on_batch(Batch(["a", "b"], [1, 1], [20, 30], range(2)))
    last = operator.on_watermark(1_000)
    assert [(r.key, r.n, r.final) for b in (first, second, last) for r in b.values] == [
        ("a", 1, False),
        ("a", 2, False),
        ("b", 1, False),
        ("a", 2, True),
        ("b", 1, True),
    ]
    assert last.timestamps == [999, 999]


def test_windows_close_in_the_order_they_end_and_only_when_the_grace_is_over() -> None:
    operator = made(tumbling("1s"), 500, {"n": count()})
    operator.on_batch(Batch(["a"] * 3, [0] * 3, [2_500, 500, 1_500], range(3)))
    assert operator.on_watermark(1_499) is None
    assert [r.start for r in operator.on_watermark(2_500).values] == [EPOCH, EPOCH + timedelta(seconds=1)]


def test_event_time_beyond_what_a_calendar_can_name_is_shown_as_its_last_moment() -> None:
    operator = made(tumbling("1s"), 0, {"n": count()})
    operator.on_batch(Batch(["a"], [0], [2**52], range(1)))
    (row,) = operator.on_watermark(TIMESTAMP_MS_MAX).values
    assert row.start.year == 9999


@pytest.mark.parametrize("t", [2**53 - 1, 2**53, 2**63 - 1])
@pytest.mark.parametrize("spec", [tumbling("1s"), hopping("1s", "300ms")])
def test_an_event_after_the_end_of_time_is_counted_in_the_last_window_and_its_row_can_be_written(t, spec) -> None:
    operator = made(spec, 500, {"n": count()})
    operator.on_batch(Batch(["a", "a"], [0, 0], [5_000, t], range(2)))
    out = operator.on_watermark(TIMESTAMP_MS_MAX)
    per_event = -(-spec.size_ms // spec.step_ms)
    assert 2 * per_event - 2 <= len(out) <= 2 * per_event
    assert len({row.start for row in out.values[-1:]} | {row.start for row in out.values[:1]}) == 2
    assert max_of(out.timestamps) < TIMESTAMP_MS_MAX
    assert operator.late_records == 0


def max_of(column):
    return sorted(column)[-1]


def test_an_event_before_the_beginning_of_time_is_late_and_counted() -> None:
    operator = made(tumbling("1s"), 0, {"n": count()})
    operator.on_batch(Batch(["a"], [0], [-(2**63)], range(1)))
    assert operator.late_records == 1
    assert operator.on_watermark(TIMESTAMP_MS_MAX) is None


def test_events_behind_the_end_of_the_input_are_late_whatever_the_grace() -> None:
    operator = made(tumbling("1s"), 60_000, {"n": count()})
    operator.on_watermark(TIMESTAMP_MS_MAX)
    operator.on_batch(Batch(["a", "a"], [0, 0], [0, TIMESTAMP_MS_MAX - 1], range(2)))
    assert operator.late_records == 2
    assert operator.on_watermark(TIMESTAMP_MS_MAX) is None


def test_an_event_late_for_one_of_its_windows_still_counts_in_the_others() -> None:
    operator = made(hopping("100ms", "50ms"), 0, {"n": count()})
    operator.on_watermark(110)
    operator.on_batch(Batch(["a"], [0], [60], range(1)))
    assert [millis(row.start) for row in operator.on_watermark(TIMESTAMP_MS_MAX).values] == [50]
    assert operator.late_records == 0


def test_without_a_column_of_watermarks_lateness_goes_by_the_last_one_told() -> None:
    operator = made(tumbling("1s"), 100, {"n": count()})
    operator.on_watermark(1_099)
    operator.on_batch(Batch(["a"], [0], [999], range(1)))
    assert operator.late_records == 0
    operator.on_watermark(1_100)
    operator.on_batch(Batch(["a"], [0], [999], range(1)))
    assert operator.late_records == 1


def test_an_event_that_a_function_fails_on_leaves_no_trace_and_the_rest_can_be_given_again() -> None:
    aggregates = {"n": count(), "shares": fold(0, lambda acc, v: acc + 10 // v)}
    operator = made(tumbling("1s"), 0, aggregates, emit="updates")
    batch = Batch(["c", "b", "a", "b"], [1, 1, 1, 0], [500, 10_100, 11_000, 11_500], range(4), None, [10_000] * 4)
    with pytest.raises(OperatorFailed) as failed:
        operator.on_batch(batch)
    assert failed.value.index == 3
    assert (operator.snapshot(), operator.late_records) == ([], 0)
    out = operator.on_batch(batch.select([True, True, True, False]))
    assert operator.late_records == 1
    assert [(r.key, r.n, r.shares) for r in out.values] == [("b", 1, 10), ("a", 1, 10)]


def test_records_in_the_state_of_a_window_are_records_again_after_a_restart() -> None:
    aggregates = {"all": collect(), "total": sum("price")}
    row = result_type("Row", aggregates, windowed=True, value_type=Sale)
    before, after = (WindowAggregate(tumbling("1s"), 0, aggregates, row, value_type=Sale) for _ in range(2))
    before.on_batch(Batch(["a"], [Sale(Decimal("1.10"))], [0], range(1)))
    after.restore(before.snapshot())
    after.on_batch(Batch(["a"], [Sale(Decimal("2.20"))], [1], range(1)))
    (got,) = after.on_watermark(1_000).values
    assert got.all == [Sale(Decimal("1.10")), Sale(Decimal("2.20"))]
    assert got.total == Decimal("3.30")


@pytest.mark.parametrize("key", ["a", 7, b"x", None, ("t", (1, None)), date(2026, 1, 2), 1.5, True, Decimal("1.0")])
def test_a_key_is_the_same_key_after_a_restart(key) -> None:
    before, after = made(tumbling("1s"), 0, {"n": count()}), made(tumbling("1s"), 0, {"n": count()})
    before.on_batch(Batch([key], [0], [0], range(1)))
    after.restore(before.snapshot())
    after.on_batch(Batch([key], [0], [0], range(1)))
    (got,) = after.on_watermark(1_000).values
    assert (got.key, got.n) == (key, 2)
    assert type(got.key) is type(key)


def test_a_snapshot_holds_what_changed_since_the_last_one_and_none_for_what_closed() -> None:
    operator = made(tumbling("1s"), 0, {"n": count()})
    operator.on_batch(Batch(["a", "b"], [0, 0], [0, 1_500], range(2)))
    first = dict(operator.snapshot())
    assert len(first) == 2
    assert None not in first.values()
    assert operator.snapshot() == []
    operator.on_watermark(1_000)
    ((closed, gone),) = operator.snapshot()
    assert closed in first
    assert gone is None


def test_no_row_bears_the_offset_of_a_record() -> None:
    operator = made(tumbling("1s"), 0, {"n": count()})
    operator.on_batch(Batch(["a", "b"], [0, 0], [0, 0], range(2)))
    assert all(offset < 0 for offset in operator.on_watermark(1_000).offsets)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: tumbling(0), "zero"),
        (lambda: tumbling("-1s"), "negative"),
        (lambda: tumbling("soon"), "isn't a duration"),
        (lambda: hopping("1s", "2s"), "fall between"),
        (lambda: result_type("R", {"start": count()}, windowed=True), "'start'"),
        (lambda: result_type("R", {}, windowed=True), "computes nothing"),
        (lambda: made(tumbling("1s"), 0, emit="sometimes"), "'final' or 'updates'"),
    ],
)
def test_windows_that_make_no_sense_are_refused(wrong, says) -> None:
    with pytest.raises(ConfigError, match=says):
        wrong()
