"""What can go wrong in the log, one class a failure. Foreign exceptions are mapped to these where they enter."""

from __future__ import annotations

from streamflow.errors import StreamflowError


class LogError(StreamflowError):
    """Root of the log's failures."""


class TopicExistsError(LogError):
    def __init__(self, topic: str) -> None:
        super().__init__(f"topic '{topic}' exists already; see it with: streamflow topic describe {topic}")
        self.topic = topic


class InvalidTopicError(LogError):
    """A topic name, partition count or config value Kafka's rules refuse."""


class OffsetOutOfRangeError(LogError):
    def __init__(self, partition: str, offset: int, log_start_offset: int, log_end_offset: int) -> None:
        super().__init__(
            f"offset {offset} of {partition} is out of range: the log holds {log_start_offset} to "
            f"{log_end_offset}; reset the group (streamflow group reset) or read from the beginning"
        )
        self.offset = offset


class CorruptBatchError(LogError):
    """Bytes on disk that fail their checksum. They are kept where they are and never read as records."""


class UnsupportedFormatError(LogError):
    """A data directory written by a newer Streamflow."""


class DirectoryInUseError(LogError):
    """A second process tried to open a data directory."""


class DirectoryError(LogError):
    """A data directory that can't be made, read or written."""


class StorageFullError(LogError):
    """No space left. Nothing acknowledged is lost; appends resume once there is room."""


class StorageFailedError(LogError):
    """A write or fsync failed: the log can't know what is on disk until it is opened again (never retried)."""


class ProducerFencedError(LogError):
    """A newer writer with the same transactional id has taken over."""


class OutOfOrderSequenceError(LogError):
    """An idempotent producer left a gap: a batch before this one never arrived."""


class TransactionError(LogError):
    """A call that the transaction's state doesn't allow."""


class RecordTooLargeError(LogError):
    """A batch above `max.message.bytes`."""


class UnsupportedCompressionError(LogError):
    """A codec whose library isn't installed, or that isn't one of Kafka's five."""
