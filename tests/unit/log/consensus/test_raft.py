"""Raft by the sections of Ongaro & Ousterhout's paper, and by the KIPs that say what KRaft does otherwise. What many
machines do together is in tests/simulation/test_quorum.py."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from streamflow.log.consensus import events as e
from streamflow.log.consensus.events import NOBODY
from streamflow.log.consensus.raft import OBSERVER_SESSION_MS, Outline, Raft, RaftConfig
from streamflow.log.consensus.roles import Candidate, Follower, Leader, Prospective, Unattached
from streamflow.log.consensus.votes import QuorumState
from streamflow.log.epochs import EpochStarts

CONFIG = RaftConfig(election_timeout_ms=1_000, fetch_timeout_ms=2_000, tell_interval_ms=500)
THREE = frozenset({1, 2, 3})


def machine(
    me: int = 1,
    *,
    voters: frozenset[int] = THREE,
    epoch: int = 0,
    voted_for: int = NOBODY,
    log: Sequence[int] = (),
    joined: bool = True,
) -> Raft:
    """`log`: the epoch of each record."""
    epochs = EpochStarts()
    for offset, each in enumerate(log):
        epochs.assign(each, offset)
    state = QuorumState(leader_epoch=epoch, voted_for=voted_for)
    return Raft(me, voters, state, Outline(len(log), epochs), CONFIG, Random(1), joined=joined)


def pass_time(raft: Raft) -> tuple[list[e.Effect], int]:
    """Steps when it wants to be. Returns: what it orders, and when."""
    now_ms = raft.deadline_ms()
    assert now_ms is not None
    return raft.step(e.TimePassed(), now_ms), now_ms


def vote(raft: Raft, voter: int, *, pre: bool, granted: bool = True, epoch: int | None = None) -> list[e.Effect]:
    answer = e.VoteAnswered(
        voter=voter,
        asked_in=raft.epoch,
        pre=pre,
        granted=granted,
        epoch=raft.epoch if epoch is None else epoch,
        leader=NOBODY,
    )
    return raft.step(answer, 0)


def candidate(**given: Any) -> Raft:
    raft = machine(**given)
    pass_time(raft)
    vote(raft, 2, pre=True)
    assert isinstance(raft.role, Candidate)
    return raft


def leader(**given: Any) -> Raft:
    raft = candidate(**given)
    vote(raft, 2, pre=False)
    assert raft.leads
    return raft


def follower(of: int = 2, epoch: int = 1, **given: Any) -> Raft:
    raft = machine(**given)
    raft.step(e.EpochBegun(leader=of, epoch=epoch), 0)
    assert raft.leader == of
    return raft


def fetch(raft: Raft, replica: int, offset: int, last_epoch: int, now_ms: int = 0) -> list[e.Effect]:
    ask = e.FetchAsked(replica=replica, epoch=raft.epoch, offset=offset, last_epoch=last_epoch)
    return raft.step(ask, now_ms)


def answer(raft: Raft, now_ms: int = 0, **said: Any) -> list[e.Effect]:
    """From its leader, to what it asks now."""
    ask = raft.fetch()
    assert ask is not None
    given = {
        "asked_in": ask.epoch,
        "asked_last_epoch": ask.last_epoch,
        "offset": ask.offset,
        "epoch": raft.epoch,
        "leader": raft.leader,
        "ok": True,
    }
    return raft.step(e.FetchAnswered(**{**given, **said}), now_ms)


def ask_vote(raft: Raft, candidate: int, epoch: int, last_epoch: int = 9, end: int = 99, *, pre: bool = False) -> bool:
    effects = raft.step(e.VoteAsked(candidate=candidate, epoch=epoch, last_epoch=last_epoch, end=end, pre=pre), 0)
    raft.check()
    reply = effects[-1]
    assert isinstance(reply, e.ReplyVote)
    if reply.granted and not pre:
        kept = effects[-2]
        assert isinstance(kept, e.PersistVote), "a vote is durable before it is told"
        assert (kept.state.leader_epoch, kept.state.voted_for) == (epoch, candidate)
    return reply.granted


# §5.1 Basics


def test_5_1_a_newer_epoch_makes_anybody_forget_who_leads_and_is_kept_first() -> None:
    for raft in (machine(), candidate(), leader(), follower()):
        effects = raft.step(e.VoteAsked(candidate=3, epoch=7, last_epoch=0, end=0, pre=False), 0)
        assert isinstance(effects[0], e.PersistVote)
        assert (raft.epoch, raft.leader) == (7, NOBODY)


def test_5_1_an_older_epoch_is_told_the_newer_one() -> None:
    raft = leader(epoch=4)
    (reply,) = raft.step(e.FetchAsked(replica=2, epoch=4, offset=0, last_epoch=0), 0)
    assert reply == e.ReplyFetch(leads=True, fenced=True)
    (reply,) = raft.step(e.FetchAsked(replica=2, epoch=6, offset=0, last_epoch=0), 0)
    assert reply == e.ReplyFetch(leads=True, unknown=True)
    assert not raft.step(e.EpochBegun(leader=2, epoch=4), 0) and raft.leads


def test_5_1_a_vote_that_was_lost_is_taken_for_given_in_the_newest_epoch_of_the_log() -> None:
    raft = machine(epoch=2, log=[1, 5])
    assert raft.epoch == 5
    assert not ask_vote(raft, 2, 5)
    assert ask_vote(raft, 2, 6)


# §5.2 Elections


def test_5_2_one_vote_an_epoch_and_again_to_the_same() -> None:
    raft = machine()
    assert ask_vote(raft, 2, 3)
    assert not ask_vote(raft, 3, 3)
    assert ask_vote(raft, 2, 3)
    assert ask_vote(raft, 3, 4)


def test_5_2_a_vote_outlives_a_restart() -> None:
    assert not ask_vote(machine(epoch=3, voted_for=2), 3, 3)


def test_5_2_a_candidate_votes_for_itself_durably_before_it_asks() -> None:
    raft = machine(epoch=3)
    pass_time(raft)
    effects = vote(raft, 2, pre=True)
    assert isinstance(effects[0], e.PersistVote)
    assert (effects[0].state.leader_epoch, effects[0].state.voted_for) == (4, 1)
    assert [f.voter for f in effects if isinstance(f, e.AskVote) and not f.ask.pre] == [2, 3]
    assert not ask_vote(raft, 2, 4)


def test_5_2_a_majority_elects_and_the_first_record_is_durable_before_anybody_is_told() -> None:
    raft = candidate(voters=frozenset(range(1, 4)))
    effects = vote(raft, 3, pre=False)
    kinds = [type(f) for f in effects]
    assert raft.leads and kinds.index(e.PersistVote) < kinds.index(e.AppendEpoch) < kinds.index(e.TellEpoch)
    assert [f.voter for f in effects if isinstance(f, e.TellEpoch)] == [2, 3]


def test_5_2_votes_of_another_epoch_or_of_the_same_voter_twice_elect_nobody() -> None:
    raft = machine(voters=frozenset(range(1, 6)))
    pass_time(raft)
    for voter in (2, 2, 2):
        vote(raft, voter, pre=True)
    assert isinstance(raft.role, Prospective)
    vote(raft, 3, pre=True)
    old = e.VoteAnswered(voter=4, asked_in=raft.epoch - 1, pre=False, granted=True, epoch=raft.epoch - 1, leader=-1)
    for voter in (4, 5):
        raft.step(e.VoteAnswered(**{**fields(old), "voter": voter}), 0)
    assert isinstance(raft.role, Candidate)


def fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__dataclass_fields__}


def test_5_2_a_candidate_that_hears_of_the_winner_follows_it() -> None:
    raft = candidate()
    raft.step(e.EpochBegun(leader=3, epoch=raft.epoch), 0)
    assert isinstance(raft.role, Follower) and raft.leader == 3


def test_5_2_time_outs_differ() -> None:
    waits = {
        Raft(1, THREE, QuorumState(), Outline(0, EpochStarts()), CONFIG, Random(n)).deadline_ms() for n in range(9)
    }
    assert len(waits) > 5 and all(1_000 <= (wait or 0) < 2_000 for wait in waits)


def test_5_2_who_is_no_voter_neither_votes_nor_is_voted_for_nor_leads() -> None:
    observer = machine(9)
    assert observer.deadline_ms() is None and not ask_vote(observer, 2, 3)
    for raft in (machine(epoch=2), leader(epoch=1)):
        was = raft.epoch, raft.leader
        assert not ask_vote(raft, 9, 8)
        assert not raft.step(e.EpochBegun(leader=9, epoch=8), 0)
        assert not raft.step(e.EpochEnded(leader=9, epoch=8, successors=()), 0)
        assert (raft.epoch, raft.leader) == was


# §5.3 Replication, as KIP-595 has it: who follows fetches


def test_5_3_a_fetch_claims_what_is_durable_and_the_answer_is_appended_before_it_is_believed() -> None:
    raft = follower()
    effects = answer(raft, batches=((1, 2), (1, 5)), high_watermark=3)
    assert effects == [e.AppendFetched(), e.HighWatermarkMoved(offset=3)]
    assert raft.fetch() == e.FetchAsked(replica=1, epoch=1, offset=5, last_epoch=1)


def test_5_3_nothing_beyond_the_own_log_is_taken_for_committed() -> None:
    raft = follower()
    answer(raft, batches=((1, 2),), high_watermark=9)
    assert raft.high_watermark == 2


def test_5_3_a_log_that_differs_is_told_where_both_may_agree() -> None:
    raft = leader(log=[1, 1, 2, 2, 4], epoch=4)
    assert fetch(raft, 2, 4, 2) == [e.ReplyFetch(leads=True)]
    assert fetch(raft, 2, 5, 3) == [e.ReplyFetch(leads=True, diverging=(2, 4))]
    assert fetch(raft, 2, 6, 2) == [e.ReplyFetch(leads=True, diverging=(2, 4))]
    assert fetch(raft, 2, 0, 0) == [e.ReplyFetch(leads=True)]


@pytest.mark.parametrize(
    ("log", "diverging", "kept"),
    [
        ([1, 1, 3, 3], (2, 3), 2),  # Epoch 2 isn't known here: no further than what is before it.
        ([1, 1, 2, 2], (2, 3), 3),  # It goes further here than at the leader.
        ([3, 3, 3], (2, 1), 0),  # Nothing is shared.
        ([1, 2], (1, 5), 1),  # It goes further at the leader.
    ],
)
def test_5_3_a_follower_truncates_by_epoch(log: list[int], diverging: tuple[int, int], kept: int) -> None:
    raft = follower(epoch=7, log=log, of=2)
    assert answer(raft, diverging=diverging) == [e.Truncate(offset=kept)]
    raft.check()
    assert raft.log.end == kept


def test_5_3_what_wasnt_asked_for_as_things_are_now_changes_nothing() -> None:
    raft = follower(epoch=3, log=[1, 1])
    for late in ({"offset": 1}, {"asked_in": 2}, {"epoch": 2}, {"asked_last_epoch": 2}, {"ok": False}):
        assert answer(raft, batches=((3, 3),), **late) == []
        assert raft.log.end == 2


def test_5_3_an_answer_of_a_newer_epoch_tells_whom_to_follow() -> None:
    raft = follower()
    answer(raft, ok=False, epoch=5, leader=3)
    assert (raft.epoch, raft.leader) == (5, 3)


def test_5_3_a_majority_commits_and_observers_dont_count() -> None:
    raft = leader()
    raft.step(e.Appended(end=4), 0)
    assert fetch(raft, 9, 4, 1) == [e.ReplyFetch(leads=True)]
    assert fetch(raft, 2, 3, 1) == [e.HighWatermarkMoved(offset=3), e.ReplyFetch(leads=True)]
    assert fetch(raft, 2, 1, 1) == [e.ReplyFetch(leads=True)], "it doesn't go back"
    assert raft.high_watermark == 3


# §5.4 Safety


def test_5_4_1_no_vote_for_a_log_that_goes_less_far() -> None:
    log = [1, 1, 3]
    for last_epoch, end, granted in ((3, 3, True), (4, 1, True), (3, 4, True), (3, 2, False), (2, 9, False)):
        assert ask_vote(machine(log=log, epoch=3), 2, 5, last_epoch, end) is granted


def test_5_4_2_nothing_is_committed_by_counting_but_with_a_record_of_the_own_epoch() -> None:
    raft = leader(log=[1, 2, 2], epoch=3)
    assert fetch(raft, 2, 3, 2) == [e.ReplyFetch(leads=True)]
    assert not raft.settled and raft.told_high_watermark == 0
    assert fetch(raft, 2, 4, 4) == [e.HighWatermarkMoved(offset=4), e.ReplyFetch(leads=True)]
    assert raft.settled and raft.told_high_watermark == 4


def test_5_4_2_a_leader_tells_no_high_watermark_that_it_learned_as_a_follower() -> None:
    raft = follower(epoch=1)
    answer(raft, batches=((1, 5),), high_watermark=2)
    pass_time(raft)
    vote(raft, 3, pre=True), vote(raft, 3, pre=False)
    assert raft.leads and raft.high_watermark == 2
    assert raft.told_high_watermark == 0, "more may be committed: whose disk is new would join with too little"


# KIP-595: a leader that can't lead; who is told


def test_kip_595_a_leader_resigns_when_no_majority_fetches() -> None:
    raft = leader()
    fetch(raft, 2, 1, 1, now_ms=1_000)
    for now_ms in range(0, 4_000, 500):
        raft.step(e.TimePassed(), now_ms)
        assert raft.leads
    raft.step(e.TimePassed(), 4_000)
    assert isinstance(raft.role, Unattached)
    (reply,) = fetch(raft, 2, 1, 1)
    assert reply == e.ReplyFetch(leads=False)


def test_kip_595_who_doesnt_fetch_is_told_again_and_who_does_isnt() -> None:
    raft = leader()
    fetch(raft, 2, 0, 0)
    effects, now_ms = pass_time(raft)
    assert now_ms == 500
    assert effects == [e.TellEpoch(voter=3, epoch=1)]


def test_kip_595_a_leader_that_stops_names_its_successors_and_the_first_of_them_asks_first() -> None:
    raft = leader()
    raft.step(e.Appended(end=3), 0)
    fetch(raft, 3, 3, 1), fetch(raft, 2, 1, 1)
    effects = raft.resign(0)
    told = [f.ended for f in effects if isinstance(f, e.TellEnd)]
    assert [t.successors for t in told] == [(3, 2)] * 2
    waits = []
    for me in (3, 2):
        other = follower(1, me=me)
        other.step(told[0], 5_000)
        waits.append(other.deadline_ms())
    assert waits == [5_000, 5_250]
    assert raft.resign(0) == []


def test_kip_595_the_leader_knows_how_far_each_replica_is() -> None:
    raft = leader()
    fetch(raft, 2, 1, 1, now_ms=10), fetch(raft, 9, 0, 0, now_ms=20)
    known = raft.standings(30)
    assert {n: (s.end, s.fetched_ms, s.caught_up_ms) for n, s in known.items()} == {
        1: (1, 30, 30),
        2: (1, 10, 10),
        3: (-1, -1, -1),
        9: (0, 20, -1),
    }
    assert set(raft.standings(20 + OBSERVER_SESSION_MS)) == {1, 2, 3}
    assert follower().standings(0) == {}


def test_kip_595_an_observer_looks_for_another_leader_when_its_own_is_silent() -> None:
    raft = follower(me=9)
    pass_time(raft)
    assert isinstance(raft.role, Unattached) and raft.deadline_ms() is None


# KIP-996: asking before


def test_kip_996_time_makes_a_voter_ask_first_and_nothing_is_kept() -> None:
    raft = machine(epoch=3)
    effects, _ = pass_time(raft)
    assert [(f.voter, f.ask.pre, f.ask.epoch) for f in effects if isinstance(f, e.AskVote)] == [
        (2, True, 3),
        (3, True, 3),
    ]
    assert len(effects) == 2 and raft.epoch == 3


def test_kip_996_a_voter_that_is_cut_off_stays_in_its_epoch() -> None:
    raft = follower(epoch=3)
    for _ in range(20):
        pass_time(raft)
    assert raft.epoch == 3 and isinstance(raft.role, Prospective)


def test_kip_996_who_hears_from_a_leader_wants_no_other() -> None:
    content = follower(epoch=3)
    answer(content)
    assert not ask_vote(content, 3, 3, pre=True)
    assert not ask_vote(leader(epoch=2), 3, 3, pre=True)
    assert ask_vote(follower(epoch=3), 3, 3, pre=True), "it has never heard from it"
    assert ask_vote(machine(epoch=3), 3, 3, pre=True)
    assert not ask_vote(machine(epoch=4), 3, 3, pre=True)


def test_kip_996_a_question_changes_nothing() -> None:
    for raft in (machine(epoch=3), candidate(epoch=3), leader(epoch=3), follower(epoch=3)):
        was = raft.epoch, raft.role, raft.deadline_ms()
        ask_vote(raft, 3, 9, pre=True)
        assert (raft.epoch, raft.role, raft.deadline_ms()) == was


# A disk that is new


def test_a_new_disk_gives_no_vote() -> None:
    assert not ask_vote(machine(joined=False), 2, 5)
    assert not ask_vote(machine(joined=False), 2, 0, 1, 1, pre=True)


def test_a_cluster_begins_when_every_log_is_found_empty() -> None:
    raft = machine(joined=False)
    pass_time(raft)
    assert vote(raft, 2, pre=True) == []
    assert vote(raft, 3, pre=True) == [e.Join()]
    pass_time(raft)
    vote(raft, 3, pre=True)
    assert isinstance(raft.role, Candidate)


def test_a_new_disk_joins_with_all_that_is_committed_once_it_knows_every_voters_epoch() -> None:
    raft = follower(epoch=4, joined=False)
    assert answer(raft, batches=((1, 2),), high_watermark=3) == [e.AppendFetched(), e.HighWatermarkMoved(offset=2)]
    effects = answer(raft, batches=((4, 3),), high_watermark=3)
    assert [f.voter for f in effects if isinstance(f, e.AskVote) and f.ask.pre] == [2, 3]
    assert not any(isinstance(f, e.Join) for f in effects)
    assert answer(raft, high_watermark=3) == [], "it doesn't ask over and over"
    vote(raft, 3, pre=True, granted=False)
    persisted, joined = answer(raft, high_watermark=3)
    assert isinstance(persisted, e.PersistVote) and persisted.state.voted_for == 1, "it may have voted in this epoch"
    assert joined == e.Join()
    assert not ask_vote(raft, 3, 4)
    raft.step(e.EpochEnded(leader=2, epoch=4, successors=()), 0)
    assert not ask_vote(raft, 3, 4) and ask_vote(raft, 3, 5)


def test_a_new_disk_that_hears_of_a_newer_epoch_doesnt_join_in_the_older() -> None:
    raft = follower(epoch=4, joined=False)
    vote(raft, 3, pre=True, granted=False, epoch=6)
    assert (raft.epoch, raft.leader, raft.joined) == (6, NOBODY, False)


def test_a_new_disk_doesnt_join_by_a_leader_that_doesnt_know_yet_what_is_committed() -> None:
    raft = follower(epoch=4, joined=False, voters=frozenset({1, 2}))
    answer(raft, batches=((1, 2),), high_watermark=0)
    assert not raft.joined


# A quorum of one


def test_a_node_alone_elects_itself_at_once_and_commits_what_it_appends() -> None:
    raft = machine(voters=frozenset({1}), epoch=3, log=[1, 3])
    pass_time(raft)
    assert isinstance(raft.role, Leader) and raft.settled
    assert (raft.epoch, raft.high_watermark, raft.deadline_ms()) == (4, 3, None)
    assert raft.step(e.Appended(end=5), 0) == [e.HighWatermarkMoved(offset=5)]


def test_its_repr_says_what_it_is_in_one_line() -> None:
    assert repr(leader()) == "<Raft 1: Leader in epoch 1, 0 committed of 1>"
