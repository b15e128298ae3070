from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.consensus.quorum import decides, majority, reached


def test_more_than_half_decide() -> None:
    assert [majority(n) for n in range(1, 8)] == [1, 2, 2, 3, 3, 4, 4]


def test_only_voters_count_and_each_once() -> None:
    assert decides([1, 2], [1, 2, 3])
    assert not decides([1, 8, 9], [1, 2, 3])
    assert not decides([1, 1], [1, 2, 3])


@given(st.sets(st.integers(0, 6)), st.sets(st.integers(0, 6)), st.sets(st.integers(0, 6), min_size=1))
def test_any_two_majorities_share_a_voter(some: set[int], others: set[int], voters: set[int]) -> None:
    assert not (decides(some, voters) and decides(others, voters)) or some & others & voters


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7))
def test_what_is_reached_is_the_most_that_a_majority_has(values: list[int]) -> None:
    found = reached(values)
    assert sum(v >= found for v in values) >= majority(len(values))
    assert sum(v > found for v in values) < majority(len(values))
