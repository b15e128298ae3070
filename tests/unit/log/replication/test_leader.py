from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.epochs import EpochStarts
from streamflow.log.replication.events import (
    Appended,
    Assignment,
    Diverged,
    Fetched,
    Flushed,
    HighWatermarkMoved,
    IsrCommitted,
    IsrNotCommitted,
    ProposeIsr,
    Reassigned,
    Refusal,
    TimePassed,
)
from streamflow.log.replication.leader import Leader


def leader(*, flush: bool, end: int = 10) -> Leader:
    return Leader(leader_epoch=4, end=end, flush_before_commit=flush)


def test_what_was_recovered_is_committed() -> None:
    assert leader(flush=True).high_watermark == 10


def test_an_append_is_committed_once_it_is_durable() -> None:
    machine = leader(flush=True)
    assert machine.step(Appended(end=12), 0) == ()
    assert machine.step(Flushed(end=12), 0) == (HighWatermarkMoved(offset=12),)


def test_without_flushing_an_append_is_committed_at_once() -> None:
    assert leader(flush=False).step(Appended(end=12), 0) == (HighWatermarkMoved(offset=12),)


def test_a_flush_of_less_than_all_commits_that_much() -> None:
    machine = leader(flush=True)
    machine.step(Appended(end=12), 0)
    machine.step(Appended(end=15), 0)
    assert machine.step(Flushed(end=12), 0) == (HighWatermarkMoved(offset=12),)


def test_a_marker_on_top_of_durable_records_is_committed_at_once() -> None:
    assert leader(flush=True).step(Appended(end=11, repaired=True), 0) == (HighWatermarkMoved(offset=11),)


def test_a_marker_above_records_that_may_be_lost_waits_for_them() -> None:
    machine = leader(flush=True)
    machine.step(Appended(end=12), 0)
    assert machine.step(Appended(end=13, repaired=True), 0) == ()
    assert machine.step(Flushed(end=13), 0) == (HighWatermarkMoved(offset=13),)


@given(st.booleans(), st.lists(st.tuples(st.sampled_from("amf"), st.integers(0, 5))))
def test_the_high_watermark_never_moves_back_or_past_the_end(flush: bool, moves: list[tuple[str, int]]) -> None:
    machine = leader(flush=flush)
    reached = machine.high_watermark
    for kind, n in moves:
        if kind == "f":
            machine.step(Flushed(end=max(machine.flushed, machine.end - n)), 0)
        else:
            machine.step(Appended(end=machine.end + n, repaired=kind == "m"), 0)
        machine.check()
        assert machine.high_watermark >= reached
        reached = machine.high_watermark


def of_three(**settings: int) -> Leader:
    assignment = Assignment(me=1, replicas=(1, 2, 3), isr=(1, 2), in_sync_min=2, **settings)
    machine = Leader(leader_epoch=4, end=10, high_watermark=6, flush_before_commit=False, assignment=assignment)
    machine.begin(0)
    return machine


def fetch(replica: int, offset: int, **other: Any) -> Fetched:
    return Fetched(
        **{"replica": replica, "broker_epoch": 7, "leader_epoch": 4, "offset": offset, "last_epoch": 3, **other}
    )


EPOCHS = EpochStarts([(1, 0), (3, 5)])


def test_a_record_is_committed_once_everybody_in_sync_has_it() -> None:
    machine = of_three()
    assert machine.high_watermark == 6
    assert machine.step(fetch(2, 8), 0) == (HighWatermarkMoved(offset=8),)
    machine.step(Appended(end=12), 0)
    assert machine.high_watermark == 8
    assert machine.step(fetch(2, 12), 0) == (HighWatermarkMoved(offset=12),)


def test_nothing_is_committed_while_too_few_are_in_sync() -> None:
    machine = of_three()
    machine.step(Reassigned(assignment=replace(machine.assignment, isr=(1,), partition_epoch=1)), 0)
    assert (machine.high_watermark, machine.enough_in_sync) == (6, False)


def test_who_has_caught_up_is_proposed_and_waited_for_from_then_on() -> None:
    machine = of_three()
    machine.step(fetch(2, 10), 0)
    assert machine.step(fetch(3, 9), 0) == ()
    proposal = ProposeIsr(members=((1, -1), (2, 7), (3, 7)), leader_epoch=4, partition_epoch=0)
    assert machine.step(fetch(3, 10), 0) == (proposal,)
    machine.step(Appended(end=11), 0)
    assert machine.step(fetch(2, 11), 0) == ()
    assert machine.step(fetch(3, 11), 0) == (HighWatermarkMoved(offset=11),)


def test_a_broker_that_may_not_be_in_sync_is_not_proposed() -> None:
    machine = of_three()
    machine.step(fetch(2, 10), 0)
    assert machine.step(fetch(3, 10, eligible=False), 0) == ()


def test_who_has_not_caught_up_for_too_long_is_left_out_of_the_next_isr() -> None:
    machine = of_three(lag_ms_max=100)
    assert machine.step(TimePassed(), 100) == ()
    assert machine.step(TimePassed(), 101) == (ProposeIsr(members=((1, -1),), leader_epoch=4, partition_epoch=0),)
    assert machine.step(TimePassed(), 102) == (), "one proposal at a time"


def test_who_had_at_each_fetch_what_there_was_at_the_last_is_not_lagging() -> None:
    machine = of_three(lag_ms_max=100)
    for at, offset in ((0, 8), (40, 10), (80, 20), (120, 30)):
        machine.step(fetch(2, offset), at)
        machine.step(Appended(end=machine.end + 10), at)
        assert machine.step(TimePassed(), at + 50) == ()


def test_a_proposal_without_an_answer_leaves_doubts_until_the_isr_is_settled() -> None:
    machine = of_three()
    machine.step(fetch(2, 10), 0)
    machine.step(fetch(3, 10, eligible=True), 0)
    machine.step(IsrNotCommitted(partition_epoch=0), 0)
    assert machine.isr.maximal == (1, 2, 3)
    settling = ProposeIsr(members=((1, -1), (2, 7)), leader_epoch=4, partition_epoch=0)
    assert machine.step(TimePassed(), 1) == (settling,)
    machine.step(IsrCommitted(isr=(1, 2), partition_epoch=1), 2)
    assert machine.isr.maximal == (1, 2)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (fetch(2, 10), None),
        (fetch(2, 10, leader_epoch=3), Refusal.FENCED_EPOCH),
        (fetch(2, 10, leader_epoch=5), Refusal.UNKNOWN_EPOCH),
        (fetch(4, 10), Refusal.UNKNOWN_REPLICA),
        (fetch(1, 10), Refusal.UNKNOWN_REPLICA),
        (fetch(2, 10, broker_epoch=6), Refusal.STALE_BROKER),
        (fetch(2, 11), Diverged(epoch=3, end=10)),
        (fetch(2, 7, last_epoch=2), Diverged(epoch=1, end=5)),
        (fetch(2, 10, last_epoch=4), None),
        (fetch(2, 4, last_epoch=1), None),
        (fetch(2, 12, last_epoch=-1), Refusal.OUT_OF_RANGE),
        (fetch(2, 12, last_epoch=9), Refusal.OUT_OF_RANGE),
        (fetch(2, 1, last_epoch=1), Refusal.OUT_OF_RANGE),
    ],
)
def test_a_fetch_is_believed_only_where_both_logs_agree(asked: Fetched, answer: object) -> None:
    machine = of_three()
    machine.step(fetch(2, 5), 0)
    assert machine.examine(asked, EPOCHS, 2) == answer


def test_an_epoch_without_a_record_yet_begins_where_its_leader_began() -> None:
    machine = Leader(leader_epoch=8, end=10, flush_before_commit=False)
    assert machine.end_of(EPOCHS, 8) == (8, 10)
    assert machine.end_of(EPOCHS, 5) == (3, 10)
    assert machine.end_of(EpochStarts(), 5) == (5, 10)
    assert machine.end_of(EPOCHS, 9) == (-1, -1)


def test_a_leader_in_another_epoch_knows_what_it_knew() -> None:
    later = of_three().successor(5, replace(of_three().assignment, isr=(1, 2, 3)))
    assert (later.high_watermark, later.end, later.epoch_start, later.leader_epoch) == (6, 10, 10, 5)
    assert later.standing(2) is None
