"""A consumer group with its log in memory, for tests: does what the machine orders, at once or when told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from streamflow.log.coordinators.consumer import ConsumerGroup, ConsumerGroupConfig
from streamflow.log.coordinators.consumer_events import (
    ConsumerGroupError,
    Effect,
    Event,
    Heartbeat,
    HeartbeatAnswer,
    Persist,
    Persisted,
    Reply,
    Tick,
    TopicsChanged,
)
from streamflow.log.coordinators.consumer_state import GroupState, fold
from streamflow.log.coordinators.topic_view import Partitions, Topic, TopicIdPartition, TopicView

CONFIG = ConsumerGroupConfig()
REBALANCE_TIMEOUT_MS = 300_000


def topic_id(name: str, incarnation: int = 0) -> bytes:
    return f"{name}/{incarnation}".encode().ljust(16, b".")[:16]


def view(topics: Mapping[str, int], incarnations: Mapping[str, int] | None = None) -> TopicView:
    known = incarnations or {}
    return TopicView({name: Topic(topic_id(name, known.get(name, 0)), n) for name, n in topics.items()})


def partitions(name: str, *numbers: int) -> Partitions:
    return frozenset(TopicIdPartition(topic_id(name), n) for n in numbers)


def join(member_id: str, /, *topics: str, **changes: object) -> Heartbeat:
    event = Heartbeat(
        ticket=member_id,
        member_id=member_id,
        member_epoch=0,
        id_required=True,
        new_member_id="new",
        client_id="client",
        client_host="/127.0.0.1",
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        topics=topics,
        owned=frozenset(),
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def beat(member_id: str, epoch: int, owned: Iterable[TopicIdPartition] | None = None, **changes: object) -> Heartbeat:
    event = Heartbeat(
        ticket=member_id,
        member_id=member_id,
        member_epoch=epoch,
        id_required=True,
        new_member_id="new",
        client_id="client",
        client_host="/127.0.0.1",
        owned=None if owned is None else frozenset(owned),
    )
    return replace(event, **changes)  # type: ignore[arg-type]


class Driver:
    """`log` is `__consumer_offsets`."""

    def __init__(self, topics: Mapping[str, int], config: ConsumerGroupConfig = CONFIG, now_ms: int = 0) -> None:
        self.config = config
        self.now_ms = now_ms
        self.view = view(topics)
        self.log: list[tuple[bytes, bytes | None]] = []
        self.machine = ConsumerGroup("g", config, self.view, now_ms)

    def send(self, event: Event) -> list[Effect]:
        """Steps, and persists at once. Returns: all that was ordered."""
        done: list[Effect] = []
        todo = list(self.machine.step(event, self.now_ms))
        while todo:
            effect = todo.pop(0)
            done.append(effect)
            if isinstance(effect, Persist):
                self.log += effect.rows
                todo += self.machine.step(Persisted(), self.now_ms)
        self.machine.check()
        return done

    def ask(self, event: Heartbeat) -> HeartbeatAnswer:
        (answer,) = [e.answer for e in self.send(event) if isinstance(e, Reply)]
        assert isinstance(answer, HeartbeatAnswer)
        return answer

    def refused(self, event: Heartbeat) -> ConsumerGroupError:
        before = len(self.log)
        answer = self.ask(event)
        assert answer.error, answer
        assert answer.assignment is None
        assert len(self.log) == before, "what is refused changes nothing"
        return answer.error

    def wait(self, ms: int) -> None:
        """Time passes; whoever's time is up is told."""
        until = self.now_ms + ms
        while (due := self.machine.deadline_ms()) is not None and due <= until:
            self.now_ms = max(self.now_ms, due)
            self.send(Tick())
        self.now_ms = until

    def change(self, topics: Mapping[str, int], incarnations: Mapping[str, int] | None = None) -> None:
        self.view = view(topics, incarnations)
        self.send(TopicsChanged(view=self.view))

    def folded(self) -> GroupState:
        groups: dict[str, GroupState] = {"g": GroupState()}
        fold(self.log, groups)
        return groups["g"]

    def restart(self) -> Driver:
        """Another machine that knows what the log does, compacted."""
        newest = dict(self.log)
        other = Driver({}, self.config, self.now_ms)
        other.view = self.view
        other.log = [(key, value) for key, value in newest.items() if value is not None]
        other.machine = ConsumerGroup("g", self.config, self.view, self.now_ms, other.folded())
        return other

    @property
    def label(self) -> str:
        return self.machine.label

    @property
    def epochs(self) -> tuple[int, int]:
        """Of the group and of its target assignment."""
        told = self.machine.describe()
        return told.epoch, told.assignment_epoch

    def member_ids(self) -> list[str]:
        return sorted(m.member_id for m in self.machine.describe().members)
