"""What a producer may append to a partition, beyond what every log demands. PURE.

Times are judged by the batch's header alone: its first and its newest stand for those between. Only what a compacted
topic is sent is opened: a record without a key there would never be replaced, or deleted. The framework's own
producers, in the same process, are not asked: an event's time is theirs to choose.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamflow.log.errors import InvalidRecordError, InvalidTimestampError, NotEnoughReplicasError
from streamflow.log.records import BatchHeader, check_crc, decode

NO_TIMESTAMP = -1
"""Of a record whose producer gave none."""
ANY = 2**63 - 1
OPENED_BYTES_MAX = 64 << 20
"""What a batch for a compacted topic may unpack to: 64 times what `max.message.bytes` allows by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Kafka's names in brackets."""

    in_sync_min: int = 1
    """[min.insync.replicas]"""
    timestamp_after_ms_max: int = ANY
    """[message.timestamp.after.max.ms]"""
    timestamp_before_ms_max: int = ANY
    """[message.timestamp.before.max.ms]"""
    append_time: bool = False
    """[message.timestamp.type = LogAppendTime] Then the producer's times don't count."""
    compacted: bool = False
    """[cleanup.policy has compact]"""

    def check_replicas(self, in_sync: int) -> None:
        """For a producer that waits for all of them. Raises: NotEnoughReplicasError."""
        if in_sync < self.in_sync_min:
            raise NotEnoughReplicasError(f"{in_sync} replica(s) in sync; min.insync.replicas is {self.in_sync_min}")

    def check_times(self, header: BatchHeader, now_ms: int) -> None:
        """Raises: InvalidTimestampError."""
        if self.append_time:
            return
        oldest, newest = now_ms - self.timestamp_before_ms_max, now_ms + self.timestamp_after_ms_max
        for timestamp in (header.base_timestamp, header.max_timestamp):
            if timestamp != NO_TIMESTAMP and not oldest <= timestamp <= newest:
                raise InvalidTimestampError(
                    f"timestamp {timestamp} of a record is out of range: the topic takes {oldest} to {newest} "
                    "(message.timestamp.before.max.ms, message.timestamp.after.max.ms)"
                )

    def check_keys(self, batch: memoryview, header: BatchHeader) -> None:
        """Raises: InvalidRecordError; CorruptBatchError, RecordTooLargeError, UnsupportedCompressionError."""
        if not self.compacted:
            return
        check_crc(batch, header)
        keys = decode(batch, OPENED_BYTES_MAX).keys
        if None in keys:
            without = [index for index, key in enumerate(keys) if key is None]
            raise InvalidRecordError("a compacted topic keeps the last record of each key; one here has none", without)
