"""How far event time has come."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamflow.event import TIMESTAMP_MS_MAX
from streamflow.operators.watermark import START_MS, MergedWatermark, WatermarkTracker

times = st.lists(st.one_of(st.integers(-1_000, 1_000), st.sampled_from([2**53, 2**63 - 1, -(2**63)])), max_size=30)


@given(times, st.lists(st.integers(0, 30), max_size=5), st.sampled_from([0, 1, 250]))
def test_the_column_is_the_newest_time_so_far_less_the_disorder_however_it_is_cut(stream, cuts, disorder) -> None:
    tracker, column = WatermarkTracker(disorder), []
    edges = [0, *sorted(cuts), len(stream)]
    for a, b in pairwise(edges):
        column += tracker.column(stream[a:b])
        restored = WatermarkTracker(disorder)
        restored.restore(tracker.watermark_ms)
        tracker = restored
    known = [START_MS]
    want = []
    for t in stream:
        known.append(t - disorder if t < TIMESTAMP_MS_MAX else START_MS)
        want.append(max(known))
    assert column == want
    assert tracker.watermark_ms == max(known)


def test_an_event_time_beyond_the_last_does_not_end_time_for_its_partition_whatever_the_disorder() -> None:
    for disorder in (0, 500):
        tracker = WatermarkTracker(disorder)
        tracker.column([1_000, TIMESTAMP_MS_MAX, 2**62, 2_000])
        assert tracker.watermark_ms == 2_000 - disorder


steps = st.lists(st.tuples(st.integers(0, 2), st.integers(-50, 50), st.booleans()), max_size=30)


@given(steps, st.integers(0, 30))
def test_several_inputs_come_as_far_as_the_slowest_that_is_awake_and_never_back(steps, crash) -> None:
    merged = MergedWatermark(range(3))
    reached, idle, before = dict.fromkeys(range(3), START_MS), set(), START_MS
    for n, (source, watermark, sleeps) in enumerate(steps):
        now = merged.update(source, watermark, idle=sleeps)
        reached[source] = max(reached[source], watermark)
        (idle.add if sleeps else idle.discard)(source)
        awake = [reached[s] for s in reached if s not in idle]
        before = max(before, min(awake) if awake else max(reached.values()))
        assert now == before == merged.watermark_ms
        if n == crash:
            merged, kept, idle = MergedWatermark(range(3)), (merged.snapshot(), merged.watermark_ms), set()
            merged.restore(*kept)
            assert merged.watermark_ms == before


def test_an_input_that_has_said_nothing_holds_all_back() -> None:
    merged = MergedWatermark(range(2))
    assert merged.update(0, 500) == START_MS
    assert merged.update(1, 300) == 300
    assert merged.update(0, 600, idle=True) == 300
    assert merged.update(1, 400, idle=True) == 600
