"""A transactional producer on this node: its place in the log's sequences, and what its transaction has touched.

Promises: what it appends lies in the log at once and is seen by nobody before `end(commit=True)`. Not for use by
several tasks at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from streamflow.event import Batch, TopicPartition
from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.errors import TransactionError
from streamflow.log.node.groups import OFFSETS, Groups
from streamflow.log.node.rows import SEQUENCES, build
from streamflow.log.node.topics import Topics
from streamflow.log.node.transactions import Transactions
from streamflow.log.records import Producer


class TransactionalProducer:
    def __init__(
        self, session: ProducerSession, transactions: Transactions, topics: Topics, groups: Groups, *, codec: int
    ) -> None:
        self.session = session
        self.begun = False
        self._transactions = transactions
        self._topics = topics
        self._groups = groups
        self._codec = codec
        self._sequences: dict[TopicPartition, int] = {}

    def begin(self) -> None:
        """Raises: TransactionError when one is begun already."""
        if self.begun:
            raise TransactionError(f"a transaction of '{self.session.transactional_id}' is begun already; end it first")
        self.begun = True

    def append(self, where: TopicPartition, batch: Batch, now_ms: int) -> int:
        """Returns: the offset of the first record. Raises: ProducerFencedError, TransactionError, LogError."""
        if not self.begun:
            raise TransactionError(f"begin a transaction of '{self.session.transactional_id}' before writing")
        replica = self._topics.find(where)
        self._transactions.add_partition(self.session, where)
        sequence = self._sequences.get(where, 0)
        producer = Producer(self.session.producer_id, self.session.producer_epoch, sequence, True)
        data = build(batch, codec=self._codec, bytes_max=replica.log.config.message_bytes_max, producer=producer)
        info = replica.append(data, now_ms)
        self._sequences[where] = (sequence + len(batch)) % SEQUENCES
        return info.base_offset

    async def add_offsets(self, group: str, offsets: Mapping[TopicPartition, OffsetValue], now_ms: int) -> None:
        rows = self._groups.rows(group, offsets)
        await self._groups.ready()
        keys, values = [k for k, _ in rows], [v for _, v in rows]
        self.append(OFFSETS, Batch(keys, values, [now_ms] * len(rows), range(len(rows))), now_ms)
        self._groups.offsets.written(rows, self.session.producer_id)

    async def end(self, *, commit: bool) -> None:
        """Raises: TransactionError when none is begun; as `Transactions.end`."""
        if not self.begun:
            raise TransactionError(f"no transaction of '{self.session.transactional_id}' is begun")
        following = await self._transactions.end(self.session, commit=commit)
        self.begun = False
        if following != self.session:
            self.session = following
            self._sequences.clear()
