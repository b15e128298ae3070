"""Records gathered by partition and appended in one transaction."""

from __future__ import annotations

import anyio

from streamflow.engine.events import Produce
from streamflow.event import Batch, TopicPartition
from streamflow.transport.base import Committed
from streamflow.worker.outputs import BYTES_MAX, Outputs, chunks


class FakeWriter:
    def __init__(self) -> None:
        self.calls: list[object] = []

    async def begin(self) -> None:
        self.calls.append("begin")

    async def append_all(self, batches) -> None:
        for partition, several in batches.items():
            self.calls += [(partition, list(batch.values), batch.headers) for batch in several]

    async def add_offsets(self, group, offsets) -> None:
        self.calls.append((group, dict(offsets)))

    async def commit(self) -> None:
        self.calls.append("commit")

    async def abort(self) -> None:
        self.calls.append("abort")


class Topic:
    name = "t"


def made(values: list[bytes], partitions: list[int], headers=None) -> Produce:
    n = len(values)
    return Produce(Topic(), Batch([None] * n, values, [0] * n, range(n), headers), partitions)


def test_records_are_appended_by_partition_in_their_order_and_committed_at_once() -> None:
    writer = FakeWriter()
    outputs = Outputs(writer)
    tp = TopicPartition("in", 0)

    async def main() -> None:
        outputs.add(made([b"1", b"2", b"3"], [0, 1, 0]))
        outputs.add(made([b"4"], [0], [(("h", b"x"),)]))
        assert await outputs.commit({"g": {tp: Committed(5)}})

    anyio.run(main)
    assert writer.calls == [
        "begin",
        (TopicPartition("t", 0), [b"1", b"3", b"4"], [(), (), (("h", b"x"),)]),
        (TopicPartition("t", 1), [b"2"], None),
        ("g", {tp: Committed(5)}),
        "commit",
    ]


def test_nothing_to_commit_begins_no_transaction() -> None:
    writer = FakeWriter()
    assert not anyio.run(Outputs(writer).commit, {"g": {}})
    assert writer.calls == []


def test_an_abandoned_interval_leaves_nothing() -> None:
    writer = FakeWriter()
    outputs = Outputs(writer)

    async def main() -> None:
        outputs.add(made([b"1"], [0]))
        await outputs.flush()
        outputs.add(made([b"2"], [0]))
        await outputs.abandon()
        assert not await outputs.commit({})

    anyio.run(main)
    assert writer.calls[-1] == "abort"


def test_appends_are_cut_to_what_a_batch_may_hold() -> None:
    values = [b"x" * 1000] * 2000
    batch = Batch([None] * 2000, values, [0] * 2000, range(2000))
    pieces = chunks(batch)
    assert [v for p in pieces for v in p.values] == values
    assert all(sum(map(len, p.values)) <= BYTES_MAX for p in pieces)
    assert len(chunks(Batch([None], [b"x" * (2 * BYTES_MAX)], [0], [0]))) == 1
