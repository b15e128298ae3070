"""Batches of clients' transactions, before they are appended: they are in an ongoing transaction, or refused (KIP-890).

Else a batch that comes late would open a transaction that nobody ends, and readers of committed records would wait for
ever.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.event import TopicPartition
from streamflow.log.coordinators.events import ProducerSession
from streamflow.log.coordinators.transaction_records import TransactionVersion
from streamflow.log.errors import CorruptBatchError, InvalidRecordError, PartitionNotAddedError
from streamflow.log.protocol.messages import produce_request
from streamflow.log.records import BatchHeader, parse_header
from streamflow.log.server.broker import Context

ABORTABLE_SINCE, ADDS_SINCE = 11, 12
"""Versions of Produce."""

Refusals = dict[TopicPartition, StreamflowError]


async def add_partitions(context: Context, request: produce_request.ProduceRequest) -> Refusals:
    """From version 12 on, who writes to a partition adds it to the transaction by that. For those before, a coordinator
    on another node is asked whether it is in. Returns: where that failed."""
    wanted: dict[ProducerSession, set[TopicPartition]] = {}
    adds, transactions = context.version >= ADDS_SINCE, context.node.client_transactions
    if request.transactional_id is None or (transactions.verification.here and not adds):
        return {}
    for topic in request.topic_data:
        image = context.broker.topic(topic.name, topic.topic_id)
        for data in topic.partition_data:
            header = _header(data.records)
            if header is None or not header.transactional or image is None:
                continue
            where = TopicPartition(image.name, data.index)
            replica = context.node.topics.replicas.get(where)
            if replica is not None and replica.leads:
                wanted.setdefault(_session(request.transactional_id, header), set()).add(where)
    refusals: Refusals = {}
    for session, partitions in wanted.items():
        if not transactions.verification.here:
            refusals.update(await transactions.verification.ask(session, partitions, add=adds))
            continue
        try:
            await transactions.add_partitions(session, partitions, TransactionVersion.V2)
        except StreamflowError as error:
            refusals.update(dict.fromkeys(partitions, error))
    return refusals


def check(
    context: Context, transactional_id: str | None, where: TopicPartition, header: BatchHeader, refusals: Refusals
) -> None:
    """Of every batch, in the instant before it is appended. Raises: StreamflowError, as it is to be answered."""
    if header.control:
        raise InvalidRecordError("clients don't write control records: a transaction ends by EndTxn")
    if header.producer_id >= 0 and (header.base_sequence < 0 or header.producer_epoch < 0):
        raise InvalidRecordError(
            f"producer {header.producer_id} sent a batch at epoch {header.producer_epoch}, sequence "
            f"{header.base_sequence}; neither is below 0"
        )
    if not header.transactional:
        return
    if where in refusals:
        raise refusals[where]
    if transactional_id is None or header.producer_id < 0:
        raise PartitionNotAddedError(f"a transactional batch for {where} names no transaction it is part of")
    context.node.client_transactions.check_batch(
        _session(transactional_id, header), where, header, added=context.version >= ADDS_SINCE
    )


def _session(transactional_id: str, header: BatchHeader) -> ProducerSession:
    return ProducerSession(
        transactional_id=transactional_id, producer_id=header.producer_id, producer_epoch=header.producer_epoch
    )


def _header(records: object) -> BatchHeader | None:
    try:
        return parse_header(records) if isinstance(records, memoryview) else None
    except CorruptBatchError:
        return None  # The append says what is wrong with it.
