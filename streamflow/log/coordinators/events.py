"""What happens to the transaction coordinator, and what it orders.

Effects are done in order, each before the next. Whoever does them reports `Persisted` or `PersistFailed` after a
`Persist`, `MarkersWritten` after a `WriteMarkers`, `Forgotten` after a `Forget`; events of one transactional id never
overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamflow.event import TopicPartition
from streamflow.log.coordinators.transaction_records import TransactionValue, TransactionVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerSession:
    """Who a transactional producer is: fenced as soon as another opens under its transactional id."""

    transactional_id: str
    producer_id: int
    producer_epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialise:
    """A producer opens under the id. `spare_producer_id` is one never used, for an id that needs one; `expected` is the
    producer id and epoch it has, where it opens again as itself (KIP-360)."""

    transactional_id: str
    timeout_ms: int
    spare_producer_id: int
    version: TransactionVersion = TransactionVersion.EMBEDDED
    expected: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPartitions:
    """The producer is about to write to these in its transaction, which begins with the first of them."""

    session: ProducerSession
    partitions: frozenset[TopicPartition]
    version: TransactionVersion = TransactionVersion.EMBEDDED


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """`spare_producer_id` as in `Initialise`."""

    session: ProducerSession
    commit: bool
    spare_producer_id: int
    version: TransactionVersion = TransactionVersion.EMBEDDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """The transaction's time may be up, or its markers couldn't be written before."""

    transactional_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """Nothing was heard of the id for long: it is forgotten if that was before `before_ms`."""

    transactional_id: str
    before_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Persisted:
    transactional_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistFailed:
    """What was to be durable before the record, or the record itself, couldn't be written: nothing is decided."""

    transactional_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkersWritten:
    transactional_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    transactional_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """What the partitions hold by now becomes durable."""

    partitions: frozenset[TopicPartition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Persist:
    """The record replaces the id's one before. `durable`: what follows waits until it is."""

    transactional_id: str
    value: TransactionValue
    durable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteMarkers:
    """A control record to each partition, all before anybody reads. Those that are gone by now need none."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    partitions: frozenset[TopicPartition]
    commit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Nothing is known of the id from now on."""

    transactional_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The answer to `Initialise`, and to an end that bumps the epoch: who the producer is from now on."""

    session: ProducerSession


Event = Initialise | AddPartitions | End | Expire | Retire | Persisted | PersistFailed | MarkersWritten | Forgotten
Effect = Flush | Persist | WriteMarkers | Forget | Opened
