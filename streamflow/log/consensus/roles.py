"""What a member of the quorum may be, one class a role; `Raft` alone moves between them. PURE.

    Unattached   knows the epoch, not who leads
    Follower     knows who leads, and fetches
    Prospective  asks whether it would be elected, before it disturbs anybody (KIP-996)
    Candidate    asks for votes in an epoch of its own
    Leader       leads

An observer, which has no vote, is unattached or follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Unattached:
    """`deadline_ms`: when it has waited long enough for a leader."""

    deadline_ms: int


@dataclass(slots=True, kw_only=True)
class Follower:
    """`deadline_ms`: when its leader counts as gone, unless a fetch is answered before. `heard`: one was."""

    leader: int
    deadline_ms: int
    heard: bool = False


@dataclass(slots=True, kw_only=True)
class Prospective:
    deadline_ms: int
    granted: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Candidate:
    deadline_ms: int
    granted: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Standing:
    """A replica as the leader knows it: how far its log goes, when it last fetched, and when it last had everything."""

    end: int = -1
    fetched_ms: int = -1
    caught_up_ms: int = -1


@dataclass(slots=True, kw_only=True)
class Leader:
    """Invariant: `standings` has every voter but this one, and observers that fetched.

    Args:
        epoch_start: the offset of its first record.
        told_ms: when voters that haven't fetched were last told of the epoch.
        since_ms: when it was elected: who hasn't fetched counts as heard of then.
    """

    epoch_start: int
    since_ms: int
    told_ms: int
    standings: dict[int, Standing] = field(default_factory=dict)


Role = Unattached | Follower | Prospective | Candidate | Leader
