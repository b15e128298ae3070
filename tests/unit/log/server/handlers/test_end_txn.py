"""Transactions as clients of each generation ask for them: V1 as librdkafka does, V2 (KIP-890) as Java 4 does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from streamflow.event import TopicPartition
from streamflow.log.node.fetch import Cursor
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    add_offsets_to_txn_request,
    add_partitions_to_txn_request,
    describe_producers_request,
    describe_transactions_request,
    end_txn_request,
    init_producer_id_request,
    list_transactions_request,
    produce_request,
    txn_offset_commit_request,
    write_txn_markers_request,
)
from streamflow.log.records import Producer, build_batch, build_marker

pytestmark = pytest.mark.anyio

Init = init_producer_id_request.InitProducerIdRequest
NONE = ErrorCode.none
VERSIONS = {
    "v1": {"init": 4, "add": 3, "offsets": 3, "end": 4, "commit": 4, "produce": 11},
    "v1 of old": {"init": 1, "add": 0, "offsets": 0, "end": 0, "commit": 0, "produce": 3},
    "v2": {"init": 5, "end": 5, "commit": 5, "produce": 12},
}
every = pytest.mark.parametrize("generation", VERSIONS)


@dataclass
class Client:
    """One producer, and what it knows of itself."""

    door: Any
    generation: str
    transactional_id: str | None = "t"
    producer_id: int = -1
    epoch: int = -1
    sequences: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def v2(self) -> bool:
        return self.generation == "v2"

    @property
    def who(self) -> dict[str, Any]:
        return {
            "transactional_id": self.transactional_id,
            "producer_id": self.producer_id,
            "producer_epoch": self.epoch,
        }

    async def ask(self, api: str, request: Any) -> Any:
        return await self.door.ask(request, VERSIONS[self.generation][api])

    async def init(self, timeout_ms: int = 60_000, **more: int) -> int:
        request = Init(transactional_id=self.transactional_id, transaction_timeout_ms=timeout_ms, **more)
        answer = await self.ask("init", request)
        if answer.error_code == NONE:
            self.producer_id, self.epoch, self.sequences = answer.producer_id, answer.producer_epoch, {}
        return answer.error_code

    async def add(self, *partitions: int, topic: str = "events") -> list[int]:
        asked = add_partitions_to_txn_request.AddPartitionsToTxnTopic(name=topic, partitions=list(partitions))
        request = add_partitions_to_txn_request.AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.transactional_id,
            v3_and_below_producer_id=self.producer_id,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=[asked],
        )
        answer = await self.ask("add", request)
        [result] = answer.results_by_topic_v3_and_below
        return [p.partition_error_code for p in result.results_by_partition]

    async def send(self, value: str, partition: int = 0, **of: Any) -> int:
        """Only the produce."""
        at = ("events", partition)
        given = {"sequence": self.sequences.get(at, 0), "id": self.producer_id, "epoch": self.epoch} | of
        producer = Producer(given["id"], given["epoch"], given["sequence"], given.get("transactional", True))
        records = build_batch([None], [value.encode()], [self.door.now], producer=producer)
        data = produce_request.PartitionProduceData(index=partition, records=[bytes(records)])
        request = produce_request.ProduceRequest(
            transactional_id=given.get("transactional_id", self.transactional_id),
            acks=-1,
            topic_data=[produce_request.TopicProduceData(name="events", partition_data=[data])],
        )
        answer = await self.ask("produce", request)
        code: int = answer.responses[0].partition_responses[0].error_code
        if code == NONE:
            self.sequences[at] = given["sequence"] + 1
        return code

    async def produce(self, value: str, partition: int = 0) -> None:
        """As a client does."""
        if not self.v2:
            assert await self.add(partition) == [NONE]
        assert await self.send(value, partition) == NONE

    async def commit_offset(self, offset: int, *, ready: bool = True, **member: Any) -> int:
        if ready and not self.v2:
            request = add_offsets_to_txn_request.AddOffsetsToTxnRequest(group_id="g", **self.who)
            assert (await self.ask("offsets", request)).error_code == NONE
        asked = txn_offset_commit_request.TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
        topic = txn_offset_commit_request.TxnOffsetCommitRequestTopic(name="events", partitions=[asked])
        request = txn_offset_commit_request.TxnOffsetCommitRequest(group_id="g", topics=[topic], **self.who, **member)
        answer = await self.ask("commit", request)
        return answer.topics[0].partitions[0].error_code

    async def end(self, *, commit: bool = True) -> int:
        answer = await self.ask("end", end_txn_request.EndTxnRequest(committed=commit, **self.who))
        if self.v2 and answer.error_code == NONE:
            if (answer.producer_id, answer.producer_epoch) != (self.producer_id, self.epoch):
                self.sequences = {}
            self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
        return answer.error_code


async def ready(door: Any, generation: str) -> Client:
    if "events" not in door.node.topics.metadata.image.topics:
        await door.topic(partitions=3)
    client = Client(door, generation)
    assert await client.init() == NONE
    return client


def committed(door: Any, partition: int = 0) -> list[bytes]:
    cursor = Cursor(door.replica(partition=partition), 0)
    found: list[bytes] = []
    while cursor.ready:
        batch = cursor.take(100)
        found += batch.values if batch is not None else []
    return found


def offset(door: Any) -> int | None:
    known = door.node.groups.offsets.committed("g").get(TopicPartition("events", 0))
    return None if known is None else known.offset


# Producer ids


async def test_who_has_no_transactional_id_gets_a_producer_id_of_its_own(door) -> None:
    ids = set()
    for _ in range(3):
        answer = await door.ask(Init(transactional_id=None), 5)
        assert (answer.error_code, answer.producer_epoch) == (NONE, 0)
        ids.add(answer.producer_id)
    await door.restart()
    ids.add((await door.ask(Init(transactional_id=None), 5)).producer_id)
    assert len(ids) == 4


@pytest.mark.parametrize("timeout_ms", [0, -1, 900_001])
async def test_a_time_out_above_transaction_max_timeout_ms_is_refused(door, timeout_ms: int) -> None:
    assert await Client(door, "v2").init(timeout_ms) == ErrorCode.invalid_transaction_timeout


async def test_an_empty_id_and_half_a_producer_are_invalid(door) -> None:
    assert await Client(door, "v2", transactional_id="").init() == ErrorCode.invalid_request
    for half in ({"producer_id": 5}, {"producer_epoch": 5}):
        assert await Client(door, "v2").init(**half) == ErrorCode.invalid_request


async def test_kip_588_who_was_replaced_is_fenced_in_words_its_version_knows(door) -> None:
    old = await ready(door, "v2")
    mine = {"producer_id": old.producer_id, "producer_epoch": old.epoch}
    assert await old.init(**mine) == NONE
    new = Client(door, "v2")
    assert await new.init() == NONE
    for version, error in ((3, ErrorCode.invalid_producer_epoch), (4, ErrorCode.producer_fenced)):
        answer = await door.ask(Init(transactional_id="t", transaction_timeout_ms=1, **mine), version)
        assert (answer.error_code, answer.producer_id) == (error, -1)
    for end, error in ((1, ErrorCode.invalid_producer_epoch), (2, ErrorCode.producer_fenced)):
        request = end_txn_request.EndTxnRequest(committed=True, **old.who)
        assert (await door.ask(request, end)).error_code == error
    for add, error in ((1, ErrorCode.invalid_producer_epoch), (3, ErrorCode.producer_fenced)):
        request = add_offsets_to_txn_request.AddOffsetsToTxnRequest(group_id="g", **old.who)
        assert (await door.ask(request, add)).error_code == error


# Transactions


@every
async def test_a_transaction_is_seen_with_its_offsets_once_it_is_committed_and_never_if_aborted(
    door, generation: str
) -> None:
    client = await ready(door, generation)
    for commit in (True, False, True):
        await client.produce(f"a {commit}")
        await client.produce(f"b {commit}", partition=1)
        assert await client.commit_offset(7 + commit) == NONE
        before = (committed(door), offset(door))
        assert await client.end(commit=commit) == NONE
        assert ((committed(door), offset(door)) != before) == commit
    assert committed(door) == [b"a True", b"a True"] and committed(door, 1) == [b"b True", b"b True"]
    assert offset(door) == 8


@every
async def test_a_transaction_goes_on_after_a_restart(door, generation: str) -> None:
    client = await ready(door, generation)
    await client.produce("a")
    assert await client.commit_offset(1) == NONE
    await door.restart()
    assert committed(door) == [] and offset(door) is None
    await client.produce("b")
    assert await client.end() == NONE
    assert committed(door) == [b"a", b"b"] and offset(door) == 1


@every
async def test_opening_again_aborts_what_was_left_open(door, generation: str) -> None:
    old = await ready(door, generation)
    await old.produce("a")
    new = await ready(door, generation)
    assert door.replica().last_stable_offset == door.replica().log.log_end_offset
    assert (new.producer_id, new.epoch) == (old.producer_id, old.epoch + 2)
    assert await old.send("b") == ErrorCode.invalid_producer_epoch
    fenced = ErrorCode.invalid_producer_epoch if generation == "v1 of old" else ErrorCode.producer_fenced
    assert await old.end() == fenced
    await new.produce("c")
    assert await new.end() == NONE
    assert committed(door) == [b"c"]


@every
async def test_a_repeated_end_is_answered_as_the_first(door, generation: str) -> None:
    client = await ready(door, generation)
    for commit in (True, False):
        await client.produce("a")
        request = end_txn_request.EndTxnRequest(committed=commit, **client.who)
        first = await client.ask("end", request)
        assert await client.ask("end", request) == first
        assert first.error_code == NONE
        assert first.producer_epoch == (client.epoch + 1 if client.v2 else -1)
        request.committed = not commit
        assert (await client.ask("end", request)).error_code == ErrorCode.invalid_txn_state
        client.epoch, client.sequences = (client.epoch + 1, {}) if client.v2 else (client.epoch, client.sequences)


async def test_kip_890_v2_bumps_the_epoch_with_each_end_even_of_nothing(door) -> None:
    client = await ready(door, "v2")
    assert await client.end(commit=False) == NONE
    assert client.epoch == 1
    assert await client.end() == ErrorCode.invalid_txn_state
    await client.produce("a")
    assert await client.end() == NONE and client.epoch == 2


async def test_ends_without_an_id_or_of_unknown_ids_are_refused(door) -> None:
    client = await ready(door, "v2")
    client.transactional_id = ""
    assert await client.end() == ErrorCode.invalid_request
    client.transactional_id = "unknown"
    assert await client.end() == ErrorCode.invalid_producer_id_mapping


# Partitions


async def test_of_a_transaction_all_partitions_are_added_or_none(door) -> None:
    client = await ready(door, "v1")
    assert await client.add(0, 9) == [ErrorCode.operation_not_attempted, ErrorCode.unknown_topic_or_partition]
    assert await client.add(0, topic="none") == [ErrorCode.unknown_topic_or_partition]
    assert await client.send("a") == ErrorCode.transaction_abortable
    client.transactional_id = ""
    assert await client.add(0) == [ErrorCode.invalid_request]


async def test_kip_890_brokers_add_and_verify_partitions_of_many_transactions_at_once(door) -> None:
    client = await ready(door, "v1")
    assert await client.add(0) == [NONE]

    async def ask(version: int, *, verify: bool, epoch: int = client.epoch) -> list[int]:
        asked = add_partitions_to_txn_request.AddPartitionsToTxnTransaction(
            transactional_id="t",
            producer_id=client.producer_id,
            producer_epoch=epoch,
            verify_only=verify,
            topics=[add_partitions_to_txn_request.AddPartitionsToTxnTopic(name="events", partitions=[0, 1])],
        )
        request = add_partitions_to_txn_request.AddPartitionsToTxnRequest(transactions=[asked])
        [result] = (await door.ask(request, version)).results_by_transaction
        return [p.partition_error_code for p in result.topic_results[0].results_by_partition]

    assert await ask(5, verify=True) == [NONE, ErrorCode.transaction_abortable]
    assert await ask(4, verify=True) == [NONE, ErrorCode.invalid_txn_state]
    assert await ask(5, verify=True, epoch=9) == [ErrorCode.invalid_producer_epoch] * 2
    assert await ask(5, verify=False) == [NONE, NONE]
    assert await ask(5, verify=True) == [NONE, NONE]


# What is appended


@pytest.mark.parametrize(
    ("generation", "error"), [("v1", ErrorCode.transaction_abortable), ("v1 of old", ErrorCode.invalid_txn_state)]
)
async def test_kip_890_a_batch_outside_of_an_ongoing_transaction_is_refused(door, generation, error) -> None:
    client = await ready(door, generation)
    assert await client.send("a") == error
    await client.produce("b")
    assert await client.send("c", partition=1) == error
    assert await client.end() == NONE
    assert await client.send("d") == error
    assert await client.send("e", transactional_id=None) == error
    assert door.replica().last_stable_offset == door.replica().log.log_end_offset, "nothing hangs"


async def test_kip_890_a_late_batch_of_v2_opens_nothing(door) -> None:
    client = await ready(door, "v2")
    await client.produce("a")
    before = client.epoch
    assert await client.end(commit=False) == NONE
    assert await client.send("late", epoch=before, sequence=1) == ErrorCode.invalid_producer_epoch
    assert await client.send("late", partition=1, epoch=before, sequence=0) == ErrorCode.invalid_producer_epoch
    assert all(door.replica(partition=n).log.producers.first_open() is None for n in range(3))


@every
async def test_another_producers_id_does_not_write_in_the_transaction(door, generation: str) -> None:
    client = await ready(door, generation)
    await client.produce("a")
    assert await client.send("b", id=client.producer_id + 50) == ErrorCode.invalid_producer_id_mapping
    assert await client.send("b", transactional_id="other") == ErrorCode.invalid_producer_id_mapping


async def test_a_producer_of_v2_begins_in_a_partition_at_sequence_0(door) -> None:
    client = await ready(door, "v2")
    assert await client.send("a", sequence=5) == ErrorCode.out_of_order_sequence_number
    await client.produce("b")


async def test_a_producer_does_not_write_outside_of_the_transaction_it_has_open(door) -> None:
    client = await ready(door, "v1")
    await client.produce("a")
    assert await client.send("b", transactional=False) == ErrorCode.invalid_txn_state


async def test_clients_write_no_control_records_and_no_producers_without_a_place(door) -> None:
    await door.topic()
    client = Client(door, "v2")
    marker = bytes(build_marker(commit=True, timestamp=0, producer=Producer(1, 0, -1, True)))
    data = produce_request.PartitionProduceData(index=0, records=[marker])
    topic = produce_request.TopicProduceData(name="events", partition_data=[data])
    answer = await door.ask(produce_request.ProduceRequest(acks=-1, topic_data=[topic]), 11)
    assert answer.responses[0].partition_responses[0].error_code == ErrorCode.invalid_record
    for wrong in ({"id": 5, "epoch": 0, "sequence": -1}, {"id": 5, "epoch": -1, "sequence": 0}):
        assert await client.send("a", transactional=False, **wrong) == ErrorCode.invalid_record
    assert door.replica().log.log_end_offset == 0


async def test_a_duplicate_of_a_transaction_is_answered_with_where_it_is(door) -> None:
    client = await ready(door, "v1")
    await client.produce("a")
    assert await client.send("a", sequence=0) == NONE
    assert await client.send("z", sequence=5) == ErrorCode.out_of_order_sequence_number
    client.sequences[("events", 0)] = 1
    for n in range(7):
        await client.produce(f"{n}")
    assert await client.send("a", sequence=0) == ErrorCode.duplicate_sequence_number
    assert door.replica().log.log_end_offset == 8


# Offsets


@pytest.mark.parametrize(
    ("generation", "error"), [("v1", ErrorCode.transaction_abortable), ("v1 of old", ErrorCode.invalid_txn_state)]
)
async def test_offsets_that_were_not_added_to_the_transaction_are_refused(door, generation, error) -> None:
    client = await ready(door, generation)
    await client.produce("a")
    assert await client.commit_offset(1, ready=False) == error
    assert await client.end() == NONE
    assert offset(door) is None


async def test_kip_447_who_is_not_of_the_groups_generation_commits_nothing(door) -> None:
    client = await ready(door, "v1")
    await client.produce("a")
    assert await client.commit_offset(1, member_id="m", generation_id=5) == ErrorCode.illegal_generation
    assert await client.end() == NONE
    assert offset(door) is None


async def test_offsets_of_partitions_that_are_not_there_are_refused(door) -> None:
    client = await ready(door, "v2")
    partition = txn_offset_commit_request.TxnOffsetCommitRequestPartition(partition_index=9, committed_offset=1)
    topics = [
        txn_offset_commit_request.TxnOffsetCommitRequestTopic(name=name, partitions=[partition])
        for name in ("events", "none")
    ]
    request = txn_offset_commit_request.TxnOffsetCommitRequest(group_id="g", topics=topics, **client.who)
    answer = await client.ask("commit", request)
    codes = [p.error_code for topic in answer.topics for p in topic.partitions]
    assert codes == [ErrorCode.unknown_topic_or_partition] * 2


# Time


@every
async def test_a_transaction_that_outlives_its_time_is_aborted(door, generation: str) -> None:
    client = await ready(door, generation)
    await client.produce("a")
    door.now += 60_000
    await door.node.tick()
    assert door.replica().last_stable_offset == door.replica().log.log_end_offset
    assert await client.send("b") == ErrorCode.invalid_producer_epoch
    assert await client.end() != NONE
    assert committed(door) == []


async def test_ids_and_producers_that_nobody_uses_are_forgotten(door) -> None:
    client = await ready(door, "v1")
    await client.produce("a")
    assert await client.end() == NONE
    for _ in range(2):
        door.now += 8 * 86_400_000
        await door.node.tick()
    assert not door.replica().log.producers.is_known(client.producer_id)
    assert await client.add(0) == [ErrorCode.invalid_producer_id_mapping]
    await door.restart()
    assert await client.add(0) == [ErrorCode.invalid_producer_id_mapping]


# Administrators


async def test_kip_664_transactions_are_described_and_listed(door) -> None:
    client = await ready(door, "v1")
    await client.produce("a", partition=2)
    await client.produce("a")
    request = describe_transactions_request.DescribeTransactionsRequest(transactional_ids=["t", "none", ""])
    found, missing, invalid = (await door.ask(request)).transaction_states
    assert (found.error_code, found.transaction_state, found.transaction_timeout_ms) == (NONE, "Ongoing", 60_000)
    assert (found.producer_id, found.producer_epoch) == (client.producer_id, client.epoch)
    assert found.transaction_start_time_ms == door.now
    assert [(t.topic, t.partitions) for t in found.topics] == [("events", [0, 2])]
    assert missing.error_code == ErrorCode.transactional_id_not_found
    assert invalid.error_code == ErrorCode.invalid_request

    async def names(**filters: Any) -> list[str]:
        answer = await door.ask(list_transactions_request.ListTransactionsRequest(**filters))
        return [state.transactional_id for state in answer.transaction_states]

    assert await names() == ["t"]
    assert await names(state_filters=["Ongoing"], producer_id_filters=[client.producer_id]) == ["t"]
    assert await names(state_filters=["CompleteCommit"]) == []
    assert await names(duration_filter=1) == []
    assert await names(transactional_id_pattern="t.*") == ["t"]
    assert await names(transactional_id_pattern="") == ["t"]
    client.transactional_id = "a b:c"
    assert await client.init() == NONE
    assert await names(transactional_id_pattern="a b:c") == ["a b:c"]
    assert await names(transactional_id_pattern="a b") == []
    client.transactional_id = "t"
    asked = list_transactions_request.ListTransactionsRequest(state_filters=["Ongoing", "Flying", "Dead"])
    answer = await door.ask(asked)
    assert (answer.unknown_state_filters, len(answer.transaction_states)) == (["Flying"], 1)
    answer = await door.ask(list_transactions_request.ListTransactionsRequest(transactional_id_pattern="("))
    assert answer.error_code == ErrorCode.invalid_regular_expression


async def producers(door: Any, *partitions: int, topic: str = "events") -> list[Any]:
    asked = describe_producers_request.TopicRequest(name=topic, partition_indexes=list(partitions))
    answer = await door.ask(describe_producers_request.DescribeProducersRequest(topics=[asked]))
    return answer.topics[0].partitions


async def test_kip_664_producers_are_described_by_partition(door) -> None:
    client = await ready(door, "v1")
    await client.produce("a")
    here, empty, missing = await producers(door, 0, 1, 9)
    [state] = here.active_producers
    assert (state.producer_id, state.producer_epoch, state.last_sequence) == (client.producer_id, 0, 0)
    assert (state.current_txn_start_offset, state.last_timestamp, state.coordinator_epoch) == (0, door.now, -1)
    assert (empty.error_code, empty.active_producers) == (NONE, [])
    assert missing.error_code == ErrorCode.unknown_topic_or_partition and missing.error_message
    assert await client.end() == NONE
    [state] = (await producers(door, 0))[0].active_producers
    assert (state.current_txn_start_offset, state.coordinator_epoch >= 0) == (-1, True)


async def test_kip_664_an_administrator_aborts_what_hangs_and_a_marker_that_comes_late_is_refused(door) -> None:
    client = await ready(door, "v1")
    await client.produce("a")
    [state] = (await producers(door, 0))[0].active_producers

    async def mark(version: int = 2, **more: Any) -> list[int]:
        topic = write_txn_markers_request.WritableTxnMarkerTopic(name="events", partition_indexes=[0, 9])
        given = {"producer_id": client.producer_id, "producer_epoch": 0, "coordinator_epoch": 7} | more
        marker = write_txn_markers_request.WritableTxnMarker(topics=[topic], transaction_result=False, **given)
        request = write_txn_markers_request.WriteTxnMarkersRequest(markers=[marker])
        [result] = (await door.ask(request, version)).markers
        return [p.error_code for p in result.topics[0].partitions]

    missing = ErrorCode.unknown_topic_or_partition
    assert await mark(transaction_version=2) == [ErrorCode.invalid_producer_epoch, missing]
    assert door.replica().last_stable_offset == state.current_txn_start_offset == 0
    assert await mark() == [NONE, missing]
    end = door.replica().log.log_end_offset
    assert door.replica().last_stable_offset == end == 2
    assert await mark(version=1) == [NONE, missing]
    assert door.replica().log.log_end_offset == end, "it is there once"
    assert await mark(coordinator_epoch=6) == [ErrorCode.transaction_coordinator_fenced, missing]
    assert committed(door) == []
