"""Runs one task: takes what came, steps the engine, does what it orders, and hands agents their events.

A slice of a batch is sized so that it takes about `SLICE_SECONDS`: commits happen between slices, so a slow agent
is committed between events and a fast one pays for a commit once in thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import groupby

import anyio
import structlog
from anyio.abc import TaskGroup

from streamflow.agent import Agent, Emitted
from streamflow.codecs import encode_key
from streamflow.engine.events import Deliver, Effect, Ended, Produce, Refused, Ticked, Yielded
from streamflow.engine.policies import Policy, Retry, Skip, Stop, final, letter_headers
from streamflow.engine.task import Outlet, Task
from streamflow.errors import AgentError
from streamflow.event import Batch, Event
from streamflow.partitioner import partition_for
from streamflow.state.memory import MemoryStore
from streamflow.topology import AgentNode, SourceNode, TopicDecl
from streamflow.worker.actor import Actor, Failure
from streamflow.worker.gate import Gate
from streamflow.worker.outputs import HELD_MAX, Outputs
from streamflow.worker.stall import Held, Place

log = structlog.get_logger("streamflow.worker")

SLICE_SECONDS = 0.05
SLICE_RECORDS_MAX = 4_096
CONCURRENT_EVENTS = 16
"""Events handed to each run of a concurrent agent at a time."""


class Runner:
    """One task's loop. `changed` is called after every slice: there is something to commit."""

    def __init__(
        self,
        task: Task,
        *,
        stores: Mapping[str, MemoryStore],
        outputs: Outputs,
        gate: Gate,
        counts: Mapping[str, int],
        policy: Policy,
        letters: TopicDecl | None,
        now_ms: Callable[[], int],
        changed: Callable[[], None],
    ) -> None:
        self.task = task
        self.records_out = 0
        self.alerts = 0
        self.letters_out = 0
        self.drained: set[SourceNode] = set()
        self._stores = stores
        self._outputs = outputs
        self._gate = gate
        self._counts = counts
        self._policy = policy
        self._letters = letters
        self._now_ms = now_ms
        self._changed = changed
        self._actors: dict[AgentNode, list[Actor]] = {}
        self._outlets: dict[str, Outlet] = {}
        self._slice = 256
        self._wake = anyio.Event()
        self._stopping = False
        self._ended = anyio.Event()

    # What the poller and the worker say

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        """Ends the loop after the slice in hand."""
        self._stopping = True
        self.wake()

    def start_agents(self, group: TaskGroup) -> None:
        for node in self.task.piece.agents:
            agent: Agent = node.agent
            check = None if isinstance(self._policy, Stop) else partial(self._check, node)
            actors = [Actor(agent, self._stores, self._describe, check=check) for _ in range(agent.concurrency)]
            self._actors[node] = actors
            for actor in actors:
                actor.start(group)

    async def restored(self) -> None:
        """All state is in place: what event time had closed before the stop is dealt with."""
        async with self._gate.working():
            await self._perform(self.task.resume())

    # The loop

    async def run(self) -> None:
        while not self._stopping:
            self._wake = anyio.Event()
            async with self._gate.working():
                progressed = await self._advance()
            if not progressed and not self._stopping:
                with anyio.move_on_after(self._patience()):
                    await self._wake.wait()
        self._ended.set()

    async def _advance(self) -> bool:
        item = self.task.take(self._slice)
        now = self._now_ms()
        if item is None:
            return await self._idle(now)
        started = anyio.current_time()
        await self._perform(self.task.step(item, now))
        self.task.release(self.held_offset)
        took = anyio.current_time() - started
        if took < SLICE_SECONDS / 2:
            self._slice = min(self._slice * 2, SLICE_RECORDS_MAX)
        elif took > SLICE_SECONDS * 2:
            self._slice = max(self._slice // 2, 1)
        if self._outputs.held > HELD_MAX:
            await self._outputs.flush()
        self._changed()
        return True

    async def _idle(self, now: int) -> bool:
        """Nothing to read: what the clock asks for."""
        progressed = False
        due = self.task.deadline_ms()
        if due is not None and due <= now:
            await self._perform(self.task.step(Ticked(now, frozenset(self.drained)), now))
            self._changed()
        for node, actors in self._actors.items():
            for actor in actors:
                deadline = actor.held_deadline
                if deadline is not None and deadline <= anyio.current_time():
                    await self._hand(node, actor, None)
                    self._changed()
                    progressed = True
        return progressed

    def _patience(self) -> float:
        """Seconds until the clock next asks for something."""
        waits = [a.held_deadline - anyio.current_time() for a in self._all() if a.held_deadline is not None]
        due = self.task.deadline_ms()
        if due is not None:
            waits.append((due - self._now_ms()) / 1000)
        return max(0.001, min(waits)) if waits else float("inf")

    def _all(self) -> list[Actor]:
        return [a for actors in self._actors.values() for a in actors]

    async def end(self) -> None:
        """The input is complete: every window closes."""
        async with self._gate.working():
            await self.hand_over()
            await self._perform(self.task.step(Ended(), self._now_ms()))
        self._changed()

    async def end_agents(self) -> None:
        """Once the loop has ended, ends every body's; what it yields behind it still counts."""
        await self._ended.wait()
        async with self._gate.working():
            for node, actors in self._actors.items():
                for actor in actors:
                    failure = await actor.end()
                    await self._emit(node, actor.collect())
                    if failure is not None:
                        raise self._stopped(node, failure.offset, failure.error)
        self._changed()

    async def hand_over(self) -> None:
        """Hands agents the lists they were still filling. Held the gate by the caller."""
        for node, actors in self._actors.items():
            for actor in actors:
                if actor.held_offset is not None:
                    await self._hand(node, actor, None)

    @property
    def held_offset(self) -> int | None:
        """The first event an agent waits with; None when all that was taken is dealt with."""
        return min((o for a in self._all() if (o := a.held_offset) is not None), default=None)

    def held(self) -> list[Held]:
        """What its agents hold, for who watches from another thread."""
        found = []
        for node, actors in tuple(self._actors.items()):
            for number, actor in enumerate(actors):
                in_hand = actor.in_hand
                if in_hand is not None:
                    run = (self.task.piece.name, node.agent.name, self.task.partition, number)
                    place = partial(self._place, node, actor, in_hand[1])
                    found.append(Held(run, in_hand, node.agent.stalled_after_ms / 1000, place))
        return found

    def _place(self, node: AgentNode, actor: Actor, offset: int | None) -> Place:
        topic = self.task.piece.sources[0].topic.name if offset is None else self.task.original(offset).topic
        return Place(f"agent '{node.agent.name}'", topic, self.task.partition, offset, actor.line)

    @property
    def quiet(self) -> bool:
        """Nothing fetched is waiting. A list that an agent still fills doesn't count."""
        return not any(i.buffered for i in self.task.inputs.values())

    # Effects

    async def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Produce):
                self._produce(effect)
            elif isinstance(effect, Deliver):
                await self._deliver(effect)
            else:
                assert isinstance(effect, Refused)
                self._set_aside(effect.event, effect.error)

    def _produce(self, produce: Produce) -> None:
        self.records_out += len(produce.batch)
        if not produce.topic.marks:
            self.alerts += len(produce.batch)
        self._outputs.add(produce)

    async def _deliver(self, order: Deliver) -> None:
        actors = self._actors[order.agent]
        if len(actors) == 1:
            await self._hand(order.agent, actors[0], order.batch)
            return
        step = CONCURRENT_EVENTS * len(actors)
        for start in range(0, len(order.batch), step):
            piece = order.batch.slice(start, start + step)
            shares = [_share(piece, n, len(actors)) for n in range(len(actors))]
            async with anyio.create_task_group() as group:
                for actor, share in zip(actors, shares, strict=True):
                    if len(share):
                        group.start_soon(self._hand, order.agent, actor, share)

    async def _hand(self, node: AgentNode, actor: Actor, batch: Batch | None) -> None:
        """Hands over a batch, whatever it takes: retries and skips as the policy says."""
        attempt = 0
        while True:
            failure = await actor.process(batch)
            await self._emit(node, actor.collect())
            if failure is None:
                break
            if batch is not None and len(failure.in_hand) and failure.in_hand.offsets[0] != batch.offsets[0]:
                attempt = 0
            attempt += 1
            batch = await self._after(node, failure, attempt)
            if batch is None:
                break

    async def _after(self, node: AgentNode, failure: Failure, attempt: int) -> Batch | None:
        """What to hand over after a failure: the event again, or what follows it."""
        if isinstance(self._policy, Retry):
            delay_ms = self._policy.delay_ms(attempt)
            if delay_ms is not None:
                log.warning(
                    "agent failed, will retry",
                    agent=node.agent.name,
                    attempt=attempt,
                    error=repr(failure.error),
                )
                await anyio.sleep(delay_ms / 1000)
                return failure.in_hand if failure.rest is None else Batch.concat([failure.in_hand, failure.rest])
        if not isinstance(final(self._policy), Skip):
            raise self._stopped(node, failure.offset, failure.error) from failure.error
        for offset in failure.in_hand.offsets:
            self._set_aside(self.task.original(offset), failure.error)
        return failure.rest

    def _stopped(self, node: AgentNode, offset: int | None, error: Exception) -> AgentError:
        where = "at its end"
        if offset is not None:
            event = self.task.original(offset)
            where = f"at {event.topic}-{event.partition} offset {event.offset}"
        return AgentError(
            f"agent '{node.agent.name}' stopped {where}: {type(error).__name__}: {error}; "
            "the event isn't committed and is read again at the next start"
        )

    async def _emit(self, node: AgentNode, emitted: list[Emitted]) -> None:
        for topic, run in groupby(emitted, key=lambda e: e.topic):
            sent = list(run)
            headers = [e.headers for e in sent] if any(e.headers for e in sent) else None
            batch = Batch(
                [e.key for e in sent],
                [e.value for e in sent],
                [e.timestamp for e in sent],
                [e.offset for e in sent],
                headers,
            )
            if topic is None:
                await self._perform(self.task.step(Yielded(node, batch), self._now_ms()))
            else:
                self._produce(self._sent(node, self._outlet(topic), batch))

    def _sent(self, node: AgentNode, outlet: Outlet, batch: Batch) -> Produce:
        """Raises: AgentError naming the event that sent what can't be written."""
        try:
            return outlet.encode(batch, as_is=True)
        except Exception:
            for at, offset in enumerate(batch.offsets):
                try:
                    outlet.encode(batch.slice(at, at + 1), as_is=True)
                except Exception as error:
                    raise self._stopped(node, offset, error) from error
            raise

    def _check(self, node: AgentNode, made: Emitted) -> None:
        """Raises: EncodeError, or what a topic's own functions raise, for what can't be written."""
        batch = Batch([made.key], [made.value], [made.timestamp], [made.offset])
        if made.topic is None:
            self.task.check(node, batch)
        else:
            self._outlet(made.topic).encode(batch, as_is=True)

    def _outlet(self, topic: TopicDecl) -> Outlet:
        outlet = self._outlets.get(topic.name)
        if outlet is None:
            outlet = Outlet(topic, self._counts[topic.name], self.task.partition)
            self._outlets[topic.name] = outlet
        return outlet

    def _set_aside(self, event: Event, error: Exception) -> None:
        assert self._letters is not None, "a skip policy comes with its dead-letter topic"
        headers = letter_headers(event, error, self.task.piece.name)
        log.warning(
            "record set aside",
            topic=event.topic,
            partition=event.partition,
            offset=event.offset,
            error=str(error),
            dead_letter=self._letters.name,
        )
        batch = Batch([event.key], [event.value], [event.timestamp], [0], [headers])
        self._outputs.add(self._outlet(self._letters).encode(batch, as_is=True))
        self.letters_out += 1

    def _describe(self, batch: Batch, index: int) -> Event:
        source = self.task.piece.sources[0].topic.name
        headers = batch.headers[index] if batch.headers is not None else ()
        return Event(
            batch.keys[index],
            batch.values[index],
            batch.timestamps[index],
            batch.offsets[index],
            source,
            self.task.partition,
            headers,
        )


def _share(batch: Batch, number: int, of: int) -> Batch:
    """The events whose key belongs to one of several runs; keyless ones take turns."""
    mask = [
        (n if (plain := encode_key(key)) is None else partition_for(plain, of)) % of == number
        for n, key in enumerate(batch.keys)
    ]
    return batch.select(mask)
