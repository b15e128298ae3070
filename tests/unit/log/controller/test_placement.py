from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.controller.image import BrokerImage
from streamflow.log.controller.placement import internal_factor, place
from streamflow.log.errors import InvalidReplicationFactorError


def brokers(racks: list[str | None], fenced: frozenset[int] = frozenset()) -> dict[int, BrokerImage]:
    return {
        n: BrokerImage(broker_id=n, broker_epoch=n, rack=rack, fenced=n in fenced) for n, rack in enumerate(racks, 1)
    }


@st.composite
def wishes(draw: st.DrawFn) -> tuple[dict[int, BrokerImage], int, int, int]:
    racks = draw(st.lists(st.sampled_from([None, "r1", "r2", "r3"]), min_size=1, max_size=8))
    fenced = draw(st.frozensets(st.integers(1, len(racks)), max_size=len(racks) - 1))
    factor = draw(st.integers(1, len(racks)))
    return brokers(racks, fenced), factor, draw(st.integers(0, 40)), draw(st.integers(0, 10**9))


@given(wishes())
def test_placement_spreads(wish: tuple[dict[int, BrokerImage], int, int, int]) -> None:
    known, factor, partitions, first = wish
    placed = place(partitions, factor, tuple(known), known, first=first)
    assert len(placed) == partitions
    able = [n for n in known if known[n].may_lead]
    leaders = Counter(dict.fromkeys(able, 0)) + Counter(r[0] for r in placed)
    counts = [leaders[n] for n in able]
    assert max(counts) - min(counts) <= 1, "each broker leads as many"
    for replicas in placed:
        assert len(set(replicas)) == factor == len(replicas)
        assert known[replicas[0]].may_lead
        assert sum(n in able for n in replicas) == min(factor, len(able)), "a fenced one is chosen last"
        on_racks = {known[n].rack for n in replicas if n in able}
        assert len(on_racks) == min(len({known[n].rack for n in able}), sum(n in able for n in replicas))


def test_partitions_that_share_a_leader_share_not_all_followers() -> None:
    placed = place(6, 2, (1, 2, 3))
    assert set(placed) == {(1, 2), (2, 3), (3, 1), (1, 3), (2, 1), (3, 2)}


def test_a_topic_begins_at_its_turn() -> None:
    assert [place(1, 1, (1, 2, 3), first=n)[0] for n in range(4)] == [(1,), (2,), (3,), (1,)]


@pytest.mark.parametrize("factor", [0, 4, -1])
def test_a_factor_that_cannot_be_had_is_refused(factor: int) -> None:
    with pytest.raises(InvalidReplicationFactorError, match="3 broker"):
        place(1, factor, (1, 2, 3))


def test_somebody_must_be_able_to_lead() -> None:
    with pytest.raises(InvalidReplicationFactorError, match="none of the brokers"):
        place(1, 1, (1,), brokers([None], frozenset({1})))


def test_the_logs_own_topics_wait_for_the_brokers_that_will_hold_them() -> None:
    assert [internal_factor(3, 1, 1), internal_factor(3, 2, 2), internal_factor(3, 5, 3)] == [1, 2, 3]
    assert internal_factor(1, 1, 3) == 1
    with pytest.raises(InvalidReplicationFactorError, match="3 brokers and 1"):
        internal_factor(3, 1, 3)
