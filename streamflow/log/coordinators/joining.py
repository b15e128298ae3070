"""JoinGroup of the classic protocol: who may join a group, who must ask again, and what it sets off. PURE.

Sources: Kafka's GroupMetadataManager (`classicGroupJoin…`, 4.x); KIP-345 (static members), KIP-394 (member id
required), KIP-814 (skip assignment). What a member that waits is told, and when, is `rebalance`'s.
"""

from __future__ import annotations

from streamflow.log.coordinators.group_events import UNKNOWN_MEMBER, GroupError, JoinAnswer, JoinGroup, Protocols, Reply
from streamflow.log.coordinators.group_states import GroupState
from streamflow.log.coordinators.members import Member
from streamflow.log.coordinators.rebalance import Rebalance
from streamflow.log.coordinators.subscription import subscribed_topics

E, S = GroupError, GroupState


class Joining:
    def __init__(self, group: Rebalance) -> None:
        self._group = group

    def step(self, event: JoinGroup, now_ms: int) -> None:
        group = self._group
        known = group.members.get(event.member_id)
        timeout_ms = event.session_timeout_ms
        if not group.config.session_timeout_ms_min <= timeout_ms <= group.config.session_timeout_ms_max:
            return self._refuse_join(event, E.INVALID_SESSION_TIMEOUT)
        if group.state is S.DEAD:
            return self._refuse_join(event, E.COORDINATOR_NOT_AVAILABLE)
        if not self._has_room_for(known):
            if known is not None:
                group.remove(known)
                group.go_on(now_ms)
            group.pending.pop(event.member_id, None)
            return self._refuse_join(event, E.GROUP_MAX_SIZE_REACHED, member_id=UNKNOWN_MEMBER)
        protocols = _unique(event.protocols)
        if not group.members.support(event.protocol_type, (name for name, _ in protocols)):
            return self._refuse_join(event, E.INCONSISTENT_GROUP_PROTOCOL)
        if event.member_id == UNKNOWN_MEMBER:
            return self._join_unknown(event, protocols, now_ms)
        if event.member_id in group.pending and event.instance_id is None:
            return self._add(event, event.member_id, protocols, now_ms)
        refusal = group.members.refusal(event.member_id, event.instance_id)
        if known is None or refusal:
            return self._refuse_join(event, refusal or E.UNKNOWN_MEMBER_ID)
        return self._rejoin(event, known, protocols, now_ms)

    def _has_room_for(self, known: Member | None) -> bool:
        """While a generation gathers, whoever comes first stays: so a group that is too large becomes smaller."""
        group = self._group
        if group.state is S.PREPARING_REBALANCE:
            waits = known is not None and known.joining is not None
            return waits or group.members.joining < group.config.max_size
        return known is not None or len(group.members) < group.config.max_size

    def _join_unknown(self, event: JoinGroup, protocols: Protocols, now_ms: int) -> None:
        group = self._group
        returning = group.members.static(event.instance_id)
        if returning is not None:
            self._return(event, returning, protocols, now_ms)
        elif event.instance_id is None and event.id_required:
            group.pending[event.new_member_id] = now_ms + event.session_timeout_ms
            self._refuse_join(event, E.MEMBER_ID_REQUIRED, member_id=event.new_member_id)
        else:
            self._add(event, event.new_member_id, protocols, now_ms)

    def _add(self, event: JoinGroup, member_id: str, protocols: Protocols, now_ms: int) -> None:
        member = Member(
            member_id=member_id,
            instance_id=event.instance_id,
            client_id=event.client_id,
            client_host=event.client_host,
            session_timeout_ms=event.session_timeout_ms,
            rebalance_timeout_ms=event.rebalance_timeout_ms,
            protocols=protocols,
            joining=event.ticket,
            is_new=True,
        )
        self._group.add(member, event.protocol_type, now_ms)

    def _rejoin(self, event: JoinGroup, member: Member, protocols: Protocols, now_ms: int) -> None:
        """A member that has nothing new to say is told of its generation again: it may have missed it. A leader of a
        Stable group joins again to have everything assigned anew."""
        same = protocols == member.protocols
        leads = self._group.members.leader == member.member_id
        if same and (self._group.state is S.COMPLETING_REBALANCE or (self._group.state is S.STABLE and not leads)):
            self._reply(event, self._group.joined(member))
            return
        self._update(event, member, protocols)
        self._group.prepare_or_go_on(now_ms)

    def _return(self, event: JoinGroup, member: Member, protocols: Protocols, now_ms: int) -> None:
        """A static member comes back under a new id, and without a rebalance if nothing else is new (KIP-345).

        Kafka leaves the assignment as it is for a consumer with other topics too: it asks again and again then.
        """
        group, before = self._group, self._group.members.leader
        group.rename(member, event.new_member_id, now_ms)
        member.client_id, member.client_host = event.client_id, event.client_host
        topics = subscribed_topics(member.metadata(group.protocol_name)) if group.protocol_name else None
        self._update(event, member, protocols)
        same = group.members.vote() == group.protocol_name
        same = same and subscribed_topics(member.metadata(group.protocol_name)) == topics
        if same and group.state is S.STABLE:
            # Without the word, a leader mustn't take itself for one, or it would assign anew: its old id is nobody now.
            group.write_return(member, leader=None if event.can_skip_assignment else before)
        elif group.state is S.PREPARING_REBALANCE:
            group.go_on(now_ms)
        else:
            group.prepare(now_ms)

    def _update(self, event: JoinGroup, member: Member, protocols: Protocols) -> None:
        member.session_timeout_ms = event.session_timeout_ms
        member.rebalance_timeout_ms = event.rebalance_timeout_ms
        self._group.members.say(member, protocols)
        self._group.wait_to_join(member, event.ticket)

    def _refuse_join(self, event: JoinGroup, error: GroupError, *, member_id: str | None = None) -> None:
        named = event.member_id if member_id is None else member_id
        self._reply(event, JoinAnswer(error=error, member_id=named))

    def _reply(self, event: JoinGroup, answer: JoinAnswer) -> None:
        self._group.effects.append(Reply(ticket=event.ticket, answer=answer))


def _unique(protocols: Protocols) -> Protocols:
    """What is said first of a strategy counts."""
    found: dict[str, bytes] = {}
    for name, metadata in protocols:
        found.setdefault(name, metadata)
    return tuple(found.items())
