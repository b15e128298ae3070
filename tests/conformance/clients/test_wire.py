"""What clients hide: error codes, versions and bytes, asked for by hand over a plain socket.

Each test is a trap that brokers have fallen into, or a row of Kafka's own tables; what it asserts is what Apache Kafka
answers.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from uuid import UUID

import crc32c
import pytest
from brokers import Broker
from differences import differs
from kio.schema.errors import ErrorCode
from waiting import eventually
from wire import Wire, batches, create_topic, message

from streamflow.log.records import Producer, build_batch

Name = Callable[[str], str]
T = TypeVar("T")
NOBODY = Producer(-1, -1, -1, False)
NOW_MS = 1_700_000_000_000


@pytest.fixture
def wire(broker: Broker) -> Iterator[Wire]:
    with Wire(broker.endpoint) as connection:
        yield connection


@pytest.fixture
def topic(broker: Broker, name: Name) -> str:
    return create_topic(broker.endpoint, name("topic"))


TRANSIENT = {
    "concurrent_transactions", "coordinator_load_in_progress", "coordinator_not_available", "not_coordinator",
    "not_leader_or_follower",
}  # fmt: skip
"""Told while a coordinator loads, or writes the markers of a transaction that has ended: clients try again."""


def settled(ask: Callable[[], T], code: Callable[[T], Any]) -> T:
    """The first answer that isn't told in passing."""
    last: list[T] = []

    def passing() -> bool:
        last[:] = [ask()]
        return code(last[0]).name in TRANSIENT

    eventually(passing, False)
    return last[0]


_awake: set[tuple[int, str]] = set()
"""Brokers whose coordinators are known to have loaded, by process and kind."""


@pytest.fixture
def group(broker: Broker, wire: Wire, name: Name) -> str:
    """A group's name; the coordinators of this and others are there."""
    if (broker.process.pid, "group") not in _awake:
        for n in range(16):
            coordinators(wire, 0, [f"wake-{n}"])
            asked = message("describe_groups", 5, groups=[f"wake-{n}"])
            settled(lambda a=asked: wire.ask(a), lambda answer: answer.groups[0].error_code)
        _awake.add((broker.process.pid, "group"))
    return name("group")


@pytest.fixture
def transaction(broker: Broker, wire: Wire, name: Name) -> str:
    """A transactional id; the coordinators of this and others are there."""
    if (broker.process.pid, "transaction") not in _awake:
        for n in range(12):
            initialised(wire, f"wake-{n}")
        _awake.add((broker.process.pid, "transaction"))
    return name("transaction")


def records(*values: bytes | None, keys: list[bytes | None] | None = None, stamp: int = NOW_MS, codec: int = 0,
            producer: Producer = NOBODY) -> bytes:  # fmt: skip
    return bytes(
        build_batch(keys or [b"k"] * len(values), list(values), [stamp] * len(values), codec=codec, producer=producer)
    )


def produced(wire: Wire, topic: str, batch: bytes, version: int = 9, acks: int = -1, partition: int = 0,
             transaction: str | None = None) -> Any:  # fmt: skip
    """The answer for the partition."""
    data = [{"name": topic, "partition_data": [{"index": partition, "records": batch}]}]
    request = message("produce", version, acks=acks, timeout=5000, topic_data=data, transactional_id=transaction)
    ask = lambda: wire.ask(request).responses[0].partition_responses[0]  # noqa: E731
    return settled(ask, lambda answer: answer.error_code)


def fetch(wire: Wire, topic: str, offset: int, version: int = 11, partition: int = 0, epoch: int = -1,
          bytes_max: int = 1 << 20, **more: Any) -> Any:  # fmt: skip
    """The whole answer."""
    wanted = {
        "partition": partition, "fetch_offset": offset, "partition_max_bytes": bytes_max, "current_leader_epoch": epoch,
    }  # fmt: skip
    more = {"session_epoch": -1, **more}
    return wire.ask(message("fetch", version, topics=[{"topic": topic, "partitions": [wanted]}], **more))


def fetched(wire: Wire, topic: str, offset: int, **more: Any) -> Any:
    """The answer for the partition."""
    return fetch(wire, topic, offset, **more).responses[0].partitions[0]


def bases(fetched_records: bytes | None) -> list[int]:
    return [struct.unpack_from(">q", batch)[0] for batch in batches(fetched_records or b"")]


def closes(broker: Broker, frame: bytes) -> bool:
    """Whether the broker hangs up on these bytes, without an answer."""
    with Wire(broker.endpoint) as wire:
        wire.socket.sendall(frame)
        wire.socket.settimeout(5)
        try:
            return wire.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def framed(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def node_of(wire: Wire) -> int:
    return int(wire.ask(message("metadata", 1, topics=[])).controller_id)


# The door


@pytest.mark.parametrize("version", range(5))
def test_every_version_of_api_versions_is_answered_under_the_oldest_header(wire: Wire, version: int) -> None:
    named = {"client_software_name": "wire", "client_software_version": "1.0"} if version >= 3 else {}
    answer = wire.ask(message("api_versions", version, **named))
    assert answer.error_code == ErrorCode.none
    served = {each.api_key: (each.min_version, each.max_version) for each in answer.api_keys}
    assert served[0][0] == 0, "of produce, though it refuses 0 to 2: librdkafka reads its features off the minimum"
    assert {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 22, 24, 25, 26, 28} <= served.keys()
    if version >= 3:
        assert {"group.version", "transaction.version"} <= {each.name for each in answer.finalized_features}


def test_an_unknown_version_of_api_versions_is_told_those_there_are(wire: Wire) -> None:
    """KIP-511: in version 0, error 35, with the one key that matters."""
    answer = wire.ask_bytes(struct.pack(">hhih", 18, 99, 7, -1) + b"\0" + b"whatever it says")
    correlation, error, keys, key, lowest, highest = struct.unpack_from(">ihihhh", answer)
    assert (correlation, error, keys, key, lowest) == (7, 35, 1, 18, 0)
    assert highest >= 4 and len(answer) == 16


def test_a_client_with_an_impossible_name_is_refused(wire: Wire) -> None:
    answer = wire.ask(message("api_versions", 3, client_software_name="-bad-", client_software_version="1"))
    assert answer.error_code == ErrorCode.invalid_request
    assert wire.ask(message("api_versions", 0)).error_code == ErrorCode.none, "the connection stays"


def test_requests_sent_together_are_answered_in_their_order(wire: Wire) -> None:
    frames = [wire.encode(message("metadata", 1, topics=[])) for _ in range(5)]
    wire.socket.sendall(b"".join(framed(frame) for frame in frames))
    answers = [wire.receive() for _ in frames]
    assert [answer[:4] for answer in answers] == [frame[4:8] for frame in frames]


def test_a_request_that_cannot_be_read_ends_the_connection(broker: Broker, wire: Wire) -> None:
    whole = wire.encode(message("metadata", 4, topics=[{"name": "a-topic"}]))
    assert closes(broker, framed(whole[:-4])), "a body cut short"
    assert closes(broker, framed(b"\0")), "no header"
    assert closes(broker, framed(struct.pack(">hhih", 999, 0, 1, -1))), "an API there isn't"
    assert closes(broker, framed(struct.pack(">hhih", 3, 99, 1, -1))), "a version there isn't"
    assert closes(broker, struct.pack(">i", -5)), "a negative length"
    assert closes(broker, struct.pack(">i", 0x7FFFFFFF) + b"x"), "a length beyond any request"
    assert closes(broker, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"), "another protocol"
    huge = wire.encode(message("metadata", 4, topics=[]))
    at = huge.index(b"wire") + 4
    assert closes(broker, framed(huge[:at] + struct.pack(">i", 0x7FFFFFF0) + huge[at + 4 :])), (
        "a count beyond the frame"
    )
    assert node_of(wire) >= 0, "others go on"


@pytest.mark.parametrize("version", [0, 1, 2])
def test_produce_before_version_3_is_advertised_but_refused(broker: Broker, topic: str, version: int) -> None:
    body = struct.pack(">hhih", 0, version, 1, -1) + struct.pack(">hii", -1, 1000, 0)
    assert closes(broker, framed(body))


# Produce


@pytest.mark.parametrize("version", range(3, 14))
def test_every_version_of_produce_stores_a_batch(wire: Wire, topic: str, version: int) -> None:
    described = wire.ask(message("metadata", 12, topics=[{"name": topic}])).topics[0]
    which = {"topic_id": described.topic_id} if version >= 13 else {"name": topic}
    data = [{**which, "partition_data": [{"index": 0, "records": records(b"a", b"b")}]}]
    request = message("produce", version, acks=-1, timeout=5000, topic_data=data)
    for base in (0, 2):
        (answer,) = wire.ask(request).responses[0].partition_responses
        assert (answer.error_code, answer.base_offset, answer.log_append_time) == (ErrorCode.none, base, None)
    assert bases(fetched(wire, topic, 0).records) == [0, 2]


@pytest.mark.parametrize("codec", range(5))
def test_batches_pass_through_unopened(wire: Wire, topic: str, codec: int) -> None:
    batch = records(*(b"%d" % n for n in range(50)), codec=codec)
    assert produced(wire, topic, batch).error_code == ErrorCode.none
    (stored,) = batches(fetched(wire, topic, 0).records)
    assert stored[17:] == batch[17:], "all that the checksum covers, and it"


def test_produce_to_what_is_not_there_is_refused(wire: Wire, topic: str, name: Name) -> None:
    unknown = ErrorCode.unknown_topic_or_partition
    assert produced(wire, name("nowhere"), records(b"v")).error_code == unknown
    assert produced(wire, topic, records(b"v"), partition=7).error_code == unknown
    data = [{"topic_id": UUID(int=99), "partition_data": [{"index": 0, "records": records(b"v")}]}]
    answer = wire.ask(message("produce", 13, acks=-1, timeout=5000, topic_data=data))
    assert answer.responses[0].partition_responses[0].error_code == ErrorCode.unknown_topic_id


def test_acknowledgements_there_are_not_are_refused(wire: Wire, topic: str) -> None:
    assert produced(wire, topic, records(b"v"), acks=2).error_code == ErrorCode.invalid_required_acks


def test_no_acknowledgement_means_no_answer(broker: Broker, wire: Wire, topic: str) -> None:
    data = [{"name": topic, "partition_data": [{"index": 0, "records": records(b"a")}]}]
    silent = wire.encode(message("produce", 9, acks=0, timeout=5000, topic_data=data))
    wire.socket.sendall(framed(silent))
    assert wire.ask(message("metadata", 1, topics=[])).brokers, "the next answer is the next request's"
    eventually(lambda: bases(fetched(wire, topic, 0).records), [0])
    with Wire(broker.endpoint) as hasty:
        hasty.socket.sendall(framed(silent))
    eventually(lambda: bases(fetched(wire, topic, 0).records), [0, 1])


def test_a_batch_whose_checksum_is_wrong_is_refused(wire: Wire, topic: str) -> None:
    batch = bytearray(records(b"value"))
    batch[-1] ^= 1
    assert produced(wire, topic, bytes(batch)).error_code == ErrorCode.corrupt_message
    assert fetched(wire, topic, 0).high_watermark == 0


def test_what_is_not_one_whole_batch_is_refused(wire: Wire, topic: str) -> None:
    whole = records(b"value")
    found = {
        "two": produced(wire, topic, whole + whole).error_code,
        "none": produced(wire, topic, b"").error_code,
        "cut short": produced(wire, topic, whole[:-3]).error_code,
        "old": produced(wire, topic, whole[:16] + b"\1" + whole[17:]).error_code,
        "another count": produced(wire, topic, recounted(whole, 5)).error_code,
    }
    assert {what: error.name for what, error in found.items()} == {
        "two": "invalid_record",
        "none": "invalid_record",
        "cut short": "invalid_record",
        "old": "invalid_record",
        "another count": "invalid_record",
    }


def recounted(batch: bytes, records_count: int) -> bytes:
    """The batch claiming another number of records, under a right checksum."""
    body = batch[21:57] + struct.pack(">i", records_count) + batch[61:]
    return batch[:17] + struct.pack(">I", crc32c.crc32c(body)) + body


def test_a_batch_larger_than_the_topic_allows_is_refused(broker: Broker, wire: Wire, name: Name) -> None:
    topic = create_topic(broker.endpoint, name("topic"), max_message_bytes="500")
    assert produced(wire, topic, records(b"x" * 600)).error_code == ErrorCode.message_too_large
    assert produced(wire, topic, records(b"x" * 600, codec=1)).error_code == ErrorCode.none, "as it is stored"


def test_a_record_without_a_key_is_refused_by_a_compacted_topic(broker: Broker, wire: Wire, name: Name) -> None:
    topic = create_topic(broker.endpoint, name("topic"), cleanup_policy="compact")
    answer = produced(wire, topic, records(b"a", b"b", b"c", keys=[b"k", None, None]))
    assert answer.error_code == ErrorCode.invalid_record
    assert [each.batch_index for each in answer.record_errors] == [1, 2]
    assert answer.error_message
    assert produced(wire, topic, records(b"a")).error_code == ErrorCode.none


def test_times_too_far_off_are_refused(broker: Broker, wire: Wire, name: Name) -> None:
    limits = {"message_timestamp_before_max_ms": "60000", "message_timestamp_after_max_ms": "60000"}
    topic, now = create_topic(broker.endpoint, name("topic"), **limits), int(time.time() * 1000)
    for stamp, error in ((now, "none"), (now - 120_000, "invalid_timestamp"), (now + 120_000, "invalid_timestamp")):
        assert produced(wire, topic, records(b"v", stamp=stamp)).error_code.name == error


def test_a_topic_may_keep_the_brokers_time_in_place_of_the_producers(broker: Broker, wire: Wire, name: Name) -> None:
    topic = create_topic(broker.endpoint, name("topic"), message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000) - 1000
    answer = produced(wire, topic, records(b"a", b"b", stamp=1000))
    assert answer.log_append_time.timestamp() * 1000 > before
    (stored,) = batches(fetched(wire, topic, 0).records)
    attributes, _, _, latest = struct.unpack_from(">hiqq", stored, 21)
    assert attributes & 0b1000 and latest > before
    assert listed(wire, topic, before) == ("none", 0, latest)


# Producers


@pytest.fixture
def producer(wire: Wire) -> Producer:
    """A new idempotent producer, at sequence 0."""
    request = message("init_producer_id", 4, transaction_timeout=60_000)
    answer = settled(lambda: wire.ask(request), lambda answer: answer.error_code)
    assert (answer.error_code, answer.producer_epoch) == (ErrorCode.none, 0)
    return Producer(answer.producer_id, answer.producer_epoch, 0, False)


def at(producer: Producer, sequence: int, epoch: int | None = None) -> Producer:
    epoch = producer.epoch if epoch is None else epoch
    return Producer(producer.id, epoch, sequence, producer.transactional)


def test_no_two_producers_have_an_id(wire: Wire) -> None:
    request = message("init_producer_id", 4, transaction_timeout=60_000)
    ids = [settled(lambda: wire.ask(request), lambda answer: answer.error_code).producer_id for _ in range(5)]
    assert len(set(ids)) == 5 and min(ids) >= 0


def test_a_batch_sent_again_is_answered_with_its_first_offset(
    broker: Broker, wire: Wire, topic: str, producer: Producer
) -> None:
    sent = [records(b"a", b"b", producer=at(producer, 2 * n)) for n in range(7)]
    for n, batch in enumerate(sent):
        answer = produced(wire, topic, batch)
        assert (answer.error_code, answer.base_offset) == (ErrorCode.none, 2 * n)
    for n in (6, 4, 2):
        answer = produced(wire, topic, sent[n])
        assert (answer.error_code, answer.base_offset) == (ErrorCode.none, 2 * n), "one of the last five"
    told = differs(broker, "late-duplicates")
    late = ErrorCode.duplicate_sequence_number if told else ErrorCode.out_of_order_sequence_number
    assert produced(wire, topic, sent[0]).error_code == late
    assert fetched(wire, topic, 0).high_watermark == 14


def test_a_gap_in_the_sequence_is_refused(wire: Wire, topic: str, producer: Producer) -> None:
    assert produced(wire, topic, records(b"a", producer=at(producer, 0))).error_code == ErrorCode.none
    gap = produced(wire, topic, records(b"c", producer=at(producer, 2)))
    assert gap.error_code == ErrorCode.out_of_order_sequence_number
    assert produced(wire, topic, records(b"b", producer=at(producer, 1))).base_offset == 1


def test_an_unknown_producer_may_begin_anywhere(wire: Wire, topic: str, producer: Producer) -> None:
    """The state may have been lost with retention: a gap can't be told from that."""
    assert produced(wire, topic, records(b"a", producer=at(producer, 5))).error_code == ErrorCode.none
    assert produced(wire, topic, records(b"b", producer=at(producer, 6))).error_code == ErrorCode.none


def test_a_new_epoch_begins_at_zero_and_an_old_one_is_fenced(wire: Wire, topic: str, producer: Producer) -> None:
    assert produced(wire, topic, records(b"a", producer=at(producer, 0, epoch=1))).error_code == ErrorCode.none
    old = produced(wire, topic, records(b"b", producer=at(producer, 1, epoch=0)))
    assert old.error_code == ErrorCode.invalid_producer_epoch
    later = produced(wire, topic, records(b"c", producer=at(producer, 3, epoch=2)))
    assert later.error_code == ErrorCode.out_of_order_sequence_number
    assert produced(wire, topic, records(b"c", producer=at(producer, 0, epoch=2))).error_code == ErrorCode.none


def test_sequences_wrap_at_the_end_of_their_range(wire: Wire, topic: str, producer: Producer) -> None:
    last = 2**31 - 1
    assert produced(wire, topic, records(b"a", producer=at(producer, last - 1))).error_code == ErrorCode.none
    wrapped = produced(wire, topic, records(b"b", b"c", producer=at(producer, last)))
    assert wrapped.error_code == ErrorCode.none, "the first is the last number, the second is 0"
    assert produced(wire, topic, records(b"d", producer=at(producer, 1))).error_code == ErrorCode.none


# Fetch


def test_a_fetch_from_inside_a_batch_returns_all_of_it(wire: Wire, topic: str) -> None:
    produced(wire, topic, records(b"a", b"b", b"c"))
    produced(wire, topic, records(b"d"))
    assert bases(fetched(wire, topic, 2).records) == [0, 3]
    assert bases(fetched(wire, topic, 3).records) == [3]


def test_the_first_batch_comes_whole_whatever_the_limits(broker: Broker, wire: Wire, name: Name) -> None:
    """KIP-74."""
    topic = create_topic(broker.endpoint, name("topic"), partitions=2)
    for partition in (0, 0, 1):
        produced(wire, topic, records(b"x" * 1000), partition=partition)
    wanted = [{"partition": n, "fetch_offset": 0, "partition_max_bytes": 1} for n in (0, 1)]
    more = {"session_epoch": -1, "max_bytes": 1}
    answer = wire.ask(message("fetch", 11, topics=[{"topic": topic, "partitions": wanted}], **more))
    assert [bases(each.records) for each in answer.responses[0].partitions] == [[0], []]
    assert bases(fetched(wire, topic, 0, bytes_max=1500).records) == [0]
    assert bases(fetched(wire, topic, 0, bytes_max=3000).records) == [0, 1]


def test_an_offset_out_of_range_is_told(wire: Wire, topic: str) -> None:
    produced(wire, topic, records(b"a"))
    for offset in (2, 99, -5):
        answer = fetched(wire, topic, offset)
        assert (answer.error_code.name, answer.records or b"") == ("offset_out_of_range", b"")
        assert (answer.high_watermark, answer.log_start_offset, answer.last_stable_offset) == (-1, -1, -1)
    end = fetched(wire, topic, 1)
    assert (end.error_code.name, end.high_watermark, end.log_start_offset, end.last_stable_offset) == ("none", 1, 0, 1)


def test_fetching_what_is_not_there_is_refused(wire: Wire, topic: str, name: Name) -> None:
    assert fetched(wire, name("nowhere"), 0).error_code == ErrorCode.unknown_topic_or_partition
    assert fetched(wire, topic, 0, partition=9).error_code == ErrorCode.unknown_topic_or_partition
    assert fetched(wire, topic, 0, epoch=99).error_code == ErrorCode.unknown_leader_epoch
    wanted = [{"topic_id": UUID(int=99), "partitions": [{"partition": 0, "partition_max_bytes": 1000}]}]
    answer = wire.ask(message("fetch", 13, topics=wanted, session_epoch=-1))
    assert answer.error_code == ErrorCode.none
    assert answer.responses[0].partitions[0].error_code == ErrorCode.unknown_topic_id


@pytest.mark.parametrize("version", range(4, 19))
def test_every_version_of_fetch_returns_what_was_stored(wire: Wire, topic: str, version: int) -> None:
    produced(wire, topic, records(b"a"))
    described = wire.ask(message("metadata", 12, topics=[{"name": topic}])).topics[0]
    which = {"topic_id": described.topic_id} if version >= 13 else {"topic": topic}
    wanted = [{**which, "partitions": [{"partition": 0, "partition_max_bytes": 1 << 20}]}]
    answer = wire.ask(message("fetch", version, topics=wanted, **({"session_epoch": -1} if version >= 7 else {})))
    (found,) = answer.responses[0].partitions
    assert (found.error_code, found.high_watermark, found.last_stable_offset) == (ErrorCode.none, 1, 1)
    assert bases(found.records) == [0]


def test_a_fetch_waits_for_bytes_and_no_longer_than_it_said(broker: Broker, wire: Wire, topic: str) -> None:
    def timed(**more: Any) -> tuple[list[int], float]:
        start = time.monotonic()
        found = fetched(wire, topic, 0, **more)
        return bases(found.records), time.monotonic() - start

    got, seconds = timed(min_bytes=0, max_wait=2000)
    assert got == [] and seconds < 1, "nothing was wanted"
    got, seconds = timed(min_bytes=1, max_wait=600)
    assert got == [] and 0.5 < seconds < 2
    wanted = [{"topic": topic, "partitions": [{"partition_max_bytes": 1000}]}]
    wire.socket.sendall(framed(wire.encode(message("fetch", 4, max_wait=10_000, min_bytes=1, topics=wanted))))
    start = time.monotonic()
    with Wire(broker.endpoint) as other:
        produced(other, topic, records(b"a"))
    assert b"k" in wire.receive() and time.monotonic() - start < 2, "a new record wakes it"
    got, seconds = timed(min_bytes=10_000, max_wait=600)
    assert got == [0] and 0.5 < seconds < 2, "too little, at the end"


def test_sessions_of_fetches_keep_to_kafkas_table(broker: Broker, wire: Wire, name: Name) -> None:
    """KIP-227."""
    topic = create_topic(broker.endpoint, name("topic"), partitions=2)
    both = [{"topic": topic, "partitions": [{"partition": n, "partition_max_bytes": 1 << 20} for n in (0, 1)]}]

    def ask(session: int, epoch: int, topics: Any = (), forgotten: Any = ()) -> Any:
        more = {"session_id": session, "session_epoch": epoch, "forgotten_topics_data": forgotten}
        return wire.ask(message("fetch", 12, topics=topics, **more))

    def partitions(answer: Any) -> list[int]:
        assert answer.error_code == ErrorCode.none
        return [found.partition_index for each in answer.responses for found in each.partitions]

    assert ask(0, -1, both).session_id == 0, "no session was wanted"
    first = ask(0, 0, both)
    session = first.session_id
    assert session > 0 and partitions(first) == [0, 1]
    assert partitions(ask(session, 1)) == [], "no news"
    produced(wire, topic, records(b"a"), partition=1)
    news = ask(session, 2)
    assert partitions(news) == [1] and news.session_id == session
    moved = [{"topic": topic, "partitions": [{"partition": 1, "fetch_offset": 1, "partition_max_bytes": 1 << 20}]}]
    assert partitions(ask(session, 3, moved)) == []
    produced(wire, topic, records(b"a"), partition=0)
    produced(wire, topic, records(b"a"), partition=1)
    assert partitions(ask(session, 4, forgotten=[{"topic": topic, "partitions": [0]}])) == [1]
    assert ask(session, 4).error_code == ErrorCode.invalid_fetch_session_epoch
    assert ask(session + 1_000_000, 1).error_code == ErrorCode.fetch_session_id_not_found
    renewed = ask(session, 0, both)
    assert partitions(renewed) == [0, 1] and renewed.session_id not in (0, session), "closed, and another opened"
    assert ask(session, 5).error_code == ErrorCode.fetch_session_id_not_found
    session = renewed.session_id
    assert partitions(ask(session, 1)) == [0, 1], "there are records at the offsets asked for"
    assert ask(session, -1, both).session_id == 0, "closed"
    assert ask(session, 2).error_code == ErrorCode.fetch_session_id_not_found


# Offsets


def listed(wire: Wire, topic: str, stamp: int, version: int = 7, isolation: int = 0) -> tuple[str, int, int]:
    wanted = [{"name": topic, "partitions": [{"timestamp": stamp, "current_leader_epoch": -1}]}]
    request = message("list_offsets", version, replica_id=-1, isolation_level=isolation, topics=wanted)
    (found,) = wire.ask(request).topics[0].partitions
    return found.error_code.name, found.offset, milliseconds(found.timestamp)


def milliseconds(stamp: Any) -> int:
    return -1 if stamp is None else round(stamp.timestamp() * 1000) if hasattr(stamp, "timestamp") else int(stamp)


def test_offsets_are_found_by_every_special_timestamp(wire: Wire, topic: str) -> None:
    assert listed(wire, topic, -3) == ("none", -1, -1), "of an empty partition"
    for stamp in (1000, 3000, 2000):
        produced(wire, topic, records(b"v", stamp=NOW_MS + stamp))
    latest, earliest, maximum, local, tiered, to_tier = -1, -2, -3, -4, -5, -6
    assert listed(wire, topic, latest) == ("none", 3, -1)
    assert listed(wire, topic, earliest) == ("none", 0, -1)
    assert listed(wire, topic, maximum) == ("none", 1, NOW_MS + 3000)
    assert listed(wire, topic, local, version=8) == ("none", 0, -1)
    assert listed(wire, topic, tiered, version=9) == ("none", -1, -1)
    assert listed(wire, topic, to_tier, version=11) == ("none", -1, -1)
    assert listed(wire, topic, 0) == ("none", 0, NOW_MS + 1000)
    assert listed(wire, topic, NOW_MS + 1500) == ("none", 1, NOW_MS + 3000)
    assert listed(wire, topic, NOW_MS + 3001) == ("none", -1, -1)
    assert listed(wire, topic, -99)[0] == "unsupported_version"


def test_special_timestamps_need_the_version_they_came_with(wire: Wire, topic: str) -> None:
    assert listed(wire, topic, -3, version=6)[0] == "unsupported_version"
    assert listed(wire, topic, -4, version=7)[0] == "unsupported_version"
    assert listed(wire, topic, -5, version=8)[0] == "unsupported_version"
    assert listed(wire, topic, -6, version=10)[0] == "unsupported_version"


def test_the_end_of_an_epoch_is_told(wire: Wire, topic: str, name: Name) -> None:
    produced(wire, topic, records(b"a", b"b"))

    def end(topic: str, epoch: int, current: int = -1) -> tuple[str, int, int]:
        wanted = [{"topic": topic, "partitions": [{"leader_epoch": epoch, "current_leader_epoch": current}]}]
        (found,) = wire.ask(message("offset_for_leader_epoch", 4, replica_id=-1, topics=wanted)).topics[0].partitions
        return found.error_code.name, found.leader_epoch, found.end_offset

    assert end(topic, 0) == ("none", 0, 2)
    assert end(topic, 5) == ("none", -1, -1)
    assert end(topic, 0, current=9) == ("unknown_leader_epoch", -1, -1)
    assert end(name("nowhere"), 0)[0] == "unknown_topic_or_partition"


# Groups


def joined(wire: Wire, group: str, member: str = "", version: int = 5, **more: Any) -> Any:
    given = {
        "session_timeout": 10_000,
        "rebalance_timeout": 10_000,
        "protocol_type": "consumer",
        "protocols": [{"name": "range", "metadata": b"m"}],
        **more,
    }
    return wire.ask(message("join_group", version, group_id=group, member_id=member, **given))


def stable(wire: Wire, group: str, **more: Any) -> Any:
    """The answer to a lone member's join, after its sync."""
    member = joined(wire, group, **more).member_id
    answer = joined(wire, group, member, **more)
    assert answer.error_code == ErrorCode.none
    assignments = [{"member_id": member, "assignment": b"all"}]
    synced = wire.ask(
        message(
            "sync_group",
            3,
            group_id=group,
            generation_id=answer.generation_id,
            member_id=member,
            assignments=assignments,
        )
    )
    assert (synced.error_code, synced.assignment) == (ErrorCode.none, b"all")
    return answer


def test_a_first_join_is_told_its_member_id(wire: Wire, name: Name, group: str) -> None:
    """KIP-394: from version 4."""
    first = joined(wire, group)
    assert first.error_code == ErrorCode.member_id_required and first.member_id.startswith("wire-")
    assert (first.generation_id, first.members) == (-1, ())
    second = joined(wire, group, first.member_id)
    assert (second.error_code, second.generation_id, second.protocol_name) == (ErrorCode.none, 1, "range")
    assert second.leader == second.member_id == first.member_id
    assert [(each.member_id, each.metadata) for each in second.members] == [(first.member_id, b"m")]
    assert joined(wire, name("group"), version=3).error_code == ErrorCode.none, "before that, it is in at once"


def test_joins_that_cannot_be_are_refused(wire: Wire, name: Name, group: str) -> None:
    stable(wire, group)
    found = {
        "no name": joined(wire, "").error_code,
        "session too short": joined(wire, group, session_timeout=10).error_code,
        "session too long": joined(wire, group, session_timeout=100_000_000).error_code,
        "unknown member": joined(wire, group, "nobody").error_code,
        "another protocol": joined(wire, group, protocols=[{"name": "other", "metadata": b""}]).error_code,
        "another type": joined(wire, group, protocol_type="connect").error_code,
        "no protocol": joined(wire, name("group"), protocols=[]).error_code,
    }
    assert {what: error.name for what, error in found.items()} == {
        "no name": "invalid_group_id",
        "session too short": "invalid_session_timeout",
        "session too long": "invalid_session_timeout",
        "unknown member": "unknown_member_id",
        "another protocol": "inconsistent_group_protocol",
        "another type": "inconsistent_group_protocol",
        "no protocol": "inconsistent_group_protocol",
    }


def test_heartbeats_and_syncs_of_strangers_are_refused(wire: Wire, name: Name, group: str) -> None:
    member = stable(wire, group)

    def beat(group: str, generation: int, who: str) -> str:
        return str(
            wire.ask(message("heartbeat", 3, group_id=group, generation_id=generation, member_id=who)).error_code.name
        )

    def sync(group: str, generation: int, who: str) -> str:
        return str(
            wire.ask(message("sync_group", 3, group_id=group, generation_id=generation, member_id=who)).error_code.name
        )

    me = member.member_id
    for ask in (beat, sync):
        assert ask(group, 1, me) == "none"
        assert ask(group, 1, "nobody") == "unknown_member_id"
        assert ask(group, 7, me) == "illegal_generation"
        assert ask(name("group"), 1, me) == "unknown_member_id"
        assert ask("", 1, me) == "invalid_group_id"


def test_leaving_tells_each_members_outcome(wire: Wire, group: str) -> None:
    me = stable(wire, group).member_id
    leaving = message("leave_group", 3, group_id=group, members=[{"member_id": "nobody"}, {"member_id": me}])
    answer = wire.ask(leaving)
    assert answer.error_code == ErrorCode.none
    assert [each.error_code.name for each in answer.members] == ["unknown_member_id", "none"]
    (described,) = wire.ask(message("describe_groups", 5, groups=[group])).groups
    assert described.group_state == "Empty"


def test_a_static_member_is_fenced_by_its_successor(wire: Wire, group: str) -> None:
    """KIP-345."""
    first = joined(wire, group, group_instance_id="one")
    assert first.error_code == ErrorCode.none, "no member id is asked of it"
    second = joined(wire, group, group_instance_id="one")
    assert second.error_code == ErrorCode.none and second.member_id != first.member_id
    given = {"group_id": group, "generation_id": second.generation_id, "group_instance_id": "one"}
    assert (
        wire.ask(message("heartbeat", 3, member_id=first.member_id, **given)).error_code == ErrorCode.fenced_instance_id
    )


def committed(wire: Wire, group: str, topic: str, offset: int, member: str = "", generation: int = -1,
              metadata: str | None = "", partition: int = 0) -> str:  # fmt: skip
    partitions = [{"partition_index": partition, "committed_offset": offset, "committed_metadata": metadata}]
    given = {"group_id": group, "member_id": member, "generation_id_or_member_epoch": generation}
    request = message("offset_commit", 8, topics=[{"name": topic, "partitions": partitions}], **given)
    return str(wire.ask(request).topics[0].partitions[0].error_code.name)


def test_commits_are_held_to_members_and_limits(wire: Wire, topic: str, name: Name, group: str) -> None:
    alone = name("alone")
    me = stable(wire, group).member_id
    found = {
        "mine": committed(wire, group, topic, 5, me, 1),
        "a stranger's": committed(wire, group, topic, 6, "nobody", 1),
        "of another generation": committed(wire, group, topic, 7, me, 9),
        "nobody's, to a group with members": committed(wire, group, topic, 8),
        "nobody's, to no group": committed(wire, alone, topic, 9),
        "too much metadata": committed(wire, alone, topic, 9, metadata="x" * 5000),
        "no such topic": committed(wire, alone, name("nowhere"), 9),
        "no such partition": committed(wire, alone, topic, 9, partition=9),
        "a member's, to no group": committed(wire, name("g"), topic, 9, "me", 3),
    }
    assert found == {
        "mine": "none",
        "a stranger's": "unknown_member_id",
        "of another generation": "illegal_generation",
        "nobody's, to a group with members": "unknown_member_id",
        "nobody's, to no group": "none",
        "too much metadata": "offset_metadata_too_large",
        "no such topic": "unknown_topic_or_partition",
        "no such partition": "unknown_topic_or_partition",
        "a member's, to no group": "illegal_generation",
    }


def test_offsets_of_many_groups_are_fetched_at_once(wire: Wire, topic: str, group: str, name: Name) -> None:
    one, other, nobody = group, name("other"), name("nobody")
    committed(wire, one, topic, 5, metadata="five")
    committed(wire, other, topic, 6, metadata=None)
    asked = [{"name": topic, "partition_indexes": [0, 1]}]
    groups = [
        {"group_id": one, "topics": asked},
        {"group_id": other, "topics": None},
        {"group_id": nobody, "topics": asked},
    ]
    answer = wire.ask(message("offset_fetch", 8, groups=groups))

    def told(group: Any) -> tuple[str, list[tuple[int, int, str, str]]]:
        partitions = [found for each in group.topics for found in each.partitions]
        offsets = [(p.partition_index, p.committed_offset, p.metadata, p.error_code.name) for p in partitions]
        return group.error_code.name, offsets

    found = {each.group_id: told(each) for each in answer.groups}
    assert found == {
        one: ("none", [(0, 5, "five", "none"), (1, -1, "", "none")]),
        other: ("none", [(0, 6, "", "none")]),
        nobody: ("none", [(0, -1, "", "none"), (1, -1, "", "none")]),
    }


def test_coordinators_of_many_are_found_at_once(broker: Broker, wire: Wire, name: Name) -> None:
    for kind in (0, 1):
        keys = [name("key"), name("key")]
        eventually(lambda k=kind, n=keys: {c.error_code.name for c in coordinators(wire, k, n)}, {"none"})
        answer = coordinators(wire, kind, keys)
        assert [(each.key, each.host, each.port) for each in answer] == [(key, *broker.endpoint) for key in keys]
        assert {each.node_id for each in answer} == {node_of(wire)}
    (unknown,) = coordinators(wire, 9, ["key"])
    assert unknown.error_code == ErrorCode.invalid_request


def coordinators(wire: Wire, kind: int, keys: list[str]) -> Any:
    return wire.ask(message("find_coordinator", 4, key_type=kind, coordinator_keys=keys)).coordinators


def test_groups_there_are_not_are_dead_or_unknown(wire: Wire, group: str) -> None:
    (old,) = wire.ask(message("describe_groups", 5, groups=[group])).groups
    assert (old.error_code.name, old.group_state, old.members) == ("none", "Dead", ())
    (new,) = wire.ask(message("describe_groups", 6, groups=[group])).groups
    assert (new.error_code.name, new.group_state) == ("group_id_not_found", "Dead")
    (deleted,) = wire.ask(message("delete_groups", 2, groups_names=[group])).results
    assert deleted.error_code == ErrorCode.group_id_not_found


# Transactions


def initialised(wire: Wire, transaction: str, timeout: int = 60_000, version: int = 4, **more: Any) -> Any:
    given = {"transactional_id": transaction, "transaction_timeout": timeout, **more}
    request = message("init_producer_id", version, **given)
    coordinators(wire, 1, [transaction])
    return settled(lambda: wire.ask(request), lambda answer: answer.error_code)


def opened(wire: Wire, transaction: str) -> Producer:
    answer = initialised(wire, transaction)
    assert answer.error_code == ErrorCode.none
    return Producer(answer.producer_id, answer.producer_epoch, 0, True)


def add(wire: Wire, transaction: str, producer: Producer, topic: str, partition: int = 0) -> str:
    given = {"v3_and_below_transactional_id": transaction, "v3_and_below_producer_id": producer.id,
             "v3_and_below_producer_epoch": producer.epoch,
             "v3_and_below_topics": [{"name": topic, "partitions": [partition]}]}  # fmt: skip
    request = message("add_partitions_to_txn", 3, **given)
    ask = lambda: wire.ask(request).results_by_topic_v3_and_below[0].results_by_partition[0]  # noqa: E731
    return str(settled(ask, lambda answer: answer.partition_error_code).partition_error_code.name)


def end(wire: Wire, transaction: str, producer: Producer, commit: bool, version: int = 3) -> str:
    given = {"transactional_id": transaction, "producer_id": producer.id, "producer_epoch": producer.epoch}
    return ended(wire, version, committed=commit, **given).error_code.name


def ended(wire: Wire, version: int, **given: Any) -> Any:
    request = message("end_txn", version, **given)
    return settled(lambda: wire.ask(request), lambda answer: answer.error_code)


def test_an_epoch_goes_up_with_every_initialisation(wire: Wire, transaction: str) -> None:
    first, second = opened(wire, transaction), opened(wire, transaction)
    assert (second.id, first.epoch, second.epoch) == (first.id, 0, 1)
    again = initialised(wire, transaction, producer_id=second.id, producer_epoch=second.epoch)
    assert (again.error_code.name, again.producer_epoch) == ("none", 2)
    stale = initialised(wire, transaction, producer_id=second.id, producer_epoch=0)
    assert stale.error_code == ErrorCode.producer_fenced


def test_initialisations_that_cannot_be_are_refused(wire: Wire, name: Name) -> None:
    assert initialised(wire, name("t"), timeout=100_000_000).error_code == ErrorCode.invalid_transaction_timeout
    assert initialised(wire, name("t"), timeout=0).error_code == ErrorCode.invalid_transaction_timeout
    assert initialised(wire, "").error_code == ErrorCode.invalid_request


def test_transactions_are_held_to_their_producer(wire: Wire, topic: str, name: Name, transaction: str) -> None:
    producer = opened(wire, transaction)
    stranger, zombie = Producer(producer.id + 999_999, 0, 0, True), at(producer, 0, epoch=producer.epoch + 5)
    assert end(wire, transaction, producer, commit=True) == "invalid_txn_state"
    assert add(wire, transaction, stranger, topic) == "invalid_producer_id_mapping"
    assert add(wire, transaction, zombie, topic) == "producer_fenced"
    assert add(wire, transaction, producer, name("nowhere")) == "unknown_topic_or_partition"
    assert add(wire, transaction, producer, topic) == "none"
    assert end(wire, transaction, zombie, commit=True) == "producer_fenced"
    assert end(wire, transaction, stranger, commit=True) == "invalid_producer_id_mapping"
    assert end(wire, name("t"), producer, commit=True) == "invalid_producer_id_mapping"
    assert end(wire, transaction, producer, commit=True) == "none"
    assert end(wire, transaction, producer, commit=True) == "none", "told again"
    assert end(wire, transaction, producer, commit=False) == "invalid_txn_state"


def test_a_transactional_batch_outside_a_transaction_is_refused(wire: Wire, topic: str, transaction: str) -> None:
    """KIP-890, first part: what came late must not hang."""
    producer = opened(wire, transaction)
    batch = records(b"late", producer=producer)
    assert produced(wire, topic, batch, transaction=transaction).error_code == ErrorCode.invalid_txn_state
    assert add(wire, transaction, producer, topic) == "none"
    assert produced(wire, topic, batch, transaction=transaction).error_code == ErrorCode.none


def test_aborted_transactions_are_told_to_who_reads_committed(wire: Wire, topic: str, name: Name) -> None:
    names = [name("transaction") for _ in range(3)]
    producers = [opened(wire, each) for each in names]
    for transaction, producer in zip(names, producers, strict=True):
        assert add(wire, transaction, producer, topic) == "none"
        batch = records(b"v", producer=producer, stamp=int(time.time() * 1000))
        assert produced(wire, topic, batch, transaction=transaction).error_code == ErrorCode.none
    stable = fetched(wire, topic, 0, isolation_level=1)
    assert (stable.last_stable_offset, stable.high_watermark, stable.records or b"") == (0, 3, b"")
    assert listed(wire, topic, -1, isolation=1)[1] == 0
    for transaction, producer in reversed(list(zip(names, producers, strict=True))):
        assert end(wire, transaction, producer, commit=False) == "none"
    eventually(lambda: fetched(wire, topic, 0, isolation_level=1).last_stable_offset, 6)
    answer = fetched(wire, topic, 0, isolation_level=1)
    told = sorted((each.first_offset, each.producer_id) for each in answer.aborted_transactions)
    assert told == [(n, producer.id) for n, producer in enumerate(producers)]
    assert bases(answer.records) == [0, 1, 2, 3, 4, 5], "markers too; the client leaves them out"
    assert not fetched(wire, topic, 0).aborted_transactions


def test_offsets_of_an_open_transaction_are_unstable(wire: Wire, topic: str, transaction: str, group: str) -> None:
    """KIP-447."""
    producer = opened(wire, transaction)
    who = {
        "transactional_id": transaction,
        "producer_id": producer.id,
        "producer_epoch": producer.epoch,
        "group_id": group,
    }
    assert wire.ask(message("add_offsets_to_txn", 3, **who)).error_code == ErrorCode.none
    partitions = [{"partition_index": 0, "committed_offset": 7}]
    request = message(
        "txn_offset_commit", 3, topics=[{"name": topic, "partitions": partitions}], generation_id=-1, **who
    )
    assert wire.ask(request).topics[0].partitions[0].error_code == ErrorCode.none

    def offset(stable_only: bool) -> tuple[str, int]:
        groups = [{"group_id": group, "topics": [{"name": topic, "partition_indexes": [0]}]}]
        (found,) = (
            wire.ask(message("offset_fetch", 8, groups=groups, require_stable=stable_only))
            .groups[0]
            .topics[0]
            .partitions
        )
        return found.error_code.name, found.committed_offset

    assert offset(False) == ("none", -1)
    assert offset(True) == ("unstable_offset_commit", -1)
    assert end(wire, transaction, producer, commit=True) == "none"
    eventually(lambda: offset(True), ("none", 7))


def test_the_second_kind_of_transactions_needs_no_adding_and_raises_the_epoch(
    wire: Wire, topic: str, transaction: str
) -> None:
    """KIP-890, second part."""
    producer = opened(wire, transaction)
    for base in (0, 2):
        batch = records(b"v", producer=producer)
        answer = produced(wire, topic, batch, version=12, transaction=transaction)
        assert (answer.error_code.name, answer.base_offset) == ("none", base)
        given = {"transactional_id": transaction, "producer_id": producer.id, "producer_epoch": producer.epoch}
        done = ended(wire, 5, committed=True, **given)
        assert (done.error_code.name, done.producer_id, done.producer_epoch) == (
            "none",
            producer.id,
            producer.epoch + 1,
        )
        retried = ended(wire, 5, committed=True, **given)
        assert (retried.error_code.name, retried.producer_epoch) == ("none", producer.epoch + 1), "the answer was lost"
        zombie = produced(wire, topic, batch, version=12, transaction=transaction)
        assert zombie.error_code == ErrorCode.invalid_producer_epoch
        producer = at(producer, 0, epoch=done.producer_epoch)
    eventually(lambda: fetched(wire, topic, 0, isolation_level=1).last_stable_offset, 4)


# Administration


def test_topics_with_impossible_names_are_refused(wire: Wire) -> None:
    bad = ["", ".", "..", "a b", "a/b", "ü", "x" * 250]
    wanted = [{"name": each, "num_partitions": 1, "replication_factor": 1} for each in bad]
    answer = wire.ask(message("create_topics", 5, topics=wanted, timeout=5000))
    assert {each.error_code.name for each in answer.topics} == {"invalid_topic_exception"}
    asked = message("metadata", 9, topics=[{"name": each} for each in bad], allow_auto_topic_creation=True)
    assert {each.error_code.name for each in wire.ask(asked).topics} == {"invalid_topic_exception"}


def test_names_that_differ_only_in_dots_and_underscores_collide(wire: Wire, name: Name) -> None:
    stem = name("a")

    def created(topic: str) -> str:
        wanted = [{"name": topic, "num_partitions": 1, "replication_factor": 1}]
        return str(wire.ask(message("create_topics", 5, topics=wanted, timeout=5000)).topics[0].error_code.name)

    assert [created(f"{stem}.b"), created(f"{stem}_b")] == ["none", "invalid_topic_exception"]


def test_a_topic_named_twice_in_a_request_is_refused_both_times(wire: Wire, name: Name) -> None:
    topic = name("topic")
    wanted = [{"name": each, "num_partitions": 1, "replication_factor": 1} for each in (topic, topic, name("other"))]
    answer = wire.ask(message("create_topics", 5, topics=wanted, timeout=5000))
    assert sorted(each.error_code.name for each in answer.topics) == ["invalid_request", "none"]


def test_defaults_are_taken_where_a_count_is_minus_one(wire: Wire, name: Name) -> None:
    wanted = [{"name": name("topic"), "num_partitions": -1, "replication_factor": -1}]
    (answer,) = wire.ask(message("create_topics", 7, topics=wanted, timeout=5000)).topics
    assert (answer.error_code.name, answer.num_partitions, answer.replication_factor) == ("none", 1, 1)
    assert answer.topic_id.int != 0 and len(answer.configs) > 10


def test_metadata_makes_a_topic_only_when_it_may(wire: Wire, name: Name) -> None:
    topic = name("topic")

    def ask(may: bool) -> str:
        asked = message("metadata", 12, topics=[{"name": topic}], allow_auto_topic_creation=may)
        return str(wire.ask(asked).topics[0].error_code.name)

    assert ask(False) == "unknown_topic_or_partition"
    ask(True)
    eventually(lambda: ask(False), "none")


def test_metadata_knows_topics_by_id(wire: Wire, topic: str) -> None:
    by_name = wire.ask(message("metadata", 12, topics=[{"name": topic}])).topics[0]
    by_id = wire.ask(message("metadata", 12, topics=[{"topic_id": by_name.topic_id}])).topics[0]
    assert (by_id.name, by_id.error_code.name, len(by_id.partitions)) == (topic, "none", 1)
    (unknown,) = wire.ask(message("metadata", 12, topics=[{"topic_id": UUID(int=99)}])).topics
    assert unknown.error_code == ErrorCode.unknown_topic_id


def test_the_keys_asked_for_are_described_and_no_others(wire: Wire, topic: str) -> None:
    resources = [{"resource_type": 2, "resource_name": topic, "configuration_keys": ["retention.ms", "no.such"]}]
    (answer,) = wire.ask(message("describe_configs", 4, resources=resources)).results
    assert [(each.name, each.value) for each in answer.configs] == [("retention.ms", "604800000")]
    resources = [{"resource_type": 2, "resource_name": "nowhere-at-all", "configuration_keys": None}]
    (answer,) = wire.ask(message("describe_configs", 4, resources=resources)).results
    assert answer.error_code == ErrorCode.unknown_topic_or_partition
