"""The metadata log on this node: `__cluster_metadata-0`, an ordinary partition, and the image it folds to.

Promises: a record is durable before it is applied, whatever the flush policy; metadata is seldom written and everything
hangs on it. This node leads it alone, in the epoch it elected itself for; the epoch is durable before it is used.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from uuid import UUID

import structlog

from streamflow.log.consensus.votes import COPIES, QuorumState, decode, encode, newest
from streamflow.log.controller import records as r
from streamflow.log.controller.image import MetadataImage
from streamflow.log.errors import CorruptBatchError
from streamflow.log.model import Identity
from streamflow.log.node.rows import batches_of
from streamflow.log.records import build_batch
from streamflow.log.records import decode as decode_batch
from streamflow.log.storage.files import Files
from streamflow.log.storage.partition import PartitionLog, SegmentConfig

log = structlog.get_logger("streamflow.log")

METADATA_ID = UUID(int=1)
"""As Kafka's `Uuid.METADATA_TOPIC_ID`."""
PATH = "metadata"
BATCH_BYTES_MAX = 64 << 20
CLUSTER_ID_BYTES = 16


class MetadataLog:
    def __init__(self, files: Files, node_id: int, partition: PartitionLog) -> None:
        self.partition = partition
        self.image = MetadataImage()
        self.leader_epoch = 0
        self._files = files
        self.node_id = node_id

    @classmethod
    def open(cls, files: Files, node_id: int, *, recovery_point: int, clean: bool, now_ms: int) -> MetadataLog:
        """Replays the log, elects this node, and registers it as a broker. Blocks.

        Raises: CorruptBatchError when a metadata record can't be read: nothing is assumed in its place.
        """
        identity = Identity(r.METADATA_TOPIC, METADATA_ID, 0)
        config = SegmentConfig(retention_ms=-1, message_bytes_max=BATCH_BYTES_MAX)
        partition = PartitionLog.open(
            files, PATH, identity, config, recovery_point=recovery_point, clean=clean, now_ms=now_ms
        )
        self = cls(files, node_id, partition)
        for header, view in batches_of(partition):
            for value in decode_batch(view, BATCH_BYTES_MAX).values:
                if value is None:
                    raise CorruptBatchError(f"metadata record at offset {header.base_offset} is empty")
                self.image.apply(r.decode(value))
        self._elect()
        self.append([r.RegisterBroker(broker_id=node_id, broker_epoch=partition.log_end_offset)], now_ms)
        return self

    def _elect(self) -> None:
        copies = [self._files.read(f"quorum-state.{n}") or b"" for n in range(COPIES)]
        state = newest(copies)
        if any(c and decode(c) is None for c in copies):
            log.warning("a copy of the quorum state can't be read; the other one is used", root=self._files.root)
        # Without any copy the log says what was used: a node alone has no other voter that might know more.
        elected = (state or QuorumState(sequence=-1)).elect_self(
            self.node_id, above_epoch=max(0, self.partition.epochs.latest)
        )
        self._files.replace(f"quorum-state.{elected.copy}", encode(elected))
        self.leader_epoch = elected.leader_epoch

    def name_cluster(self, random_bytes: Callable[[int], bytes], now_ms: int) -> None:
        """Gives the cluster its id, unless it has one. Blocks."""
        if not self.image.cluster_id:
            name = urlsafe_b64encode(random_bytes(CLUSTER_ID_BYTES)).rstrip(b"=").decode()
            self.append([r.Cluster(cluster_id=name)], now_ms)

    def write(self, records: Sequence[r.AnyRecord], now_ms: int) -> None:
        """Makes the records durable, all or none. Blocks; whoever calls applies them to the image then."""
        values = [r.encode(record) for record in records]
        batch = build_batch([None] * len(values), values, [now_ms] * len(values))
        self.partition.append(batch, leader_epoch=self.leader_epoch, now_ms=now_ms)
        self.partition.flush()

    def apply(self, records: Sequence[r.AnyRecord]) -> None:
        for record in records:
            self.image.apply(record)

    def append(self, records: Sequence[r.AnyRecord], now_ms: int) -> None:
        """`write`, then `apply`."""
        self.write(records, now_ms)
        self.apply(records)
