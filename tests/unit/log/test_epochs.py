"""Where leader epochs begin and end (KIP-101, KIP-279, KIP-320)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.epochs import UNKNOWN, EpochStarts

STARTS = [(2, 10), (4, 20), (7, 35)]

writes = st.lists(st.integers(0, 5), max_size=40).map(sorted)
"""The epoch each record was written in, by offset."""


def learned(epochs: list[int]) -> EpochStarts:
    starts = EpochStarts()
    for offset, epoch in enumerate(epochs):
        starts.assign(epoch, offset)
    starts.check()
    return starts


@pytest.mark.parametrize(
    ("epoch", "answer"),
    [
        (7, (7, 50)),
        (4, (4, 35)),
        (2, (2, 20)),
        (5, (4, 35)),
        (3, (2, 20)),
        (1, (1, 10)),
        (8, UNKNOWN),
        (-1, UNKNOWN),
    ],
    ids=[
        "the latest ends where the log does",
        "an older one ends where the next begins",
        "the first likewise",
        "one that wrote nothing is answered with the one before (KIP-279)",
        "another such",
        "one whose records are gone ends where the log begins",
        "one never heard of is unknown",
        "no epoch is unknown",
    ],
)
def test_the_end_of_an_epoch(epoch: int, answer: tuple[int, int]) -> None:
    assert EpochStarts(STARTS).end_of(epoch, 50) == answer


def test_an_empty_log_knows_no_epoch() -> None:
    assert EpochStarts().end_of(0, 0) == UNKNOWN
    assert EpochStarts().latest == EpochStarts().epoch_of(0) == -1


@given(writes)
def test_each_record_is_of_the_epoch_it_was_written_in(epochs: list[int]) -> None:
    starts = learned(epochs)
    assert [starts.epoch_of(offset) for offset in range(len(epochs))] == epochs


@given(writes, st.integers(0, 45))
def test_a_truncated_log_knows_what_it_would_had_the_rest_never_been(epochs: list[int], offset: int) -> None:
    starts = learned(epochs)
    starts.truncate_to(offset)
    assert starts.entries == learned(epochs[:offset]).entries


@given(writes, st.integers(0, 39))
def test_what_remains_after_the_start_was_deleted_keeps_its_epochs(epochs: list[int], offset: int) -> None:
    starts = learned(epochs)
    starts.begin_at(offset)
    starts.check()
    for at in range(offset, len(epochs)):
        assert starts.epoch_of(at) == epochs[at]
    assert all(start >= min(offset, len(epochs)) for _, start in starts.entries)


@given(writes, writes)
def test_a_follower_that_truncates_by_epoch_holds_nothing_its_leader_lacks(shared: list[int], own: list[int]) -> None:
    """KIP-101 with KIP-279: ask for the end of the latest epoch, cut there, ask again while the answer is another's."""
    last = shared[-1] if shared else -1
    leader = shared + [e + last + 1 for e in own if e % 2]
    follower = shared + [e + last + 1 for e in own if not e % 2]
    mine, theirs = learned(follower), learned(leader)
    theirs.assign(99, len(leader))
    end = len(follower)
    while end:
        epoch, leader_end = theirs.end_of(mine.latest, len(leader))
        agreed = epoch == mine.latest
        end = min(end, leader_end, mine.end_of(epoch, end)[1])
        mine.truncate_to(end)
        if agreed:
            break
    assert follower[:end] == leader[:end] == shared[:end]
    assert end >= len(shared), "and it keeps what both have"


def test_an_epoch_of_the_past_changes_nothing() -> None:
    starts = EpochStarts(STARTS)
    for epoch in (0, 3, 7):
        starts.assign(epoch, 60)
    assert starts.entries == STARTS
    starts.assign(8, 60)
    assert starts.entries == [*STARTS, (8, 60)]
    starts.assign(9, 60)
    assert starts.entries == [*STARTS, (9, 60)], "an epoch that wrote nothing is nobody's"
