"""What `streamflow.transport.base` promises, of every transport. A new one is added to `URLS`.

Those behind `kafka://` are real brokers, started once; what a test left in one is removed after it.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from streamflow.errors import UnknownTopicError
from streamflow.log.errors import (
    InvalidTopicError,
    OffsetOutOfRangeError,
    ProducerFencedError,
    RecordTooLargeError,
    TopicExistsError,
    TransactionError,
    UnsupportedCompressionError,
)
from streamflow.transport import open_transport
from streamflow.transport.base import (
    EARLIEST,
    LATEST,
    Batch,
    Committed,
    Reader,
    TopicPartition,
    TopicSpec,
    Transport,
    Writer,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "clients"))
from brokers import STARTS, Brokers
from toolchains import Missing, leave

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
AT = 1_700_000_000_000
URLS = ["memory://", "log://{path}", "log://{path}?flush=os", "log://{path}?flush=interval"]
DURABLE = [url for url in URLS if not url.startswith("memory")]
CLUSTERS = [pytest.param(f"kafka://{name}", marks=[pytest.mark.slow, pytest.mark.clients]) for name in STARTS]
EMBEDDED = pytest.mark.parametrize("transport", URLS, indirect=True)
"""Where it hangs on the network what is there at once."""

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> int:
        return self.now


@asynccontextmanager
async def opened(url: str, path: Path, clock: Callable[[], int] | None = None) -> AsyncIterator[Transport]:
    transport = open_transport(url.format(path=path / "log"), now_ms=clock)
    await transport.open()
    try:
        yield transport
    finally:
        await transport.close()


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    running = Brokers(tmp_path_factory.mktemp("brokers"), STARTS)
    yield running
    running.stop()


@pytest.fixture(params=[*URLS, *CLUSTERS])
async def transport(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Transport]:
    url = request.param
    cluster = url.startswith("kafka://")
    if cluster:
        try:
            url = f"kafka://{request.getfixturevalue('brokers').get(url.removeprefix('kafka://')).address}"
        except Missing as why:
            leave(str(why))
    async with opened(url, tmp_path) as transport:
        try:
            await transport.create_topic(TopicSpec(name="t", partitions=2))
            yield transport
        finally:
            if cluster:
                await clear(transport)


async def clear(transport: Transport) -> None:
    for name, info in (await transport.topics()).items():
        if not info.internal:
            await transport.delete_topic(name)
    for group in await transport.groups():
        await transport.delete_group(group)


def events(*values: str, start: int = AT) -> Batch:
    n = len(values)
    return Batch([None] * n, [v.encode() for v in values], list(range(start, start + n)), range(n))


async def read(transport: Transport, where: TopicPartition = T0, start: int = 0) -> list[str]:
    """Every value committed by now."""
    reader = await transport.reader()
    reader.assign({where: start})
    found = await drain(reader)
    await reader.close()
    return [v for _, v in found]


async def sees(transport: Transport, expected: list[str], where: TopicPartition = T0, start: int = 0) -> None:
    """What was committed is there, or soon will be: a cluster marks one partition after the other."""
    tries = 200 if transport.url.startswith("kafka") else 1
    for _ in range(tries):
        found = await read(transport, where, start)
        if found == expected:
            break
        await anyio.sleep(0.02)
    assert found == expected


async def drain(reader: Reader) -> list[tuple[TopicPartition, str]]:
    found = []
    while any((await reader.lag()).values()):
        for where, batch in await reader.poll(1000, 1):
            found += [(where, v.decode()) for v in batch.values]
    return found


async def in_transaction(writer: Writer, work: Iterable[Awaitable[object]], *, commit: bool = True) -> None:
    await writer.begin()
    for step in work:
        await step
    await (writer.commit() if commit else writer.abort())


# Order and offsets


async def test_a_partition_keeps_what_was_appended_in_order(transport: Transport) -> None:
    writer = await transport.writer()
    assert await writer.append(T0, events("a", "b")) == 0
    assert await writer.append(T0, events("c")) == 2
    assert await writer.append(T1, events("x")) == 0
    assert await read(transport) == ["a", "b", "c"]
    assert await read(transport, T1) == ["x"]


async def test_a_record_comes_back_as_it_was(transport: Transport) -> None:
    writer = await transport.writer()
    headers = [(), (("h", b"1"), ("h", None), ("ü", b""))]
    await writer.append(T0, Batch([b"k", None], [None, b""], [AT + 7, AT], range(2), headers))
    reader = await transport.reader()
    reader.assign({T0: 0})
    [(where, batch)] = await reader.poll(10, 1)
    assert where == T0
    assert (batch.keys, batch.values, batch.timestamps) == ([b"k", None], [None, b""], [AT + 7, AT])
    assert list(batch.offsets) == [0, 1]
    assert batch.headers == headers


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_compressed_records_come_back_as_they_were(transport: Transport, compression: str) -> None:
    writer = await transport.writer(compression=compression)
    await writer.append(T0, events(*["same"] * 500))
    assert await read(transport) == ["same"] * 500


async def test_an_unknown_compression_is_refused(transport: Transport) -> None:
    with pytest.raises(UnsupportedCompressionError, match="brotli"):
        await transport.writer(compression="brotli")


async def test_an_offset_names_the_same_record_for_ever(transport: Transport) -> None:
    writer = await transport.writer()
    for n in range(20):
        await writer.append(T0, events(*[f"{n}.{i}" for i in range(5)]))
    everything = await read(transport)
    for start in (0, 1, 4, 5, 7, 50, 99):
        assert await read(transport, start=start) == everything[start:]


async def test_concurrent_appends_get_offsets_of_their_own(transport: Transport) -> None:
    writer = await transport.writer()
    offsets: dict[str, int] = {}

    async def append(value: str) -> None:
        offsets[value] = await writer.append(T0, events(value))

    async with anyio.create_task_group() as group:
        for n in range(30):
            group.start_soon(append, str(n))
    found = await read(transport)
    assert sorted(offsets.values()) == list(range(30))
    assert {v: found.index(v) for v in offsets} == offsets


async def test_appends_to_several_partitions_keep_the_order_in_each(transport: Transport) -> None:
    writer = await transport.writer()
    await writer.append_all({T0: [events("a"), events("b")], T1: [events("x"), events("y")]})
    assert await read(transport) == ["a", "b"]
    assert await read(transport, T1) == ["x", "y"]


async def test_a_failed_append_to_one_of_several_partitions_is_told(transport: Transport) -> None:
    writer = await transport.writer()
    with pytest.raises(UnknownTopicError):
        await writer.append_all({T0: [events("a")], TopicPartition("tt", 0): [events("x")]})


async def test_a_large_append_is_read_back_whole(transport: Transport) -> None:
    writer = await transport.writer()
    values = [f"{n:06d}" + "x" * 1000 for n in range(3000)]
    assert await writer.append(T0, events(*values)) == 0
    assert await read(transport) == values


async def test_a_record_above_max_message_bytes_is_refused_and_nothing_of_it_is_kept(transport: Transport) -> None:
    writer = await transport.writer()
    with pytest.raises(RecordTooLargeError, match=r"1048588|message\.max\.bytes"):
        await writer.append(T0, events("x" * 2_000_000))
    assert await writer.append(T0, events("y")) == 0


# Reading


@EMBEDDED
async def test_a_poll_returns_some_records_of_each_partition_in_turns(transport: Transport) -> None:
    writer = await transport.writer()
    for _ in range(50):
        await writer.append(T0, events(*["a"] * 10))
    await writer.append(T1, events("b"))
    reader = await transport.reader()
    reader.assign({T0: 0, T1: 0})
    seen: list[TopicPartition] = []
    for _ in range(2):
        seen += [where for where, _ in await reader.poll(10, 1)]
    assert T1 in seen


@EMBEDDED
async def test_partitions_share_a_poll(transport: Transport) -> None:
    writer = await transport.writer()
    for n in range(20):
        await writer.append(T0, events(f"a{n}"))
        await writer.append(T1, events(f"b{n}"))
    reader = await transport.reader()
    reader.assign({T0: 0, T1: 0})
    assert sorted((w, len(b)) for w, b in await reader.poll(10, 1)) == [(T0, 5), (T1, 5)]


async def test_a_poll_brings_about_what_is_asked_for(transport: Transport) -> None:
    writer = await transport.writer()
    for _ in range(50):
        await writer.append(T0, events(*["a"] * 10))
    reader = await transport.reader()
    reader.assign({T0: 0})
    [(_, batch)] = await reader.poll(95, 1)
    assert 95 <= len(batch) < 105
    assert reader.position(T0) == len(batch)
    assert await reader.lag() == {T0: 500 - len(batch)}


async def test_a_poll_waits_for_what_comes(transport: Transport) -> None:
    writer = await transport.writer()
    reader = await transport.reader()
    reader.assign({T0: 0, T1: 0})
    found = []

    async def poll() -> None:
        found.extend(await reader.poll(10, 20))

    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        await anyio.wait_all_tasks_blocked()
        await writer.append(T1, events("late"))
    assert [(w, b.values) for w, b in found] == [(T1, [b"late"])]


async def test_a_poll_gives_up_after_its_time(transport: Transport) -> None:
    reader = await transport.reader()
    reader.assign({T0: 0})
    assert await reader.poll(10, 0.01) == []
    assert await reader.poll(10, 0) == []


async def test_paused_partitions_are_left_out_until_they_are_resumed(transport: Transport) -> None:
    writer = await transport.writer()
    await writer.append(T0, events("a"))
    await writer.append(T1, events("b"))
    reader = await transport.reader()
    reader.assign({T0: 0, T1: 0})
    reader.pause([T0])
    assert [w for w, _ in await reader.poll(10, 1)] == [T1]
    assert await reader.poll(10, 0.01) == []
    reader.resume([T0])
    assert [w for w, _ in await reader.poll(10, 1)] == [T0]


async def test_assigning_again_replaces_the_positions(transport: Transport) -> None:
    writer = await transport.writer()
    await writer.append(T0, events("a", "b", "c"))
    reader = await transport.reader()
    reader.assign({T0: 0, T1: 0})
    assert len(await drain(reader)) == 3
    reader.assign({T0: 1})
    assert [v for _, v in await drain(reader)] == ["b", "c"]
    assert await reader.lag() == {T0: 0}


async def test_reading_outside_of_the_log_is_an_error_not_silence(transport: Transport) -> None:
    writer = await transport.writer()
    await writer.append(T0, events("a", "b", "c"))
    reader = await transport.reader()
    reader.assign({T0: 99})
    with pytest.raises(OffsetOutOfRangeError, match="the log holds 0 to 3"):
        await reader.poll(10, 1)


async def test_a_reader_of_a_topic_that_is_deleted_is_told(transport: Transport) -> None:
    reader = await transport.reader()
    reader.assign({T0: 0})

    async def delete() -> None:
        await transport.delete_topic("t")

    async with anyio.create_task_group() as group:
        group.start_soon(delete)
        with pytest.raises(UnknownTopicError):
            await reader.poll(10, 20)


async def test_an_unknown_partition_cannot_be_read_or_written(transport: Transport) -> None:
    writer, reader = await transport.writer(), await transport.reader()
    with pytest.raises(UnknownTopicError):
        await writer.append(TopicPartition("tt", 0), events("a"))
    with pytest.raises(UnknownTopicError):
        reader.assign({TopicPartition("tt", 0): 0})
    with pytest.raises(InvalidTopicError, match="no partition 7"):
        await writer.append(TopicPartition("t", 7), events("a"))


# Transactions


async def test_a_transaction_becomes_visible_at_once_on_all_partitions_with_its_offsets(transport: Transport) -> None:
    writer = await transport.writer("id")
    await writer.begin()
    await writer.append(T0, events("a"))
    await writer.append(T1, events("b"))
    await writer.add_offsets("g", {T0: Committed(5, "meta")})
    assert await read(transport) == await read(transport, T1) == []
    assert await transport.committed("g") == {}
    await writer.commit()
    await sees(transport, ["a"])
    await sees(transport, ["b"], T1)
    assert await transport.committed("g") == {T0: Committed(5, "meta")}


async def test_an_aborted_transaction_is_never_seen(transport: Transport) -> None:
    writer = await transport.writer("id")
    await writer.begin()
    await writer.append(T0, events("a"))
    await writer.append(T1, events("b"))
    await writer.add_offsets("g", {T0: Committed(5)})
    await writer.abort()
    await in_transaction(writer, [writer.append(T0, events("c"))])
    await sees(transport, ["c"])
    assert await read(transport, T1) == []
    assert await transport.committed("g") == {}


async def test_committed_records_wait_behind_an_open_transaction(transport: Transport) -> None:
    first, second, plain = await transport.writer("one"), await transport.writer("two"), await transport.writer()
    await first.begin()
    await first.append(T0, events("1"))
    await in_transaction(second, [second.append(T0, events("2"))])
    await plain.append(T0, events("3"))
    assert await read(transport) == []
    [info, _] = await transport.describe_partitions("t")
    assert info.last_stable_offset == 0
    await first.commit()
    await sees(transport, ["1", "2", "3"])


async def test_only_the_aborted_of_interleaved_transactions_are_left_out(transport: Transport) -> None:
    writers = [await transport.writer(f"w{n}") for n in range(3)]
    for writer in writers:
        await writer.begin()
    for turn in range(4):
        for n, writer in enumerate(writers):
            await writer.append(T0, events(f"{n}.{turn}"))
    await writers[0].commit()
    await writers[1].abort()
    await sees(transport, ["0.0"])
    await writers[2].commit()
    await sees(transport, [f"{n}.{turn}" for turn in range(4) for n in (0, 2)])


async def test_transactions_of_one_writer_follow_each_other(transport: Transport) -> None:
    writer = await transport.writer("id")
    expected = []
    for n in range(12):
        await in_transaction(
            writer, [writer.append(T0, events(f"{n}a")), writer.append(T0, events(f"{n}b"))], commit=n % 3 != 1
        )
        expected += [f"{n}a", f"{n}b"] if n % 3 != 1 else []
    await sees(transport, expected)


async def test_a_reader_that_waits_is_woken_by_a_commit(transport: Transport) -> None:
    writer = await transport.writer("id")
    reader = await transport.reader()
    reader.assign({T0: 0})
    await writer.begin()
    await writer.append(T0, events("a"))
    found = []

    async def poll() -> None:
        found.extend(await reader.poll(10, 20))

    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        await anyio.wait_all_tasks_blocked()
        assert not found
        await writer.commit()
    assert [b.values for _, b in found] == [[b"a"]]


async def test_the_position_moves_over_markers_and_aborted_records(transport: Transport) -> None:
    writer = await transport.writer("id")
    await in_transaction(writer, [writer.append(T0, events("a"))])
    await in_transaction(writer, [writer.append(T0, events("b"))], commit=False)
    reader = await transport.reader()
    reader.assign({T0: 0})
    assert await drain(reader) == [(T0, "a")]
    end = (await transport.offsets_for_times({T0: LATEST}))[T0]
    assert reader.position(T0) == end
    assert await reader.lag() == {T0: 0}


async def test_a_second_writer_under_the_id_fences_the_first(transport: Transport) -> None:
    first = await transport.writer("id")
    await first.begin()
    await first.append(T0, events("zombie"))
    second = await transport.writer("id")
    with pytest.raises(ProducerFencedError, match="'id'"):
        await first.append(T0, events("zombie"))
    with pytest.raises(ProducerFencedError):
        await first.append(T1, events("zombie"))
    with pytest.raises(ProducerFencedError):
        await first.add_offsets("g", {T0: Committed(1)})
    with pytest.raises(ProducerFencedError):
        await first.commit()
    await in_transaction(second, [second.append(T0, events("heir"))])
    await sees(transport, ["heir"])
    assert await read(transport, T1) == []


async def test_closing_a_writer_aborts_what_it_began(transport: Transport) -> None:
    writer = await transport.writer("id")
    await writer.begin()
    await writer.append(T0, events("a"))
    await writer.close()
    plain = await transport.writer()
    await plain.append(T0, events("b"))
    await sees(transport, ["b"])


async def test_an_empty_transaction_can_be_committed_and_aborted(transport: Transport) -> None:
    writer = await transport.writer("id")
    await in_transaction(writer, [])
    await in_transaction(writer, [], commit=False)
    await in_transaction(writer, [writer.append(T0, events("a"))])
    await sees(transport, ["a"])


async def test_calls_out_of_turn_are_refused(transport: Transport) -> None:
    writer, plain = await transport.writer("id"), await transport.writer()
    with pytest.raises(TransactionError, match="begin"):
        await writer.append(T0, events("a"))
    with pytest.raises(TransactionError, match="begun"):
        await writer.commit()
    await writer.begin()
    with pytest.raises(TransactionError, match="begun already"):
        await writer.begin()
    for call in (plain.begin, plain.commit, plain.abort):
        with pytest.raises(TransactionError, match="no transactional id"):
            await call()


async def test_a_commit_whose_caller_is_cancelled_still_happens_wholly_or_not_at_all(transport: Transport) -> None:
    writer = await transport.writer("id")
    await writer.begin()
    await writer.append(T0, events("a"))
    await writer.append(T1, events("b"))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await writer.commit()
    assert (await read(transport), await read(transport, T1)) in ((["a"], ["b"]), ([], []))
    again = await transport.writer("id")
    await in_transaction(again, [again.append(T0, events("c"))])
    assert len(await read(transport)) == len(await read(transport, T1)) + 1


@pytest.mark.parametrize("url", URLS)
async def test_a_transaction_left_open_for_too_long_is_aborted(url: str, tmp_path: Path) -> None:
    clock = Clock()
    separator = "&" if "?" in url else "?"
    async with opened(f"{url}{separator}transaction.timeout.ms=1000", tmp_path, clock) as transport:
        await transport.create_topic(TopicSpec(name="t"))
        lost, plain = await transport.writer("lost"), await transport.writer()
        await lost.begin()
        await lost.append(T0, events("a"))
        await plain.append(T0, events("b"))
        reader = await transport.reader()
        reader.assign({T0: 0})
        assert await reader.poll(10, 0) == []
        clock.now += 1000
        found = []
        while not found:
            found = await reader.poll(10, 5)
        assert [b.values for _, b in found] == [[b"b"]]
        with pytest.raises(ProducerFencedError, match="time-out"):
            await lost.commit()


# Time


async def test_offsets_are_found_by_time(transport: Transport) -> None:
    writer = await transport.writer()
    for n in range(10):
        await writer.append(T0, events(*[f"{n}.{i}" for i in range(10)], start=AT + n * 100))
    for time_ms, offset in (
        (0, 0),
        (AT, 0),
        (AT + 5, 5),
        (AT + 50, 10),
        (AT + 309, 39),
        (AT + 310, 40),
        (AT + 909, 99),
    ):
        assert await transport.offsets_for_times({T0: time_ms}) == {T0: offset}, time_ms
    assert await transport.offsets_for_times({T0: AT + 910, T1: AT}) == {T0: 100, T1: 0}


async def test_earliest_and_latest_are_the_bounds_of_what_can_be_read(transport: Transport) -> None:
    writer = await transport.writer()
    await writer.append(T0, events("a", "b", "c"))
    await transport.delete_records({T0: 1})
    assert await transport.offsets_for_times({T0: EARLIEST}) == {T0: 1}
    assert await transport.offsets_for_times({T0: LATEST}) == {T0: 3}
    other = await transport.writer("id")
    await other.begin()
    await other.append(T0, events("d"))
    assert await transport.offsets_for_times({T0: LATEST}) == {T0: 3}
    assert await transport.offsets_for_times({T0: AT + 99}) == {T0: 3}
    await other.abort()


# Deleting records


async def test_deleted_records_are_never_read_again(transport: Transport) -> None:
    writer = await transport.writer()
    await writer.append(T0, events("a", "b", "c"))
    await transport.delete_records({T0: 2})
    assert await read(transport, start=2) == ["c"]
    reader = await transport.reader()
    reader.assign({T0: 1})
    with pytest.raises(OffsetOutOfRangeError):
        await reader.poll(10, 1)
    assert (await transport.describe_partitions("t"))[0].log_start_offset == 2


async def test_records_that_are_not_there_cannot_be_deleted(transport: Transport) -> None:
    with pytest.raises(OffsetOutOfRangeError):
        await transport.delete_records({T0: 1})


# Groups


async def test_committed_offsets_are_kept_by_group_and_partition(transport: Transport) -> None:
    await transport.commit_offsets("g", {T0: Committed(1, "m", 3), T1: Committed(2)})
    await transport.commit_offsets("g", {T0: Committed(4)})
    await transport.commit_offsets("h", {T0: Committed(9)})
    assert await transport.committed("g") == {T0: Committed(4), T1: Committed(2)}
    assert await transport.committed("h") == {T0: Committed(9)}
    assert await transport.committed("nobody") == {}
    assert sorted(await transport.groups()) == ["g", "h"]


async def test_a_deleted_group_is_gone(transport: Transport) -> None:
    await transport.commit_offsets("g", {T0: Committed(1)})
    await transport.delete_group("g")
    assert await transport.groups() == []
    assert await transport.committed("g") == {}


async def test_offsets_of_an_unknown_topic_are_refused(transport: Transport) -> None:
    with pytest.raises(UnknownTopicError):
        await transport.commit_offsets("g", {TopicPartition("nope", 0): Committed(1)})


# Topics


async def test_topics_are_told_with_their_partitions_and_settings(transport: Transport) -> None:
    await transport.create_topic(TopicSpec(name="u", partitions=3, config={"retention.ms": "1000"}))
    topics = await transport.topics()
    assert topics["u"].partitions == 3
    assert topics["u"].config == {"retention.ms": "1000"}
    assert not topics["u"].internal
    assert topics["u"].topic_id != topics["t"].topic_id
    assert len(await transport.describe_partitions("u")) == 3


async def test_the_logs_own_topics_are_marked(transport: Transport) -> None:
    writer = await transport.writer("id")
    await in_transaction(writer, [writer.add_offsets("g", {T0: Committed(1)})])
    assert {name for name, info in (await transport.topics()).items() if info.internal} == {
        "__consumer_offsets",
        "__transaction_state",
    }


async def test_a_topic_is_created_once(transport: Transport) -> None:
    with pytest.raises(TopicExistsError, match="'t'"):
        await transport.create_topic(TopicSpec(name="t"))


@pytest.mark.parametrize("spec", [TopicSpec(name="a/b"), TopicSpec(name="a", config={"retention.sm": "1"})])
async def test_an_impossible_topic_is_refused(transport: Transport, spec: TopicSpec) -> None:
    with pytest.raises(InvalidTopicError):
        await transport.create_topic(spec)


async def test_a_deleted_topic_is_gone_and_a_new_one_under_its_name_is_empty(transport: Transport) -> None:
    writer = await transport.writer()
    await writer.append(T0, events("old"))
    await transport.commit_offsets("g", {T0: Committed(1)})
    before = (await transport.topics())["t"].topic_id
    await transport.delete_topic("t")
    assert "t" not in await transport.topics()
    for _ in range(200 if transport.url.startswith("kafka") else 1):
        if not await transport.committed("g"):
            break
        await anyio.sleep(0.02)
    assert await transport.committed("g") == {}
    with pytest.raises(UnknownTopicError):
        await transport.describe_partitions("t")
    with pytest.raises(UnknownTopicError):
        await transport.delete_topic("t")
    await transport.create_topic(TopicSpec(name="t"))
    assert (await transport.topics())["t"].topic_id != before
    assert await writer.append(T0, events("new")) == 0
    assert await read(transport) == ["new"]


async def test_a_topic_may_be_deleted_while_a_transaction_writes_to_it(transport: Transport) -> None:
    await transport.create_topic(TopicSpec(name="u"))
    writer = await transport.writer("id")
    await writer.begin()
    await writer.append(T0, events("gone"))
    await writer.append(TopicPartition("u", 0), events("kept"))
    await transport.delete_topic("t")
    await writer.commit()
    await sees(transport, ["kept"], TopicPartition("u", 0))


# Opened again


@pytest.mark.parametrize("url", DURABLE)
async def test_everything_is_there_when_the_log_is_opened_again(url: str, tmp_path: Path) -> None:
    async with opened(url, tmp_path) as transport:
        await transport.create_topic(TopicSpec(name="t", partitions=2, config={"retention.ms": "-1"}))
        await transport.create_topic(TopicSpec(name="gone"))
        plain, writer = await transport.writer(), await transport.writer("id")
        await plain.append(T0, events("a", "b", "c"))
        await transport.delete_records({T0: 1})
        await in_transaction(writer, [writer.append(T0, events("d")), writer.add_offsets("g", {T0: Committed(7, "m")})])
        await in_transaction(writer, [writer.append(T0, events("x"))], commit=False)
        await transport.commit_offsets("h", {T1: Committed(1)})
        await transport.delete_topic("gone")
        before = await transport.topics()
        await writer.begin()
        await writer.append(T0, events("never ended"))
    for _ in range(2):
        async with opened(url, tmp_path) as transport:
            assert await transport.topics() == before
            assert await read(transport, start=1) == ["b", "c", "d"]
            assert await transport.committed("g") == {T0: Committed(7, "m")}
            assert await transport.committed("h") == {T1: Committed(1)}
            info = (await transport.describe_partitions("t"))[0]
            assert info.log_start_offset == 1
            assert info.last_stable_offset == info.high_watermark
            writer = await transport.writer("id")
            await in_transaction(writer, [writer.append(T0, events("y"))], commit=False)


@pytest.mark.parametrize("url", DURABLE)
async def test_the_leader_epoch_grows_each_time_the_log_is_opened(url: str, tmp_path: Path) -> None:
    epochs = []
    for n in range(3):
        async with opened(url, tmp_path) as transport:
            if not n:
                await transport.create_topic(TopicSpec(name="t"))
            epochs.append((await transport.describe_partitions("t"))[0].leader_epoch)
    assert epochs == sorted(set(epochs))


# Assignments that change


async def test_a_partition_that_is_added_or_dropped_leaves_the_others_where_they_are(transport: Transport) -> None:
    plain = await transport.writer()
    await plain.append(T0, events("a0", "a1"))
    await plain.append(T1, events("b0", "b1"))
    reader = await transport.reader()
    reader.add({T0: 0})
    assert await drain(reader) == [(T0, "a0"), (T0, "a1")]
    reader.add({T1: 1})
    assert await drain(reader) == [(T1, "b1")]
    reader.drop([T0])
    assert list(await reader.lag()) == [T1]
    await plain.append(T0, events("a2"))
    await plain.append(T1, events("b2"))
    assert await drain(reader) == [(T1, "b2")]
    reader.add({T0: 1})
    assert await drain(reader) == [(T0, "a1"), (T0, "a2")]
    await reader.close()


async def test_a_poll_that_waits_brings_what_is_added_to_it(transport: Transport) -> None:
    await (await transport.writer()).append(T0, events("a"))
    reader = await transport.reader()
    found = []

    async def poll() -> None:
        while not found:
            found.extend(await reader.poll(10, 30))

    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        await anyio.sleep(0.01)
        reader.add({T0: 0})
    assert [list(batch.values) for _, batch in found] == [[b"a"]]
    await reader.close()


async def test_partitions_added_anew_are_not_paused(transport: Transport) -> None:
    plain = await transport.writer()
    await plain.append(T0, events("a"))
    reader = await transport.reader()
    reader.add({T0: 0})
    reader.pause([T0])
    reader.drop([T0])
    reader.add({T0: 0})
    assert await drain(reader) == [(T0, "a")]
    await reader.close()
