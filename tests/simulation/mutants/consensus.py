"""Mistakes in how the metadata quorum agrees. `tests/simulation/test_quorum.py` plants each."""

from __future__ import annotations

from tests.simulation.mutants.mutant import Mutant

RAFT = "streamflow/log/consensus/raft.py"
QUORUM = "streamflow/log/consensus/quorum.py"

MUTANTS = [
    Mutant(
        name="vote twice in an epoch",
        file=RAFT,
        find=" and self._state.voted_for in (NOBODY, event.candidate)\n",
        replace="\n",
        why="two are elected in one epoch (Raft §5.2)",
    ),
    Mutant(
        name="tell a vote that isn't durable",
        file=RAFT,
        find="        return [*before, *persisted, e.ReplyVote(granted=True)]\n",
        replace="        return [*before, e.ReplyVote(granted=True)]\n",
        why="a crash forgets it, and another gets it in the same epoch (Raft §5.1)",
    ),
    Mutant(
        name="forget the epoch across a restart",
        file=RAFT,
        find="        return [*persisted, e.RoleChanged()]\n\n    def _become_prospective",
        replace="        return [e.RoleChanged()]\n\n    def _become_prospective",
        why="an epoch that is over begins again",
    ),
    Mutant(
        name="vote for whose log is shorter",
        file=RAFT,
        find="        goes_as_far = (event.last_epoch, event.end) >= (self.log.last_epoch, self.log.end)\n",
        replace="        goes_as_far = True\n",
        why="who leads hasn't all that is committed (Raft §5.4.1)",
    ),
    Mutant(
        name="commit an older epoch's record by counting",
        file=RAFT,
        find="        if offset <= max(role.epoch_start, self.high_watermark):\n",
        replace="        if offset <= self.high_watermark:\n",
        why="who has a newer epoch's record may still be elected, and overwrite it (Raft §5.4.2, Figure 8)",
    ),
    Mutant(
        name="decide with half of the voters",
        file=QUORUM,
        find="    return count // 2 + 1\n",
        replace="    return max(1, count // 2)\n",
        why="two halves decide differently",
    ),
    Mutant(
        name="never truncate",
        file=RAFT,
        find="            return self._truncate(*event.diverging)\n",
        replace="            return []\n",
        why="who once led alone never agrees with the others again",
    ),
    Mutant(
        name="truncate to the high watermark of the quorum",
        file=RAFT,
        find="        offset = min(end, own_end) if own_epoch >= 0 else min(end, self.log.end)\n",
        replace="        offset = self.high_watermark\n",
        why="the high watermark is learned late: what a majority had is on fewer (KIP-101)",
    ),
    Mutant(
        name="truncate whatever the leader's epochs say",
        file=RAFT,
        find="        diverging = self.log.divergence(event.offset, event.last_epoch)\n",
        replace="        diverging = None\n",
        why="records of an old leader stay below those of the new one (Raft §5.3)",
    ),
    Mutant(
        name="be deposed by who only asks",
        file=RAFT,
        find="        if not event.pre and event.epoch > self.epoch:\n",
        replace="        if event.pre or event.epoch > self.epoch:\n",
        why="a voter that was cut off brings down the leader when it is back (KIP-996)",
    ),
    Mutant(
        name="lead without a majority",
        file=RAFT,
        find="            if now_ms >= self._quorum_ends_ms(role):\n",
        replace="            if False:\n",
        why="a leader that was cut off goes on for ever, and clients with it (KIP-595, check quorum)",
    ),
    Mutant(
        name="count votes of another epoch",
        file=RAFT,
        find="        if event.asked_in != self.epoch or not isinstance(",
        replace="        if not isinstance(",
        why="a late answer elects a second leader",
    ),
    Mutant(
        name="believe a high watermark beyond the own log",
        file=RAFT,
        find="min(event.high_watermark, self.log.end)",
        replace="event.high_watermark",
        why="what isn't there yet is taken for committed",
    ),
    Mutant(
        name="append what wasn't asked for now",
        file=RAFT,
        find="(event.asked_in, event.epoch, event.offset, event.asked_last_epoch) != here",
        replace="(event.asked_in, event.epoch, self.log.end, self.log.last_epoch) != here",
        why="an answer that comes twice is appended twice",
    ),
    Mutant(
        name="vote with a disk that is new",
        file=RAFT,
        find="        may = may and self.joined and self.leader == NOBODY",
        replace="        may = may and self.leader == NOBODY",
        why="who forgot what it had elects one that hasn't all that is committed",
    ),
    Mutant(
        name="join before it has all that is committed",
        file=RAFT,
        find="        if self.votes and not self.joined and 0 < event.high_watermark <= self.log.end:\n",
        replace="        if self.votes and not self.joined:\n",
        why="a disk that is new votes for one that hasn't what the lost one had",
    ),
    Mutant(
        name="tell a high watermark that isn't known yet",
        file=RAFT,
        find="        return self.high_watermark if self.settled else 0\n",
        replace="        return self.high_watermark\n",
        why="a disk that is new joins without what was committed, and votes for one that hasn't it either",
    ),
    Mutant(
        name="join without having asked every voter's epoch",
        file=RAFT,
        find="        if self._heard_from | {self.me, role.leader} >= set(self.voters):\n",
        replace="        if True:\n",
        why="the disk that was lost has voted in an epoch that begins later",
    ),
]
