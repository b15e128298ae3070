"""The log as the framework sees it; one file a kind of log."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamflow.errors import ConfigError
from streamflow.transport.base import Transport

DEFAULT_LOG = "log://./streamflow-data"
KNOWN = ("memory://", "log://PATH", "kafka://HOST:PORT")


def open_transport(url: str, *, now_ms: Callable[[], int] | None = None) -> Transport:
    """The transport an address names, not opened yet.

    Args:
        url: `memory://`, `log://PATH` or `kafka://HOST:PORT,…`, with settings after a `?`.
        now_ms: the time, ms since the epoch; by default the wall clock.

    Raises: ConfigError for an address that none of the transports knows.
    """
    from streamflow.transport.embedded import EmbeddedTransport

    scheme, separator, _ = url.partition("://")
    if separator and scheme in ("memory", "log"):
        return EmbeddedTransport(url, now_ms=now_ms or _wall_clock_ms)
    if separator and scheme == "kafka":
        try:
            from streamflow.transport.kafka.transport import KafkaTransport
        except ModuleNotFoundError as error:
            if error.name != "confluent_kafka":
                raise
            raise ConfigError("kafka:// needs confluent-kafka: pip install 'streamflow-log[kafka]'") from error
        return KafkaTransport(url, now_ms=now_ms or _wall_clock_ms)
    hint = "" if separator or not url else f"; for a directory write log://{url.removeprefix('log:')}"
    raise ConfigError(f"'{url}' isn't the address of a log; use one of: {', '.join(KNOWN)}{hint}")


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


__all__ = ["DEFAULT_LOG", "open_transport"]
