"""What producers are told of a failure, in words that the version they speak knows.

PRODUCER_FENCED came with KIP-588: before, and wherever batches are appended, it is INVALID_PRODUCER_EPOCH.
TRANSACTION_ABORTABLE came with KIP-890: before, it is INVALID_TXN_STATE.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.log.errors import (
    ConcurrentTransactionsError,
    CoordinatorNotAvailableError,
    InvalidProducerIdMappingError,
    NotEnoughReplicasAfterAppendError,
    NotEnoughReplicasError,
    NotLeaderError,
    PartitionNotAddedError,
    PeerUnreachableError,
    ProducerFencedError,
    RequestTimedOutError,
    StorageFailedError,
    StorageFullError,
)
from streamflow.log.protocol.errors import ErrorCode, code_of

UNWRITTEN = (
    StorageFullError,
    StorageFailedError,
    NotEnoughReplicasError,
    NotEnoughReplicasAfterAppendError,
    RequestTimedOutError,
    PeerUnreachableError,
)
"""A coordinator couldn't write down what it was to, or doesn't know whether it is written."""


def coordinator_code(error: StreamflowError, *, knows_fenced: bool) -> ErrorCode:
    """What a transaction's coordinator answers."""
    if isinstance(error, UNWRITTEN):
        return ErrorCode.coordinator_not_available
    if isinstance(error, NotLeaderError):
        return ErrorCode.not_coordinator
    code = code_of(error)
    return ErrorCode.invalid_producer_epoch if code is ErrorCode.producer_fenced and not knows_fenced else code


def append_code(error: StreamflowError, *, knows_abortable: bool, adds: bool) -> ErrorCode:
    """What a partition answers that was to be appended to.

    Args:
        adds: the request adds its partitions to the transaction (V2), so that its client knows what being told to wait
            for the transaction before means; for others it is a code that they try again after.
    """
    match error:
        case InvalidProducerIdMappingError():
            return code_of(error)
        case ProducerFencedError():
            return ErrorCode.invalid_producer_epoch
        case CoordinatorNotAvailableError():
            return ErrorCode.not_enough_replicas
        case ConcurrentTransactionsError() if not adds:
            return ErrorCode.not_enough_replicas
        case PartitionNotAddedError() if knows_abortable:
            return ErrorCode.transaction_abortable
    return code_of(error)
