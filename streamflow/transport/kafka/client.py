"""librdkafka's clients of one cluster: how each is set, and how its blocking calls are waited for.

Promises: no call blocks the event loop; each has a time-out, and says what it waited for. librdkafka's own log lines go
to ours, as do its errors that no call returns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from streamflow.transport.kafka.address import Address
from streamflow.transport.kafka.failures import translate

T = TypeVar("T")

log = structlog.get_logger("streamflow.kafka")

TIMEOUT_SECONDS = 30.0
"""Of a call to the cluster: an election, or a broker's restart, takes a few seconds."""
THREADS_MAX = 64
"""Calls that wait at once: one a reader, one a writer."""

COMMON: dict[str, Any] = {
    "client.id": "streamflow",
    "socket.keepalive.enable": True,
    "reconnect.backoff.ms": 100,
    "reconnect.backoff.max.ms": 2_000,
    "topic.metadata.propagation.max.ms": 1_000,  # A topic that is gone is said to be, rather than looked for.
    "log.connection.close": False,
}


class Client:
    """What all parts of a transport share."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.threads = anyio.CapacityLimiter(THREADS_MAX)
        self.admin = AdminClient(self.settings({}))

    def settings(self, more: dict[str, Any]) -> dict[str, Any]:
        """For one of librdkafka's clients; the address's own come over the common ones."""
        quiet = logging.getLogger("streamflow.kafka.librdkafka")
        common = {"bootstrap.servers": ",".join(self.address.servers), "logger": quiet, "error_cb": tell}
        return {**COMMON, **self.address.settings, **common, **more}

    async def blocking(self, work: Callable[[], T], what: str, topic: str = "") -> T:
        """Runs what blocks. Isn't abandoned when cancelled: what was begun is known to be over. Raises: LogError."""
        try:
            return await anyio.to_thread.run_sync(work, limiter=self.threads)
        except KafkaException as error:
            raise translate(error, what, topic) from error

    async def result(self, future: Future[T], what: str, topic: str = "") -> T:
        """Of a call of the admin client."""
        return await self.blocking(lambda: future.result(TIMEOUT_SECONDS + 5), what, topic)


def tell(error: KafkaError) -> None:
    """What no call returns."""
    log.warning("the cluster isn't as it should be", error=error.str(), kind=error.name())
