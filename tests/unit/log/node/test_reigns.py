from __future__ import annotations

from typing import Any

import anyio
import pytest

from streamflow.event import TopicPartition
from streamflow.log.errors import CorruptBatchError
from streamflow.log.node import reigns as r
from streamflow.log.node.reigns import Reigns

pytestmark = pytest.mark.anyio
WHERE = TopicPartition("__consumer_offsets", 0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Coordinator:
    def __init__(self, damaged: int = 0) -> None:
        self.told: list[str] = []
        self.damaged = damaged

    async def take_over(self) -> None:
        self.told.append("take over")
        if self.damaged:
            self.damaged -= 1
            raise CorruptBatchError("rotten")

    def resign(self) -> None:
        self.told.append("resign")


class Replica:
    def __init__(self, leader_epoch: int, *, leads: bool) -> None:
        self.leader_epoch, self.leads = leader_epoch, leads


async def seen(*replicas: Replica | None) -> list[str]:
    """What the coordinator is told while the partition is, one after the other, as given."""
    known: dict[TopicPartition, Any] = {}
    coordinator = Coordinator()
    reigns = Reigns(known, {WHERE: coordinator})
    async with anyio.create_task_group() as group:
        reigns.begin(group)
        for replica in replicas:
            known.pop(WHERE, None)
            if replica is not None:
                known[WHERE] = replica
            reigns.look()
            await anyio.wait_all_tasks_blocked()
    return coordinator.told


async def test_a_node_among_others_coordinates_nothing_at_first() -> None:
    assert await seen(None) == ["resign"]
    assert await seen(Replica(3, leads=False)) == ["resign"]


async def test_who_comes_to_lead_takes_over_once_and_resigns_when_it_leads_no_more() -> None:
    leads = Replica(3, leads=True)
    assert await seen(leads, leads, Replica(4, leads=False)) == ["resign", "take over", "resign"]
    assert await seen(leads, None) == ["resign", "take over", "resign"]


async def test_another_leader_epoch_is_another_reign() -> None:
    assert await seen(Replica(3, leads=True), Replica(5, leads=True)) == [
        "resign",
        "take over",
        "resign",
        "take over",
    ]


async def test_a_node_alone_is_told_nothing() -> None:
    coordinator = Coordinator()
    reigns = Reigns({WHERE: Replica(1, leads=True)}, {WHERE: coordinator})  # type: ignore[dict-item]
    reigns.look()
    assert coordinator.told == []


async def test_who_finds_damaged_records_tries_again_until_they_are_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r, "RETRY_SECONDS", 0.001)
    known: dict[TopicPartition, Any] = {WHERE: Replica(3, leads=True)}
    coordinator = Coordinator(damaged=2)
    reigns = Reigns(known, {WHERE: coordinator})
    async with anyio.create_task_group() as group:
        reigns.begin(group)
        reigns.look()
    assert coordinator.told == ["resign"] + 3 * ["take over"]


async def test_who_leads_no_more_does_not_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(r, "RETRY_SECONDS", 0.001)
    known: dict[TopicPartition, Any] = {WHERE: Replica(3, leads=True)}
    coordinator = Coordinator(damaged=10**9)
    reigns = Reigns(known, {WHERE: coordinator})
    with anyio.fail_after(3):
        async with anyio.create_task_group() as group:
            reigns.begin(group)
            reigns.look()
            await anyio.wait_all_tasks_blocked()
            known.clear()
            reigns.look()
    assert coordinator.told[-1] == "resign"
