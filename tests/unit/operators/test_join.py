"""A stream with a table."""

from __future__ import annotations

import pytest

from streamflow.event import Batch
from streamflow.operators.base import OperatorFailed
from streamflow.operators.join import Joined, JoinTable

TABLE = {"a": 1, "c": 3}


def batch():
    return Batch(["a", "b", "c", None], [10, 20, 30, 40], [1, 2, 3, 4], range(7, 11), None, [1, 2, 3, 4])


def test_an_inner_join_drops_events_without_a_row_and_keeps_the_others_whole() -> None:
    out = JoinTable(TABLE.get).on_batch(batch())
    assert out == Batch(["a", "c"], [Joined(10, 1), Joined(30, 3)], [1, 3], [7, 9], None, [1, 3])


def test_a_left_join_keeps_every_event_with_none_for_a_row_that_is_not_there() -> None:
    out = JoinTable(TABLE.get, how="left").on_batch(batch())
    assert out.values == [Joined(10, 1), Joined(20, None), Joined(30, 3), Joined(40, None)]
    assert out.keys == ["a", "b", "c", None]


def test_a_row_that_is_false_is_a_row() -> None:
    assert JoinTable({"a": 0}.get).on_batch(batch()).values == [Joined(10, 0)]


def test_the_merge_function_makes_the_value() -> None:
    assert JoinTable(TABLE.get, lambda left, right: left + right).on_batch(batch()).values == [11, 33]


def test_a_merge_that_raises_leaves_the_index_in_the_batch_that_was_given() -> None:
    def fails_on_thirty(left, right):
        if left == 30:
            raise ValueError("thirty")

    with pytest.raises(OperatorFailed) as failed:
        JoinTable(TABLE.get, fails_on_thirty).on_batch(batch())
    assert failed.value.index == 2
    with pytest.raises(OperatorFailed) as failed:
        JoinTable(TABLE.get, fails_on_thirty, "left").on_batch(batch())
    assert failed.value.index == 2
