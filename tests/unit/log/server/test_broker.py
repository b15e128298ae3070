from __future__ import annotations

import anyio
import pytest

from streamflow.log.node.waiting import wait_for_news
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.server.broker import Address, Broker

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1:9092"), ("::1", "[::1]:9092")])
async def test_an_address_is_shown_as_it_is_written(host: str, shown: str) -> None:
    assert str(Address(host, 9092)) == shown


async def test_a_topic_is_found_by_its_id_whatever_name_comes_with_it(door) -> None:
    topic_id = await door.topic("a")
    await door.topic("b")
    for found in (door.broker.topic("a"), door.broker.topic("b", topic_id)):
        assert found is not None
        assert found.name == "a"
    assert door.broker.topic("a", b"x" * 16) is None
    assert door.broker.topic("none") is None


async def test_a_client_that_believes_in_another_leader_epoch_is_told_which_way(door) -> None:
    """KIP-320."""
    await door.topic()
    await door.restart()
    replica = door.replica()
    epoch = replica.leader.leader_epoch
    assert epoch > 0
    assert [Broker.stale_epoch(replica, e) for e in (-1, epoch, epoch - 1, epoch + 1)] == [
        ErrorCode.none,
        ErrorCode.none,
        ErrorCode.fenced_leader_epoch,
        ErrorCode.unknown_leader_epoch,
    ]


async def test_who_waits_for_records_is_woken_when_the_broker_stops(door) -> None:
    await door.topic()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(wait_for_news, [door.replica()], 60)
            await anyio.wait_all_tasks_blocked()
            door.broker.stop()
    assert door.broker.stopping
