"""Agents: user code over a stream, and what the code may touch while it holds an event.

    @app.agent(orders, sink=alerts)
    async def suspicious(stream):
        async for order in stream.filter(lambda o: o.amount > 100):
            yield Alert(order.card)

The body runs once for each partition (times `concurrency`). It is also started once while the app is planned, up to
its first `async for`, to learn which operators it asks for: what stands before the loop must be harmless to repeat.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_type_hints

from streamflow.engine.policies import Policy, Stop
from streamflow.errors import AppError, StreamflowError
from streamflow.event import Batch, Headers
from streamflow.schedule import Duration, duration_ms
from streamflow.state.memory import Journal, MemoryStore

if TYPE_CHECKING:
    from streamflow.stream import Stream
    from streamflow.topology import AgentNode, TopicDecl

AgentFn = Callable[[Any], AsyncIterator[Any] | Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reading:
    """How an agent's loop gets its events: one value, one `Event`, or a list at a time."""

    form: str = "values"
    count_max: int = 0
    within_ms: int | None = None


@dataclass(slots=True, eq=False)
class Agent:
    """A declared agent. `node` and `reading` are known once the app is planned."""

    name: str
    fn: AgentFn
    stream: Stream
    sinks: list[Any]
    concurrency: int = 1
    policy: Policy = field(default_factory=Stop)
    stalled_after_ms: int = 10_000
    reading: Reading = field(default_factory=Reading)
    node: AgentNode | None = None

    @property
    def yields(self) -> bool:
        return inspect.isasyncgenfunction(self.fn)

    @property
    def out_type(self) -> Any:
        """What it yields, by its return annotation; Any where it has none."""
        try:
            returns = get_type_hints(self.fn).get("return")
        except NameError:
            return Any
        return next(iter(get_args(returns)), Any)


class Hand:
    """What the events in hand may touch: the tables of their partition, and sends that become part of their commit.

    The events in hand are `batch[first:index + 1]`: one, but for lists. `journal` holds what they changed in
    tables, so that a failure leaves no trace.

    `check` is given where the agent goes on after a failure. It raises for what can't be written while the event is
    still in hand; without it, that is found when all is written, and stops the worker. `edits` is then the same
    journal, else None: what is looked at and may be edited in place is copied for it.
    """

    __slots__ = ("batch", "check", "edits", "emitted", "first", "index", "journal", "stores")

    def __init__(self, stores: Mapping[str, MemoryStore], *, check: Callable[[Emitted], None] | None = None) -> None:
        self.stores = stores
        self.check = check
        self.batch = Batch([], [], [], [])
        self.first = 0
        self.index = 0
        self.emitted: list[Emitted] = []
        self.journal: Journal = []
        self.edits = self.journal if check is not None else None

    def emit(self, topic: TopicDecl | None, key: Any, value: Any, timestamp: int, headers: Headers = ()) -> None:
        offset = self.batch.offsets[self.index] if len(self.batch) else -1
        made = Emitted(self.index, offset, topic, key, value, timestamp, headers)
        if self.check is not None:
            self.check(made)
        self.emitted.append(made)

    def rollback(self) -> None:
        """Undoes what the events in hand changed and sent."""
        while self.journal:
            store, key, value = self.journal.pop()
            store.put_back(key, value)
        while self.emitted and self.emitted[-1].at >= self.first:
            self.emitted.pop()


class Emitted(NamedTuple):
    """A `send` or a `yield` (topic None) of the event `at` that index of the batch, with its offset (-1 before any)."""

    at: int
    offset: int
    topic: TopicDecl | None
    key: Any
    value: Any
    timestamp: int
    headers: Headers


in_hand: ContextVar[Hand | None] = ContextVar("in_hand", default=None)
"""Set in an agent's own task; None everywhere else."""


class Planned(BaseException):
    """Carries the stream an agent's body loops over out of that body. A BaseException so that an `except
    Exception` around the loop doesn't eat it."""

    def __init__(self, stream: Stream, reading: Reading) -> None:
        super().__init__("the app is being planned")
        self.stream = stream
        self.reading = reading


async def probe(agent: Agent) -> Planned:
    """Starts the body up to its first `async for` and tells what it reads.

    Raises: AppError when it never reads its stream.
    """
    try:
        body = agent.fn(agent.stream.in_agent())
        if inspect.isawaitable(body):
            await body
        elif isinstance(body, AsyncIterator):
            async for _ in body:
                break
        else:
            raise AppError(f"agent '{agent.name}' isn't async; write 'async def {agent.name}(stream):'")
    except Planned as planned:
        return planned
    except StreamflowError:
        raise
    except Exception as error:
        raise AppError(
            f"agent '{agent.name}' failed before its 'async for': {type(error).__name__}: {error}{_line(error)}"
        ) from error
    raise AppError(
        f"agent '{agent.name}' doesn't read its stream; its body needs an 'async for event in stream:' that is "
        "reached before anything is yielded"
    )


def _line(error: Exception) -> str:
    """Where the body stood."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({PurePath(frames[1].filename).name} line {frames[1].lineno})" if len(frames) > 1 else ""


def reading_of_take(count_max: int, within: Duration | None) -> Reading:
    """`stream.take(n, within=…)`. Raises: ConfigError for a negative duration; AppError for n below 1."""
    if count_max < 1:
        raise AppError(f"take({count_max}) would never be full; give 1 or more")
    return Reading("take", count_max, None if within is None else duration_ms(within, what="take(within=…)"))
