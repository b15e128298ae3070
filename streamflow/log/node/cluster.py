"""What makes a node one of several: its part in the quorum, its life as a broker, its replicas' leaders and followers.

A node alone has the same parts, and none of them runs: it leads its quorum and its partitions from the start.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from anyio.abc import TaskGroup

from streamflow.log.controller.throttles import Side
from streamflow.log.node.broker_epoch import read_epoch, write_epoch
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.controller import Controller
from streamflow.log.node.controller_channel import ControllerChannel
from streamflow.log.node.fetcher import Surroundings as Neighbours
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.lifecycle import Lifecycle
from streamflow.log.node.metadata import PATH as METADATA_PATH
from streamflow.log.node.metadata import MetadataLog
from streamflow.log.node.peers import Peers
from streamflow.log.node.quorum import Quorum
from streamflow.log.node.replica import Replica
from streamflow.log.node.replication import Replication
from streamflow.log.node.settings import Settings
from streamflow.log.node.throttle import Throttle
from streamflow.log.storage.files import Files

INCARNATION_ID_BYTES = 16
SEED_BYTES = 16


class World(Protocol):
    """Of a node's surroundings, what is needed here."""

    @property
    def files(self) -> Files: ...
    @property
    def now_ms(self) -> Callable[[], int]: ...
    @property
    def random_bytes(self) -> Callable[[int], bytes]: ...
    @property
    def peers(self) -> Peers: ...


class Cluster:
    """Args:
    clean: the last run closed the node.
    note_point: notes durably that a log, by its path, is to be checked from an offset on. Blocks.
    durable: what is acknowledged is durable (`log.flush=commit`).
    """

    def __init__(
        self,
        world: World,
        config: NodeConfig,
        metadata: MetadataLog,
        flusher: Flusher,
        *,
        clean: bool,
        note_point: Callable[[str, int], None],
        durable: bool,
    ) -> None:
        membership = metadata.membership
        self.incarnation_id = world.random_bytes(INCARNATION_ID_BYTES)
        self.controller = None
        if membership.controller:
            self.controller = Controller(
                metadata, config, now_ms=world.now_ms, random_bytes=world.random_bytes, peers=world.peers
            )
        self.channel = ControllerChannel(
            membership.node_id, lambda: metadata.leader_id, self.controller, world.peers, world.now_ms
        )

        async def remember(broker_epoch: int) -> None:
            await flusher.alone(lambda: write_epoch(world.files, broker_epoch))

        self.lifecycle = Lifecycle(
            membership,
            metadata,
            self.channel,
            config,
            incarnation_id=self.incarnation_id,
            previous_epoch=read_epoch(world.files, nothing_lost=durable or clean),
            remember=remember,
        )
        self.quorum = Quorum(
            metadata,
            world.peers,
            lambda offset: note_point(METADATA_PATH, offset),
            Random(world.random_bytes(SEED_BYTES)),
        )
        self.throttles = {side: Throttle(_rate(side, metadata, config), world.now_ms) for side in Side}
        self.replication = Replication(
            Neighbours(
                membership=membership,
                image=lambda: metadata.image,
                peers=world.peers,
                channel=self.channel,
                broker_epoch=lambda: self.lifecycle.broker_epoch,
                note_point=lambda replica, offset: note_point(replica.path, offset),
                throttle=self.throttles[Side.FOLLOWER],
                now_ms=world.now_ms,
            ),
            flusher,
            config,
        )
        self._membership = membership

    def __repr__(self) -> str:
        return f"<Cluster: {self.lifecycle!r}, {self.replication!r}>"

    @property
    def broker_epoch(self) -> int:
        """This node's, as the controller knows it."""
        return self.lifecycle.broker_epoch

    async def ask(self, request: Any, *, timeout_ms: int) -> Any:
        """As `ControllerChannel.ask`."""
        return await self.channel.ask(request, timeout_ms=timeout_ms)

    async def run(self, group: TaskGroup) -> None:
        """Until it is cancelled. Raises: LogError."""
        if self.controller is not None:
            group.start_soon(self.controller.run)
        if self._membership.broker:
            group.start_soon(self.replication.run)
            group.start_soon(self.lifecycle.run)
        await self.quorum.run()

    async def stop(self, timeout_ms: int) -> bool:
        """Has others lead in this node's place. Returns: whether they do, within the time-out."""
        stopped = await self.lifecycle.stop(timeout_ms) if self._membership.broker else True
        await self.quorum.resign()
        return stopped


def _rate(side: Side, metadata: MetadataLog, config: NodeConfig) -> Callable[[Replica], int | None]:
    """What the copying of a replica has to share."""
    settings = Settings(metadata, config.static)

    def rate(replica: Replica) -> int | None:
        topic = metadata.image.topics.get(replica.where.topic)
        return None if topic is None else settings.throttle(side, topic, replica.where.partition)

    return rate
