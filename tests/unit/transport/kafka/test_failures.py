from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from streamflow.errors import StreamflowError, UnknownTopicError
from streamflow.log import errors as e
from streamflow.transport.kafka.failures import translate


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError.INVALID_PRODUCER_EPOCH, e.ProducerFencedError),
        (KafkaError._FENCED, e.ProducerFencedError),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, UnknownTopicError),
        (KafkaError.TOPIC_ALREADY_EXISTS, e.TopicExistsError),
        (KafkaError.MSG_SIZE_TOO_LARGE, e.RecordTooLargeError),
        (KafkaError.NOT_LEADER_FOR_PARTITION, e.NotLeaderError),
        (KafkaError.UNKNOWN_LEADER_EPOCH, e.NotLeaderError),
        (KafkaError._STATE, e.TransactionError),
        (KafkaError._TRANSPORT, e.PeerUnreachableError),
        (KafkaError._TIMED_OUT, e.RequestTimedOutError),
        (KafkaError.ILLEGAL_GENERATION, e.IllegalGenerationError),
        (KafkaError.UNKNOWN_MEMBER_ID, e.UnknownMemberError),
        (KafkaError.UNKNOWN, e.LogError),
    ],
)
def test_what_a_cluster_says_is_said_in_our_words(code: int, kind: type[StreamflowError]) -> None:
    assert type(translate(KafkaException(KafkaError(code)), "writing to t-0", "t")) is kind


def test_a_failure_says_what_was_being_done_and_why_it_failed() -> None:
    text = str(translate(KafkaError(KafkaError._TRANSPORT), "reading t-0"))
    assert text.startswith("reading t-0:") and "_TRANSPORT" in text and "address" in text
