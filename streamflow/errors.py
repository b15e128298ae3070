"""What a user of Streamflow may catch.

Every message says what was wrong, with which value, and what to do about it. Errors of the world (a full disk,
a corrupt file, a bad record) are classes here or in `streamflow.log.errors`; errors of our own making are asserts.
"""

from __future__ import annotations


class StreamflowError(Exception):
    """Root of everything Streamflow raises on purpose."""


class ConfigError(StreamflowError):
    """A setting, an argument or an address that can't mean what it says."""


class AppError(StreamflowError):
    """An application that can't be loaded, planned or run as it is written."""


class UnknownTopicError(StreamflowError):
    """A topic that doesn't exist, with the nearest name that does."""

    def __init__(self, topic: str, known: list[str] | None = None) -> None:
        import difflib

        near = difflib.get_close_matches(topic, known or [], n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"create it with: streamflow topic create {topic}"
        super().__init__(f"unknown topic '{topic}'; {hint}")
        self.topic = topic


class DecodeError(StreamflowError):
    """Bytes that aren't a value of the type their topic declares."""


class EncodeError(StreamflowError):
    """A value that its topic's codec can't write."""


class SinkError(StreamflowError):
    """A sink that can't be opened, or that can't take a row. Nothing of the write that raised it is kept."""


class AgentError(StreamflowError):
    """An agent (or operator) that raised, with the event it held. `__cause__` is what it raised."""
