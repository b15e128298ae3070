"""What happens to a member of the metadata quorum, and what it orders. The nouns are KRaft's (KIP-595, KIP-996)."""

from __future__ import annotations

from dataclasses import dataclass

from streamflow.log.consensus.votes import QuorumState

NOBODY = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """It may be time for something: `Raft.deadline_ms`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteAsked:
    """A candidate, whose log ends at `end` with a record of `last_epoch`, wants a vote in `epoch`; `pre`: would you
    give it one? (KIP-996: `epoch` is the one it is in, and nothing changes by the question.)"""

    candidate: int
    epoch: int
    last_epoch: int
    end: int
    pre: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteAnswered:
    """`asked_in` is the epoch of the question; the others are as the voter has them now."""

    voter: int
    asked_in: int
    pre: bool
    granted: bool
    epoch: int
    leader: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochBegun:
    """BeginQuorumEpoch: `leader` was elected in `epoch`."""

    leader: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnded:
    """EndQuorumEpoch: `leader` leads no more. `successors`: whose logs are longest, first."""

    leader: int
    epoch: int
    successors: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchAsked:
    """A replica whose log ends at `offset` with a record of `last_epoch` fetches, believing in `epoch`."""

    replica: int
    epoch: int
    offset: int
    last_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchAnswered:
    """What the node that was asked at `offset`, behind a record of `asked_last_epoch`, in epoch `asked_in`, says.

    Args:
        leader: who leads in `epoch`, as that node knows.
        ok: it leads in the epoch it was asked in; `diverging`, `high_watermark` and `batches` are its word then.
        diverging: the newest epoch both logs may agree in, and where it ends.
        batches: epoch and next offset of each that came.
    """

    asked_in: int
    asked_last_epoch: int
    offset: int
    epoch: int
    leader: int
    ok: bool
    diverging: tuple[int, int] | None = None
    high_watermark: int = 0
    batches: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """The leader's own log ends at `end` now, durably."""

    end: int


Event = TimePassed | VoteAsked | VoteAnswered | EpochBegun | EpochEnded | FetchAsked | FetchAnswered | Appended


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistVote:
    """To be durable before anything that follows."""

    state: QuorumState


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """This disk is a voter's from now on: to be remembered durably before anything that follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendEpoch:
    """The leader's first record in its epoch, to be durable before anything that follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendFetched:
    """What came with the answer is appended, and durable before anything that follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate:
    """Records from `offset` on are another history's."""

    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskVote:
    voter: int
    ask: VoteAsked


@dataclass(frozen=True, slots=True, kw_only=True)
class TellEpoch:
    """To a voter that may not know who leads."""

    voter: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TellEnd:
    voter: int
    ended: EpochEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyVote:
    granted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFetch:
    """`fenced`, `unknown`: the epoch asked in is over, or not heard of here. All false and no divergence: the records
    from the offset on."""

    leads: bool
    fenced: bool = False
    unknown: bool = False
    diverging: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HighWatermarkMoved:
    """Records below `offset` are committed."""

    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChanged:
    """Who leads, in which epoch, or what this node is, is news."""


Effect = (
    PersistVote
    | Join
    | AppendEpoch
    | AppendFetched
    | Truncate
    | AskVote
    | TellEpoch
    | TellEnd
    | ReplyVote
    | ReplyFetch
    | HighWatermarkMoved
    | RoleChanged
)
