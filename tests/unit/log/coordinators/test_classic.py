"""A classic group through the eyes of its clients. Titles cite the KIPs that made the rules; what has none is as Apache
Kafka's GroupMetadataManager does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamflow.log.coordinators.classic import ClassicGroup
from streamflow.log.coordinators.group_events import (
    CommitOffsets,
    DeleteGroup,
    Effect,
    Event,
    GroupError,
    Heartbeat,
    JoinAnswer,
    JoinGroup,
    LeaveAnswer,
    LeaveGroup,
    Leaving,
    Persist,
    Persisted,
    PersistFailed,
    Reply,
    SyncAnswer,
    SyncGroup,
    Tick,
)
from streamflow.log.coordinators.group_records import GroupMetadata, decode_group_value, encode_group_value
from streamflow.log.coordinators.group_states import ClassicConfig, GroupState

E, S = GroupError, GroupState
DELAY_MS, SESSION_MS, REBALANCE_MS, NEW_MS = 3_000, 10_000, 60_000, 300_000


def topics(*names: str) -> bytes:
    return pack(">hi", 1, len(names)) + b"".join(pack(">h", len(n)) + n.encode() for n in names)


RANGE = (("range", topics("t")),)


class Harness:
    """Does what is ordered at once, but for what is to be written while `holds`."""

    def __init__(self, config: ClassicConfig | None = None, restored: GroupMetadata | None = None) -> None:
        self.now_ms = 1_000_000
        self.config = config or ClassicConfig(initial_rebalance_delay_ms=DELAY_MS)
        self.machine = ClassicGroup(self.config, restored=restored, now_ms=self.now_ms)
        self.answers: dict[Any, Any] = {}
        self.records: list[GroupMetadata | None] = []
        self.held: list[Persist] = []
        self.holds = False
        self.sent = 0

    def step(self, event: Event) -> None:
        todo: list[Effect] = self.machine.step(event, self.now_ms)
        self.machine.check()
        while todo:
            effect = todo.pop(0)
            match effect:
                case Reply():
                    assert effect.ticket not in self.answers, "a ticket is answered once"
                    self.answers[effect.ticket] = effect.answer
                case Persist() if self.holds:
                    self.held.append(effect)
                case Persist():
                    self.records.append(effect.record)
                    todo += self.machine.step(Persisted(number=effect.number), self.now_ms)
                    self.machine.check()

    def write(self) -> None:
        """What was held is written."""
        self.holds = False
        for effect in self.held:
            self.records.append(effect.record)
            self.step(Persisted(number=effect.number))
        self.held.clear()

    def fail(self, error: GroupError = E.COORDINATOR_NOT_AVAILABLE) -> None:
        """What was held can't be written."""
        self.holds = False
        for effect in self.held:
            self.step(PersistFailed(number=effect.number, error=error))
        self.held.clear()

    def wait(self, ms: int) -> None:
        """Time passes; deadlines on the way are kept."""
        end = self.now_ms + ms
        while (due := self.machine.deadline_ms()) is not None and due <= end:
            self.now_ms = max(due, self.now_ms)
            self.step(Tick())
        self.now_ms = end

    # Requests: each gives the ticket, whose answer may come later

    def ticket(self) -> int:
        self.sent += 1
        return self.sent

    def join(self, member_id: str = "", new: str = "", **given: Any) -> int:
        ticket = self.ticket()
        event = JoinGroup(
            ticket=ticket,
            member_id=member_id,
            instance_id=None,
            new_member_id=new,
            client_id="client",
            client_host="/127.0.0.1",
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            protocol_type="consumer",
            protocols=RANGE,
            id_required=False,
            can_skip_assignment=False,
        )
        self.step(replace(event, **given))
        return ticket

    def sync(self, member_id: str, generation: int, assignments: dict[str, bytes] | None = None, **given: Any) -> int:
        ticket = self.ticket()
        event = SyncGroup(
            ticket=ticket,
            member_id=member_id,
            instance_id=None,
            generation=generation,
            protocol_type=None,
            protocol_name=None,
            assignments=tuple((assignments or {}).items()),
        )
        self.step(replace(event, **given))
        return ticket

    def heartbeat(self, member_id: str, generation: int, instance_id: str | None = None) -> GroupError:
        ticket = self.ticket()
        self.step(Heartbeat(ticket=ticket, member_id=member_id, instance_id=instance_id, generation=generation))
        found: GroupError = self.answers[ticket]
        return found

    def commit(self, member_id: str, generation: int, *, transactional: bool = False, **given: Any) -> GroupError:
        ticket = self.ticket()
        event = CommitOffsets(
            ticket=ticket, member_id=member_id, instance_id=None, generation=generation, transactional=transactional
        )
        self.step(replace(event, **given))
        found: GroupError = self.answers[ticket]
        return found

    def leave(self, *who: str, instance_id: str | None = None) -> int:
        ticket = self.ticket()
        members = tuple(Leaving(member_id=m, instance_id=instance_id) for m in who)
        self.step(LeaveGroup(ticket=ticket, members=members))
        return ticket

    def delete(self) -> int:
        ticket = self.ticket()
        self.step(DeleteGroup(ticket=ticket))
        return ticket

    # What tests look at

    def joined(self, ticket: int) -> JoinAnswer:
        answer = self.answers[ticket]
        assert isinstance(answer, JoinAnswer)
        return answer

    def synced(self, ticket: int) -> SyncAnswer:
        answer = self.answers[ticket]
        assert isinstance(answer, SyncAnswer)
        return answer

    def waits(self, *tickets: int) -> bool:
        return not any(t in self.answers for t in tickets)

    @property
    def state(self) -> GroupState:
        return self.machine.state

    def stable(self, *members: str, **given: Any) -> Harness:
        """These become members; the first leads, and each is assigned its own name."""
        tickets = [self.join(new=m, **given) for m in members]
        self.wait(DELAY_MS * (1 if len(members) == 1 else 2))
        generation = self.joined(tickets[0]).generation
        for m in reversed(members):
            self.sync(m, generation, {name: name.encode() for name in members})
        assert self.state is S.STABLE
        return self

    def restarted(self) -> Harness:
        """Another, with what was written of this one."""
        last = self.records[-1]
        return Harness(self.config, None if last is None else decode_group_value(encode_group_value(last)))


def test_members_that_come_together_make_the_first_generation_together() -> None:
    """KIP-134."""
    group = Harness()
    a = group.join(new="a")
    group.wait(DELAY_MS - 1)
    b = group.join(new="b")
    group.wait(1)
    assert group.waits(a, b), "one came late, so others may"
    assert group.state is S.PREPARING_REBALANCE
    group.wait(DELAY_MS)
    assert group.state is S.COMPLETING_REBALANCE
    assert {m.member_id for m in group.joined(a).members} == {"a", "b"}
    assert group.joined(a).members[0].metadata == topics("t")
    assert group.joined(b).members == (), "the leader alone is told of everybody"
    for ticket, name in ((a, "a"), (b, "b")):
        told = group.joined(ticket)
        assert (told.error, told.member_id, told.generation, told.leader) == (E.NONE, name, 1, "a")
        assert (told.protocol_type, told.protocol_name) == ("consumer", "range")


def test_the_first_members_wait_for_others_no_longer_than_a_rebalance_may_last() -> None:
    """KIP-134."""
    group = Harness()
    first = group.join(new="m0", rebalance_timeout_ms=8_000)
    for n in range(1, 9):
        group.wait(1_000)
        group.join(new=f"m{n}", rebalance_timeout_ms=8_000)
    assert group.joined(first).generation == 1


def test_without_a_delay_the_first_member_is_answered_at_the_next_tick() -> None:
    group = Harness(ClassicConfig(initial_rebalance_delay_ms=0))
    a = group.join(new="a")
    assert group.machine.deadline_ms() == group.now_ms
    group.step(Tick())
    assert group.joined(a).generation == 1


def test_followers_are_told_their_part_when_the_leaders_assignment_is_written() -> None:
    group = Harness()
    group.join(new="a"), group.join(new="b")
    group.wait(2 * DELAY_MS)
    follower = group.sync("b", 1)
    assert group.waits(follower)
    group.holds = True
    leader = group.sync("a", 1, {"a": b"0", "b": b"1"})
    assert group.waits(follower, leader), "not before it is written"
    group.write()
    assert group.synced(leader) == SyncAnswer(protocol_type="consumer", protocol_name="range", assignment=b"0")
    assert group.synced(follower).assignment == b"1"
    assert group.state is S.STABLE
    assert group.synced(group.sync("b", 1)).assignment == b"1", "and again, who missed it"


def test_a_member_without_a_part_in_the_assignment_gets_an_empty_one() -> None:
    group = Harness()
    group.join(new="a"), group.join(new="b")
    group.wait(2 * DELAY_MS)
    b = group.sync("b", 1)
    group.sync("a", 1, {"a": b"all", "nobody": b"x"})
    assert group.synced(b) == SyncAnswer(protocol_type="consumer", protocol_name="range", assignment=b"")


def test_an_assignment_that_cant_be_written_has_everybody_join_again() -> None:
    group = Harness()
    group.join(new="a"), group.join(new="b")
    group.wait(2 * DELAY_MS)
    b = group.sync("b", 1)
    group.holds = True
    a = group.sync("a", 1, {"a": b"0", "b": b"1"})
    group.fail()
    assert group.synced(a).error == group.synced(b).error == E.COORDINATOR_NOT_AVAILABLE
    assert group.synced(a).assignment == b""
    assert group.state is S.PREPARING_REBALANCE
    again = [group.join("a"), group.join("b")]
    assert [group.joined(t).generation for t in again] == [2, 2]


def test_an_assignment_written_too_late_for_its_generation_is_told_nobody() -> None:
    group = Harness()
    group.join(new="a")
    group.wait(DELAY_MS)
    group.holds = True
    sync = group.sync("a", 1, {"a": b"old"})
    group.join(new="b")
    assert group.synced(sync).error is E.REBALANCE_IN_PROGRESS
    a = group.join("a")
    assert group.joined(a).generation == 2
    group.write()
    assert group.state is S.COMPLETING_REBALANCE
    assert group.synced(group.sync("a", 2, {"a": b"new"})).assignment == b"new"


def test_a_leader_that_syncs_twice_is_answered_twice_and_written_once() -> None:
    group = Harness()
    group.join(new="a")
    group.wait(DELAY_MS)
    group.holds = True
    first, second = group.sync("a", 1, {"a": b"1"}), group.sync("a", 1, {"a": b"2"})
    assert group.synced(first).error is E.REBALANCE_IN_PROGRESS
    assert len(group.held) == 1
    group.write()
    assert group.synced(second).assignment == b"1"


# Who may join


def test_a_new_member_must_come_back_with_the_id_it_is_given() -> None:
    """KIP-394."""
    group = Harness()
    told = group.joined(group.join(new="a", id_required=True))
    assert (told.error, told.member_id) == (E.MEMBER_ID_REQUIRED, "a")
    assert group.state is S.EMPTY
    a = group.join("a", id_required=True)
    group.wait(DELAY_MS)
    assert group.joined(a).generation == 1


def test_an_id_that_nobody_comes_back_with_is_forgotten_with_its_session() -> None:
    """KIP-394."""
    group = Harness()
    group.join(new="a", id_required=True)
    assert not group.machine.is_forgettable
    group.wait(SESSION_MS)
    assert group.joined(group.join("a")).error is E.UNKNOWN_MEMBER_ID
    assert group.machine.is_forgettable


def test_a_rebalance_waits_for_who_was_given_an_id() -> None:
    """KIP-394."""
    group = Harness().stable("a")
    group.join(new="b", id_required=True)
    a = group.join("a")
    assert group.waits(a)
    b = group.join("b")
    assert group.joined(a).generation == group.joined(b).generation == 2

    group.sync("a", 2, {"a": b"0"})
    group.join(new="c", id_required=True)
    a = group.join("a")
    group.join("b")
    assert group.waits(a)
    group.leave("c")
    assert group.joined(a).generation == 3, "or until it says that it won't come"


def test_a_rebalance_goes_on_when_an_id_that_it_waits_for_is_forgotten() -> None:
    """KIP-394."""
    group = Harness().stable("a")
    group.join(new="b", id_required=True)
    a = group.join("a")
    group.wait(SESSION_MS - 1)
    assert group.waits(a)
    group.wait(1)
    assert group.joined(a).generation == 2


def test_a_member_id_that_was_never_given_is_unknown() -> None:
    group = Harness()
    answer = group.joined(group.join("ghost"))
    assert (answer.error, answer.member_id) == (E.UNKNOWN_MEMBER_ID, "ghost")
    assert group.machine.is_forgettable


@pytest.mark.parametrize("session_timeout_ms", [5_999, 1_800_001, -1])
def test_a_session_timeout_out_of_bounds_is_refused(session_timeout_ms: int) -> None:
    group = Harness()
    refused = group.joined(group.join(new="a", session_timeout_ms=session_timeout_ms))
    assert refused.error is E.INVALID_SESSION_TIMEOUT


def test_members_that_share_no_strategy_cant_be_in_one_group() -> None:
    group = Harness().stable("a")
    for said in (
        {"protocols": (("sticky", b""),)},
        {"protocols": ()},
        {"protocol_type": "connect"},
        {"protocol_type": ""},
    ):
        assert group.joined(group.join(new="b", **said)).error is E.INCONSISTENT_GROUP_PROTOCOL
    assert group.state is S.STABLE
    alone = Harness()
    assert alone.joined(alone.join(new="a", protocols=())).error is E.INCONSISTENT_GROUP_PROTOCOL


def test_the_strategy_that_most_members_like_best_is_chosen() -> None:
    group = Harness()
    x, y, z = ("x", b"x"), ("y", topics("of y")), ("z", b"z")
    a = group.join(new="a", protocols=(z, x, y))
    group.join(new="b", protocols=(y, x))
    group.join(new="c", protocols=(y, x, z))
    group.wait(2 * DELAY_MS)
    assert group.joined(a).protocol_name == "y", "z isn't known to all"
    assert [m.metadata for m in group.joined(a).members] == [topics("of y")] * 3


def test_a_strategy_named_twice_counts_once() -> None:
    group = Harness()
    a = group.join(new="a", protocols=(("x", b"1"), ("x", b"2")))
    b = group.join(new="b", protocols=(("x", b"3"),))
    group.wait(2 * DELAY_MS)
    assert group.joined(b).error is E.NONE
    assert [m.metadata for m in group.joined(a).members] == [b"1", b"3"]


def test_a_full_group_takes_nobody_else() -> None:
    """KIP-389."""
    group = Harness(ClassicConfig(initial_rebalance_delay_ms=DELAY_MS, max_size=2))
    group.join(new="a"), group.join(new="b")
    full = group.joined(group.join(new="c"))
    assert (full.error, full.member_id) == (E.GROUP_MAX_SIZE_REACHED, "")
    group.wait(2 * DELAY_MS)
    group.sync("a", 1)
    assert group.joined(group.join(new="c")).error is E.GROUP_MAX_SIZE_REACHED
    assert group.state is S.STABLE


def test_a_group_found_larger_than_allowed_keeps_those_that_join_first() -> None:
    """KIP-389."""
    group = Harness().stable("a", "b", "c")
    group.config = ClassicConfig(max_size=2)
    group = group.restarted()
    assert group.state is S.PREPARING_REBALANCE
    c, b = group.join("c"), group.join("b")
    assert group.joined(group.join("a")).error is E.GROUP_MAX_SIZE_REACHED
    assert group.joined(c).generation == group.joined(b).generation == 2


# Who joins again


def test_a_follower_with_nothing_new_is_told_its_generation_again() -> None:
    group = Harness().stable("a", "b")
    again = group.joined(group.join("b"))
    assert (again.generation, again.leader, again.members) == (1, "a", ())
    assert group.state is S.STABLE


def test_a_leader_that_joins_again_has_everything_assigned_anew() -> None:
    group = Harness().stable("a", "b")
    a = group.join("a")
    assert group.state is S.PREPARING_REBALANCE
    assert group.heartbeat("b", 1) is E.REBALANCE_IN_PROGRESS
    b = group.join("b")
    assert group.joined(a).generation == group.joined(b).generation == 2


def test_a_follower_that_says_something_new_sets_off_a_rebalance() -> None:
    """KIP-429: what it owns is part of what it says, so that cooperative rebalancing works."""
    group = Harness().stable("a", "b")
    group.join("b", protocols=(("range", topics("t", "u")),))
    assert group.state is S.PREPARING_REBALANCE
    a = group.join("a")
    assert [m.metadata for m in group.joined(a).members] == [topics("t"), topics("t", "u")]


def test_while_the_assignment_is_awaited_members_with_nothing_new_dont_disturb_it() -> None:
    group = Harness()
    group.join(new="a"), group.join(new="b")
    group.wait(2 * DELAY_MS)
    assert len(group.joined(group.join("a")).members) == 2, "the leader is told again too"
    assert group.joined(group.join("b")).generation == 1
    sync = group.sync("a", 1)
    assert group.synced(sync).error is E.NONE
    other = group.join("b", protocols=(("range", b"other"),))
    assert group.waits(other)


def test_what_is_new_while_the_assignment_is_awaited_calls_it_off() -> None:
    group = Harness()
    group.join(new="a"), group.join(new="b")
    group.wait(2 * DELAY_MS)
    sync = group.sync("b", 1)
    group.join(new="c")
    assert group.synced(sync).error is E.REBALANCE_IN_PROGRESS
    assert group.synced(group.sync("a", 1)).error is E.REBALANCE_IN_PROGRESS


def test_a_join_sent_again_takes_the_place_of_the_first() -> None:
    group = Harness().stable("a", "b")
    first, second = group.join("a"), group.join("a")
    assert group.joined(first).error is E.REBALANCE_IN_PROGRESS
    assert group.waits(second)
    group.join("b")
    assert group.joined(second).generation == 2


# Time


def test_who_doesnt_join_in_time_is_out() -> None:
    """KIP-62: the most patient member says how long."""
    group = Harness().stable("a", "b", session_timeout_ms=1_800_000)
    b = group.join("b", protocols=(("range", b"new"),), rebalance_timeout_ms=20_000)
    group.wait(REBALANCE_MS - 1)
    assert group.waits(b)
    group.wait(1)
    assert (group.joined(b).generation, group.joined(b).leader) == (2, "b"), "the leader is out, so another leads"
    assert [m.member_id for m in group.joined(b).members] == ["b"]
    assert group.heartbeat("a", 2) is E.UNKNOWN_MEMBER_ID


def test_a_member_that_isnt_heard_of_is_out_when_its_session_is_over() -> None:
    group = Harness().stable("a", "b")
    group.wait(SESSION_MS // 2)
    assert group.heartbeat("a", 1) is E.NONE
    group.wait(SESSION_MS // 2)
    assert group.state is S.PREPARING_REBALANCE
    a = group.join("a")
    assert [m.member_id for m in group.joined(a).members] == ["a"]


def test_a_member_that_waits_for_others_is_there_without_heartbeats() -> None:
    group = Harness().stable("a", "b")
    a = group.join("a")
    for _ in range(9):
        group.wait(SESSION_MS // 2)
        assert group.heartbeat("b", 1) is E.REBALANCE_IN_PROGRESS
    assert group.waits(a)
    b = group.join("b")
    assert group.joined(a).generation == group.joined(b).generation == 2
    group.wait(SESSION_MS - 1)
    assert group.heartbeat("a", 2) is E.NONE, "its session begins anew"


def test_a_new_member_that_is_never_answered_is_given_up() -> None:
    group = Harness().stable("a", rebalance_timeout_ms=2 * NEW_MS, session_timeout_ms=1_800_000)
    b = group.join(new="b")
    group.wait(NEW_MS)
    gone = group.joined(b)
    assert (gone.error, gone.member_id) == (E.UNKNOWN_MEMBER_ID, "")


def test_who_doesnt_sync_in_time_is_out() -> None:
    """KAFKA-13452."""
    group = Harness()
    group.join(new="a", session_timeout_ms=1_800_000), group.join(new="b", session_timeout_ms=1_800_000)
    group.wait(2 * DELAY_MS)
    group.sync("a", 1)
    assert group.state is S.STABLE
    group.wait(REBALANCE_MS)
    assert group.state is S.PREPARING_REBALANCE
    a = group.join("a")
    assert [m.member_id for m in group.joined(a).members] == ["a"]


def test_when_all_have_synced_nobody_is_waited_for() -> None:
    group = Harness().stable("a", "b", session_timeout_ms=1_800_000)
    group.wait(2 * REBALANCE_MS)
    assert group.state is S.STABLE


def test_a_member_that_allows_no_time_at_all_doesnt_make_the_clock_go_round() -> None:
    group = Harness().stable("a", instance_id="i", rebalance_timeout_ms=0)
    group.join(new="b", rebalance_timeout_ms=-5)
    group.leave("b")
    ticks = 0
    while group.state is S.PREPARING_REBALANCE:
        due = group.machine.deadline_ms()
        assert due is not None
        group.now_ms = due
        group.step(Tick())
        ticks += 1
    assert ticks <= SESSION_MS // 100, "until the session is over"


def test_nothing_is_due_for_a_group_that_has_nobody() -> None:
    group = Harness()
    assert group.machine.deadline_ms() is None
    group.step(Tick())
    assert group.state is S.EMPTY


# Who goes


def test_a_member_that_leaves_sets_off_a_rebalance() -> None:
    group = Harness().stable("a", "b")
    answer = group.answers[group.leave("a")]
    assert answer == LeaveAnswer(members=((Leaving(member_id="a", instance_id=None), E.NONE),))
    assert group.heartbeat("b", 1) is E.REBALANCE_IN_PROGRESS
    b = group.join("b")
    assert group.joined(b).leader == "b"


def test_several_leave_at_once_and_each_is_answered() -> None:
    """KIP-345, LeaveGroup version 3."""
    group = Harness().stable("a", "b")
    group.join(new="c", id_required=True)
    answer = group.answers[group.leave("a", "ghost", "c", "")]
    assert [error for _, error in answer.members] == [E.NONE, E.UNKNOWN_MEMBER_ID, E.NONE, E.UNKNOWN_MEMBER_ID]


def test_when_the_last_member_has_left_the_group_is_empty_and_that_is_written_first() -> None:
    group = Harness().stable("a")
    group.holds = True
    ticket = group.leave("a")
    assert group.state is S.EMPTY
    assert group.waits(ticket)
    group.write()
    assert group.answers[ticket].error is E.NONE
    last = group.records[-1]
    assert last is not None
    assert (last.generation, last.members, last.protocol_name, last.protocol_type) == (2, (), None, "consumer")


def test_a_leave_that_cant_be_written_says_so() -> None:
    group = Harness().stable("a")
    group.holds = True
    ticket = group.leave("a")
    group.fail(E.NOT_COORDINATOR)
    assert group.answers[ticket] == LeaveAnswer(error=E.NOT_COORDINATOR)


def test_a_member_that_leaves_while_it_waits_is_answered() -> None:
    group = Harness().stable("a", "b")
    join = group.join("a")
    group.leave("a")
    assert group.joined(join).error is E.UNKNOWN_MEMBER_ID
    group = Harness()
    group.join(new="a"), group.join(new="b")
    group.wait(2 * DELAY_MS)
    sync = group.sync("b", 1)
    group.leave("b")
    assert group.synced(sync).error is E.UNKNOWN_MEMBER_ID


def test_the_last_that_is_waited_for_may_leave_instead() -> None:
    group = Harness().stable("a", "b")
    a = group.join("a")
    group.leave("b")
    assert group.joined(a).generation == 2


# Static members (KIP-345)


def static(*names: str) -> Harness:
    group = Harness()
    tickets = [group.join(new=f"{n}-1", instance_id=n) for n in names]
    group.wait(2 * DELAY_MS)
    generation = group.joined(tickets[0]).generation
    for n in reversed(names):
        group.sync(f"{n}-1", generation, {f"{m}-1": m.encode() for m in names}, instance_id=n)
    return group


def test_a_static_member_comes_back_without_a_rebalance() -> None:
    group = static("x", "y")
    group.holds = True
    back = group.join(new="y-2", instance_id="y", client_host="/elsewhere")
    assert group.waits(back), "its new id is written first"
    group.write()
    told = group.joined(back)
    assert (told.error, told.member_id, told.generation, told.leader) == (E.NONE, "y-2", 1, "x-1")
    assert group.synced(group.sync("y-2", 1, instance_id="y")).assignment == b"y"
    assert group.state is S.STABLE
    assert group.machine.describe().members[1].client_host == "/elsewhere"
    assert group.restarted().heartbeat("y-2", 1, "y") is E.NONE


def test_a_static_leader_that_comes_back_is_told_to_leave_the_assignment_alone() -> None:
    """KIP-814; a client that can't be told is told of a leader that isn't there."""
    group = static("x", "y")
    old = group.joined(group.join(new="x-2", instance_id="x"))
    assert (old.leader, old.members, old.skip_assignment) == ("x-1", (), False)
    new = group.joined(group.join(new="x-3", instance_id="x", can_skip_assignment=True))
    assert (new.leader, len(new.members), new.skip_assignment) == ("x-3", 2, True)
    follower = group.joined(group.join(new="y-2", instance_id="y", can_skip_assignment=True))
    assert (follower.leader, follower.members, follower.skip_assignment) == ("x-3", (), False)


def test_who_asks_under_the_old_id_of_a_static_member_is_fenced() -> None:
    group = static("x", "y")
    group.join(new="x-2", instance_id="x")
    assert group.heartbeat("x-1", 1, "x") is E.FENCED_INSTANCE_ID
    assert group.joined(group.join("x-1", instance_id="x")).error is E.FENCED_INSTANCE_ID
    assert group.synced(group.sync("x-1", 1, instance_id="x")).error is E.FENCED_INSTANCE_ID
    assert group.commit("x-1", 1, instance_id="x") is E.FENCED_INSTANCE_ID
    left = group.answers[group.leave("x-1", instance_id="x")]
    assert left.members[0][1] is E.FENCED_INSTANCE_ID
    assert group.heartbeat("x-1", 1) is E.UNKNOWN_MEMBER_ID
    assert group.heartbeat("y-1", 1, "nobody") is E.UNKNOWN_MEMBER_ID


def test_requests_of_a_static_member_that_wait_are_fenced_when_it_comes_back() -> None:
    group = static("x", "y")
    waits = group.join("x-1", instance_id="x")
    group.join(new="x-2", instance_id="x")
    assert group.joined(waits).error is E.FENCED_INSTANCE_ID
    group.join("y-1", instance_id="y")
    waits = group.sync("y-1", 2, instance_id="y")
    group.join(new="y-2", instance_id="y")
    assert group.synced(waits).error is E.FENCED_INSTANCE_ID
    assert group.state is S.PREPARING_REBALANCE, "the leader knows it under its old id"


def test_a_static_member_with_other_topics_or_strategies_sets_off_a_rebalance() -> None:
    for protocols in ((("range", topics("u")),), (("new", b""), ("range", topics("u")))):
        group = static("x")
        back = group.join(new="x-2", instance_id="x", protocols=protocols)
        assert group.joined(back).generation == 2
    group = static("x")
    back = group.join(new="x-2", instance_id="x", protocols=(("range", topics("t") + b"owned"),))
    assert group.joined(back).generation == 1, "what it owned is no subscription"


def test_a_return_that_cant_be_written_is_tried_again() -> None:
    group = static("x", "y")
    group.holds = True
    back = group.join(new="y-2", instance_id="y")
    group.fail()
    assert group.joined(back).error is E.COORDINATOR_NOT_AVAILABLE
    assert group.joined(group.join(new="y-3", instance_id="y")).error is E.NONE


def test_a_return_that_a_rebalance_overtakes_is_answered_by_it() -> None:
    group = static("x", "y")
    group.holds = True
    back = group.join(new="y-2", instance_id="y")
    group.join(new="z", instance_id="z")
    group.write()
    assert group.waits(back)
    group.join("x-1", instance_id="x")
    assert group.joined(back).generation == 2


def test_a_static_member_that_doesnt_join_in_time_stays_until_its_session_is_over() -> None:
    group = static("x", "y")
    z = group.join(new="z", rebalance_timeout_ms=1_000)
    group.heartbeat("x-1", 1, "x")
    group.join("y-1", instance_id="y", rebalance_timeout_ms=1_000)
    group.wait(1_000)
    assert group.waits(z), "x allows more"
    group.wait(SESSION_MS)
    assert group.joined(z).generation == 2
    assert group.heartbeat("x-1", 2, "x") is E.UNKNOWN_MEMBER_ID


def test_static_members_are_part_of_a_generation_they_didnt_join() -> None:
    group = Harness()
    group.join(new="x-1", instance_id="x", session_timeout_ms=1_800_000)
    group.wait(DELAY_MS)
    group.sync("x-1", 1, instance_id="x")
    b = group.join(new="b")
    group.wait(REBALANCE_MS)
    told = group.joined(b)
    assert (told.leader, {m.instance_id for m in told.members}) == ("b", {"x", None})


def test_a_leader_that_joins_in_time_goes_on_leading() -> None:
    group = Harness()
    group.join(new="x-1", instance_id="x", session_timeout_ms=1_800_000)
    group.wait(DELAY_MS)
    group.sync("x-1", 1, instance_id="x")
    group.join(new="b", session_timeout_ms=1_800_000)
    group.wait(REBALANCE_MS)
    group.sync("b", 2)
    b = group.join("b")
    group.join("x-1", instance_id="x", session_timeout_ms=1_800_000)
    assert (group.joined(b).generation, group.joined(b).leader) == (3, "b")


def test_a_static_member_that_comes_back_must_sync_in_time_like_the_one_it_was() -> None:
    group = Harness()
    group.join(new="x-1", instance_id="x"), group.join(new="y-1", instance_id="y", session_timeout_ms=1_800_000)
    group.wait(2 * DELAY_MS)
    group.sync("x-1", 1, instance_id="x")
    assert group.state is S.STABLE
    group.join(new="y-2", instance_id="y", session_timeout_ms=1_800_000)
    for _ in range(REBALANCE_MS // 5_000):
        group.wait(5_000)
        group.heartbeat("x-1", 1, "x")
    assert group.heartbeat("y-2", 1, "y") is E.UNKNOWN_MEMBER_ID


def test_a_static_member_is_removed_by_its_instance_id() -> None:
    """KIP-345: an administrator's removal names no member id."""
    group = static("x", "y")
    left = group.answers[group.leave("", instance_id="x")]
    assert left.members == ((Leaving(member_id="", instance_id="x"), E.NONE),)
    assert group.heartbeat("x-1", 1, "x") is E.UNKNOWN_MEMBER_ID
    assert group.answers[group.leave("", instance_id="x")].members[0][1] is E.UNKNOWN_MEMBER_ID


# Heartbeats and syncs that come at the wrong time


def test_heartbeats_are_answered_by_the_state_of_the_group() -> None:
    group = Harness()
    assert group.heartbeat("a", 0) is E.UNKNOWN_MEMBER_ID
    group.join(new="a")
    assert group.heartbeat("a", 0) is E.REBALANCE_IN_PROGRESS
    group.wait(DELAY_MS)
    assert group.heartbeat("a", 1) is E.NONE
    assert group.heartbeat("a", 0) is E.ILLEGAL_GENERATION
    group.sync("a", 1)
    assert group.heartbeat("a", 1) is E.NONE


def test_syncs_are_refused_by_the_state_of_the_group() -> None:
    group = Harness()
    assert group.synced(group.sync("a", 1)).error is E.UNKNOWN_MEMBER_ID
    group.stable("a")
    assert group.synced(group.sync("a", 2)).error is E.ILLEGAL_GENERATION
    assert group.synced(group.sync("a", 1, protocol_type="connect")).error is E.INCONSISTENT_GROUP_PROTOCOL
    assert group.synced(group.sync("a", 1, protocol_name="sticky")).error is E.INCONSISTENT_GROUP_PROTOCOL
    assert group.synced(group.sync("a", 1, protocol_type="consumer", protocol_name="range")).assignment == b"a"
    group.join(new="b")
    assert group.synced(group.sync("a", 1)).error is E.REBALANCE_IN_PROGRESS


# Offsets


def test_offsets_are_committed_by_members_of_this_generation() -> None:
    group = Harness().stable("a")
    assert group.commit("a", 1) is E.NONE
    assert group.commit("a", 0) is E.ILLEGAL_GENERATION
    assert group.commit("a", -1) is E.ILLEGAL_GENERATION
    assert group.commit("b", 1) is E.UNKNOWN_MEMBER_ID
    assert group.commit("", -1) is E.UNKNOWN_MEMBER_ID
    assert group.commit("", -1, instance_id="x") is E.UNKNOWN_MEMBER_ID


def test_who_uses_no_group_commits_while_there_are_no_members() -> None:
    group = Harness()
    assert group.commit("", -1) is E.NONE
    assert group.commit("", 0) is E.UNKNOWN_MEMBER_ID
    group.stable("a").leave("a")
    assert group.commit("", -1) is E.NONE


def test_commits_are_taken_while_members_join_and_not_while_they_await_assignments() -> None:
    """What a member has read before it joins again must not be read twice."""
    group = Harness().stable("a", "b")
    group.join("a")
    assert group.commit("b", 1) is E.NONE
    group.join("b")
    assert group.commit("b", 2) is E.REBALANCE_IN_PROGRESS
    assert group.commit("b", 1) is E.ILLEGAL_GENERATION


def test_a_commit_is_a_sign_of_life() -> None:
    group = Harness().stable("a")
    for _ in range(5):
        group.wait(SESSION_MS - 1)
        assert group.commit("a", 1) is E.NONE
    assert group.state is S.STABLE


def test_offsets_in_transactions_are_fenced_by_generation_if_they_name_one() -> None:
    """KIP-447; producers that know no groups may always."""
    group = Harness().stable("a")
    assert group.commit("", -1, transactional=True) is E.NONE
    assert group.commit("a", 1, transactional=True) is E.NONE
    assert group.commit("a", 0, transactional=True) is E.ILLEGAL_GENERATION
    assert group.commit("b", 1, transactional=True) is E.UNKNOWN_MEMBER_ID
    group.wait(SESSION_MS - 1)
    group.commit("a", 1, transactional=True)
    group.wait(1)
    assert group.state is S.EMPTY, "they are the producer's, no sign of the member's life"


def test_offsets_in_transactions_are_taken_while_assignments_are_awaited() -> None:
    group = Harness()
    group.join(new="a")
    group.wait(DELAY_MS)
    assert group.commit("a", 1, transactional=True) is E.NONE


def test_offsets_expire_when_nobody_uses_them() -> None:
    """KIP-211."""
    group = Harness()
    assert group.machine.idle_since_ms(5) == 5, "offsets alone, without a group"
    group.stable("a")
    assert group.machine.idle_since_ms(5) == 5, "of topics that the consumers don't read"
    assert group.machine.reads("t") and not group.machine.reads("u")
    group.join(new="b")
    assert group.machine.idle_since_ms(5) is None
    group = Harness().stable("a")
    group.wait(1_000)
    group.heartbeat("a", 1)
    group.wait(1_000)
    group.leave("a")
    assert group.machine.idle_since_ms(5) == group.now_ms
    assert not group.machine.reads("t")
    assert group.restarted().machine.idle_since_ms(5) == group.now_ms


def test_nobody_knows_what_members_of_other_kinds_read() -> None:
    group = Harness().stable("a", protocol_type="connect")
    assert group.machine.idle_since_ms(5) is None
    group = Harness().stable("a", protocols=(("range", b"?"),))
    assert group.machine.idle_since_ms(5) is None
    assert group.machine.reads("anything")


def test_offsets_are_deleted_by_hand_where_nobody_reads() -> None:
    """KIP-496."""
    assert Harness().machine.offset_deletion_refused() is E.NONE
    assert Harness().stable("a").machine.offset_deletion_refused() is E.NONE
    assert Harness().stable("a", protocol_type="connect").machine.offset_deletion_refused() is E.NON_EMPTY_GROUP


# Ends and beginnings


def test_a_group_is_deleted_when_it_is_empty() -> None:
    """KIP-229."""
    group = Harness().stable("a")
    assert group.answers[group.delete()] is E.NON_EMPTY_GROUP
    group.leave("a")
    group.holds = True
    ticket = group.delete()
    assert group.waits(ticket)
    assert group.state is S.DEAD
    assert group.joined(group.join(new="b")).error is E.COORDINATOR_NOT_AVAILABLE
    assert group.synced(group.sync("a", 1)).error is E.COORDINATOR_NOT_AVAILABLE
    assert group.heartbeat("a", 1) is E.COORDINATOR_NOT_AVAILABLE
    assert group.commit("a", 1) is E.COORDINATOR_NOT_AVAILABLE
    assert group.commit("", -1) is E.COORDINATOR_NOT_AVAILABLE
    assert group.answers[group.leave("a")].error is E.COORDINATOR_NOT_AVAILABLE
    assert group.machine.offset_deletion_refused() is E.GROUP_ID_NOT_FOUND
    group.write()
    assert group.answers[ticket] is E.NONE
    assert group.records[-1] is None
    assert group.answers[group.delete()] is E.GROUP_ID_NOT_FOUND


def test_a_deletion_that_cant_be_written_didnt_happen() -> None:
    group = Harness().stable("a")
    group.leave("a")
    group.holds = True
    ticket = group.delete()
    group.fail()
    assert group.answers[ticket] is E.COORDINATOR_NOT_AVAILABLE
    assert group.state is S.EMPTY


def test_a_restart_finds_members_and_their_assignments() -> None:
    before = Harness().stable("a", "b")
    group = before.restarted()
    assert group.state is S.STABLE
    assert group.machine.describe() == before.machine.describe()
    assert group.heartbeat("a", 1) is E.NONE
    assert group.synced(group.sync("b", 1)).assignment == b"b"
    assert group.machine.reads("t")
    assert group.joined(group.join("b")).leader == "a"
    group.wait(SESSION_MS)
    assert group.state is S.EMPTY, "sessions begin anew with the restart, and end"


def test_a_restart_during_a_rebalance_finds_the_generation_before() -> None:
    group = Harness().stable("a")
    group.join("a")
    assert group.machine.generation == 2
    group = group.restarted()
    assert group.heartbeat("a", 2) is E.ILLEGAL_GENERATION
    assert group.joined(group.join("a")).generation == 2


def test_a_restart_finds_an_empty_group() -> None:
    group = Harness().stable("a")
    group.leave("a")
    group = group.restarted()
    assert (group.state, group.machine.generation, group.machine.protocol_type) == (S.EMPTY, 2, "consumer")
    assert not group.machine.is_forgettable
    group.stable("b")
    assert group.machine.generation == 3


def test_a_description_shows_what_kafkas_tools_ask_for() -> None:
    group = Harness()
    assert (group.machine.describe().state, group.machine.protocol_type) == (S.EMPTY, "")
    group.stable("a")
    shown = group.machine.describe()
    (member,) = shown.members
    assert (shown.state.value, shown.protocol_type, shown.protocol_name) == ("Stable", "consumer", "range")
    assert (member.member_id, member.client_id, member.client_host) == ("a", "client", "/127.0.0.1")
    assert (member.metadata, member.assignment) == (topics("t"), b"a")
    group.join("a")
    shown = group.machine.describe()
    assert (shown.protocol_name, shown.members[0].metadata) == ("", b""), "not while it changes"
    assert repr(group.machine) == "<ClassicGroup CompletingRebalance, generation 2, 1 members>"


# Laws

MEMBERS = st.sampled_from(["", "m1", "m2", "m3", "m4", "m5"])
INSTANCES = st.sampled_from([None, None, "x", "y"])
STRATEGIES = st.lists(st.sampled_from([("r", topics("t")), ("r", b""), ("s", b"1"), ("c", topics("u"))]), max_size=3)


@st.composite
def moves(draw: st.DrawFn) -> Callable[[Harness], object]:
    """Something a client, the disk or the clock does, sensible or not."""
    kind = draw(st.sampled_from("jjjjjjsssshlcdtttwwf"))
    member, instance, flag = draw(MEMBERS), draw(INSTANCES), draw(st.booleans())
    back = draw(st.integers(0, 1))
    match kind:
        case "j":
            protocols = tuple(draw(STRATEGIES)) or RANGE
            session_ms, patience_ms = draw(st.sampled_from([6_000, 30_000])), draw(st.sampled_from([-1, 0, 20_000]))
            return lambda g: g.join(
                member,
                f"m{g.sent % 9}" if g.sent < 9 else f"n{g.sent}",
                instance_id=instance,
                protocols=protocols if flag else RANGE,
                session_timeout_ms=session_ms,
                rebalance_timeout_ms=patience_ms,
                id_required=flag,
                can_skip_assignment=flag,
            )
        case "s":
            return lambda g: [
                g.sync(m.member_id, g.machine.generation - back, {m.member_id: b"x"}, instance_id=m.instance_id)
                for m in g.machine.describe().members
                if flag or m.member_id == member
            ]
        case "h":
            return lambda g: g.heartbeat(member, g.machine.generation - back, instance)
        case "l":
            return lambda g: g.leave(member, instance_id=instance)
        case "c":
            return lambda g: g.commit(member, g.machine.generation - back, instance_id=instance, transactional=flag)
        case "d":
            return lambda g: g.delete()
        case "t":
            ms = draw(st.sampled_from([1, 3_000, 6_000, 40_000]))
            return lambda g: g.wait(ms)
        case "w":
            return lambda g: g.write() if flag else setattr(g, "holds", True)
        case _:
            return lambda g: g.fail()


@settings(max_examples=150, deadline=None)
@given(st.lists(moves(), max_size=40))
def test_whatever_happens_each_request_is_answered_once_and_generations_have_one_leader(
    happens: list[Callable[[Harness], object]],
) -> None:
    group = Harness(ClassicConfig(initial_rebalance_delay_ms=2_000, max_size=3))
    generation = 0
    for move in happens:
        move(group)
        assert group.machine.generation >= generation, "generations don't move back"
        generation = group.machine.generation
    leaders: dict[int, set[str]] = {}
    for answer in group.answers.values():
        if isinstance(answer, JoinAnswer) and answer.members and not answer.skip_assignment:
            assert answer.leader == answer.member_id
            leaders.setdefault(answer.generation, set()).add(answer.member_id)
    assert all(len(ids) == 1 for ids in leaders.values()), "one member assigns"
    # Whoever still waits is answered when time passes and what is to be written is.
    group.write()
    group.wait(10 * NEW_MS)
    assert group.answers.keys() == set(range(1, group.sent + 1))
    assert group.state in (S.EMPTY, S.DEAD)


@settings(max_examples=60, deadline=None)
@given(st.lists(moves(), max_size=30))
def test_whatever_happens_nothing_is_told_before_it_is_written(happens: list[Callable[[Harness], object]]) -> None:
    group = Harness(ClassicConfig(initial_rebalance_delay_ms=2_000, max_size=3))
    for move in happens:
        move(group)
        written = {r.generation for r in group.records if r is not None}
        for answer in group.answers.values():
            if isinstance(answer, SyncAnswer) and answer.error is E.NONE:
                assert group.machine.generation in written or answer.assignment in (b"", b"x")
        if group.state is S.STABLE:
            assert group.machine.generation in written
