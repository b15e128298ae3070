"""The groups of a node: hands requests to each group's machine, does what it orders, and keeps its time.

Promises: requests of a group are judged in the order they come; what a group orders to be written is appended before
the next request is judged, and reported once it is committed. Nothing about groups is decided here but which machine is
asked. Who waits when the groups' partition is lost is told NOT_COORDINATOR at once.

A group that has nothing to remember has no machine: one is made for each request, and kept when the request leaves
something. A group that only has offsets is of that kind (a "simple" group, or one of the embedded log's).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import anyio
import structlog

from streamflow.event import TopicPartition
from streamflow.log.controller.image import MetadataImage
from streamflow.log.coordinators import consumer_events
from streamflow.log.coordinators.classic import ClassicGroup, GroupDescription
from streamflow.log.coordinators.consumer_admission import Committer
from streamflow.log.coordinators.consumer_events import ConsumerGroupError, HeartbeatAnswer
from streamflow.log.coordinators.group_events import (
    Answer,
    CommitOffsets,
    DeleteGroup,
    Effect,
    Event,
    GroupError,
    Heartbeat,
    Persist,
    Persisted,
    PersistFailed,
    Reply,
    Request,
    Tick,
)
from streamflow.log.coordinators.group_records import (
    TEXT_BYTES_MAX,
    decode_group_key,
    decode_group_value,
    encode_group_key,
    encode_group_value,
)
from streamflow.log.coordinators.group_states import ClassicConfig, GroupState
from streamflow.log.coordinators.subscription import CONSUMER_PROTOCOL
from streamflow.log.errors import LogError, NotCoordinatorError
from streamflow.log.node import promise
from streamflow.log.node.classic_requests import answer_for_consumers
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.consumer_groups import ConsumerGroups
from streamflow.log.node.group_refusals import failed, refusal, unavailable
from streamflow.log.node.groups import Groups
from streamflow.log.node.rows import Row

log = structlog.get_logger("streamflow.groups")

MEMBER_ID_BYTES = 16
STALL_MS = 500
"""Who wakes so much too late was stalled: members may have spoken meanwhile, and are read first."""
STALL_SECONDS = 0.05


class Promise(promise.Promise[Answer]):
    """The answer to a request of the classic protocol."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """A record that was appended and isn't durable yet."""

    group_id: str
    machine: ClassicGroup
    number: int


CLASSIC, CONSUMER = "classic", "consumer"


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """`kind`: which protocol the members speak."""

    group_id: str
    kind: str
    protocol_type: str
    state: str


class GroupCoordinator:
    """Args:
    random_bytes: gives so many that nobody can guess.
    """

    def __init__(
        self,
        groups: Groups,
        image: MetadataImage,
        config: NodeConfig,
        *,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._groups = groups
        self._offsets = groups.offsets
        self._config = classic_config(config)
        self._retention_ms = config.offsets_retention_minutes * 60_000
        self._check_interval_ms = config.offsets_retention_check_interval_ms
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._machines: dict[str, ClassicGroup] = {}
        self._writing: list[_Writing] = []
        self._waiting: dict[Promise, Request] = {}
        self._wakes: list[tuple[int, str]] = []
        self._wake_of: dict[str, int] = {}
        self._expire_at = now_ms() + self._check_interval_ms
        self._news = anyio.Event()
        self.consumers = ConsumerGroups(groups, image, config, now_ms=now_ms, news=self._wake)
        """Groups of KIP-848. What they share with the others is here."""

    def __repr__(self) -> str:
        return f"<GroupCoordinator of {len(self._machines)} groups>"

    def load(self) -> None:
        """Groups as their records say; sessions begin anew."""
        now_ms = self._now_ms()
        for key, value in self._groups.kept.items():
            group_id = decode_group_key(key)
            if group_id is not None:
                machine = ClassicGroup(self._config, restored=decode_group_value(value), now_ms=now_ms)
                self._keep(group_id, machine)
        self.consumers.load()

    async def take_over(self) -> None:
        """This node leads the groups' partition from now on: reads it back, and begins to answer. Sessions begin anew,
        so that members notice a delay at most.

        Raises: StorageFailedError.
        """
        self._drop(NotCoordinatorError("the partition of groups is led anew"))
        if await self._groups.take_over():
            self.load()
            self._groups.coordination.loaded()
            log.info("groups taken over", groups=len(self._machines) + len(self.consumers.group_ids()))

    def resign(self) -> None:
        """Another node leads the groups' partition, or none: everything is forgotten, and who waits is told."""
        self._groups.resign()
        self._drop(NotCoordinatorError("another node leads the partition of groups"))

    def _drop(self, error: LogError) -> None:
        waiting, self._waiting = self._waiting, {}
        for told, request in waiting.items():
            told.tell(unavailable(request, error))
        self._machines.clear()
        self._writing.clear()
        self._wakes.clear()
        self._wake_of.clear()
        self.consumers.drop()
        self._news.set()

    def new_member_id(self, name: str) -> str:
        """One that nobody had before, and that tells people whose it is."""
        return f"{name}-{self._random_bytes(MEMBER_ID_BYTES).hex()}"

    # Requests

    async def ask(self, group_id: str, request: Request) -> None:
        """Its ticket, a `Promise`, will have the answer."""
        promise = request.ticket
        assert isinstance(promise, Promise), "requests have promises for tickets here"
        try:
            await self._groups.ready()
            self._groups.coordination.check()
        except LogError as error:
            log.info("groups can't be asked", reason=str(error))
            promise.tell(unavailable(request, error))
            return
        if not answer_for_consumers(self.consumers, group_id, request, promise):
            self._step(group_id, request)

    async def ask_consumers(self, group_id: str, request: consumer_events.Heartbeat) -> None:
        """Its ticket, a `promise.Promise`, will have the answer. An empty group of the classic protocol gives way."""
        told = request.ticket
        assert isinstance(told, promise.Promise), "requests have promises for tickets here"
        try:
            await self._groups.ready()
            self._groups.coordination.check()
            free = self._release(group_id)
        except LogError as error:
            log.info("groups can't be asked", reason=str(error))
            told.tell(HeartbeatAnswer(error=ConsumerGroupError(refusal(error))))
            return
        if free:
            self.consumers.ask(group_id, request)
        else:
            wrong = ConsumerGroupError.GROUP_ID_NOT_FOUND
            told.tell(HeartbeatAnswer(error=wrong, message=f"Group {group_id} is not a consumer group."))

    def _release(self, group_id: str) -> bool:
        """Removes an empty group of the classic protocol; its offsets stay. Returns: whether the name is free.

        Raises: LogError.
        """
        machine = self._machines.get(group_id)
        if machine is None:
            return True
        if machine.state is not GroupState.EMPTY or any(w.group_id == group_id for w in self._writing):
            return False
        self._groups.append([(encode_group_key(group_id), None)])
        del self._machines[group_id]
        return True

    def consumer_judge(
        self, group_id: str, request: CommitOffsets, version: int | None
    ) -> Callable[[TopicPartition], ConsumerGroupError] | None:
        """Whether an offset of a group of consumers (KIP-848) may be appended now, for each partition by itself.

        Args:
            version: of OffsetCommit, or None for TxnOffsetCommit.

        Returns: None for other groups, whose commits are judged by `may_commit`.
        """
        machine = self.consumers.find(group_id)
        if machine is None:
            return None
        who = Committer(
            member_id=request.member_id,
            instance_id=request.instance_id,
            member_epoch=request.generation,
            version=version,
        )
        return partial(machine.commit_error, who)

    async def may_commit(self, group_id: str, request: CommitOffsets) -> GroupError:
        """Whether offsets of the group may be appended now, before anything else is awaited."""
        if len(group_id) > TEXT_BYTES_MAX or len(group_id.encode()) > TEXT_BYTES_MAX:
            return GroupError.INVALID_GROUP_ID
        if request.generation >= 0 and not self.exists(group_id):
            return GroupError.GROUP_ID_NOT_FOUND
        return await self._asked(group_id, request)

    async def heartbeat(self, group_id: str, request: Heartbeat) -> GroupError:
        return await self._asked(group_id, request)

    async def delete(self, group_id: str) -> GroupError | ConsumerGroupError:
        """With its offsets."""
        try:
            self._groups.coordination.check()
        except LogError as error:
            return refusal(error)
        if not self.exists(group_id):
            return GroupError.GROUP_ID_NOT_FOUND
        if self.consumers.find(group_id) is None:
            return await self._asked(group_id, DeleteGroup(ticket=Promise()))
        told = promise.Promise[consumer_events.Answer]()
        self.consumers.ask(group_id, consumer_events.DeleteGroup(ticket=told, with_offsets=True))
        answer = await told.wait()
        assert isinstance(answer, ConsumerGroupError), "as these are answered"
        return answer

    async def _asked(self, group_id: str, request: CommitOffsets | Heartbeat | DeleteGroup) -> GroupError:
        await self.ask(group_id, request)
        assert isinstance(request.ticket, Promise), "`ask` has seen to it"
        answer = await request.ticket.wait()
        assert isinstance(answer, GroupError), "as these are answered"
        return answer

    # Answers

    def exists(self, group_id: str) -> bool:
        machines = group_id in self._machines or self.consumers.find(group_id) is not None
        return machines or self._offsets.knows(group_id)

    def group_ids(self) -> list[str]:
        return sorted(self._machines.keys() | self.consumers.group_ids() | set(self._offsets.groups()))

    def describe(self, group_id: str) -> GroupDescription | None:
        """None for a group nothing is known of, or one of consumers (KIP-848)."""
        classic = self.exists(group_id) and self.consumers.find(group_id) is None
        return self._machine(group_id).describe() if classic else None

    def listed(self) -> list[ListedGroup]:
        """Every group there is."""
        found = []
        for group_id in self.group_ids():
            consumers, classic = self.consumers.find(group_id), self.describe(group_id)
            if consumers is not None:
                found.append(ListedGroup(group_id, CONSUMER, CONSUMER_PROTOCOL, consumers.label))
            elif classic is not None:
                found.append(ListedGroup(group_id, CLASSIC, classic.protocol_type, classic.state.value))
        return found

    def offset_deletion_refused(self, group_id: str) -> GroupError:
        if not self.exists(group_id):
            return GroupError.GROUP_ID_NOT_FOUND
        if self.consumers.find(group_id) is not None:
            return GroupError.NONE
        return self._machine(group_id).offset_deletion_refused()

    def reads(self, group_id: str, topic: str) -> bool:
        consumers = self.consumers.find(group_id)
        return self._machine(group_id).reads(topic) if consumers is None else consumers.subscribes(topic)

    # Machines

    def _machine(self, group_id: str) -> ClassicGroup:
        return self._machines.get(group_id) or ClassicGroup(self._config, now_ms=self._now_ms())

    def _step(self, group_id: str, event: Event) -> None:
        machine = self._machine(group_id)
        if not isinstance(event, Tick | Persisted | PersistFailed):
            assert isinstance(event.ticket, Promise), "`ask` has seen to it"
            self._waiting[event.ticket] = event
        self._do(group_id, machine, machine.step(event, self._now_ms()))
        if not isinstance(event, Heartbeat | CommitOffsets):  # which put things off at most
            self._keep(group_id, machine)

    def _keep(self, group_id: str, machine: ClassicGroup) -> None:
        if machine.is_forgettable:
            if self._machines.get(group_id) is machine:
                del self._machines[group_id]
            return
        self._machines[group_id] = machine
        deadline_ms = machine.deadline_ms()
        if deadline_ms is not None and deadline_ms < self._wake_of.get(group_id, deadline_ms + 1):
            self._wake_of[group_id] = deadline_ms
            heapq.heappush(self._wakes, (deadline_ms, group_id))
            self._news.set()

    def _do(self, group_id: str, machine: ClassicGroup, effects: list[Effect]) -> None:
        todo = deque(effects)
        while todo:
            effect = todo.popleft()
            match effect:
                case Reply():
                    assert isinstance(effect.ticket, Promise), "`ask` has seen to it"
                    self._waiting.pop(effect.ticket, None)
                    effect.ticket.tell(effect.answer)
                case Persist():
                    todo.extend(self._persist(group_id, machine, effect))

    def _persist(self, group_id: str, machine: ClassicGroup, effect: Persist) -> list[Effect]:
        """Returns: what follows at once."""
        try:
            self._groups.append(self._rows(group_id, effect))
        except LogError as error:
            return machine.step(failed(effect.number, group_id, error), self._now_ms())
        if self._groups.is_settled:
            return machine.step(Persisted(number=effect.number), self._now_ms())
        self._writing.append(_Writing(group_id, machine, effect.number))
        self._news.set()
        return []

    def _rows(self, group_id: str, effect: Persist) -> list[Row]:
        key = encode_group_key(group_id)
        if effect.record is not None:
            return [(key, encode_group_value(effect.record))]
        return [(key, None), *self._offsets.forget_group(group_id)]

    # Time

    async def run(self) -> None:
        """Attends to the groups whenever there is something to do, until cancelled."""
        while True:
            self._news = anyio.Event()
            if self._now_ms() - self._due_ms() > STALL_MS:
                await anyio.sleep(STALL_SECONDS)
            await self.attend()
            if not self._writing and not self.consumers.writing:
                with anyio.move_on_after(max(self._due_ms() - self._now_ms(), 0) / 1000):
                    await self._news.wait()

    def _wake(self) -> None:
        self._news.set()

    def _due_ms(self) -> int:
        consumers_ms = self.consumers.due_ms
        due_ms = [self._expire_at, *(at for at, _ in self._wakes[:1])]
        return min(due_ms if consumers_ms is None else [*due_ms, consumers_ms])

    async def attend(self) -> None:
        """Reports what has become durable, and tells groups whose time has come."""
        await self._settle()
        self._tick()
        await self.consumers.attend()
        await self._expire()

    async def _settle(self) -> None:
        writing, self._writing = self._writing, []
        if not writing:
            return
        failure: LogError | None = None
        reign = self._groups.coordination.reign
        try:
            if not await self._groups.settled_in(reign):
                return  # `resign` has told everybody.
        except LogError as error:
            failure = error
        for w in writing:
            event = Persisted(number=w.number) if failure is None else failed(w.number, w.group_id, failure)
            self._do(w.group_id, w.machine, w.machine.step(event, self._now_ms()))
            if self._machines.get(w.group_id, w.machine) is w.machine:
                self._keep(w.group_id, w.machine)

    def _tick(self) -> None:
        now_ms = self._now_ms()
        while self._wakes and self._wakes[0][0] <= now_ms:
            due_ms, group_id = heapq.heappop(self._wakes)
            if self._wake_of.get(group_id) != due_ms:
                continue  # An earlier one took its place.
            del self._wake_of[group_id]
            if group_id in self._machines:
                self._step(group_id, Tick())

    async def _expire(self) -> None:
        """Forgets offsets that nobody has used for `offsets.retention.minutes`, and empty groups without any."""
        now_ms = self._now_ms()
        if now_ms < self._expire_at or not self._groups.coordination.active:
            return
        self._expire_at = now_ms + self._check_interval_ms
        try:
            for group_id in self.group_ids():
                if rows := self._offsets.forget(group_id, self._expired(group_id, now_ms)):
                    log.info("offsets expired", group=group_id, offsets=len(rows))
                    self._groups.append(rows)
            if not self._groups.is_settled:
                await self._groups.flush()
            self._groups.coordination.check()
            for group_id in self.group_ids():
                if not self._offsets.knows(group_id):
                    self._forget_if_empty(group_id)
        except LogError as error:
            log.warning("offsets aren't expired", reason=str(error))

    def _forget_if_empty(self, group_id: str) -> None:
        machine = self._machines.get(group_id)
        if machine is not None and machine.state is GroupState.EMPTY:
            self._step(group_id, DeleteGroup(ticket=Promise()))
        self.consumers.release(group_id)

    def _expired(self, group_id: str, now_ms: int) -> list[TopicPartition]:
        machine, unstable = self._machine(group_id), self._offsets.unstable(group_id)
        consumers = self.consumers.find(group_id)
        found = []
        for where, value in self._offsets.committed(group_id).items():
            committed_ms = value.commit_timestamp_ms
            since_ms = machine.idle_since_ms(committed_ms) if consumers is None else committed_ms
            unused = since_ms is not None and since_ms + self._retention_ms <= now_ms
            if unused and where not in unstable and not self.reads(group_id, where.topic):
                found.append(where)
        return found


def classic_config(config: NodeConfig) -> ClassicConfig:
    return ClassicConfig(
        initial_rebalance_delay_ms=config.group_initial_rebalance_delay_ms,
        max_size=config.group_size_max,
        session_timeout_ms_min=config.group_session_timeout_ms_min,
        session_timeout_ms_max=config.group_session_timeout_ms_max,
    )
