from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.consensus.votes import QuorumState, decode, encode, newest

STATE = QuorumState(sequence=7, leader_epoch=3, leader_id=1, voted_for=1)


def test_a_state_written_is_read_back() -> None:
    assert decode(encode(STATE)) == STATE


@given(st.integers(0, 200), st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_noticed(byte: int, bit: int) -> None:
    data = bytearray(encode(STATE))
    data[byte % len(data)] ^= 1 << bit
    assert decode(bytes(data)) is None


@pytest.mark.parametrize("cut", range(len(encode(STATE))))
def test_a_torn_copy_leaves_the_one_before(cut: int) -> None:
    before = QuorumState(sequence=6, leader_epoch=2, leader_id=1, voted_for=1)
    assert newest([encode(before), encode(STATE)[:cut]]) == before


def test_without_any_good_copy_there_is_no_state() -> None:
    assert newest([b"", b"\0" * 64]) is None


def test_states_take_turns_over_the_copies() -> None:
    following = STATE.elect_self(1, above_epoch=0)
    assert {STATE.copy, following.copy} == {0, 1}


@given(st.integers(0, 2**30), st.integers(0, 2**30))
def test_a_node_alone_leads_an_epoch_higher_than_any_used(voted: int, logged: int) -> None:
    elected = QuorumState(sequence=3, leader_epoch=voted).elect_self(9, above_epoch=logged)
    assert elected.leader_epoch > max(voted, logged)
    assert (elected.leader_id, elected.voted_for, elected.sequence) == (9, 9, 4)
