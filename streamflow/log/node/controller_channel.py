"""The way from a node to the active controller, wherever that is, and wherever it moves meanwhile.

Promises: the answer is the active controller's own, within the time-out. A request may be carried out twice, if its
first answer was lost: what is asked this way says by its epochs, or by its incarnation, that it is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

from streamflow.log.errors import PeerUnreachableError, RequestTimedOutError
from streamflow.log.node.controller import Controller
from streamflow.log.node.peers import Peers
from streamflow.log.protocol.errors import ErrorCode

RETRY_MS = 50
"""Until another controller is known, or the same again."""
ATTEMPT_MS_MAX = 2_000
"""For one node: one that is silent must not take the whole time."""


class ControllerChannel:
    """Args:
    leader_id: who leads the metadata quorum, as far as this node knows; -1 when it doesn't.
    own: this node's controller, if it has the role.
    """

    def __init__(
        self,
        node_id: int,
        leader_id: Callable[[], int],
        own: Controller | None,
        peers: Peers,
        now_ms: Callable[[], int],
    ) -> None:
        self._node_id = node_id
        self._leader_id = leader_id
        self._own = own
        self._peers = peers
        self._now_ms = now_ms

    async def ask(self, request: Any, *, timeout_ms: int) -> Any:
        """The answer to a request message. Raises: RequestTimedOutError."""
        deadline_ms = self._now_ms() + timeout_ms
        wrong = "nobody is known to lead the quorum"
        while (left_ms := deadline_ms - self._now_ms()) > 0:
            leader_id = self._leader_id()
            try:
                if leader_id >= 0:
                    answer = await self._ask(leader_id, request, min(left_ms, ATTEMPT_MS_MAX))
                    if answer.error_code != ErrorCode.not_controller:
                        return answer
                    wrong = f"node {leader_id} isn't the active controller any more, or not yet"
            except PeerUnreachableError as error:
                wrong = str(error)
            await anyio.sleep(RETRY_MS / 1000)
        raise RequestTimedOutError(
            f"no controller answered {type(request).__name__} within {timeout_ms} ms; at last: {wrong}"
        )

    async def _ask(self, leader_id: int, request: Any, timeout_ms: int) -> Any:
        if leader_id == self._node_id and self._own is not None:
            return await self._own.answers[type(request)](request)
        return await self._peers.ask(leader_id, request, timeout_ms=timeout_ms)
