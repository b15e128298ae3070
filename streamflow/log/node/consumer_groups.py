"""The KIP-848 groups of a node: hands requests to each group's machine, does what it orders, and keeps its time.

Promises: what a group orders to be written is appended at once, and reported when it is committed. A group sees topics
as they are when it is asked. Nothing about groups is decided here.

`group_coordinator` decides which group is of this kind, and says when to `attend`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from streamflow.log.controller.image import MetadataImage
from streamflow.log.coordinators.consumer import ConsumerGroup, ConsumerGroupConfig
from streamflow.log.coordinators.consumer_events import (
    Answer,
    ConsumerGroupError,
    DeleteGroup,
    Effect,
    Heartbeat,
    HeartbeatAnswer,
    Persist,
    Persisted,
    PersistFailed,
    RemovalAnswer,
    RemoveMembers,
    Reply,
    Request,
    Tick,
    TopicsChanged,
)
from streamflow.log.coordinators.consumer_state import GroupState, fold
from streamflow.log.coordinators.topic_view import Topic, TopicView
from streamflow.log.errors import LogError, RecordTooLargeError, StorageFullError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.groups import Groups
from streamflow.log.node.promise import Promise

log = structlog.get_logger("streamflow.groups")


class ConsumerGroups:
    """Args:
    image: the topics there are.
    news: called when there is something to `attend` to sooner than was said.
    """

    def __init__(
        self,
        groups: Groups,
        image: MetadataImage,
        config: NodeConfig,
        *,
        now_ms: Callable[[], int],
        news: Callable[[], None],
    ) -> None:
        self._groups = groups
        self._image = image
        self._config = consumer_config(config)
        self._now_ms = now_ms
        self._news = news
        self._machines: dict[str, ConsumerGroup] = {}
        self._writing: list[ConsumerGroup] = []
        self._waiting: dict[Promise[Answer], Request] = {}
        self._wakes: list[tuple[int, str]] = []
        self._wake_of: dict[str, int] = {}
        self._view, self._changes = TopicView({}), -1

    def __repr__(self) -> str:
        return f"<ConsumerGroups: {len(self._machines)}>"

    def load(self) -> None:
        """Groups as their records say; sessions begin anew."""
        states: dict[str, GroupState] = {}
        fold(self._groups.kept.items(), states)
        for group_id, state in states.items():
            if state.exists:
                self._keep(ConsumerGroup(group_id, self._config, self._topics(), self._now_ms(), state))

    def drop(self) -> None:
        """Everything is forgotten, and who waits is told that another node coordinates."""
        waiting, self._waiting = self._waiting, {}
        for told, request in waiting.items():
            told.tell(_not_coordinator(request))
        self._machines.clear()
        self._writing.clear()
        self._wakes.clear()
        self._wake_of.clear()

    # Requests

    def ask(self, group_id: str, request: Request) -> None:
        """Its ticket, a `Promise`, will have the answer. The groups' partition is there already."""
        machine, view, now_ms = self._machines.get(group_id), self._topics(), self._now_ms()
        if machine is None:
            machine = ConsumerGroup(group_id, self._config, view, now_ms)
        elif machine.view is not view:
            machine.step(TopicsChanged(view=view), now_ms)
        assert isinstance(request.ticket, Promise), "requests have promises for tickets here"
        self._waiting[request.ticket] = request
        self._do(machine, machine.step(request, now_ms))
        self._keep(machine)

    def release(self, group_id: str) -> bool:
        """Removes an empty group, so that another kind of group can have the name; its offsets stay. Returns: whether
        the name is free."""
        machine = self._machines.get(group_id)
        if machine is None:
            return True
        if machine.busy or not machine.empty:
            return False
        promise = Promise[Answer]()
        self.ask(group_id, DeleteGroup(ticket=promise, with_offsets=False))
        return promise.answer in (None, ConsumerGroupError.NONE)  # None: it is being made durable.

    # Answers

    def find(self, group_id: str) -> ConsumerGroup | None:
        """None where there is no such group (any more), or one of another kind."""
        machine = self._machines.get(group_id)
        return machine if machine is not None and machine.exists and not machine.ends else None

    def group_ids(self) -> set[str]:
        return {group_id for group_id in self._machines if self.find(group_id) is not None}

    # Machines

    def _topics(self) -> TopicView:
        if self._changes != self._image.changes:
            self._changes = self._image.changes
            topics = {name: Topic(topic.topic_id, len(topic.partitions)) for name, topic in self._image.topics.items()}
            if topics != self._view.topics:
                self._view = TopicView(topics)
        return self._view

    def _keep(self, machine: ConsumerGroup) -> None:
        group_id = machine.group_id
        if not machine.exists and not machine.busy:
            self._machines.pop(group_id, None)
            return
        self._machines[group_id] = machine
        deadline_ms = machine.deadline_ms()
        if deadline_ms is not None and deadline_ms < self._wake_of.get(group_id, deadline_ms + 1):
            self._wake_of[group_id] = deadline_ms
            heapq.heappush(self._wakes, (deadline_ms, group_id))
            self._news()

    def _do(self, machine: ConsumerGroup, effects: Sequence[Effect]) -> None:
        todo = deque(effects)
        while todo:
            effect = todo.popleft()
            match effect:
                case Reply():
                    assert isinstance(effect.ticket, Promise), "requests have promises for tickets here"
                    self._waiting.pop(effect.ticket, None)
                    effect.ticket.tell(effect.answer)
                case Persist():
                    todo.extend(self._persist(machine, effect))

    def _persist(self, machine: ConsumerGroup, effect: Persist) -> Sequence[Effect]:
        """Returns: what follows at once."""
        rows = list(effect.rows)
        if effect.forget_offsets:
            rows += self._groups.offsets.forget_group(machine.group_id)
        try:
            self._groups.append(rows)
        except LogError as error:
            return machine.step(_failed(machine, error), self._now_ms())
        if self._groups.is_settled:
            return machine.step(Persisted(), self._now_ms())
        self._writing.append(machine)
        self._news()
        return ()

    # Time

    @property
    def due_ms(self) -> int | None:
        """When to `attend` if there is no news."""
        return self._wakes[0][0] if self._wakes else None

    @property
    def writing(self) -> bool:
        """There is something to be made durable: `attend`."""
        return bool(self._writing)

    async def attend(self) -> None:
        """Reports what has become durable, and tells groups whose time has come."""
        await self._settle()
        now_ms = self._now_ms()
        while self._wakes and self._wakes[0][0] <= now_ms:
            due_ms, group_id = heapq.heappop(self._wakes)
            machine = self._machines.get(group_id)
            if self._wake_of.get(group_id) != due_ms:
                continue  # An earlier one took its place.
            del self._wake_of[group_id]
            if machine is not None:
                self._do(machine, machine.step(Tick(), now_ms))
                self._keep(machine)

    async def _settle(self) -> None:
        writing, self._writing = self._writing, []
        if not writing:
            return
        failure: LogError | None = None
        try:
            if not await self._groups.settled_in(self._groups.coordination.reign):
                return  # `drop` has told everybody.
        except LogError as error:
            failure = error
        for machine in writing:
            event = Persisted() if failure is None else _failed(machine, failure)
            self._do(machine, machine.step(event, self._now_ms()))
            self._keep(machine)


def consumer_config(config: NodeConfig) -> ConsumerGroupConfig:
    return ConsumerGroupConfig(
        session_timeout_ms=config.consumer_group_session_timeout_ms,
        heartbeat_interval_ms=config.consumer_group_heartbeat_interval_ms,
        members_max=config.consumer_group_size_max,
    )


def _not_coordinator(request: Request) -> Answer:
    error = ConsumerGroupError.NOT_COORDINATOR
    match request:
        case Heartbeat():
            return HeartbeatAnswer(error=error)
        case RemoveMembers():
            return RemovalAnswer(errors=(error,) * len(request.members))
        case DeleteGroup():
            return error


def _failed(machine: ConsumerGroup, error: LogError) -> PersistFailed:
    """As Kafka tells members of what its log can't do."""
    log.warning("a group can't be written", group=machine.group_id, reason=str(error))
    match error:
        case RecordTooLargeError():
            told = ConsumerGroupError.UNKNOWN_SERVER_ERROR
        case StorageFullError():
            told = ConsumerGroupError.COORDINATOR_NOT_AVAILABLE
        case _:
            told = ConsumerGroupError.NOT_COORDINATOR
    return PersistFailed(error=told)
