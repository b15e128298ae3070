"""Three replicas' pure machines and a controller of a few lines, over a network that loses, delays and repeats.

The controller is as simple as it may be, and right: what is tested is `log.replication`. A broker's crash loses what it
hadn't flushed, unless every fetch was flushed first (`durable`). Without that, a broker that would leave nobody in sync
but who has crashed stays: more than one disk lost at a time is more than is promised.

Raises AssertionError where a committed record is lost or changed, a leader hasn't all that is committed, a high
watermark goes back, or things don't come to rest after the faults have ended.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from streamflow.log.epochs import EpochStarts
from streamflow.log.replication import events as e
from streamflow.log.replication import follower, isr, leader

ROOT = Path(__file__).parents[2]
PACKAGE = "streamflow.log.replication"
TICK_MS = 20
BATCH = 3
NODES = (1, 2, 3)
IN_SYNC_MIN = 2


@dataclass(frozen=True)
class Machines:
    leader: Any
    follower: Any


SOUND = Machines(leader.Leader, follower.Follower)


def planted(file: str, find: str, replace: str) -> Machines:
    """The machines with one change in their text."""
    loaded: dict[str, ModuleType] = {}
    before = {f"{PACKAGE}.{m.__name__.rpartition('.')[2]}": m for m in (isr, leader, follower)}
    try:
        for name in before:
            path = ROOT / (name.replace(".", "/") + ".py")
            text = path.read_text()
            if path == ROOT / file:
                assert text.count(find) == 1, f"{file} has {text.count(find)} times: {find}"
                text = text.replace(find, replace)
            module = ModuleType(name)
            sys.modules[name] = loaded[name] = module
            exec(compile(text, str(path), "exec"), module.__dict__)
    finally:
        sys.modules.update(before)
    return Machines(loaded[f"{PACKAGE}.leader"].Leader, loaded[f"{PACKAGE}.follower"].Follower)


@dataclass(frozen=True)
class Metadata:
    version: int
    leader: int
    leader_epoch: int
    isr: tuple[int, ...]
    partition_epoch: int
    lives: dict[int, int]
    """Broker epochs."""
    serving: tuple[int, ...]
    """Who isn't fenced."""


class Controller:
    def __init__(self) -> None:
        self.now = Metadata(0, 1, 0, NODES, 0, dict.fromkeys(NODES, 0), NODES)

    def _set(self, **changes: Any) -> None:
        known = {**{f: getattr(self.now, f) for f in self.now.__dataclass_fields__}, **changes}
        state = Metadata(**{**known, "version": self.now.version + 1})
        isr_ = tuple(n for n in state.isr if n in state.serving) or state.isr[:1]
        if isr_ != state.isr:
            state = Metadata(**{**state.__dict__, "isr": isr_, "partition_epoch": state.partition_epoch + 1})
        may_lead = [n for n in state.isr if n in state.serving]
        if state.leader not in may_lead and (state.leader != -1 or may_lead):
            state = Metadata(
                **{
                    **state.__dict__,
                    "leader": may_lead[0] if may_lead else -1,
                    "leader_epoch": state.leader_epoch + 1,
                    "partition_epoch": state.partition_epoch + 1,
                }
            )
        self.now = state

    def register(self, node: int) -> int:
        life = max(self.now.lives.values()) + 1
        self.fence(node)
        self._set(lives={**self.now.lives, node: life})
        return life

    def fence(self, node: int) -> None:
        self._set(serving=tuple(n for n in self.now.serving if n != node))

    def unfence(self, node: int) -> None:
        self._set(serving=tuple(sorted({*self.now.serving, node})))

    def alter(self, by: int, proposal: e.ProposeIsr) -> tuple[tuple[int, ...], int] | None:
        """The ISR and partition epoch committed; None for a refusal. What is so already begins a new epoch too."""
        now = self.now
        if (by, proposal.leader_epoch, proposal.partition_epoch) != (now.leader, now.leader_epoch, now.partition_epoch):
            return None
        if any(n not in now.serving or life not in (-1, now.lives[n]) for n, life in proposal.members):
            return None
        self._set(isr=tuple(n for n, _ in proposal.members), partition_epoch=now.partition_epoch + 1)
        return self.now.isr, self.now.partition_epoch


class Node:
    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.life = 0
        self.up = True
        self.records: list[tuple[int, str]] = []
        self.known = Metadata(-1, -1, -1, NODES, -1, {}, ())
        self.role: Any = None
        self.asked: tuple[e.Ask, int] | None = None
        self.begin()

    @property
    def leads(self) -> bool:
        return self.up and hasattr(self.role, "isr")

    @property
    def epochs(self) -> EpochStarts:
        epochs = EpochStarts()
        for offset, (epoch, _) in enumerate(self.records):
            epochs.assign(epoch, offset)
        return epochs

    def begin(self) -> None:
        self.role = self.world.machines.follower(
            leader_epoch=-1, end=len(self.records), flush_before_fetch=self.world.durable
        )
        self.asked = None

    # Metadata

    def learn(self, metadata: Metadata) -> None:
        if not self.up or metadata.version <= self.known.version or metadata.lives[self.number] != self.life:
            return
        self.known = metadata
        if metadata.leader == self.number:
            wanted = e.Assignment(
                me=self.number,
                replicas=NODES,
                isr=metadata.isr,
                partition_epoch=metadata.partition_epoch,
                in_sync_min=IN_SYNC_MIN,
                lag_ms_max=200,
            )
            if self.leads and self.role.leader_epoch == metadata.leader_epoch:
                self.lead(e.Reassigned(assignment=wanted))
                return
            self.role = self.role.successor(metadata.leader_epoch, wanted)
            self.role.begin(self.world.now)
            held = self.records[: len(self.world.committed)]
            current = metadata.leader_epoch == self.world.controller.now.leader_epoch
            assert not current or held == self.world.committed, f"{self.number} leads without what is committed"
        elif self.leads or (self.role.leader, self.role.leader_epoch) != (metadata.leader, metadata.leader_epoch):
            self.role = self.world.machines.follower(
                leader=metadata.leader,
                leader_epoch=metadata.leader_epoch,
                end=self.role.end,
                flushed=self.role.flushed,
                high_watermark=self.role.high_watermark,
                flush_before_fetch=self.world.durable,
            )
            self.asked = None

    # Leading

    def lead(self, event: e.LeaderEvent) -> None:
        before = self.role.high_watermark
        for effect in self.role.step(event, self.world.now):
            if isinstance(effect, e.ProposeIsr):
                self.propose(effect)
        self.role.check()
        assert self.role.high_watermark >= before, "a high watermark went back"
        self.world.commit(self, self.role.high_watermark)

    def propose(self, proposal: e.ProposeIsr) -> None:
        world, life = self.world, self.life
        members = tuple((n, life if n == self.number else known) for n, known in proposal.members)
        sent = e.ProposeIsr(
            members=members, leader_epoch=proposal.leader_epoch, partition_epoch=proposal.partition_epoch
        )
        answers: list[tuple[tuple[int, ...], int] | None] = []

        def arrive() -> None:
            answer = world.controller.alter(self.number, sent)
            world.send(lambda: answers.append(answer))

        def look() -> None:
            if not self.up or self.life != life or not self.leads or self.role.leader_epoch != sent.leader_epoch:
                return
            if answers and answers[0] is not None:
                committed, epoch = answers[0]
                self.lead(e.IsrCommitted(isr=committed, partition_epoch=epoch))
            else:
                self.lead(e.IsrNotCommitted(partition_epoch=sent.partition_epoch))

        world.send(arrive)
        world.later(60, look)

    def serve(self, fetch: e.Fetched, answer: Callable[..., None]) -> None:
        if not self.leads:
            self.world.send(lambda: answer(trouble=e.Trouble.OTHER))
            return
        if fetch.broker_epoch < self.known.lives[fetch.replica]:
            problem: Any = e.Refusal.STALE_BROKER
        else:
            problem = self.role.examine(fetch, self.epochs, 0)
        if problem is None:
            assert fetch.leader_epoch == self.role.leader_epoch, "a leader believes who follows another"
            self.lead(fetch)
            records = self.records[fetch.offset : fetch.offset + BATCH]
            high_watermark = self.role.high_watermark
            self.world.send(lambda: answer(records, high_watermark=high_watermark, log_start_offset=0))
        elif isinstance(problem, e.Diverged):
            found = problem.epoch, problem.end
            self.world.send(lambda: answer(diverging=found))
        else:
            out = problem is e.Refusal.OUT_OF_RANGE
            trouble = e.Trouble.OUT_OF_RANGE if out else e.Trouble.OTHER
            self.world.send(lambda: answer(trouble=trouble, log_start_offset=0))

    # Following

    def ask(self) -> None:
        world = self.world
        wanted = self.role.ask(self.epochs)
        if wanted is None or (self.asked is not None and world.now < self.asked[1]):
            return
        self.asked = wanted, world.now + 150
        known, life = self.known, self.life
        fetch = e.Fetched(
            replica=self.number,
            broker_epoch=life,
            leader_epoch=wanted.leader_epoch,
            offset=wanted.offset,
            last_epoch=wanted.last_epoch,
        )

        def arrive() -> None:
            to = world.nodes[known.leader]
            seen = to.known
            eligible = self.number in seen.serving and seen.lives.get(self.number) == life
            at = {f: getattr(fetch, f) for f in fetch.__dataclass_fields__}
            to.serve(e.Fetched(**{**at, "eligible": eligible}), answered)

        def answered(records: list[tuple[int, str]] = [], **said: Any) -> None:  # noqa: B006
            if self.up and self.life == life and not self.leads:
                self.take(e.Answered(ask=wanted, **said), records)

        world.send(arrive)

    def take(self, answer: e.Answered, records: list[tuple[int, str]]) -> None:
        before = self.role.high_watermark
        effects = self.role.step(answer, self.epochs)
        if effects and self.asked is not None and self.asked[0] == answer.ask:
            self.asked = None
        for effect in effects:
            match effect:
                case e.Append():
                    self.records += records
                    self.role.step(e.Appended(end=len(self.records)), self.epochs)
                case e.Truncate(offset=offset):
                    del self.records[offset:]
                    self.role.step(e.Truncated(end=len(self.records)), self.epochs)
                case e.StartAnew(offset=offset):
                    assert offset == 0
                    self.records.clear()
                    self.role.step(e.StartedAnew(offset=0), self.epochs)
        self.role.check()
        assert self.role.high_watermark >= before, "a follower's high watermark went back"
        committed = self.world.committed[: self.role.high_watermark]
        assert self.records[: self.role.high_watermark] == committed, "a follower shows what isn't committed"

    # What goes on

    def tick(self) -> None:
        world = self.world
        if self.up:
            if self.leads:
                self.lead(e.TimePassed())
                if world.faulty and world.chance.random() < 0.4:
                    world.value += 1
                    self.records.append((self.role.leader_epoch, f"v{world.value}"))
                    self.lead(e.Appended(end=len(self.records)))
            if world.chance.random() < (0.3 if world.faulty else 1):
                flushed = e.Flushed(end=len(self.records))
                self.lead(flushed) if self.leads else self.role.step(flushed, self.epochs)
            if not self.leads:
                self.ask()
        world.later(TICK_MS, self.tick)

    def crash(self) -> None:
        kept = self.role.flushed
        if not self.world.durable:
            kept = self.world.chance.randint(kept, len(self.records))
        self.up = False
        del self.records[kept:]
        life = self.life
        self.world.later(self.world.chance.randint(10, 400), self.restart)
        self.world.later(
            100, lambda: None if self.up or self.life != life else self.world.controller.fence(self.number)
        )

    def restart(self) -> None:
        self.life = self.world.controller.register(self.number)
        self.up = True
        self.known = Metadata(self.known.version, -1, -1, NODES, -1, self.known.lives, ())
        self.begin()
        self.world.later(self.world.chance.randint(10, 100), lambda: self.world.rejoin(self))


class World:
    """One seed's. `run` returns the records committed."""

    def __init__(self, seed: int, machines: Machines = SOUND, *, durable: bool) -> None:
        self.chance = Random(seed)
        self.machines = machines
        self.durable = durable
        self.faulty = True
        self.now = 0
        self.value = 0
        self.committed: list[tuple[int, str]] = []
        self.controller = Controller()
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._loss = self.chance.choice((0.0, 0.1, 0.3))
        self._repeats = self.chance.choice((0.05, 0.5))
        self._delay_ms = self.chance.choice((5, 50, 400))
        self._pause_ms = self.chance.choice((200, 800))
        self.nodes = {n: Node(self, n) for n in NODES}

    def later(self, ms: int, does: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + ms, self._count, does))

    def send(self, does: Callable[[], None]) -> None:
        """Perhaps, later, and perhaps twice."""
        if not self.faulty:
            self.later(2, does)
            return
        for _ in range(2 if self.chance.random() < self._repeats else 1):
            if self.chance.random() >= self._loss:
                self.later(self.chance.randint(1, self._delay_ms), does)

    def commit(self, by: Node, high_watermark: int) -> None:
        mine = by.records[:high_watermark]
        both = min(len(mine), len(self.committed))
        assert mine[:both] == self.committed[:both], f"{by.number} commits other records than were committed"
        self.committed += mine[both:]
        if self.durable and mine[both:]:
            held = [node.records[: len(self.committed)] for node in self.nodes.values()]
            assert held.count(self.committed) >= IN_SYNC_MIN, "too few have what is committed"
        for node in self.nodes.values():
            if node.up and node.number in self.controller.now.isr:
                held = node.records[: len(self.committed)]
                assert held == self.committed, f"{node.number} is in sync without what is committed"

    def rejoin(self, node: Node) -> None:
        if node.up:
            self.controller.unfence(node.number)

    def run(self, ms: int = 6_000) -> int:
        for node in self.nodes.values():
            self.later(self.chance.randint(1, TICK_MS), node.tick)
        self._tell()
        self.later(100, self._fault)
        self._until(ms)
        self.faulty = False
        for node in self.nodes.values():
            if node.up:
                self.controller.unfence(node.number)
        self._until(ms + 4_000)
        logs = [node.records for node in self.nodes.values()]
        assert self.controller.now.isr == NODES, f"{self.controller.now} doesn't come to rest"
        assert logs[0] == logs[1] == logs[2] == self.committed, "not everything is committed at last"
        assert all(node.role.high_watermark == len(self.committed) for node in self.nodes.values())
        return len(self.committed)

    def _until(self, ms: int) -> None:
        while self._queue and self._queue[0][0] <= ms:
            self.now, _, does = heapq.heappop(self._queue)
            does()

    def _tell(self) -> None:
        metadata = self.controller.now
        for node in self.nodes.values():
            self.send(lambda node=node: node.learn(metadata))  # type: ignore[misc]
        self.later(30, self._tell)

    def _fault(self) -> None:
        if not self.faulty:
            return
        node = self.nodes[self.chance.choice(NODES)]
        others = [n for n in self.controller.now.isr if n != node.number and self.nodes[n].up]
        if self.durable and self.chance.random() < 0.1:
            for each in self.nodes.values():
                if each.up:
                    each.crash()  # The power is gone.
        elif node.up and (self.durable or others):
            if self.chance.random() < 0.5:
                node.crash()
            else:
                self.controller.fence(node.number)
                self.later(self.chance.randint(50, 500), lambda: self.rejoin(node))
        self.later(self.chance.randint(50, self._pause_ms), self._fault)
