"""What happens to an event that can't be dealt with: stop, skip to a dead-letter topic, or retry first. PURE.

The default stops: an offset is never passed over unless the app said so.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamflow.errors import ConfigError
from streamflow.event import Event, Headers
from streamflow.schedule import Duration, duration_ms


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the worker. The event isn't committed: it is read again at the next start."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Write the record as it was read, with the error, to `dead_letter` (default `APP-dead-letters`), go on."""

    dead_letter: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again up to `times`, waiting `backoff` and twice as long each time up to `backoff_max`; then `then`."""

    times: int = 3
    backoff_ms: int = 100
    backoff_ms_max: int = 30_000
    then: Stop | Skip = Stop()

    def delay_ms(self, attempt: int) -> int | None:
        """How long to wait before attempt 1, 2, …; None when there is none left."""
        if attempt > self.times:
            return None
        return min(self.backoff_ms << (attempt - 1), self.backoff_ms_max)


Policy = Stop | Skip | Retry


def skip(dead_letter: str | None = None) -> Skip:
    """Policy: write the offending record to a dead-letter topic with its error, and go on."""
    return Skip(dead_letter)


def retry(
    times: int = 3,
    *,
    backoff: Duration = "100ms",
    backoff_max: Duration = "30s",
    then: Stop | Skip | str = "stop",
) -> Retry:
    """Policy: hand the event to a fresh run of the agent up to `times` times, with growing pauses; then `then`."""
    if times < 1:
        raise ConfigError(f"retry(times={times}) never retries; give 1 or more, or use on_error='stop'")
    last = policy_of(then)
    if isinstance(last, Retry):
        raise ConfigError("retry(then=…) takes 'stop', 'skip' or skip(…), not another retry")
    return Retry(times, duration_ms(backoff), duration_ms(backoff_max), last)


def policy_of(value: Policy | str | None) -> Policy:
    """The policy a user wrote: an object, or 'stop', 'skip' or 'retry' for its default form.

    Raises: ConfigError for another word.
    """
    if value is None or value == "stop":
        return Stop()
    if value == "skip":
        return Skip()
    if value == "retry":
        return Retry()
    if isinstance(value, Stop | Skip | Retry):
        return value
    raise ConfigError(f"on_error={value!r} isn't a policy; use 'stop', sf.skip(…) or sf.retry(…)")


def final(policy: Policy) -> Stop | Skip:
    """What a policy comes to once retries are of no use."""
    return policy.then if isinstance(policy, Retry) else policy


def letter_headers(event: Event, error: BaseException, agent: str) -> Headers:
    """Headers of a dead letter: what went wrong, and where the record stood."""
    return (
        *event.headers,
        ("error", f"{type(error).__name__}: {error}".encode()),
        ("agent", agent.encode()),
        ("topic", event.topic.encode()),
        ("partition", str(event.partition).encode()),
        ("offset", str(event.offset).encode()),
    )
