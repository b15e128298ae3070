"""One pass over a column: which events come out, and which one a function failed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.event import Batch
from streamflow.operators.base import OperatorFailed
from streamflow.operators.stateless import BranchOf, Filter, FlatMap, Map, Rekey

values = st.lists(st.integers(-9, 9), max_size=20)


def batch_of(values, *, headers=False, watermarks=False):
    n = len(values)
    return Batch(
        [f"k{i}" for i in range(n)],
        list(values),
        [10 * i for i in range(n)],
        range(100, 100 + n),
        [(("h", bytes([i])),) for i in range(n)] if headers else None,
        [5 * i for i in range(n)] if watermarks else None,
    )


def rows(batch):
    """Every column of every event, so that none is lost on the way."""
    n = len(batch)
    assert [len(c) for c in (batch.keys, batch.timestamps, batch.offsets)] == [n, n, n]
    headers = batch.headers if batch.headers is not None else [None] * n
    watermarks = batch.watermarks if batch.watermarks is not None else [None] * n
    return list(zip(batch.keys, batch.values, batch.timestamps, batch.offsets, headers, watermarks, strict=True))


@given(values, st.booleans(), st.booleans())
def test_a_filter_keeps_whole_events_in_order(values, headers, watermarks) -> None:
    batch = batch_of(values, headers=headers, watermarks=watermarks)
    assert rows(Filter(lambda v: v > 0).on_batch(batch)) == [row for row in rows(batch) if row[1] > 0]


@given(values, st.booleans(), st.booleans())
def test_a_map_changes_nothing_but_the_value(values, headers, watermarks) -> None:
    batch = batch_of(values, headers=headers, watermarks=watermarks)
    mapped = rows(Map(lambda v: v * 2).on_batch(batch))
    assert mapped == [(k, v * 2, t, o, h, w) for k, v, t, o, h, w in rows(batch)]


@given(values, st.booleans(), st.booleans())
def test_what_a_flat_map_makes_of_an_event_stands_where_the_event_stood(values, headers, watermarks) -> None:
    batch = batch_of(values, headers=headers, watermarks=watermarks)
    made = rows(FlatMap(lambda v: (v * 10 + n for n in range(v % 3))).on_batch(batch))
    assert made == [(k, v * 10 + n, t, o, h, w) for k, v, t, o, h, w in rows(batch) for n in range(v % 3)]


@given(values)
def test_rekeying_changes_nothing_but_the_key(values) -> None:
    batch = batch_of(values, headers=True, watermarks=True)
    keyed = rows(Rekey(abs).on_batch(batch))
    assert keyed == [(abs(v), v, t, o, h, w) for _, v, t, o, h, w in rows(batch)]


@given(values)
def test_each_event_goes_to_the_first_branch_that_takes_it(values) -> None:
    predicates = [lambda v: v > 5, lambda v: v > 0, lambda v: v < -5]
    batch = batch_of(values)
    taken = [BranchOf(predicates, n).on_batch(batch).values for n in range(3)]
    assert taken == [[v for v in values if v > 5], [v for v in values if 0 < v <= 5], [v for v in values if v < -5]]


def upto(limit, kind):
    """Fails at the first value above the limit, and tells what it was called with."""
    seen = []

    def fn(value):
        seen.append(value)
        if value > limit:
            raise kind("too big")
        return (value,)

    return fn, seen


OPERATORS = [Map, Filter, FlatMap, Rekey, lambda fn: BranchOf([fn], 0)]


@pytest.mark.parametrize("make", OPERATORS)
@pytest.mark.parametrize("kind", [ValueError, KeyError, StopIteration])
def test_a_function_that_raises_is_told_by_the_event_it_raised_on_and_called_once_an_event(make, kind) -> None:
    fn, seen = upto(2, kind)
    with pytest.raises(OperatorFailed) as failed:
        make(fn).on_batch(batch_of([0, 1, 2, 3, 4]))
    assert failed.value.index == 3
    assert seen == [0, 1, 2, 3]
    assert failed.value.__cause__ is not None


@pytest.mark.parametrize("make", OPERATORS)
def test_a_stop_iteration_out_of_a_function_loses_no_event_in_silence(make) -> None:
    with pytest.raises(OperatorFailed) as failed:
        make(lambda value: next(iter([]))).on_batch(batch_of([1, 2]))
    assert failed.value.index == 0
    assert "StopIteration" in str(failed.value.__cause__)


def test_a_generator_that_fails_half_way_names_its_event() -> None:
    def halves(value):
        yield value
        if value == 2:
            raise ValueError("half way")

    with pytest.raises(OperatorFailed) as failed:
        FlatMap(halves).on_batch(batch_of([1, 2, 3]))
    assert failed.value.index == 1


def test_the_worker_being_stopped_is_not_the_events_fault() -> None:
    def interrupted(value):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Map(interrupted).on_batch(batch_of([1]))
