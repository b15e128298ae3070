from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.epochs import EpochStarts
from streamflow.log.replication.events import (
    NOBODY,
    Answered,
    Append,
    Appended,
    Ask,
    Assignment,
    BackOff,
    Flushed,
    HighWatermarkMoved,
    MoveStart,
    StartAnew,
    StartedAnew,
    Trouble,
    Truncate,
    Truncated,
)
from streamflow.log.replication.follower import Follower

EPOCHS = EpochStarts([(1, 0), (3, 5)])
ASKED = Ask(offset=10, last_epoch=3, leader_epoch=4)


def follower(**other: Any) -> Follower:
    return Follower(**{"leader": 2, "leader_epoch": 4, "end": 10, "flush_before_fetch": True, **other})


def test_it_asks_for_what_follows_its_last_record_and_tells_its_epoch() -> None:
    assert follower().ask(EPOCHS) == ASKED
    empty = Ask(offset=0, last_epoch=-1, leader_epoch=4)
    assert follower(end=0).ask(EpochStarts()) == empty
    assert follower(leader=NOBODY).ask(EPOCHS) is None


def test_what_is_not_durable_is_not_claimed() -> None:
    machine = follower()
    machine.step(Appended(end=12), EPOCHS)
    assert machine.ask(EPOCHS) is None
    machine.step(Flushed(end=12), EPOCHS)
    assert machine.ask(EPOCHS) is not None


def test_it_appends_and_learns_how_far_is_committed_as_far_as_it_has_it() -> None:
    machine = follower()
    assert machine.step(Answered(ask=ASKED, high_watermark=12), EPOCHS) == (Append(), HighWatermarkMoved(offset=10))
    assert machine.step(Appended(end=11), EPOCHS) == (HighWatermarkMoved(offset=11),)
    assert machine.step(Appended(end=14), EPOCHS) == (HighWatermarkMoved(offset=12),)


@pytest.mark.parametrize(
    ("diverging", "effect"),
    [
        ((3, 8), Truncate(offset=8)),
        ((1, 7), Truncate(offset=5)),
        ((1, 3), Truncate(offset=3)),
        ((1, 1), StartAnew(offset=1)),
    ],
)
def test_it_removes_what_the_leaders_epochs_do_not_have(diverging: tuple[int, int], effect: object) -> None:
    machine = follower(start=2, high_watermark=4)
    assert machine.step(Answered(ask=ASKED, diverging=diverging, high_watermark=9), EPOCHS) == (effect,)


def test_how_far_is_committed_is_learned_anew_after_a_truncation() -> None:
    machine = follower(high_watermark=4)
    machine.step(Answered(ask=ASKED, high_watermark=9), EPOCHS)
    assert machine.step(Truncated(end=6), EPOCHS) == ()
    assert (machine.end, machine.high_watermark, machine.flushed) == (6, 6, 6)
    assert machine.step(Appended(end=8), EPOCHS) == ()


def test_a_log_below_its_leaders_begins_anew_and_no_other_is_removed() -> None:
    out = Answered(ask=ASKED, trouble=Trouble.OUT_OF_RANGE, log_start_offset=20)
    machine = follower()
    assert machine.step(out, EPOCHS) == (StartAnew(offset=20),)
    machine.step(StartedAnew(offset=20), EPOCHS)
    assert machine.ask(EpochStarts()) == Ask(offset=20, last_epoch=-1, leader_epoch=4)
    machine.check()
    kept = follower().step(Answered(ask=ASKED, trouble=Trouble.OUT_OF_RANGE, log_start_offset=3), EPOCHS)
    assert isinstance(kept[0], BackOff) and kept[0].reason


def test_records_the_leader_has_deleted_are_deleted() -> None:
    assert follower().step(Answered(ask=ASKED, high_watermark=0, log_start_offset=6), EPOCHS) == (
        Append(),
        MoveStart(offset=6),
    )


def test_an_answer_to_what_is_not_asked_any_more_changes_nothing() -> None:
    machine = follower()
    for late in (
        Ask(offset=9, last_epoch=3, leader_epoch=4),
        Ask(offset=10, last_epoch=3, leader_epoch=3),
        Ask(offset=10, last_epoch=1, leader_epoch=4),
    ):
        assert machine.step(Answered(ask=late, diverging=(1, 2), high_watermark=9), EPOCHS) == ()
    assert machine.step(Answered(ask=ASKED, trouble=Trouble.OTHER), EPOCHS) == (BackOff(),)


def test_as_a_leader_it_knows_what_it_knew() -> None:
    machine = follower(high_watermark=7, flushed=8)
    leader = machine.successor(5, Assignment(me=1, replicas=(1, 2), isr=(1, 2)))
    assert (leader.end, leader.flushed, leader.high_watermark, leader.leader_epoch) == (10, 8, 7, 5)
