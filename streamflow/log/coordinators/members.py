"""Members of a classic group: who they are, who leads, and which strategies all of them know. PURE.

Promises: every answer depends on the order in which members came, never on chance; a group that isn't empty has a
leader and at least one strategy that all its members know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from streamflow.log.coordinators.group_events import GroupError, Protocols, Ticket
from streamflow.log.coordinators.group_records import MemberMetadata
from streamflow.log.coordinators.subscription import CONSUMER_PROTOCOL, subscribed_topics


@dataclass(slots=True)
class Member:
    """Invariant: `joining` and `syncing` are requests without an answer so far."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: Protocols
    assignment: bytes = b""
    joining: Ticket | None = None
    syncing: Ticket | None = None
    is_new: bool = False
    """It hasn't been told yet that it is a member, so that it can't send heartbeats."""
    session_ends_ms: int | None = None
    """None while a request of it waits for others."""

    @property
    def waits(self) -> bool:
        return self.joining is not None or self.syncing is not None

    @classmethod
    def restored(cls, metadata: MemberMetadata, protocol: str) -> Member:
        """What it knows beside the group's strategy is forgotten: it wasn't written."""
        return cls(
            member_id=metadata.member_id,
            instance_id=metadata.instance_id,
            client_id=metadata.client_id,
            client_host=metadata.client_host,
            session_timeout_ms=metadata.session_timeout_ms,
            rebalance_timeout_ms=metadata.rebalance_timeout_ms,
            protocols=((protocol, metadata.subscription),),
            assignment=metadata.assignment,
        )

    def metadata(self, protocol: str | None) -> bytes:
        """What it says for a strategy that it knows."""
        return next(metadata for name, metadata in self.protocols if name == protocol)


class Members:
    """Invariant: `_static` names each static member by its instance id (KIP-345); `_known` counts who knows which
    strategy."""

    def __init__(self) -> None:
        self.protocol_type: str | None = None
        self.leader: str | None = None
        self._by_id: dict[str, Member] = {}
        self._static: dict[str, str] = {}
        self._known: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Member]:
        """In the order they came, whoever is removed meanwhile."""
        return iter(list(self._by_id.values()))

    def __contains__(self, member_id: str | None) -> bool:
        return member_id in self._by_id

    def __getitem__(self, member_id: str) -> Member:
        return self._by_id[member_id]

    def get(self, member_id: str) -> Member | None:
        return self._by_id.get(member_id)

    def static(self, instance_id: str | None) -> Member | None:
        member_id = None if instance_id is None else self._static.get(instance_id)
        return None if member_id is None else self._by_id[member_id]

    # Who comes and goes

    def add(self, member: Member, protocol_type: str) -> None:
        if not self._by_id:
            self.protocol_type = protocol_type
        self._by_id[member.member_id] = member
        self._known.update(name for name, _ in member.protocols)
        if member.instance_id is not None:
            self._static[member.instance_id] = member.member_id
        if self.leader is None:
            self.leader = member.member_id

    def remove(self, member: Member) -> None:
        """A leader that goes is followed by the member that came first."""
        del self._by_id[member.member_id]
        self._known.subtract(name for name, _ in member.protocols)
        if member.instance_id is not None:
            del self._static[member.instance_id]
        if self.leader == member.member_id:
            self.leader = next(iter(self._by_id), None)

    def rename(self, member: Member, member_id: str) -> None:
        """A static member came back under another id: it stays what it was."""
        if self.leader == member.member_id:
            self.leader = member_id
        self._by_id = {(member_id if m is member else name): m for name, m in self._by_id.items()}
        member.member_id = member_id
        assert member.instance_id is not None, "only static members come back"
        self._static[member.instance_id] = member_id

    def say(self, member: Member, protocols: Protocols) -> None:
        """The member's strategies and metadata from now on."""
        self._known.subtract(name for name, _ in member.protocols)
        member.protocols = protocols
        self._known.update(name for name, _ in member.protocols)

    def elect_one_who_joins(self) -> bool:
        """A leader that doesn't come back is replaced by the first who does. Returns: whether anybody does."""
        leader = None if self.leader is None else self._by_id[self.leader]
        if leader is not None and leader.joining is None:
            leader = next((m for m in self._by_id.values() if m.joining is not None), None)
            if leader is not None:
                self.leader = leader.member_id
        return leader is not None

    # Answers

    def refusal(self, member_id: str, instance_id: str | None) -> GroupError:
        """Why a request of such a member isn't taken; NONE if it is."""
        if instance_id is not None:
            owner = self._static.get(instance_id)
            if owner is None:
                return GroupError.UNKNOWN_MEMBER_ID
            if owner != member_id:
                return GroupError.FENCED_INSTANCE_ID
        return GroupError.NONE if member_id in self._by_id else GroupError.UNKNOWN_MEMBER_ID

    @property
    def all_join(self) -> bool:
        return all(m.joining is not None for m in self._by_id.values())

    @property
    def joining(self) -> int:
        return sum(m.joining is not None for m in self._by_id.values())

    @property
    def rebalance_timeout_ms(self) -> int:
        """The patience of the most patient."""
        return max((m.rebalance_timeout_ms for m in self._by_id.values()), default=0)

    def support(self, protocol_type: str, names: Iterable[str]) -> bool:
        """Whether one who knows these strategies can be a member beside the others."""
        if not self._by_id:
            return bool(protocol_type) and any(True for _ in names)
        return protocol_type == self.protocol_type and any(self._known[name] == len(self._by_id) for name in names)

    def vote(self) -> str:
        """Each member votes for the first of its strategies that all know; the one with most votes wins, among
        equals the one that was named first."""
        everybody = len(self._by_id)
        votes = Counter(next(n for n, _ in m.protocols if self._known[n] == everybody) for m in self._by_id.values())
        return votes.most_common(1)[0][0]

    def subscribed_topics(self, protocol: str | None) -> frozenset[str] | None:
        """Topics that consumers of the group read; None when nobody can tell."""
        if self.protocol_type != CONSUMER_PROTOCOL or (protocol is None and self._by_id):
            return None
        found: frozenset[str] = frozenset()
        for member in self._by_id.values():
            topics = subscribed_topics(member.metadata(protocol))
            if topics is None:
                return None
            found |= topics
        return found

    def metadata(self, protocol: str | None, assignments: Mapping[str, bytes]) -> tuple[MemberMetadata, ...]:
        """As they are written; who isn't assigned anything has an empty assignment."""
        return tuple(
            MemberMetadata(
                member_id=m.member_id,
                instance_id=m.instance_id,
                client_id=m.client_id,
                client_host=m.client_host,
                rebalance_timeout_ms=m.rebalance_timeout_ms,
                session_timeout_ms=m.session_timeout_ms,
                subscription=m.metadata(protocol),
                assignment=assignments.get(m.member_id, b""),
            )
            for m in self._by_id.values()
        )

    def check(self) -> None:
        """Asserts the invariants."""
        assert self._static == {m.instance_id: m.member_id for m in self._by_id.values() if m.instance_id is not None}
        assert all(name == m.member_id for name, m in self._by_id.items())
        assert self.leader in self._by_id if self._by_id else self.leader is None, "a group that isn't empty is led"
        known = Counter(name for m in self._by_id.values() for name, _ in m.protocols)
        assert +self._known == known, "strategies are counted"
        assert not self._by_id or len(self._by_id) in known.values(), "there is a strategy that all know"
