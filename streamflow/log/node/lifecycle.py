"""A broker's life as the controller sees it: it registers, says that it is there, is unfenced, and stops in order
(KIP-631).

The broker epoch is written down before the first heartbeat under it (`broker_epoch`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import structlog

from streamflow.log.errors import InconsistentClusterIdError, RequestTimedOutError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.controller import CLIENT_LISTENER, PEER_LISTENER, Metadata
from streamflow.log.node.controller_channel import ControllerChannel
from streamflow.log.node.membership import Membership
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import broker_heartbeat_request, broker_registration_request

log = structlog.get_logger("streamflow.log")

ASK_MS = 2_000
"""For the controller to answer."""
HURRY = 10
"""So many times more often than heartbeats go, while something is about to change."""


class Lifecycle:
    """Args:
    incarnation_id: 16 random bytes, this process's own.
    previous_epoch: from `broker_epoch.read_epoch`.
    remember: writes a broker epoch down durably.
    """

    def __init__(
        self,
        membership: Membership,
        metadata: Metadata,
        channel: ControllerChannel,
        config: NodeConfig,
        *,
        incarnation_id: bytes,
        previous_epoch: int,
        remember: Callable[[int], Awaitable[None]],
    ) -> None:
        self.broker_epoch = -1
        """-1 while it isn't registered."""
        self.fenced = True
        """As the controller said last."""
        self.unfenced = anyio.Event()
        """Set when it may serve for the first time."""
        self._membership = membership
        self._metadata = metadata
        self._channel = channel
        self._interval_ms = config.broker_heartbeat_interval_ms
        self._incarnation_id = incarnation_id
        self._previous_epoch = previous_epoch
        self._remember = remember
        self._refused = 0
        self._stopping = anyio.Event()
        self._stopped = anyio.Event()

    def __repr__(self) -> str:
        state = "fenced" if self.fenced else "unfenced"
        return f"<Lifecycle of broker {self._membership.node_id}, epoch {self.broker_epoch}, {state}>"

    async def run(self) -> None:
        """Until the controller lets it stop, or it is cancelled. Raises: InconsistentClusterIdError."""
        while not self._stopped.is_set():
            try:
                settled = await (self._register() if self.broker_epoch == -1 else self._beat())
            except RequestTimedOutError as error:
                log.info("the controller isn't reached; it is tried again", reason=str(error))
                settled = False
            delay_ms = self._interval_ms if settled else self._interval_ms / HURRY
            if self._stopping.is_set():
                await anyio.sleep(delay_ms / 1000)
            else:
                with anyio.move_on_after(delay_ms / 1000):
                    await self._stopping.wait()

    async def stop(self, timeout_ms: int) -> bool:
        """Has others lead in this broker's place. Returns: whether the controller let it go within the time-out; it may
        stop anyway, and is fenced when its session ends."""
        self._stopping.set()
        with anyio.move_on_after(timeout_ms / 1000):
            await self._stopped.wait()
        return self._stopped.is_set()

    async def _register(self) -> bool:
        cluster_id = self._metadata.image.cluster_id
        if not cluster_id:
            return False  # Nothing has come from the quorum yet.
        me = self._membership
        listeners = [
            broker_registration_request.Listener(name=name, host=endpoint.host, port=endpoint.port)
            for name, endpoint in ((CLIENT_LISTENER, me.client), (PEER_LISTENER, me.peer))
            if endpoint is not None
        ]
        answer = await self._channel.ask(
            broker_registration_request.BrokerRegistrationRequest(
                broker_id=me.node_id,
                cluster_id=cluster_id,
                incarnation_id=self._incarnation_id,
                listeners=listeners,
                rack=me.rack,
                previous_broker_epoch=self._previous_epoch,
            ),
            timeout_ms=ASK_MS,
        )
        if answer.error_code == ErrorCode.inconsistent_cluster_id:
            raise InconsistentClusterIdError(
                f"broker {me.node_id} has data of cluster '{cluster_id}', which isn't the controllers' cluster; give "
                "it an empty data directory or the addresses of its own cluster"
            )
        if answer.error_code != ErrorCode.none:
            if answer.error_code != self._refused:  # Once for each reason: it is asked five times a second.
                log.info("not registered yet", broker=me.node_id, error=ErrorCode(answer.error_code).name)
            self._refused = answer.error_code
            return False
        await self._remember(answer.broker_epoch)
        self.broker_epoch = self._previous_epoch = answer.broker_epoch
        return False

    async def _beat(self) -> bool:
        """Returns: whether nothing is about to change."""
        stopping = self._stopping.is_set()
        answer = await self._channel.ask(
            broker_heartbeat_request.BrokerHeartbeatRequest(
                broker_id=self._membership.node_id,
                broker_epoch=self.broker_epoch,
                current_metadata_offset=self._metadata.applied,
                want_shut_down=stopping,
            ),
            timeout_ms=ASK_MS,
        )
        if answer.error_code in (ErrorCode.stale_broker_epoch, ErrorCode.broker_id_not_registered):
            log.warning("the controller doesn't know this broker any more; it registers again", broker=repr(self))
            self.broker_epoch, self.fenced = -1, True
            return False
        if answer.error_code != ErrorCode.none:
            log.info("heartbeat refused", error=ErrorCode(answer.error_code).name)
            return False
        if answer.is_fenced != self.fenced:
            log.info("fenced" if answer.is_fenced else "unfenced", broker=self._membership.node_id)
        self.fenced = answer.is_fenced
        if not self.fenced:
            self.unfenced.set()
        if answer.should_shut_down:
            self._stopped.set()
        return not self.fenced and not stopping
