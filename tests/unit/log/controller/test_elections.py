from __future__ import annotations

import pytest

from streamflow.log.controller.elections import balance, elect, elect_leaderless, forget_eligible, terms_of
from streamflow.log.controller.image import NO_LEADER
from streamflow.log.controller.records import BrokerSetting, TopicConfig
from streamflow.log.errors import (
    ElectionNotNeededError,
    EligibleLeadersNotAvailableError,
    InvalidUpdateVersionError,
    PreferredLeaderNotAvailableError,
)
from tests.unit.log.controller.cluster import A0, ImageOfCluster


def test_the_next_leader_is_the_first_replica_in_sync() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3))
    c.alter([1, 3])
    c.fence(1)
    assert c.state() == (3, (3,), (1,)), "broker 2 comes first, and isn't in sync"


def test_a_leader_that_may_lead_stays() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3))
    c.fence(1)
    c.unfence(1)
    c.alter([1, 2, 3])
    assert (c.state(), c.partition().leader_epoch) == ((2, (1, 2, 3), ()), 1)


def test_the_last_member_stays_in_sync_and_nobody_leads() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2), in_sync_min=1)
    c.fence(2)
    c.fence(1)
    assert c.state() == (NO_LEADER, (1,), ())
    c.unfence(2)
    assert c.state() == (NO_LEADER, (1,), ()), "records may have been committed without broker 2"
    c.unfence(1)
    assert c.state() == (1, (1,), ())


def test_who_leaves_below_the_minimum_is_eligible_and_may_lead_when_no_member_can() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3))
    c.fence(3)
    assert c.state() == (1, (1, 2), ()), "as long as there are enough, records are committed without broker 3"
    c.fence(2)
    assert c.state() == (1, (1,), (2,))
    c.fence(1)
    assert c.state() == (NO_LEADER, (1,), (2,))
    c.unfence(3)
    assert c.state() == (NO_LEADER, (1,), (2,))
    c.unfence(2)
    assert c.state() == (2, (2,), (1,))


def test_the_eligible_are_kept_until_there_are_enough_members_and_no_longer() -> None:
    c = ImageOfCluster((1, 2, 3, 4))
    c.topic("a", (1, 2, 3, 4), in_sync_min=3)
    c.alter([1])
    assert c.state() == (1, (1,), (2, 3, 4))
    c.alter([1, 4])
    assert c.state() == (1, (1, 4), (2, 3)), "nothing is committed yet that brokers 2 and 3 lack"
    c.alter([1, 3, 4])
    assert c.state() == (1, (1, 3, 4), ())
    assert c.partition().last_known_elr == ()


def test_a_minimum_above_the_number_of_replicas_is_met_by_all_of_them() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2), in_sync_min=3)
    c.alter([1])
    assert c.state() == (1, (1,), (2,))
    c.alter([1, 2])
    assert c.state() == (1, (1, 2), ())


def test_an_unclean_election_is_held_only_where_it_is_allowed() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2), in_sync_min=1)
    c.alter([1])
    c.fence(1)
    assert elect_leaderless(c.image, c.static) == []
    topic_id = c.image.topics["a"].topic_id
    c.apply([TopicConfig(topic_id=topic_id, name="unclean.leader.election.enable", value="true")])
    c.apply(elect_leaderless(c.image, c.static))
    assert c.state() == (2, (2,), ())


def test_an_unclean_election_may_be_allowed_for_all_topics() -> None:
    c = ImageOfCluster(unclean_leader_election_enable="true", min_insync_replicas="2")
    c.topic("a", (1, 2), (2, 1), in_sync_min=1)
    c.alter([1])
    c.fence(1)
    assert c.state() == (2, (2,), ())
    c.apply([BrokerSetting(broker_id=None, name="unclean.leader.election.enable", value="false")])
    terms = terms_of(c.image, c.image.topics["a"], c.static)
    assert (terms.unclean, terms.in_sync_min) == (False, 1)


def test_an_unclean_election_that_is_asked_for_needs_nobody_to_lead() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2), in_sync_min=1)
    with pytest.raises(ElectionNotNeededError):
        elect(c.image, A0, c.static, unclean=True)
    c.alter([1])
    c.fence(1)
    c.apply([elect(c.image, A0, c.static, unclean=True)])
    assert c.state() == (2, (2,), ())
    c.fence(2)
    with pytest.raises(EligibleLeadersNotAvailableError):
        elect(c.image, A0, c.static, unclean=True)


def test_the_preferred_leader_is_elected_when_asked_for_and_in_sync() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3))
    with pytest.raises(ElectionNotNeededError):
        elect(c.image, A0, c.static, unclean=False)
    c.fence(1)
    c.unfence(1)
    with pytest.raises(PreferredLeaderNotAvailableError, match="broker 1 should lead"):
        elect(c.image, A0, c.static, unclean=False)
    assert balance(c.image, c.static) == []
    c.alter([1, 2, 3])
    c.apply([elect(c.image, A0, c.static, unclean=False)])
    assert c.state() == (1, (1, 2, 3), ())


def test_partitions_go_back_to_their_preferred_leaders() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3), (1, 3, 2), (2, 3, 1))
    c.fence(1)
    c.unfence(1)
    for number in range(3):
        c.alter([1, 2, 3], A0.__class__("a", number))
    c.apply(balance(c.image, c.static))
    assert [p.leader for p in c.image.topics["a"].partitions] == [1, 1, 2]
    assert balance(c.image, c.static) == []


def test_nobody_is_eligible_by_a_minimum_that_held_before() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2))
    c.topic("b", (1,), in_sync_min=1)
    c.alter([1])
    c.apply(forget_eligible(c.image.topics.values()))
    assert c.state() == (1, (1,), ())
    assert c.image.topics["b"].partitions[0].partition_epoch == 0, "who is alone needn't agree with anybody"


def test_a_leader_that_goes_by_another_minimum_is_not_heard() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2), in_sync_min=1)
    known = c.partition().partition_epoch
    topic = c.image.topics["a"]
    c.apply([TopicConfig(topic_id=topic.topic_id, name="min.insync.replicas", value="2"), *forget_eligible([topic])])
    with pytest.raises(InvalidUpdateVersionError):
        c.alter([1], partition_epoch=known)
    assert c.state() == (1, (1, 2), ()), "it would commit alone, and broker 2 be eligible"
