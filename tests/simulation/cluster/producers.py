"""Simulated producers: idempotent, with up to five batches in flight; and transactional (KIP-890, version 2)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Any

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import end_txn_request, init_producer_id_request, produce_request
from streamflow.log.records import Producer, build_batch
from tests.simulation.checkers.operations import FAIL, OK
from tests.simulation.cluster.client import RETRIABLE, TIMEOUT_SECONDS, TRANSACTION, TROUBLE, Client, World
from tests.simulation.cluster.history import Operation, Send

IN_FLIGHT_MAX = 5
TRIES = 12


@dataclass(slots=True)
class Batch:
    """One that is to be sent. `tried`: somebody may have it."""

    partition: str
    sends: list[Send]
    sequence: int
    operation: Operation
    tried: bool = False


class ProducerClient(Client):
    """What both kinds have. `id` and `epoch` are -1 until the broker gave them; sequences are counted a partition."""

    transactional_id: str | None = None

    def __init__(self, name: str, world: World, chance: Random) -> None:
        super().__init__(name, world, chance)
        self.process = name
        self.id, self.epoch = -1, -1
        self.sequences: dict[str, int] = {}
        self.acknowledged: dict[str, int] = {}
        """The sequence up to which everything of this epoch was acknowledged, by partition."""

    def next_sequence(self, partition: str, count: int) -> int:
        """Of a batch of so many records."""
        first = self.sequences.get(partition, 0)
        self.sequences[partition] = first + count
        return first

    def became(self, producer_id: int, epoch: int) -> None:
        """Sequences begin anew with every epoch."""
        self.id, self.epoch = producer_id, epoch
        self.sequences.clear()
        self.acknowledged.clear()

    async def send(self, batch: Batch) -> ErrorCode | None:
        """What the broker says of it; None when it says nothing. An acknowledged batch knows its offsets."""
        topic, _, number = batch.partition.rpartition("-")
        data = build_batch(
            [None] * len(batch.sends),
            [str(send.value).encode() for send in batch.sends],
            [1_700_000_000_000] * len(batch.sends),
            producer=Producer(self.id, self.epoch, batch.sequence, self.transactional_id is not None),
        )
        try:
            leader = await self.leader(batch.partition)
            topic_id = self.world.ids[topic]
            part = produce_request.PartitionProduceData(index=int(number), records=[data])
            request = produce_request.ProduceRequest(
                transactional_id=self.transactional_id,
                acks=-1,
                timeout_ms=int(TIMEOUT_SECONDS * 800),
                topic_data=[produce_request.TopicProduceData(topic_id=topic_id, partition_data=[part])],
            )
            batch.tried = True
            answer = (await self.ask(leader, request)).responses[0].partition_responses[0]
        except TROUBLE:
            self.forget(batch.partition)
            return None
        code = ErrorCode(answer.error_code)
        if code == ErrorCode.none and answer.base_offset >= 0:
            for n, send in enumerate(batch.sends):
                send.offset = answer.base_offset + n
        elif code in RETRIABLE:
            self.forget(batch.partition)
        return code

    async def init(self, request: Any) -> bool:
        """Asks for an id, or the next epoch. Returns: whether it has it now."""
        try:
            if self.transactional_id is None:
                node = self.chance.choice(self.world.nodes)
            else:
                node = await self.coordinator(TRANSACTION, self.transactional_id)
            answer = await self.ask(node, request)
        except TROUBLE:
            if self.transactional_id is not None:
                self.forget_coordinator(TRANSACTION, self.transactional_id)
            return False
        if answer.error_code == ErrorCode.none:
            self.became(answer.producer_id, answer.producer_epoch)
            return True
        if self.transactional_id is not None:
            self.forget_coordinator(TRANSACTION, self.transactional_id)
        return False


class IdempotentProducer(ProducerClient):
    """Sends to one partition at a time, in order, and again what had no answer."""

    async def step(self) -> None:
        if self.id < 0 and not await self.init(init_producer_id_request.InitProducerIdRequest(transactional_id=None)):
            return
        partition = self.chance.choice(self.world.partitions)
        batches = [self._batch(partition) for _ in range(self.chance.randint(1, IN_FLIGHT_MAX))]
        for _ in range(TRIES):
            batches = await self._round(batches)
            if not batches:
                return
            await self.pause(0.05, 0.5)
        for batch in batches:
            self.world.history.end(batch.operation, "info" if batch.tried else FAIL, "given up")
        self.id = (
            -1
        )  # Another id, as whether the last are there isn't known: they may yet come, after what is sent next.
        self.process = f"{self.name} {self.world.loop.time():.3f}"

    def _batch(self, partition: str) -> Batch:
        sends = [Send(partition, self.world.value(partition)) for _ in range(self.chance.randint(1, 3))]
        operation = self.world.history.begin(self.process, "send", sent=sends)
        return Batch(partition, sends, self.next_sequence(partition, len(sends)), operation)

    async def _round(self, batches: list[Batch]) -> list[Batch]:
        """Returns: those that are to be sent again."""
        try:
            await self.leader(batches[0].partition)  # All of them go, in order, or none.
        except TROUBLE:
            return batches
        codes = await asyncio.gather(*[self.send(batch) for batch in batches])
        again: list[Batch] = []
        for batch, code in zip(batches, codes, strict=True):
            if code in (ErrorCode.none, ErrorCode.duplicate_sequence_number):
                if self.acknowledged.get(batch.partition, 0) == batch.sequence:
                    self.acknowledged[batch.partition] = batch.sequence + len(batch.sends)
                self.world.history.end(batch.operation, OK)
            else:
                # Who isn't known to the broker may begin anywhere: only what follows an acknowledged batch tells.
                follows = batch.sequence > 0 and self.acknowledged.get(batch.partition) == batch.sequence
                if code == ErrorCode.out_of_order_sequence_number and not again and follows:
                    self.world.history.violations.append(
                        f"{self.name}: {batch.partition} has forgotten what came before sequence {batch.sequence}"
                    )
                again.append(batch)
        return again


@dataclass(slots=True)
class Work:
    """A transaction's."""

    operation: Operation
    batches: list[Batch] = field(default_factory=list)


class TransactionalProducer(ProducerClient):
    """Begins, sends to some partitions, ends; whoever has its id next fences it."""

    def __init__(self, name: str, world: World, chance: Random) -> None:
        super().__init__(name, world, chance)
        self.transactional_id = f"tx-{name}"

    async def step(self) -> None:
        if self.id < 0 or self.chance.random() < 0.05:
            request = init_producer_id_request.InitProducerIdRequest(
                transactional_id=self.transactional_id, transaction_timeout_ms=6000, producer_id=-1, producer_epoch=-1
            )
            self.id = -1
            if not await self.init(request):
                return
        operation = self.world.history.begin(self.name, "transaction")
        sent = await self._fill(operation)
        commit = sent and self.chance.random() < 0.75
        if not sent or self.chance.random() < 0.05:
            self.world.history.end(operation, FAIL, "never ended by its producer")
            self.id = -1
            return
        ended = await self._end(commit=commit)
        if ended and commit:
            self.world.history.end(operation, OK)
        elif not commit:
            self.world.history.end(operation, FAIL, "aborted")
        else:
            self.world.history.end(operation, "info", "commit without an answer")
        if not ended:
            self.id = -1

    async def _fill(self, operation: Operation) -> bool:
        for partition in self.chance.sample(self.world.partitions, self.chance.randint(1, len(self.world.partitions))):
            for _ in range(self.chance.randint(1, 2)):
                sends = [Send(partition, self.world.value(partition)) for _ in range(self.chance.randint(1, 2))]
                operation.sent.extend(sends)
                batch = Batch(partition, sends, self.next_sequence(partition, len(sends)), operation)
                if not await self._send_often(batch):
                    return False
        return True

    async def _send_often(self, batch: Batch) -> bool:
        for _ in range(TRIES):
            code = await self.send(batch)
            if code in (ErrorCode.none, ErrorCode.duplicate_sequence_number):
                return True
            if code is not None and code not in RETRIABLE:
                return False
            await self.pause(0.02, 0.3)
        return False

    async def _end(self, *, commit: bool) -> bool:
        """Whether it is known to have ended as asked."""
        assert self.transactional_id is not None
        for _ in range(TRIES):
            try:
                node = await self.coordinator(TRANSACTION, self.transactional_id)
                request = end_txn_request.EndTxnRequest(
                    transactional_id=self.transactional_id,
                    producer_id=self.id,
                    producer_epoch=self.epoch,
                    committed=commit,
                )
                answer = await self.ask(node, request)
            except TROUBLE:
                self.forget_coordinator(TRANSACTION, self.transactional_id)
                await self.pause(0.02, 0.3)
                continue
            if answer.error_code == ErrorCode.none:
                self.became(answer.producer_id, answer.producer_epoch)
                return True
            if ErrorCode(answer.error_code) not in RETRIABLE:
                return False
            self.forget_coordinator(TRANSACTION, self.transactional_id)
            await self.pause(0.02, 0.3)
        return False
