"""Laws of the server-side assignors (KIP-848, "Assignors")."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.coordinators.assignors import (
    ASSIGNORS,
    Assignment,
    Assignor,
    AssignorMember,
    Members,
    assign_range,
    assign_uniform,
)
from streamflow.log.coordinators.topic_view import Partitions, TopicIdPartition

TOPICS = [bytes([n]) * 16 for n in range(4)]
Counts = dict[bytes, int]


def some(topic: int, *numbers: int) -> Partitions:
    return frozenset(TopicIdPartition(TOPICS[topic], n) for n in numbers)


def everybody(ids: str, counts: Counts) -> dict[str, AssignorMember]:
    return {i: AssignorMember(topics=frozenset(counts)) for i in ids}


def keeping(members: Members, last: Assignment) -> dict[str, AssignorMember]:
    return {
        i: AssignorMember(instance_id=m.instance_id, topics=m.topics, partitions=last.get(i, frozenset()))
        for i, m in members.items()
    }


@st.composite
def groups(draw: st.DrawFn, *, same: bool = False) -> tuple[dict[str, AssignorMember], Counts]:
    """Members with subscriptions, and with partitions from an earlier time: some of topics that are smaller by now."""
    counts = {t: draw(st.integers(1, 9)) for t in draw(st.lists(st.sampled_from(TOPICS), unique=True, min_size=1))}
    ids = draw(st.lists(st.sampled_from("abcdefg"), unique=True, min_size=1))
    had = {t: draw(st.lists(st.sampled_from([*ids, ""]), min_size=n, max_size=n + 2)) for t, n in counts.items()}
    members = {}
    for member_id in ids:
        topics = frozenset(counts) if same else frozenset(draw(st.sets(st.sampled_from(sorted(counts)))))
        members[member_id] = AssignorMember(
            instance_id=draw(st.none() | st.just(f"i-{member_id}")),
            topics=topics,
            partitions=frozenset(
                TopicIdPartition(t, n)
                for t, owners in had.items()
                for n, owner in enumerate(owners)
                if owner == member_id
            ),
        )
    return members, counts


@pytest.mark.parametrize("assignor", ASSIGNORS.values(), ids=ASSIGNORS)
@given(group=groups())
def test_every_partition_of_a_subscribed_topic_goes_to_exactly_one_subscriber(
    assignor: Assignor, group: tuple[dict[str, AssignorMember], Counts]
) -> None:
    members, counts = group
    assigned = assignor(members, counts)
    assert assigned.keys() == members.keys()
    given_out = [where for partitions in assigned.values() for where in partitions]
    wanted = {TopicIdPartition(t, n) for m in members.values() for t in m.topics for n in range(counts[t])}
    assert len(given_out) == len(set(given_out))
    assert set(given_out) == wanted
    for member_id, partitions in assigned.items():
        assert {where.topic_id for where in partitions} <= members[member_id].topics


@pytest.mark.parametrize("assignor", ASSIGNORS.values(), ids=ASSIGNORS)
@given(group=groups())
def test_the_order_of_members_does_not_matter(
    assignor: Assignor, group: tuple[dict[str, AssignorMember], Counts]
) -> None:
    members, counts = group
    assert assignor(dict(reversed(members.items())), counts) == assignor(members, counts)


@given(group=groups(same=True))
def test_uniform_where_all_subscribe_to_the_same_numbers_differ_by_one_at_most(
    group: tuple[dict[str, AssignorMember], Counts],
) -> None:
    sizes = [len(partitions) for partitions in assign_uniform(*group).values()]
    assert max(sizes) - min(sizes) <= 1


@given(group=groups())
def test_uniform_no_partition_can_go_to_another_and_bring_numbers_closer(
    group: tuple[dict[str, AssignorMember], Counts],
) -> None:
    members, counts = group
    assigned = assign_uniform(members, counts)
    for partitions in assigned.values():
        for where in partitions:
            others = [len(assigned[i]) for i, m in members.items() if where.topic_id in m.topics]
            assert len(partitions) - min(others) <= 1


@given(group=groups(same=True))
def test_uniform_moves_no_more_than_balance_demands(group: tuple[dict[str, AssignorMember], Counts]) -> None:
    members, counts = group
    assigned = assign_uniform(members, counts)
    stays = {i: sum(w.partition < counts[w.topic_id] for w in m.partitions) for i, m in members.items()}
    total, (least, extra) = sum(counts.values()), divmod(sum(counts.values()), len(members))
    assert total == sum(map(len, assigned.values()))
    richest = sorted(stays.values(), reverse=True)
    possible = sum(min(has, least + (rank < extra)) for rank, has in enumerate(richest))
    assert sum(len(assigned[i] & m.partitions) for i, m in members.items()) == possible


@given(group=groups())
def test_uniform_nothing_moves_when_nothing_changed(group: tuple[dict[str, AssignorMember], Counts]) -> None:
    members, counts = group
    first = assign_uniform(members, counts)
    assert assign_uniform(keeping(members, first), counts) == first


def test_uniform_who_joins_gets_its_share_from_the_others() -> None:
    counts = {TOPICS[0]: 6}
    two = assign_uniform(everybody("ab", counts), counts)
    three = assign_uniform(keeping(everybody("abc", counts), two), counts)
    assert three["a"] < two["a"]
    assert three["b"] < two["b"]
    assert [len(partitions) for partitions in three.values()] == [2, 2, 2]


def test_uniform_who_subscribes_to_more_leaves_shared_topics_to_others() -> None:
    counts = {TOPICS[0]: 2, TOPICS[1]: 2}
    members = {
        "a": AssignorMember(topics=frozenset(TOPICS[:2])),
        "b": AssignorMember(topics=frozenset(TOPICS[:1])),
    }
    assert assign_uniform(members, counts) == {"a": some(1, 0, 1), "b": some(0, 0, 1)}


def test_uniform_what_two_claim_is_given_once() -> None:
    counts = {TOPICS[0]: 2}
    both = AssignorMember(topics=frozenset(counts), partitions=some(0, 0, 1))
    assigned = assign_uniform({"a": both, "b": both}, counts)
    assert sorted(len(partitions) for partitions in assigned.values()) == [1, 1]


def test_range_neighbours_go_together_and_the_first_get_one_more() -> None:
    counts = {TOPICS[0]: 5}
    assigned = assign_range(everybody("ba", counts), counts)
    assert assigned == {"a": some(0, 0, 1, 2), "b": some(0, 3, 4)}


@given(group=groups(same=True), count=st.integers(1, 9))
def test_range_topics_with_as_many_partitions_are_co_partitioned(
    group: tuple[dict[str, AssignorMember], Counts], count: int
) -> None:
    members, counts = group
    for partitions in assign_range(members, dict.fromkeys(counts, count)).values():
        numbers = [{w.partition for w in partitions if w.topic_id == t} for t in counts]
        assert all(each == numbers[0] for each in numbers)


def test_range_a_static_member_keeps_its_range_under_another_member_id() -> None:
    counts = {TOPICS[0]: 4}
    topics = frozenset(counts)
    for returned in ("a", "z"):
        members = {
            returned: AssignorMember(instance_id="1", topics=topics),
            "m": AssignorMember(instance_id="2", topics=topics),
            "0": AssignorMember(topics=topics),
        }
        assigned = assign_range(members, counts)
        assert assigned == {returned: some(0, 0, 1), "m": some(0, 2), "0": some(0, 3)}
