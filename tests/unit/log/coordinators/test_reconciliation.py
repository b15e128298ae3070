"""KIP-848, "Rebalance process": whatever members do and the network loses, no partition has two owners, and once all is
quiet everybody has its target.

Clients here are as real ones: one heartbeat at a time; fields that didn't change are left out, but for after an error;
each new assignment is acknowledged once it is carried out. What a client is about to take counts as owned.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from streamflow.log.coordinators.consumer_events import (
    ConsumerGroupError,
    Heartbeat,
    HeartbeatAnswer,
    Persist,
    Persisted,
    PersistFailed,
    Reply,
)
from streamflow.log.coordinators.topic_view import Partitions, TopicIdPartition

sys.path.insert(0, str(Path(__file__).parent))

from consumer_driver import CONFIG, Driver, beat, join

E = ConsumerGroupError
NOTHING: Partitions = frozenset()
CLIENTS = 4
FENCED = (E.FENCED_MEMBER_EPOCH, E.UNKNOWN_MEMBER_ID, E.GROUP_ID_NOT_FOUND)


@dataclass
class Client:
    number: int
    topics: tuple[str, ...] = ("t",)
    pattern: str | None = None
    instance_id: str | None = None
    assignor: str | None = None
    alive: bool = False
    away: bool = False
    life: int = 0
    epoch: int = 0
    owned: Partitions = NOTHING
    wanted: Partitions = NOTHING
    acknowledged: bool = True
    in_full: bool = True

    @property
    def member_id(self) -> str:
        return f"{self.number}.{self.life}"

    def start(self) -> None:
        self.alive, self.away, self.life = True, False, self.life + 1
        self.rejoin()

    def rejoin(self) -> None:
        self.epoch, self.owned, self.wanted, self.acknowledged, self.in_full = 0, NOTHING, NOTHING, True, True

    def request(self) -> Heartbeat:
        said = {
            "topics": self.topics,
            "pattern": self.pattern or "",
            "instance_id": self.instance_id,
            "assignor": self.assignor,
        }
        if self.epoch == 0:
            return join(self.member_id, **said)
        if self.in_full:
            return beat(self.member_id, self.epoch, self.owned | self.wanted, rebalance_timeout_ms=300_000, **said)
        owned = None
        if not self.acknowledged and self.owned == self.wanted:
            owned, self.acknowledged = self.owned, True
        return beat(self.member_id, self.epoch, owned, instance_id=self.instance_id)

    def lost(self) -> None:
        self.in_full = True

    def heard(self, answer: HeartbeatAnswer) -> None:
        if answer.error in FENCED:
            self.rejoin()
        elif answer.error:
            self.lost()
        else:
            self.in_full, self.epoch = False, answer.member_epoch
            if answer.assignment is not None:
                self.wanted, self.acknowledged = answer.assignment, False

    def give_up(self) -> None:
        self.owned &= self.wanted

    def take(self) -> None:
        self.give_up()
        self.owned = self.wanted


@dataclass
class World:
    clients: list[Client] = field(default_factory=lambda: [Client(n) for n in range(CLIENTS)])
    topics: dict[str, int] = field(default_factory=lambda: {"t": 3, "u": 2})
    incarnations: dict[str, int] = field(default_factory=dict)
    group: Driver = field(default_factory=lambda: Driver({"t": 3, "u": 2}))

    def live(self) -> list[Client]:
        return [client for client in self.clients if client.alive]

    # What may happen

    def start(self, client: Client) -> None:
        if not client.alive:
            client.instance_id = client.instance_id if client.away else None
            client.start()

    def start_static(self, client: Client) -> None:
        if not client.alive:
            client.instance_id = f"i{client.number}"
            client.start()

    def heartbeat(self, client: Client) -> None:
        if client.alive:
            client.heard(self.group.ask(client.request()))

    def reconcile(self, client: Client) -> None:
        client.take()

    def give_up(self, client: Client) -> None:
        client.give_up()

    def lose_request(self, client: Client) -> None:
        if client.alive:
            client.request()
            client.lost()

    def lose_answer(self, client: Client) -> None:
        if client.alive:
            self.group.ask(client.request())
            client.lost()

    def send_twice(self, client: Client) -> None:
        """The first was given up for lost, and arrives all the same."""
        if client.alive:
            self.group.ask(client.request())
            client.lost()
            request = client.request()
            self.group.ask(request)
            client.heard(self.group.ask(request))

    def leave(self, client: Client) -> None:
        if client.alive and client.epoch > 0:
            client.owned, client.alive = NOTHING, False
            self.group.ask(beat(client.member_id, -1, instance_id=client.instance_id))

    def go_away(self, client: Client) -> None:
        if client.alive and client.epoch > 0 and client.instance_id is not None:
            client.owned, client.alive, client.away = NOTHING, False, True
            self.group.ask(beat(client.member_id, -2, instance_id=client.instance_id))

    def crash(self, client: Client) -> None:
        client.owned, client.alive = NOTHING, False

    def resubscribe(self, client: Client) -> None:
        client.topics = ("u",) if client.topics == ("t",) else ("t", "u") if client.topics == ("u",) else ("t",)
        client.in_full = True

    def use_pattern(self, client: Client) -> None:
        client.pattern = None if client.pattern else "[t-v]"
        client.in_full = True

    def use_range(self, client: Client) -> None:
        client.assignor, client.in_full = "range", True

    def grow(self, client: Client) -> None:
        name = "tuv"[client.number % 3]
        self.topics[name] = min(self.topics.get(name, 0) + 1, 5)
        self.group.change(self.topics, self.incarnations)

    def create_anew(self, client: Client) -> None:
        name = "tu"[client.number % 2]
        self.incarnations[name] = self.incarnations.get(name, 0) + 1
        self.group.change(self.topics, self.incarnations)

    def drop(self, client: Client) -> None:
        self.topics.pop("v", None)
        self.group.change(self.topics, self.incarnations)

    def restart(self, client: Client) -> None:
        self.group = self.group.restart()

    def fail_to_write(self, client: Client) -> None:
        if not client.alive:
            return
        machine = self.group.machine
        effects = list(machine.step(client.request(), self.group.now_ms))
        if any(isinstance(effect, Persist) for effect in effects):
            effects = list(machine.step(PersistFailed(), self.group.now_ms))
        (answer,) = [effect.answer for effect in effects if isinstance(effect, Reply)]
        assert isinstance(answer, HeartbeatAnswer)
        client.heard(answer)

    def write_slowly(self, client: Client) -> None:
        """All that live heartbeat while one record is being written."""
        machine = self.group.machine
        asked = {c.member_id: c for c in [client, *(c for c in self.clients if c is not client)] if c.alive}
        todo = [e for c in asked.values() for e in machine.step(c.request(), self.group.now_ms)]
        while todo:
            effect = todo.pop(0)
            if isinstance(effect, Persist):
                self.group.log += effect.rows
                todo += machine.step(Persisted(), self.group.now_ms)
            else:
                assert isinstance(effect.answer, HeartbeatAnswer)
                asked[str(effect.ticket)].heard(effect.answer)

    def pass_time(self, client: Client) -> None:
        """Those that live are heard of in time."""
        for each in self.live():
            self.heartbeat(each)
        self.group.wait(CONFIG.session_timeout_ms - 1)
        for each in self.live():
            self.heartbeat(each)

    # What must hold

    def check(self) -> None:
        for one, other in combinations(self.live(), 2):
            assert one.owned.isdisjoint(other.owned), f"{one} and {other} own the same"
        self.group.machine.check()
        assert self.group.folded() == self.group.machine._state, "a replay gives the same"

    def settle(self) -> None:
        for _ in range(12):
            for client in self.live():
                self.heartbeat(client)
                self.check()
                client.take()
                self.check()
            self.group.wait(CONFIG.session_timeout_ms // 3)
        live = self.live()
        assert self.group.label == ("Stable" if live else "Empty" if self.group.machine.exists else "Dead")
        told = self.group.machine.describe()
        assert {(m.member_id, m.member_epoch, m.target) for m in told.members} == {
            (client.member_id, told.epoch, client.owned) for client in live
        }
        everything = set().union(*(client.owned for client in live)) if live else set()
        names = {name for c in live for name in (*c.topics, *(self.topics if c.pattern else ()))}
        assert everything == {
            TopicIdPartition(self.group.view.topics[name].topic_id, n)
            for name in names & self.topics.keys()
            for n in range(self.topics[name])
        }


ACTIONS: list[Callable[[World, Client], None]] = [
    *[World.start, World.heartbeat, World.reconcile] * 3,
    World.start_static,
    World.give_up,
    World.lose_request,
    World.lose_answer,
    World.send_twice,
    World.leave,
    World.go_away,
    World.crash,
    World.resubscribe,
    World.use_pattern,
    World.use_range,
    World.grow,
    World.create_anew,
    World.drop,
    World.restart,
    World.fail_to_write,
    World.write_slowly,
    World.pass_time,
]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, CLIENTS - 1)), min_size=50, max_size=120))
def test_no_partition_has_two_owners_and_all_get_their_targets(
    steps: list[tuple[Callable[[World, Client], None], int]],
) -> None:
    world = World()
    for action, number in steps:
        action(world, world.clients[number])
        world.check()
    world.settle()
