"""A quorum's pure machines, and an observer, over a network that loses, delays, repeats, reorders and is cut.

What is tested is `log.consensus`. A crash loses a machine's memory, between any two of its orders; what was ordered of
the disk before is kept. One node a seed may lose its disk, once the cluster has begun. Answers come late and twice,
which real connections wouldn't do.

Raises AssertionError where two lead in an epoch, a voter votes twice, committed records differ or are lost, a high
watermark goes back, a question asked for the sake of asking changes anything, a leader goes on without a majority, or
things don't come to rest after the faults have ended.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from streamflow.log.consensus import events as e
from streamflow.log.consensus import quorum, raft, roles, votes
from streamflow.log.consensus.votes import QuorumState
from streamflow.log.epochs import EpochStarts

ROOT = Path(__file__).parents[2]
PACKAGE = "streamflow.log.consensus"
TICK_MS = 20
ELECTION_MS, FETCH_MS, TELL_MS = 100, 200, 50
SOUND = raft


def planted(file: str, find: str, replace: str) -> Any:
    """The machine's module with one change in the text of it or of what it is made of."""
    before = {f"{PACKAGE}.{m.__name__.rpartition('.')[2]}": m for m in (votes, quorum, roles, raft)}
    package = sys.modules[PACKAGE]
    loaded: dict[str, ModuleType] = {}
    try:
        for name in before:
            path = ROOT / (name.replace(".", "/") + ".py")
            text = path.read_text()
            if path == ROOT / file:
                assert text.count(find) == 1, f"{file} has {text.count(find)} times: {find}"
                text = text.replace(find, replace)
            module = ModuleType(name)
            sys.modules[name] = loaded[name] = module
            setattr(package, name.rpartition(".")[2], module)
            exec(compile(text, str(path), "exec"), module.__dict__)
    finally:
        sys.modules.update(before)
        for name, module in before.items():
            setattr(package, name.rpartition(".")[2], module)
    return loaded[f"{PACKAGE}.raft"]


class Crashed(Exception):
    """Between two orders."""


@dataclass
class Disk:
    state: QuorumState = QuorumState(sequence=-1)
    joined: bool = False
    records: list[tuple[int, str]] = field(default_factory=list)

    @property
    def epochs(self) -> EpochStarts:
        epochs = EpochStarts()
        for offset, (epoch, _) in enumerate(self.records):
            epochs.assign(epoch, offset)
        return epochs


class Node:
    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.disk = Disk()
        self.life = 0
        self.up = True
        self.begin()

    def begin(self) -> None:
        machine = self.world.machine
        self.raft = machine.Raft(
            self.number,
            frozenset(self.world.voters),
            self.disk.state,
            machine.Outline(len(self.disk.records), self.disk.epochs),
            machine.RaftConfig(election_timeout_ms=ELECTION_MS, fetch_timeout_ms=FETCH_MS, tell_interval_ms=TELL_MS),
            Random(self.world.chance.random()),
            joined=self.disk.joined,
            now_ms=self.world.now,
        )
        self.asked_until = 0
        self.asked: e.FetchAsked | None = None
        self.heard: dict[int, int] = {}

    # The machine

    def step(self, event: e.Event, records: Sequence[tuple[int, str]] = ()) -> Any:
        """Returns: its reply, if it made one and lived to tell."""
        was = self.raft.high_watermark, self.raft.epoch, self.raft.leads
        state, role = self.disk.state, self.raft.role
        effects = self.raft.step(event, self.world.now)
        if isinstance(event, e.VoteAsked) and event.pre:
            assert (self.raft.epoch, self.raft.role) == (was[1], role), "a question that is only asked changes things"
        try:
            reply = self.do(effects, event, records)
        except Crashed:
            return None
        assert not (isinstance(event, e.VoteAsked) and event.pre) or self.disk.state == state
        self.raft.check()
        self.check(was)
        return reply

    def do(self, effects: Sequence[e.Effect], event: e.Event | None, records: Sequence[tuple[int, str]]) -> Any:
        """Raises: Crashed."""
        reply = None
        for effect in effects:
            if self.world.faulty and self.world.chance.random() < self.world.crash_rate:
                self.crash()
                raise Crashed
            match effect:
                case e.PersistVote(state=state):
                    assert (
                        state.sequence > self.disk.state.sequence and state.leader_epoch >= self.disk.state.leader_epoch
                    )
                    self.disk.state = state
                case e.Join():
                    self.disk.joined = True
                    self.world.note_join(self)
                case e.AppendEpoch():
                    self.disk.records.append((self.raft.epoch, f"{self.number} leads"))
                case e.AppendFetched():
                    self.disk.records += records
                case e.Truncate(offset=offset):
                    del self.disk.records[offset:]
                case e.AskVote(voter=voter, ask=ask):
                    self.ask_vote(voter, ask)
                case e.TellEpoch(voter=voter, epoch=epoch):
                    self.world.tell(self, voter, e.EpochBegun(leader=self.number, epoch=epoch))
                case e.TellEnd(voter=voter, ended=ended):
                    self.world.tell(self, voter, ended)
                case e.ReplyVote():
                    if effect.granted and isinstance(event, e.VoteAsked) and not event.pre:
                        kept = self.disk.state
                        assert (kept.leader_epoch, kept.voted_for) == (event.epoch, event.candidate), "not durable"
                        self.world.note_vote(self.number, event)
                    reply = effect
                case e.ReplyFetch():
                    reply = effect
        return reply

    def check(self, was: tuple[int, int, bool]) -> None:
        raft_, disk = self.raft, self.disk
        assert (raft_.log.end, raft_.log.epochs.entries) == (len(disk.records), disk.epochs.entries), (
            "not what is there"
        )
        assert raft_.high_watermark >= was[0], "a high watermark went back"
        assert disk.state.leader_epoch == raft_.epoch or not raft_.epoch or disk.state.sequence < 0, "epoch not durable"
        if raft_.leads:
            self.world.note_leader(self)
            if not (was[2] and was[1] == raft_.epoch):
                self.heard = dict.fromkeys(self.world.voters, self.world.now)
            self.world.commit(self)
        committed = self.world.committed[: raft_.high_watermark]
        assert disk.records[: raft_.high_watermark] == committed, f"{self.number} shows what isn't committed"

    # Asking

    def ask_vote(self, voter: int, ask: e.VoteAsked) -> None:
        world, life = self.world, self.life

        def arrive() -> None:
            to = world.nodes[voter]
            reply = to.step(ask) if to.up else None
            if reply is not None:
                answer = e.VoteAnswered(
                    voter=voter,
                    asked_in=ask.epoch,
                    pre=ask.pre,
                    granted=reply.granted,
                    epoch=to.raft.epoch,
                    leader=to.raft.leader,
                )
                world.send(voter, self.number, lambda: self.step(answer) if self.up and self.life == life else None)

        world.send(self.number, voter, arrive)

    def fetch(self) -> None:
        world, ask = self.world, self.raft.fetch()
        to = self.raft.leader
        if ask is None:
            if self.raft.leads or (self.raft.votes and self.raft.joined):
                return
            to = world.chance.choice([n for n in world.voters if n != self.number])
            log = self.raft.log
            ask = e.FetchAsked(replica=self.number, epoch=self.raft.epoch, offset=log.end, last_epoch=log.last_epoch)
        if ask == self.asked and world.now < self.asked_until:
            return
        self.asked, self.asked_until = ask, world.now + 100
        life, asked = self.life, ask

        def arrive() -> None:
            if world.nodes[to].up:
                world.nodes[to].serve(asked, answered)

        def answered(answer: e.FetchAnswered, records: Sequence[tuple[int, str]]) -> None:
            if self.up and self.life == life:
                if self.asked == asked:
                    self.asked = None
                self.step(answer, records)

        world.send(self.number, to, arrive)

    def serve(self, ask: e.FetchAsked, answer: Callable[..., None]) -> None:
        reply = self.step(ask)
        if reply is None:
            return
        ok = reply.leads and not reply.fenced and not reply.unknown
        if ok and ask.replica in self.heard:
            self.heard[ask.replica] = self.world.now
        records = (
            self.disk.records[ask.offset : ask.offset + self.world.batch] if ok and reply.diverging is None else []
        )
        said = e.FetchAnswered(
            asked_in=ask.epoch,
            asked_last_epoch=ask.last_epoch,
            offset=ask.offset,
            epoch=self.raft.epoch,
            leader=self.raft.leader,
            ok=ok,
            diverging=reply.diverging,
            high_watermark=self.raft.told_high_watermark,
            batches=tuple((epoch, ask.offset + n + 1) for n, (epoch, _) in enumerate(records)),
        )
        self.world.send(self.number, ask.replica, lambda: answer(said, records))

    # What goes on

    def tick(self) -> None:
        world = self.world
        world.later(TICK_MS, self.tick)
        if not self.up:
            return
        self.step(e.TimePassed())
        if self.up and self.raft.leads:
            others = sorted((at for n, at in self.heard.items() if n != self.number), reverse=True)
            silent = world.now - others[len(world.voters) // 2 - 1]
            assert silent <= 2 * FETCH_MS, "a leader goes on without a majority"
        if self.up and self.raft.leads and world.faulty and world.chance.random() < 0.2:
            self.append()
        if self.up:
            self.fetch()

    def append(self) -> None:
        self.world.value += 1
        self.disk.records.append((self.raft.epoch, f"v{self.world.value}"))
        self.step(e.Appended(end=len(self.disk.records)))

    def crash(self) -> None:
        self.up = False
        self.life += 1
        life = self.life
        self.world.later(self.world.restart_ms(), lambda: self.restart(life))

    def lose_disk(self) -> None:
        """A crash, and nothing is left."""
        if self.up:
            self.crash()
        self.disk, self.world.lost = Disk(), len(self.world.committed)

    def stop(self) -> None:
        """As an operator would: it resigns first."""
        try:
            self.do(self.raft.resign(self.world.now), None, ())
        except Crashed:
            return
        self.crash()

    def restart(self, life: int) -> None:
        if self.life == life and not self.up:
            self.up = True
            self.begin()


class World:
    """One seed's. `run` returns how much was committed."""

    def __init__(self, seed: int, machine: Any = SOUND, *, size: int = 3) -> None:
        self.chance = Random(seed)
        self.machine = machine
        self.voters = tuple(range(1, size + 1))
        self.faulty = True
        self.now = 0
        self.value = 0
        self.committed: list[tuple[int, str]] = []
        self.committed_in: list[int] = []
        """Epochs, of each."""
        self.leaders: dict[int, int] = {}
        self.votes: dict[tuple[int, int], int] = {}
        self.lost = 0
        """How much was committed when a disk was lost."""
        self.cut: set[tuple[int, int]] = set()
        self._queue: list[tuple[int, int, Callable[[], object]]] = []
        self._count = 0
        self._loss = self.chance.choice((0.0, 0.1, 0.3))
        self._repeats = self.chance.choice((0.0, 0.05, 0.3))
        self._delay_ms = self.chance.choice((5, 20, 80, 300))
        self._late = self.chance.choice((0.0, 0.02, 0.2))
        self._late_ms = self.chance.choice((400, 3_000))
        self._pause_ms = self.chance.choice((50, 100, 400, 1_000))
        self._restart_ms = self.chance.choice((20, 100, 600))
        self.crash_rate = self.chance.choice((0.0, 0.001, 0.01, 0.05))
        self.batch = self.chance.choice((1, 3))
        self._victim = self.chance.choice((0, *self.voters))
        """Whose disk may be lost; 0: nobody's."""
        self.nodes = {n: Node(self, n) for n in (*self.voters, size + 1)}

    def later(self, ms: int, does: Callable[[], object]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + ms, self._count, does))

    def send(self, sender: int, to: int, does: Callable[[], object]) -> None:
        """Perhaps, later, and perhaps twice."""
        if not self.faulty:
            self.later(2, does)
            return
        for _ in range(2 if self.chance.random() < self._repeats else 1):
            if self.chance.random() >= self._loss and (sender, to) not in self.cut:
                late = self.chance.random() < self._late
                self.later(self.chance.randint(1, self._late_ms if late else self._delay_ms), does)

    def tell(self, sender: Node, to: int, event: e.Event) -> None:
        self.send(sender.number, to, lambda: self.nodes[to].step(event) if self.nodes[to].up else None)

    # What must hold

    def note_vote(self, voter: int, ask: e.VoteAsked) -> None:
        given = self.votes.setdefault((voter, ask.epoch), ask.candidate)
        assert given == ask.candidate, f"{voter} votes twice in epoch {ask.epoch}"

    def note_join(self, node: Node) -> None:
        held = node.disk.records[: self.lost]
        assert held == self.committed[: self.lost], f"{node.number} joins without what was committed when it lost it"
        voted = max((epoch for voter, epoch in self.votes if voter == node.number), default=0)
        kept = node.disk.state
        assert kept.leader_epoch >= voted, f"{node.number} joins before an epoch it has voted in"
        assert not kept.leader_epoch or kept.voted_for != -1, f"{node.number} joins with a vote it may have given"

    def note_leader(self, node: Node) -> None:
        epoch = node.raft.epoch
        if epoch not in self.leaders:
            before = [r for r, c in zip(self.committed, self.committed_in, strict=True) if c < epoch]
            held = node.disk.records[: len(before)]
            assert held == before, f"{node.number} leads without what is committed"
        leader = self.leaders.setdefault(epoch, node.number)
        assert leader == node.number, f"{leader} and {node.number} lead in epoch {epoch}"
        assert node.disk.state.voted_for in (node.number, -1)

    def commit(self, by: Node) -> None:
        mine = by.disk.records[: by.raft.high_watermark]
        both = min(len(mine), len(self.committed))
        assert mine[:both] == self.committed[:both], f"{by.number} commits other records than were committed"
        if mine[both:]:
            self.committed += mine[both:]
            self.committed_in += [by.raft.epoch] * len(mine[both:])

    # Faults

    def restart_ms(self) -> int:
        return self.chance.randint(1, self._restart_ms)

    def fault(self) -> None:
        if not self.faulty:
            return
        self.later(self.chance.randint(self._pause_ms // 4, self._pause_ms), self.fault)
        leading = [n for n, node in self.nodes.items() if node.raft.leads] if self.chance.random() < 0.5 else []
        node = self.nodes[self.chance.choice(leading or [*self.nodes])]
        match self.chance.randrange(9):
            case 0:
                if node.up:
                    node.crash()
            case 1:
                if node.up:
                    node.stop()
            case 2:
                self.cut = {(n, node.number) for n in self.nodes}
            case 3:
                self.cut = {(node.number, n) for n in self.nodes}
            case 4:
                self.cut = {(a, b) for a in self.nodes for b in self.nodes if (a == node.number) != (b == node.number)}
            case 5:
                self.cut = {(a, b) for a in self.nodes for b in self.nodes if (a % 2) != (b % 2)}
            case 6:
                self.cut = {(a, b) for a in self.nodes for b in self.nodes if self.chance.random() < 0.4}
            case 7:
                # A cluster that hasn't begun needs every disk.
                others = [self.nodes[n].disk.joined for n in self.voters if n != self._victim]
                if self._victim and all(others):
                    self.nodes[self._victim].lose_disk()
            case _:
                self.cut = set()

    def run(self, ms: int = 6_000) -> int:
        for node in self.nodes.values():
            self.later(self.chance.randint(1, TICK_MS), node.tick)
        self.later(300, self.fault)
        self._until(ms)
        self.faulty, self.cut = False, set()
        self._until(ms + 8_000)
        leaders = [node for node in self.nodes.values() if node.raft.leads]
        assert len(leaders) == 1, f"nobody leads at last: {[node.raft for node in self.nodes.values()]}"
        leaders[0].append()
        self._until(ms + 9_000)
        assert self.committed[-1][1] == f"v{self.value}", "nothing is committed any more"
        for node in self.nodes.values():
            assert node.disk.records == self.committed, f"{node.raft} hasn't what is committed at last"
            assert node.raft.high_watermark == len(self.committed), f"{node.raft} doesn't know what is committed"
            assert node.disk.joined or not node.raft.votes, f"{node.raft} has no vote at last"
        return self.value

    def _until(self, ms: int) -> None:
        while self._queue and self._queue[0][0] <= ms:
            self.now, _, does = heapq.heappop(self._queue)
            does()
