"""Mistakes in how replicas agree. `tests/simulation/test_replication.py` plants each."""

from __future__ import annotations

from tests.simulation.mutants.mutant import Mutant

LEADER = "streamflow/log/replication/leader.py"
FOLLOWER = "streamflow/log/replication/follower.py"
ISR = "streamflow/log/replication/isr.py"

MUTANTS = [
    Mutant(
        name="truncate to the high watermark",
        file=FOLLOWER,
        find="        agreed = min(end, own_end)\n",
        replace="        agreed = self.high_watermark\n",
        why="the high watermark is learned late: committed records above it go (KIP-101)",
    ),
    Mutant(
        name="commit over a stale ISR",
        file=ISR,
        find="= tuple(sorted(committed))\n            self.partition_epoch",
        replace="= self.committed\n            self.partition_epoch",
        why="who has joined isn't waited for, and may be elected without what is committed",
    ),
    Mutant(
        name="commit without who is being added",
        file=LEADER,
        find="for replica in self.isr.maximal:",
        replace="for replica in self.isr.committed:",
        why="the controller may have added it already, and elect it (KIP-497)",
    ),
    Mutant(
        name="forget a proposal nobody answered",
        file=ISR,
        find="        if partition_epoch == self.partition_epoch:\n            self.in_flight = False\n",
        replace="        if partition_epoch == self.partition_epoch:\n            self.in_flight = False\n"
        "            self._doubted = ()\n",
        why="a copy of it may still be committed",
    ),
    Mutant(
        name="acknowledge before the in-sync replicas have it",
        file=LEADER,
        find="        for replica in self.isr.maximal:\n            if replica != self.assignment.me:",
        replace="        for replica in self.isr.maximal:\n            if False:",
        why="the leader alone has what it calls committed",
    ),
    Mutant(
        name="commit with too few in sync",
        file=LEADER,
        find="        if not self.enough_in_sync:\n            return\n",
        replace="",
        why="what only one replica has goes with it (KIP-966)",
    ),
    Mutant(
        name="take into sync before it has caught up",
        file=LEADER,
        find="        caught_up = fetch.offset >= max(self.high_watermark, self.epoch_start)\n",
        replace="        caught_up = True\n",
        why="it is elected without what is committed",
    ),
    Mutant(
        name="append where the logs differ",
        file=LEADER,
        find="            if found[0] < fetch.last_epoch or found[1] < fetch.offset:",
        replace="            if False:",
        why="records of an old leader stay below those of the new one",
    ),
    Mutant(
        name="count the leader before it has flushed",
        file=LEADER,
        find="        committed = self._safe if self.durable else self.end\n",
        replace="        committed = self.end\n",
        why="a crash takes what was committed from the leader, which is in sync",
    ),
    Mutant(
        name="fetch before flushing",
        file=FOLLOWER,
        find="if self.leader == NOBODY or (self.durable and self.flushed < self.end):",
        replace="if self.leader == NOBODY:",
        why="a crash takes what the follower has claimed to have",
    ),
    Mutant(
        name="ignore the leader epoch of a fetch",
        file=LEADER,
        find="        if fetch.leader_epoch != self.leader_epoch:\n",
        replace="        if False:\n",
        why="a leader that was replaced counts followers that follow another",
    ),
]
