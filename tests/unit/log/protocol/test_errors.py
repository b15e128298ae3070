"""Which code tells a client of which failure."""

from __future__ import annotations

from streamflow.errors import StreamflowError, UnknownTopicError
from streamflow.log import errors
from streamflow.log.protocol.errors import CODES, ErrorCode, code_of


def test_a_failure_has_its_own_code_or_that_of_what_it_is_a_kind_of() -> None:
    class Narrower(errors.CorruptBatchError):
        pass

    assert code_of(UnknownTopicError("t")) is ErrorCode.unknown_topic_or_partition
    assert code_of(Narrower("x")) is ErrorCode.corrupt_message


def test_what_clients_cannot_know_is_an_unknown_server_error() -> None:
    assert code_of(StreamflowError("x")) is ErrorCode.unknown_server_error


def test_no_failure_is_told_as_success() -> None:
    assert ErrorCode.none not in CODES.values()
