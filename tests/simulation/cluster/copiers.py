"""Simulated workers that read, write and commit their offsets in one transaction: each record is to be copied once.

All copiers are one group, and have one transactional id: whoever comes takes over, and the one before it is fenced.
"""

from __future__ import annotations

from random import Random

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    init_producer_id_request,
    offset_fetch_request,
    txn_offset_commit_request,
)
from tests.simulation.checkers.operations import FAIL, INFO, OK
from tests.simulation.cluster.client import GROUP, RETRIABLE, TROUBLE, World
from tests.simulation.cluster.consumers import Reader
from tests.simulation.cluster.history import Send
from tests.simulation.cluster.producers import TRIES, Batch, TransactionalProducer

COPY = "copy"
SOURCE, TARGET = "t-0", "u-0"
THE_GROUP = "copiers"


class Copier(TransactionalProducer):
    """Draws now and then to take over from the other."""

    def __init__(self, name: str, world: World, chance: Random) -> None:
        super().__init__(name, world, chance)
        self.transactional_id = "tx-copiers"
        self._reader = Reader(f"{name}-reader", world, chance)
        self._ready = False

    async def step(self) -> None:
        if not self._ready and not await self._take_over():
            return
        records = await self._reader.records(SOURCE, wait_ms=100)
        values = [(offset, value) for offset, value, _ in records or () if value is not None][:5]
        if not values:
            if records:
                self._reader.positions[SOURCE] = records[-1][2]
            return
        operation = self.world.history.begin(self.process, COPY, polled={SOURCE: values})
        operation.sent = [Send(TARGET, self.world.value(TARGET)) for _ in values]
        sequence = self.next_sequence(TARGET, len(values))
        end = values[-1][0] + 1
        sent = await self._send_often(Batch(TARGET, operation.sent, sequence, operation)) and await self._commit(end)
        if not sent:
            self.world.history.end(operation, FAIL, "never ended by its producer")
            self._ready = False
        elif await self._end(commit=True):
            self.world.history.end(operation, OK)
            self._reader.positions[SOURCE] = end
        else:
            self.world.history.end(operation, INFO, "commit without an answer")
            self._ready = False

    async def _take_over(self) -> bool:
        """Fences who was there, then reads where it was: what it left open is ended by then."""
        request = init_producer_id_request.InitProducerIdRequest(
            transactional_id=self.transactional_id, transaction_timeout_ms=6000, producer_id=-1, producer_epoch=-1
        )
        if not await self.init(request):
            return False
        topic, _, number = SOURCE.rpartition("-")
        try:
            await self._reader.leader(SOURCE)
            wanted = offset_fetch_request.OffsetFetchRequestTopics(
                topic_id=self.world.ids[topic], partition_indexes=[int(number)]
            )
            group = offset_fetch_request.OffsetFetchRequestGroup(group_id=THE_GROUP, topics=[wanted])
            asked = offset_fetch_request.OffsetFetchRequest(groups=[group], require_stable=True)
            [answer] = (await self.ask(await self.coordinator(GROUP, THE_GROUP), asked)).groups
        except TROUBLE:
            self.forget_coordinator(GROUP, THE_GROUP)
            return False
        if answer.error_code != ErrorCode.none:
            self.forget_coordinator(GROUP, THE_GROUP)
            return False
        [found] = answer.topics[0].partitions
        if found.error_code != ErrorCode.none:
            return False
        self._reader.positions[SOURCE] = max(found.committed_offset, 0)
        self.process = f"{self.name} {self.world.loop.time():.3f}"
        self._ready = True
        return True

    async def _commit(self, offset: int) -> bool:
        assert self.transactional_id is not None
        topic, _, number = SOURCE.rpartition("-")
        partition = txn_offset_commit_request.TxnOffsetCommitRequestPartition(
            partition_index=int(number), committed_offset=offset
        )
        request = txn_offset_commit_request.TxnOffsetCommitRequest(
            transactional_id=self.transactional_id,
            group_id=THE_GROUP,
            producer_id=self.id,
            producer_epoch=self.epoch,
            generation_id=-1,
            topics=[txn_offset_commit_request.TxnOffsetCommitRequestTopic(name=topic, partitions=[partition])],
        )
        for _ in range(TRIES):
            code = None
            try:
                answer = await self.ask(await self.coordinator(GROUP, THE_GROUP), request)
                code = ErrorCode(answer.topics[0].partitions[0].error_code)
            except TROUBLE:
                pass
            if code == ErrorCode.none:
                return True
            if code is not None and code not in RETRIABLE:
                return False
            self.forget_coordinator(GROUP, THE_GROUP)
            await self.pause(0.02, 0.3)
        return False
