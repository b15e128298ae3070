"""Running aggregates by key against a program that reads the whole stream at once."""

from __future__ import annotations

import builtins
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.event import Batch
from streamflow.operators.aggregate import collect, count, fold, sum
from streamflow.operators.base import OperatorFailed
from streamflow.operators.keyed import KeyedAggregate
from streamflow.operators.window import result_type

AGGREGATES = {"n": count(), "total": sum(), "all": collect()}
KEYS = ["a", "b", 7, ("t", 1), None, b"x"]

events = st.lists(
    st.tuples(st.sampled_from(KEYS), st.one_of(st.none(), st.integers(-5, 5)), st.integers(0, 99)), max_size=40
)
cuts = st.lists(st.integers(0, 40), max_size=6)


def made(aggregates=AGGREGATES):
    return KeyedAggregate(aggregates, result_type("Row", aggregates, windowed=False))


@pytest.mark.parametrize("aggregates", [AGGREGATES, {"n": count()}])
@given(stream=events, positions=cuts, crashes=cuts)
def test_rows_are_those_of_all_events_so_far_however_the_stream_is_cut_and_restored(
    aggregates, stream, positions, crashes
) -> None:
    operator, state = made(aggregates), {}
    for n, (a, b) in enumerate(pairwise([0, *sorted(p for p in positions if p < len(stream)), len(stream)])):
        if a == b:
            continue
        part = stream[a:b]
        out = operator.on_batch(
            Batch(
                [k for k, _, _ in part],
                [v for _, v, _ in part],
                [t for _, _, t in part],
                range(a, b),
                None,
                list(range(a, b)),
            )
        )
        last = {k: at for at, (k, _, _) in enumerate(stream[:b]) if at >= a}
        assert list(out.offsets) == sorted(last.values()) == out.watermarks
        assert out.keys == [stream[at][0] for at in out.offsets]
        assert out.timestamps == [stream[at][2] for at in out.offsets]
        for key, row in zip(out.keys, out.values, strict=True):
            here = [v for k, v, _ in stream[:b] if k == key]
            there = [v for v in here if v is not None]
            assert (row.key, row.n) == (key, len(here))
            if "total" in aggregates:
                assert (row.total, row.all) == (builtins.sum(there) if there else None, there)
        changes = operator.snapshot()
        assert len(changes) == len(last)
        state.update(changes)
        if n in crashes:
            operator = made(aggregates)
            operator.restore(state.items())
            assert operator.snapshot() == []


def test_an_event_that_a_function_fails_on_leaves_no_trace_and_the_rest_can_be_given_again() -> None:
    aggregates = {"n": count(), "all": fold(0, lambda acc, v: acc + 10 // v)}
    operator = made(aggregates)
    with pytest.raises(OperatorFailed) as failed:
        operator.on_batch(Batch(["a", "b", "b"], [1, 1, 0], [1, 2, 3], range(3)))
    assert failed.value.index == 2
    assert operator.snapshot() == []
    out = operator.on_batch(Batch(["a", "b"], [1, 1], [1, 2], range(2)))
    assert [(r.key, r.n, r.all) for r in out.values] == [("a", 1, 10), ("b", 1, 10)]
