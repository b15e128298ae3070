"""The other nodes of the cluster, as this one asks them. What is behind it is sockets, or a simulated network.

Promises: a request is sent at most once; a call ends within its time-out, with the answer or an error. An answer that
comes later is dropped. Requests to one node may overtake each other: what must be in order is asked in turn.
"""

from __future__ import annotations

from typing import Any, Protocol

from streamflow.log.errors import PeerUnreachableError


class Peers(Protocol):
    async def ask(self, node_id: int, request: Any, *, timeout_ms: int) -> Any:
        """Sends a request message (`protocol.messages`), in the newest version the API has here, and returns the
        response message.

        Raises: PeerUnreachableError.
        """


class Alone:
    """Of a node that has no peers."""

    async def ask(self, node_id: int, request: Any, *, timeout_ms: int) -> Any:
        raise PeerUnreachableError(f"node {node_id} can't be asked: this node is alone")
