from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.controller.topics import NewTopic
from streamflow.log.protocol.messages import describe_log_dirs_request as q

pytestmark = pytest.mark.anyio


async def test_the_directory_has_every_partition_with_its_size(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a", partitions=2))
    for version in range(1, 6):
        (found,) = (await door.ask(q.DescribeLogDirsRequest(topics=None), version)).results
        assert (found.log_dir, found.error_code) == ("memory", 0)
        sizes = {(t.name, p.partition_index): p.partition_size for t in found.topics for p in t.partitions}
        logs = [door.broker.replica(door.broker.topic("a"), n).log for n in (0, 1)]
        assert sizes == {("a", n): logs[n].size_bytes for n in (0, 1)}


async def test_only_what_is_asked_for_and_there_is_listed(door: Any) -> None:
    await door.node.topics.create(NewTopic(name="a", partitions=2))
    wanted = [
        q.DescribableLogDirTopic(topic="a", partitions=[1, 9]),
        q.DescribableLogDirTopic(topic="nope", partitions=[0]),
    ]
    (found,) = (await door.ask(q.DescribeLogDirsRequest(topics=wanted))).results
    assert [(t.name, [p.partition_index for p in t.partitions]) for t in found.topics] == [("a", [1])]
    (empty,) = (await door.ask(q.DescribeLogDirsRequest(topics=[]))).results
    assert empty.topics == []


async def test_the_room_on_the_disk_is_told_where_it_is_known(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (unknown,) = (await door.ask(q.DescribeLogDirsRequest(topics=[]))).results
    assert (unknown.total_bytes, unknown.usable_bytes, unknown.is_cordoned) == (-1, -1, False)
    monkeypatch.setattr(door.files, "space", lambda: (100, 40))
    (known,) = (await door.ask(q.DescribeLogDirsRequest(topics=[]))).results
    assert (known.total_bytes, known.usable_bytes) == (100, 40)
