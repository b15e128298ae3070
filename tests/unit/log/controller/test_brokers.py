from __future__ import annotations

import pytest

from streamflow.log.controller.brokers import Registration, check_epoch, register, unregister
from streamflow.log.controller.image import NO_LEADER
from streamflow.log.errors import (
    BrokerIdNotRegisteredError,
    DuplicateBrokerRegistrationError,
    InconsistentClusterIdError,
    InvalidRequestError,
    StaleBrokerEpochError,
)
from tests.unit.log.controller.cluster import NAME, ImageOfCluster


def test_a_broker_begins_fenced_with_the_offset_of_its_record_as_its_epoch() -> None:
    c = ImageOfCluster(())
    assert c.register(7) == 1
    assert (c.image.brokers[7].fenced, c.image.brokers[7].may_lead) == (True, False)
    c.unfence(7)
    assert c.register(7) == 3


def test_the_same_process_is_registered_once() -> None:
    c = ImageOfCluster((1,))
    again = Registration(broker_id=1, cluster_id=NAME, incarnation_id=c.image.brokers[1].incarnation_id)
    assert register(c.image, again, {}, broker_epoch=9, alive=True) == []


def test_another_process_waits_until_the_first_is_silent() -> None:
    c = ImageOfCluster((1,))
    stranger = Registration(broker_id=1, cluster_id=NAME, incarnation_id=b"another", previous_epoch=-1)
    with pytest.raises(DuplicateBrokerRegistrationError, match="id 1 is running"):
        register(c.image, stranger, {}, broker_epoch=99, alive=True)
    assert register(c.image, stranger, {}, broker_epoch=99, alive=False)


def test_who_has_the_first_ones_directory_need_not_wait_for_a_process_that_is_gone() -> None:
    c = ImageOfCluster((1,))
    epoch = c.image.brokers[1].broker_epoch
    heir = Registration(broker_id=1, cluster_id=NAME, incarnation_id=b"again", previous_epoch=epoch)
    assert register(c.image, heir, {}, broker_epoch=99, alive=True)


def test_a_broker_of_another_cluster_is_refused() -> None:
    c = ImageOfCluster(())
    with pytest.raises(InconsistentClusterIdError, match="'other'"):
        register(
            c.image,
            Registration(broker_id=1, cluster_id="other", incarnation_id=b"x"),
            {},
            broker_epoch=1,
            alive=False,
        )


def test_who_claims_an_earlier_life_is_told_to_register() -> None:
    c = ImageOfCluster((1,))
    epoch = c.image.brokers[1].broker_epoch
    assert check_epoch(c.image, 1, epoch).broker_id == 1
    with pytest.raises(StaleBrokerEpochError):
        check_epoch(c.image, 1, epoch - 1)
    with pytest.raises(BrokerIdNotRegisteredError):
        check_epoch(c.image, 2, epoch)


def test_a_broker_that_starts_again_leads_nothing_until_it_is_unfenced() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3))
    c.topic("b", (1,), in_sync_min=1)
    c.register(1)
    assert c.state() == (2, (2, 3), ())
    where = c.image.topics["b"].partitions[0]
    assert (where.leader, where.isr) == (NO_LEADER, (1,))
    c.unfence(1)
    where = c.image.topics["b"].partitions[0]
    assert (where.leader, where.leader_epoch) == (1, 2)


def test_a_broker_that_lost_nothing_stays_eligible() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3))
    c.alter([1, 2])
    c.fence(2)
    c.register(2)
    assert c.state() == (1, (1,), (2,))


def test_a_broker_that_may_have_lost_data_is_neither_in_sync_nor_eligible() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3))
    c.alter([1, 2])
    c.fence(2)
    c.register(2, previous=-1)
    assert (c.state(), c.partition().last_known_elr) == ((1, (1,), ()), (2,))


def test_the_last_member_gives_its_place_to_an_eligible_one_if_it_may_have_lost_data() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3))
    c.alter([1, 2])
    c.fence(2)
    c.register(1, previous=-1)
    assert c.state() == (NO_LEADER, (2,), ()), "broker 1's empty disk would be the truth"
    c.unfence(1)
    assert c.state() == (NO_LEADER, (2,), ())
    c.unfence(2)
    assert c.state() == (2, (2,), ())


def test_the_last_member_of_all_is_the_best_there_is() -> None:
    c = ImageOfCluster((1,))
    c.topic("a", (1,), in_sync_min=1)
    c.register(1, previous=-1)
    assert c.state() == (NO_LEADER, (1,), ())
    c.unfence(1)
    assert c.state() == (1, (1,), ())


def test_a_start_that_never_came_to_serve_leaves_the_data_as_it_was() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3))
    c.alter([1, 2])
    c.fence(2)
    first = c.image.brokers[2].broker_epoch
    c.register(2, previous=first)
    c.register(2, previous=first)
    assert c.state() == (1, (1,), (2,)), "it died before it could write its second epoch down"
    c.unfence(2)
    c.fence(2)
    c.register(2, previous=first)
    assert c.state() == (1, (1,), ()), "it has served since: whoever brings the first epoch brings an old disk"


def test_a_broker_that_wants_to_stop_leads_nothing_and_may_be_in_sync_no_more() -> None:
    c = ImageOfCluster()
    c.topic("a", (1, 2, 3))
    c.begin_shutdown(1)
    assert c.state() == (2, (2, 3), ())
    assert not c.image.brokers[1].fenced
    before = c.offset
    c.begin_shutdown(1)
    assert c.offset == before
    c.fence(1)
    assert c.image.brokers[1].fenced


def test_what_is_so_already_takes_no_record() -> None:
    c = ImageOfCluster((1,))
    before = c.offset
    c.unfence(1)
    assert c.offset == before
    c.fence(1)
    c.fence(1)
    c.begin_shutdown(1)
    assert c.offset == before + 1


def test_a_broker_is_forgotten_once_it_is_fenced() -> None:
    c = ImageOfCluster((1, 2))
    with pytest.raises(InvalidRequestError, match="is running"):
        unregister(c.image, 1)
    c.fence(1)
    c.apply(unregister(c.image, 1))
    assert list(c.image.brokers) == [2]
    with pytest.raises(BrokerIdNotRegisteredError):
        unregister(c.image, 1)
