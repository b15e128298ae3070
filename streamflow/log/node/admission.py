"""What a producer may append to a partition, beyond what every log demands. PURE.

Judged by the batch's header alone: its first and its newest timestamp stand for those between. The framework's own
producers, in the same process, are not asked: an event's time is theirs to choose.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamflow.log.errors import InvalidTimestampError, NotEnoughReplicasError
from streamflow.log.records import BatchHeader

NO_TIMESTAMP = -1
"""Of a record whose producer gave none."""
ANY = 2**63 - 1


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
