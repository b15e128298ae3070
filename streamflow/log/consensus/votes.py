"""What a voter must never forget: the newest leader epoch it has seen and whom it voted for in it. PURE.

Two copies lie on disk and are written in turn, each with a sequence number and a checksum, so that a torn write
leaves the one before it (Raft §5.1 "persistent state", Kafka's `quorum-state` file).

Rule for whoever edits this: a state is durable before anything that follows from it is said or written.
A node alone is a quorum of one: it elects itself at each start, one epoch higher than any it can have used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

from crc32c import crc32c

COPIES = 2
MAGIC = b"SFQS\x00\x01"
_BODY = Struct(">6sQiii")
_CRC = Struct(">I")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumState:
    """`sequence` counts the writes of this file; -1 in the others means none yet."""

    sequence: int = 0
    leader_epoch: int = 0
    leader_id: int = -1
    voted_for: int = -1

    @property
    def copy(self) -> int:
        """Which of the copies holds this state."""
        return self.sequence % COPIES

    def elect_self(self, node_id: int, *, above_epoch: int) -> QuorumState:
        """The state of a quorum of one that has just started.

        Args:
            above_epoch: the highest epoch found in the metadata log; 0 when it is empty.
        """
        epoch = max(self.leader_epoch, above_epoch) + 1
        return QuorumState(sequence=self.sequence + 1, leader_epoch=epoch, leader_id=node_id, voted_for=node_id)


def encode(state: QuorumState) -> bytes:
    body = _BODY.pack(MAGIC, state.sequence, state.leader_epoch, state.leader_id, state.voted_for)
    return body + _CRC.pack(crc32c(body))


def decode(data: bytes) -> QuorumState | None:
    """The state, or None when the bytes aren't one: torn, damaged, or never written."""
    if len(data) != _BODY.size + _CRC.size:
        return None
    body = data[: _BODY.size]
    magic, sequence, epoch, leader, voted = _BODY.unpack(body)
    if magic != MAGIC or _CRC.unpack_from(data, _BODY.size) != (crc32c(body),):
        return None
    return QuorumState(sequence=sequence, leader_epoch=epoch, leader_id=leader, voted_for=voted)


def newest(copies: Sequence[bytes]) -> QuorumState | None:
    """The newest state that verifies, or None when no copy does."""
    return max((s for s in map(decode, copies) if s is not None), key=lambda s: s.sequence, default=None)
