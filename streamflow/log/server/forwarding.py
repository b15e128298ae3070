"""Clients' requests that change metadata, sent on to the active controller (KIP-590).

Promises: a client may ask any node. The answer it gets is the active controller's; who is that is found anew until the
request's time is up. As a controller that lost its place after deciding may be asked again, a change may be answered as
one that was already there, as in Apache Kafka.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Protocol

import anyio

from streamflow.log.errors import MalformedError, PeerUnreachableError, RequestTimedOutError
from streamflow.log.node.peers import Peers
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.frames import LENGTH_BYTES, RequestHeader
from streamflow.log.protocol.messages import codec_of, envelope_request

RETRY_SECONDS = 0.05
ATTEMPT_SECONDS_MAX = 5.0
"""For one node: one that is silent must not take the whole time."""
TIMEOUT_MS = 30_000
"""Of requests that don't say how long they may take."""


class Quorum(Protocol):
    """What is known of the controllers: `leader_id` is -1 while nobody is known to lead."""

    @property
    def leader_id(self) -> int: ...
    @property
    def active(self) -> bool: ...


class Forwarding:
    """Args:
    node_id: this node's, which may be the active controller itself.
    """

    def __init__(self, node_id: int, quorum: Quorum, peers: Peers) -> None:
        self._node_id = node_id
        self._quorum = quorum
        self._peers = peers

    def __repr__(self) -> str:
        return f"<Forwarding to node {self._quorum.leader_id}>"

    @property
    def here(self) -> bool:
        """Whether this node is the active controller."""
        return self._quorum.active

    async def ask(self, header: RequestHeader, request: Any, frame: memoryview, client_host: str) -> Any:
        """The active controller's answer to the request whose `frame` is sent on; None when by now it is this node that
        is to answer.

        Raises: RequestTimedOutError.
        """
        envelope = envelope_request.EnvelopeRequest(request_data=bytes(frame), client_host_address=packed(client_host))
        timeout_ms = getattr(request, "timeout_ms", TIMEOUT_MS)
        wrong = "nobody is known to lead the quorum"
        with anyio.move_on_after(max(0, timeout_ms) / 1000):
            while not self._quorum.active:
                leader_id = self._quorum.leader_id
                try:
                    if leader_id not in (-1, self._node_id):
                        attempt_ms = min(timeout_ms, int(ATTEMPT_SECONDS_MAX * 1000))
                        answer = await self._peers.ask(leader_id, envelope, timeout_ms=attempt_ms)
                        if answer.error_code == ErrorCode.none and answer.response_data is not None:
                            return _inner(header, answer.response_data)
                        wrong = f"node {leader_id} answered {ErrorCode(answer.error_code).name}"
                except PeerUnreachableError as error:
                    wrong = str(error)
                await anyio.sleep(RETRY_SECONDS)
            return None
        raise RequestTimedOutError(f"no controller answered {header.api.name} in {timeout_ms} ms; at last: {wrong}")


def _inner(header: RequestHeader, frame: bytes) -> Any:
    """The message in an answer's frame without its length. Raises: MalformedError."""
    codec = codec_of(header.api.name, header.version, "response")
    message, end = codec.read(memoryview(frame), LENGTH_BYTES + (header.version >= header.api.flexible))
    if end != len(frame):
        raise MalformedError(f"the controller's answer to {header.api.name} of {len(frame)} bytes ends at {end}")
    return message


def packed(host: str) -> bytes:
    """An address as Kafka's envelope has it: 4 or 16 bytes; none for what isn't one."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).packed
    except ValueError:
        return b""
