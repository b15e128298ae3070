"""Topics as an app declares them, and sending to them from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from streamflow.agent import in_hand
from streamflow.engine.policies import Policy, policy_of
from streamflow.errors import AppError
from streamflow.stream import Stream, field_reader, stream_of
from streamflow.topology import TopicDecl

if TYPE_CHECKING:
    from streamflow.app import App


class Topic:
    """Declared by `app.topic`. Sending encodes by the declared type; a value of another type is an error."""

    def __init__(self, app: App, decl: TopicDecl) -> None:
        self.app = app
        self.decl = decl

    def __repr__(self) -> str:
        return f"<Topic {self.decl.name}>"

    @property
    def name(self) -> str:
        return self.decl.name

    def stream(self, *, name: str | None = None, on_error: Policy | str | None = None) -> Stream:
        """The topic's events, from the group's committed offset or the beginning.

        Args:
            name: of the stream and its group (`APP.NAME`); give one where state should survive a change of the app.
            on_error: 'stop' (default), `sf.skip(…)`: for records that aren't of the declared type, and functions
                that raise. `sf.retry` is for agents: operators are pure functions and fail alike each time.
        """
        return stream_of(self.app, self.decl, name=name, policy=policy_of(on_error))

    async def send(
        self,
        value: Any = None,
        *,
        key: Any = None,
        timestamp: datetime | int | None = None,
        headers: Mapping[str, bytes | None] | None = None,
    ) -> None:
        """Appends one record.

        Inside an agent it becomes part of the commit of the event in hand: it is written if and only if that event
        is done with. Anywhere else it returns once the record is as durable as the log's flush policy says.

        Args:
            value: of the topic's type; None is a tombstone.
            key: decides the partition; by default what the topic's `key` reads from the value.
            timestamp: event time, as datetime or ms since the epoch; by default what the topic's `timestamp` reads
                from the value, else that of the event in hand, else now.
        """
        if key is None and self.decl.key_of is not None and value is not None:
            key = self.decl.key_of(value)
        when = epoch_ms(timestamp) if timestamp is not None else None
        if when is None and self.decl.timestamp_of is not None and value is not None:
            when = self.decl.timestamp_of(value)
        pairs = tuple((headers or {}).items())
        hand = in_hand.get()
        if hand is not None:
            hand.emit(self.decl, key, value, hand.batch.timestamps[hand.index] if when is None else when, pairs)
        else:
            await self.app.runtime.send(self.decl, key, value, when, pairs)


def epoch_ms(when: datetime | int) -> int:
    """Milliseconds since the epoch. Raises: AppError for a datetime without a time zone."""
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise AppError(f"{when!r} has no time zone; give one, e.g. datetime(..., tzinfo=UTC)")
        return round(when.timestamp() * 1000)
    return int(when)


def timestamp_reader(source: str | Callable[[Any], datetime | int]) -> Callable[[Any], int]:
    """Event time of a value: from a field's name or a function giving a datetime or ms since the epoch."""
    read = source if callable(source) else field_reader(source)
    return lambda value: epoch_ms(read(value))
