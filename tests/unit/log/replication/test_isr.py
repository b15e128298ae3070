from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.replication.isr import Isr

MEMBERS = st.frozensets(st.integers(1, 4), min_size=1)


def test_who_is_proposed_may_be_in_sync_already_and_who_is_left_out_still() -> None:
    isr = Isr((1, 2), 5)
    isr.propose((1, 3))
    assert (isr.committed, isr.maximal) == ((1, 2), (1, 2, 3))


def test_a_higher_partition_epoch_ends_every_doubt() -> None:
    isr = Isr((1, 2), 5)
    isr.propose((1, 2, 3))
    isr.not_committed(5)
    isr.propose((1, 2, 4))
    assert isr.maximal == (1, 2, 3, 4)
    isr.learn((1, 2, 4), 6)
    assert (isr.maximal, isr.in_flight, isr.doubted) == ((1, 2, 4), False, False)


def test_what_comes_late_changes_nothing() -> None:
    isr = Isr((1, 2), 5)
    isr.learn((1,), 4)
    isr.learn((1,), 5)
    isr.propose((1, 2, 3))
    isr.learn((1, 2), 5)
    isr.not_committed(4)
    assert (isr.committed, isr.maximal, isr.in_flight) == ((1, 2), (1, 2, 3), True)


@given(st.lists(st.tuples(st.sampled_from("pnl"), MEMBERS, st.booleans())))
def test_nobody_who_may_be_in_sync_is_forgotten_within_a_partition_epoch(
    moves: list[tuple[str, frozenset[int], bool]],
) -> None:
    isr = Isr((1,), 0)
    possible = {1}
    for kind, members, applied in moves:
        if kind == "p" and not isr.in_flight:
            isr.propose(members)
            possible |= members
        elif kind == "n":
            isr.not_committed(isr.partition_epoch)
        elif kind == "l" and applied:
            isr.learn(members, isr.partition_epoch + 1)
            possible = set(members)
        assert set(isr.maximal) == possible
