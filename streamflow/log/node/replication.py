"""Has this node's partitions lead and follow as metadata says: a fetcher for each leader, and the ISRs kept true.

Promises: after `lead`, `follow` and `stop` the replica is what it was told to be; what the fetcher was doing to it is
done. A node alone calls `lead` only, and needs no `run`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import structlog

from streamflow.log.controller.image import PartitionImage
from streamflow.log.errors import LogError, PeerUnreachableError, RequestTimedOutError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.fetcher import Fetcher, Surroundings
from streamflow.log.node.flusher import Flusher
from streamflow.log.node.mending import Mender
from streamflow.log.node.replica import Replica
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import alter_partition_request
from streamflow.log.replication.events import (
    NOBODY,
    Assignment,
    IsrCommitted,
    IsrNotCommitted,
    ProposeIsr,
    TimePassed,
)

log = structlog.get_logger("streamflow.log")

LOOK_MS_MAX = 1_000
"""How often lagging followers and doubtful ISRs are looked at, at least."""
MEND_MS = 200
"""How often damaged logs are looked for."""
PROPOSAL_TIMEOUT_MS = 10_000
PROPOSAL_REST_MS = 200
"""After one that failed."""

Proposals = dict[Replica, ProposeIsr]


class Replication:
    """Of all of a node's replicas."""

    def __init__(self, cluster: Surroundings, flusher: Flusher, config: NodeConfig) -> None:
        self._cluster = cluster
        self._flusher = flusher
        self._config = config
        self._leading: dict[Replica, None] = {}
        self._following: dict[Replica, Fetcher] = {}
        self._fetchers: dict[int, Fetcher] = {}
        self._proposals: Proposals = {}
        self.mender = Mender(cluster, flusher, config)
        self._begun: list[Fetcher] = []
        self._wake_fetching = anyio.Event()
        self._wake_proposing = anyio.Event()
        self._wake_flushing = anyio.Event()

    def __repr__(self) -> str:
        return f"<Replication: leads {len(self._leading)}, follows {len(self._following)}>"

    # What metadata says

    async def lead(self, replica: Replica, partition: PartitionImage) -> None:
        """The replica leads, or goes on with what is new of the partition."""
        async with replica.turn:
            self._unfollow(replica)
            replica.propose = self._propose
            replica.lead(self._assignment(replica, partition), partition.leader_epoch, self._cluster.now_ms())
            self._leading[replica] = None
        if replica.unflushed and replica.role.durable:
            self._flusher.want((replica,))
            self._wake_flushing.set()

    async def follow(self, replica: Replica, partition: PartitionImage) -> None:
        """The replica follows the partition's leader, or waits for one."""
        async with replica.turn:
            self._leading.pop(replica, None)
            self._proposals.pop(replica, None)
            replica.follow(partition.leader, partition.leader_epoch)
            fetcher = None if partition.leader == NOBODY else self._fetcher(partition.leader)
            if self._following.get(replica) is not fetcher:
                self._unfollow(replica)
            if fetcher is not None:
                self._following[replica] = fetcher
                fetcher.add(replica)

    async def stop(self, replica: Replica) -> None:
        """The replica neither leads nor follows."""
        async with replica.turn:
            self._leading.pop(replica, None)
            self._proposals.pop(replica, None)
            self._unfollow(replica)
            replica.follow(NOBODY, replica.leader_epoch)

    def _assignment(self, replica: Replica, partition: PartitionImage) -> Assignment:
        return Assignment(
            me=self._cluster.membership.node_id,
            replicas=partition.replicas,
            isr=partition.isr,
            partition_epoch=partition.partition_epoch,
            in_sync_min=replica.admission.in_sync_min,
            lag_ms_max=self._config.replica_lag_ms_max,
        )

    def _unfollow(self, replica: Replica) -> None:
        fetcher = self._following.pop(replica, None)
        if fetcher is not None:
            fetcher.remove(replica)

    def _fetcher(self, leader: int) -> Fetcher:
        if leader not in self._fetchers:
            self._fetchers[leader] = Fetcher(leader, self._cluster, self._flusher, self._config)
            self._begun.append(self._fetchers[leader])
            self._wake_fetching.set()
        return self._fetchers[leader]

    # What goes on by itself

    async def run(self) -> None:
        """Until it is cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._look)
            group.start_soon(self._mend)
            group.start_soon(self._ask_controller)
            group.start_soon(self._flush_promoted)
            while True:
                begun, self._begun = self._begun, []
                for fetcher in begun:
                    group.start_soon(fetcher.run)
                self._wake_fetching = anyio.Event()
                await self._wake_fetching.wait()

    async def _flush_promoted(self) -> None:
        """What was fetched and not yet flushed when the replica came to lead."""
        while True:
            await self._wake_flushing.wait()
            self._wake_flushing = anyio.Event()
            try:
                await self._flusher.flush_wanted()
            except LogError as error:
                log.error("what was fetched couldn't be made durable", reason=str(error))

    async def _look(self) -> None:
        every_ms = min(LOOK_MS_MAX, self._config.replica_lag_ms_max // 2 or 1)
        while True:
            await anyio.sleep(every_ms / 1000)
            now_ms = self._cluster.now_ms()
            for replica in list(self._leading):
                if replica.leads:
                    replica.step(TimePassed(), now_ms)

    async def _mend(self) -> None:
        """By itself: whoever is asked for records may not answer for long."""
        while True:
            await anyio.sleep(MEND_MS / 1000)
            await self.mender.look([r for r in (*self._leading, *self._following) if r.log.quarantined])

    def _propose(self, replica: Replica, proposal: ProposeIsr) -> None:
        self._proposals[replica] = proposal
        self._wake_proposing.set()

    async def _ask_controller(self) -> None:
        """One request for all partitions that want another ISR; the next once it is answered."""
        while True:
            await self._wake_proposing.wait()
            self._wake_proposing = anyio.Event()
            proposals, self._proposals = self._proposals, {}
            answers: dict[tuple[bytes, int], Any] = {}
            try:
                answer = await self._cluster.channel.ask(self._request(proposals), timeout_ms=PROPOSAL_TIMEOUT_MS)
                if answer.error_code == ErrorCode.none:
                    answers = {(t.topic_id, p.partition_index): p for t in answer.topics for p in t.partitions}
            except (RequestTimedOutError, PeerUnreachableError) as error:
                log.warning("the controller couldn't be asked for other in-sync replicas", reason=str(error))
            refused = [r for r, proposal in proposals.items() if not self._settled(r, proposal, answers)]
            if refused:
                await anyio.sleep(PROPOSAL_REST_MS / 1000)
            for replica in refused:
                if self._is_of(replica, proposals[replica]):
                    event = IsrNotCommitted(partition_epoch=proposals[replica].partition_epoch)
                    replica.step(event, self._cluster.now_ms())

    def _settled(self, replica: Replica, proposal: ProposeIsr, answers: dict[tuple[bytes, int], Any]) -> bool:
        answer = answers.get((replica.log.identity.topic_id.bytes, replica.where.partition))
        if answer is None or answer.error_code != ErrorCode.none:
            return False
        if self._is_of(replica, proposal) and answer.leader_epoch == proposal.leader_epoch:
            event = IsrCommitted(isr=tuple(answer.isr), partition_epoch=answer.partition_epoch)
            replica.step(event, self._cluster.now_ms())
        return True

    @staticmethod
    def _is_of(replica: Replica, proposal: ProposeIsr) -> bool:
        """Whether the leadership that proposed goes on."""
        return replica.leads and replica.leader_epoch == proposal.leader_epoch

    def _request(self, proposals: Proposals) -> Any:
        topics: dict[bytes, list[Any]] = {}
        for replica, proposal in proposals.items():
            partition = alter_partition_request.PartitionData(
                partition_index=replica.where.partition,
                leader_epoch=proposal.leader_epoch,
                partition_epoch=proposal.partition_epoch,
                new_isr_with_epochs=self._members(proposal.members),
            )
            topics.setdefault(replica.log.identity.topic_id.bytes, []).append(partition)
        return alter_partition_request.AlterPartitionRequest(
            broker_id=self._cluster.membership.node_id,
            broker_epoch=self._cluster.broker_epoch(),
            topics=[alter_partition_request.TopicData(topic_id=i, partitions=listed) for i, listed in topics.items()],
        )

    def _members(self, members: Sequence[tuple[int, int]]) -> list[Any]:
        me = self._cluster.membership.node_id
        return [
            alter_partition_request.BrokerState(
                broker_id=n, broker_epoch=self._cluster.broker_epoch() if n == me else epoch
            )
            for n, epoch in members
        ]
