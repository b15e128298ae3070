from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.replication.events import Appended, Flushed, HighWatermarkMoved
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
