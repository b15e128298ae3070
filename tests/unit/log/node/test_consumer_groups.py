"""KIP-848 groups on a node: when they are told what is written, whom their time removes, what a restart finds, and how
they share names with groups of the classic protocol."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

import anyio
import pytest

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import NewTopic
from streamflow.log.coordinators.consumer_events import Answer, ConsumerGroupError, Heartbeat, HeartbeatAnswer
from streamflow.log.coordinators.group_events import (
    CommitOffsets,
    GroupError,
    JoinAnswer,
    JoinGroup,
    LeaveAnswer,
    LeaveGroup,
    Leaving,
    SyncAnswer,
    SyncGroup,
)
from streamflow.log.coordinators.group_events import Heartbeat as ClassicHeartbeat
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.errors import StorageFailedError, StorageFullError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.group_coordinator import GroupCoordinator, ListedGroup
from streamflow.log.node.group_coordinator import Promise as ClassicPromise
from streamflow.log.node.groups import OFFSETS
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.node.promise import Promise
from streamflow.log.storage.files import MemoryFiles

T = TypeVar("T")
E = ConsumerGroupError
T0, U0 = TopicPartition("t", 0), TopicPartition("u", 0)
SESSION_MS = 45_000
DAY_MS = 86_400_000

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class World:
    """A node that begins anew on the same files, a clock, and a disk that may fail."""

    def __init__(self, **settings: str) -> None:
        self.files = MemoryFiles()
        self.now = 1_000_000
        self.config = NodeConfig.parse({name.replace("_", "."): value for name, value in settings.items()})
        self.broken: Exception | None = None
        self.node: Node

    async def blocking(self, fn: Callable[[], T]) -> T:
        if self.broken is not None:
            raise self.broken
        return fn()

    async def start(self) -> World:
        surroundings = Surroundings(
            files=self.files, now_ms=lambda: self.now, random_bytes=Random(self.now).randbytes, blocking=self.blocking
        )
        self.node = await Node.open(surroundings, self.config, clean=False)
        if "t" not in self.node.topics.metadata.image.topics:
            await self.node.topics.create(NewTopic(name="t", partitions=2))
        return self

    @property
    def groups(self) -> GroupCoordinator:
        return self.node.group_coordinator

    async def begin(self, member_id: str, epoch: int, **given: Any) -> Promise[Answer]:
        promise = Promise[Answer]()
        event: dict[str, Any] = {
            "ticket": promise,
            "member_id": member_id,
            "member_epoch": epoch,
            "id_required": True,
            "new_member_id": "",
            "client_id": "client",
            "client_host": "/host",
        }
        if epoch == 0:
            event |= {"rebalance_timeout_ms": 60_000, "topics": ("t",), "owned": frozenset()}
        await self.groups.ask_consumers("g", Heartbeat(**{**event, **given}))
        return promise

    async def beat(self, member_id: str, epoch: int, **given: Any) -> HeartbeatAnswer:
        promise = await self.begin(member_id, epoch, **given)
        for _ in range(3):  # What is being written, what waited for that, and what that leads to.
            await self.groups.attend()
        assert isinstance(promise.answer, HeartbeatAnswer)
        return promise.answer

    async def classic_join(self, member_id: str = "") -> JoinAnswer:
        promise = ClassicPromise()
        await self.groups.ask(
            "g",
            JoinGroup(
                ticket=promise,
                member_id=member_id,
                instance_id=None,
                new_member_id="classic",
                client_id="client",
                client_host="/host",
                session_timeout_ms=10_000,
                rebalance_timeout_ms=60_000,
                protocol_type="consumer",
                protocols=(("range", b""),),
                id_required=False,
                can_skip_assignment=False,
            ),
        )
        for _ in range(2):
            self.now += 3_000
            await self.groups.attend()
        assert isinstance(promise.answer, JoinAnswer)
        return promise.answer

    async def wait(self, ms: int) -> None:
        self.now += ms
        await self.groups.attend()

    def state(self) -> str | None:
        machine = self.groups.consumers.find("g")
        return machine.label if machine else None


async def test_an_answer_is_told_when_it_is_durable() -> None:
    world = await World().start()
    joined = await world.begin("a", 0)
    assert joined.answer is None
    assert world.node.topics.find(OFFSETS).unflushed
    await world.groups.attend()
    told = await joined.wait()
    assert isinstance(told, HeartbeatAnswer)
    assert told.member_epoch == 1
    assert not world.node.topics.find(OFFSETS).unflushed


async def test_an_answer_that_needs_nothing_written_is_told_at_once() -> None:
    world = await World().start()
    await world.beat("a", 0)
    assert (await world.begin("a", 1)).answer is not None
    assert (await world.begin("z", 1)).answer is not None


async def test_where_nothing_is_flushed_all_is_told_at_once() -> None:
    world = await World(log_flush="os").start()
    assert (await world.begin("a", 0)).answer is not None


async def test_who_waits_for_an_answer_gets_it_from_whoever_runs_the_groups() -> None:
    world = await World().start()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.groups.run)
            answer = await (await world.begin("a", 0)).wait()
            assert isinstance(answer, HeartbeatAnswer)
            assert len(answer.assignment or ()) == 2
            await (await world.begin("a", -1)).wait()
            assert await world.groups.delete("g") is E.NONE
            tasks.cancel_scope.cancel()
    assert world.groups.group_ids() == []


async def test_groups_see_topics_as_they_are() -> None:
    world = await World().start()
    await world.beat("a", 0, topics=("t", "u"))
    await world.node.topics.create(NewTopic(name="other", partitions=1))
    assert (await world.beat("a", 1)).member_epoch == 1
    await world.node.topics.create(NewTopic(name="u", partitions=1))
    assert len((await world.beat("a", 1)).assignment or ()) == 3


async def test_silence_ends_a_session_and_heartbeats_put_that_off() -> None:
    world = await World().start()
    await world.beat("a", 0)
    await world.beat("b", 0)
    for _ in range(3):
        await world.wait(SESSION_MS // 2)
        assert (await world.beat("a", 1)).error is E.NONE
    machine = world.groups.consumers.find("g")
    assert machine is not None
    assert [m.member_id for m in machine.describe().members] == ["a"]
    await world.wait(SESSION_MS)
    await world.groups.attend()
    assert world.state() == "Empty"


async def test_a_restart_finds_groups_and_sessions_begin_anew() -> None:
    world = await World().start()
    await world.beat("a", 0)
    world.now += SESSION_MS - 1
    await world.start()
    assert world.state() == "Stable"
    await world.wait(SESSION_MS - 1)
    assert (await world.beat("a", 1)).error is E.NONE
    await world.start()
    await world.wait(SESSION_MS)
    await world.groups.attend()
    assert world.state() == "Empty"


async def test_groups_outlive_the_compaction_of_their_topic() -> None:
    world = await World(log_flush="os").start()
    for n in range(20):
        await world.beat(f"m{n}", 0)
    await world.node.groups.compact(0)
    assert world.node.topics.find(OFFSETS).log.log_start_offset > 0
    before = world.groups.consumers.find("g")
    await world.start()
    after = world.groups.consumers.find("g")
    assert before is not None
    assert after is not None
    assert {m.member_id: m for m in after.describe().members} == {m.member_id: m for m in before.describe().members}


async def test_what_cannot_be_written_is_refused_and_has_not_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await World().start()
    await world.beat("a", 0)

    def full(*_: object) -> None:
        raise StorageFullError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(world.node.groups, "append", full)
        assert (await world.beat("b", 0)).error is E.COORDINATOR_NOT_AVAILABLE
    assert (await world.beat("b", 0)).member_epoch == 2


async def test_when_the_disk_fails_members_are_told_to_look_elsewhere() -> None:
    world = await World().start()
    await world.beat("a", 0)
    joined = await world.begin("b", 0)
    world.broken = StorageFailedError("the disk is gone")
    await world.groups.attend()
    assert joined.answer == HeartbeatAnswer(error=E.NOT_COORDINATOR)


async def test_nothing_is_remembered_of_groups_that_nothing_came_of() -> None:
    world = await World().start()
    assert (await world.beat("a", 0, topics=None)).error is E.INVALID_REQUEST
    assert (await world.beat("a", 3)).error is E.GROUP_ID_NOT_FOUND
    assert world.groups.group_ids() == []
    assert repr(world.groups.consumers) == "<ConsumerGroups: 0>"


# Beside the classic protocol


async def test_a_group_of_consumers_refuses_members_of_the_classic_protocol() -> None:
    world = await World().start()
    await world.beat("a", 0)
    assert (await world.classic_join()).error is GroupError.INCONSISTENT_GROUP_PROTOCOL
    unknown = GroupError.UNKNOWN_MEMBER_ID
    beat = ClassicHeartbeat(ticket=ClassicPromise(), member_id="a", instance_id=None, generation=1)
    assert await world.groups.heartbeat("g", beat) is unknown
    sync = ClassicPromise()
    await world.groups.ask(
        "g",
        SyncGroup(
            ticket=sync,
            member_id="a",
            instance_id=None,
            generation=1,
            protocol_type=None,
            protocol_name=None,
            assignments=(),
        ),
    )
    assert sync.answer == SyncAnswer(error=unknown)
    assert world.state() == "Stable"


async def test_an_administrator_removes_members_by_leave_group() -> None:
    world = await World().start()
    await world.beat("a", 0)
    await world.beat("b", 0, instance_id="one")
    leave, who = (
        ClassicPromise(),
        (
            Leaving(member_id="", instance_id="one"),
            Leaving(member_id="z", instance_id=None),
            Leaving(member_id="a", instance_id="two"),
        ),
    )
    await world.groups.ask("g", LeaveGroup(ticket=leave, members=who))
    await world.groups.attend()
    unknown = GroupError.UNKNOWN_MEMBER_ID
    assert leave.answer == LeaveAnswer(members=((who[0], GroupError.NONE), (who[1], unknown), (who[2], unknown)))
    assert (await world.beat("b", 2)).error is E.UNKNOWN_MEMBER_ID
    assert (await world.beat("a", 1)).error is E.NONE


async def test_an_empty_group_of_consumers_gives_way_to_the_classic_protocol_and_its_offsets_stay() -> None:
    world = await World().start()
    await world.beat("a", 0)
    await world.node.groups.commit("g", {T0: OffsetValue(offset=5)})
    await world.beat("a", -1)
    assert world.groups.consumers.release("g")
    assert world.state() is None, "though that isn't durable yet"
    assert (await world.classic_join()).error is GroupError.NONE
    for _ in range(2):
        assert world.state() is None
        assert [(g.group_id, g.kind) for g in world.groups.listed()] == [("g", "classic")]
        assert world.node.groups.offsets.committed("g")[T0].offset == 5
        await world.start()


async def test_a_classic_group_refuses_consumers_and_gives_way_when_it_is_empty() -> None:
    world = await World().start()
    await world.node.groups.commit("g", {T0: OffsetValue(offset=5)})
    joined = await world.classic_join()
    refused = await world.beat("a", 0)
    assert refused.error is E.GROUP_ID_NOT_FOUND
    assert refused.message == "Group g is not a consumer group."
    leave = ClassicPromise()
    who = Leaving(member_id=joined.member_id, instance_id=None)
    await world.groups.ask("g", LeaveGroup(ticket=leave, members=(who,)))
    await world.groups.attend()
    assert (await world.beat("a", 0)).member_epoch == 1
    for _ in range(2):
        assert [(g.group_id, g.kind) for g in world.groups.listed()] == [("g", "consumer")]
        assert world.node.groups.offsets.committed("g")[T0].offset == 5
        await world.start()


async def test_all_kinds_of_groups_are_listed() -> None:
    world = await World().start()
    await world.beat("a", 0)
    await world.node.groups.commit("simple", {T0: OffsetValue(offset=5)})
    assert world.groups.listed() == [
        ListedGroup("g", "consumer", "consumer", "Stable"),
        ListedGroup("simple", "classic", "", "Empty"),
    ]
    assert world.groups.exists("g")
    assert world.groups.describe("g") is None, "it isn't one of the classic protocol"


async def test_commits_are_judged_by_member_epoch() -> None:
    world = await World().start()
    await world.beat("a", 0)

    def judged(epoch: int, member_id: str = "a") -> ConsumerGroupError | None:
        asked = CommitOffsets(ticket=None, member_id=member_id, instance_id=None, generation=epoch, transactional=False)
        judge = world.groups.consumer_judge("g", asked, 9)
        return judge and judge(T0)

    assert judged(1) is E.NONE
    assert judged(2) is E.STALE_MEMBER_EPOCH
    assert judged(1, "z") is E.UNKNOWN_MEMBER_ID
    assert (
        world.groups.consumer_judge(
            "other", CommitOffsets(ticket=None, member_id="a", instance_id=None, generation=1, transactional=False), 9
        )
        is None
    )


async def test_offsets_of_topics_that_are_read_are_kept_and_others_expire() -> None:
    world = await World(offsets_retention_minutes="1440").start()
    await world.node.topics.create(NewTopic(name="u", partitions=1))
    await world.beat("a", 0)
    old = OffsetValue(offset=5, commit_timestamp_ms=world.now - DAY_MS)
    await world.node.groups.commit("g", {T0: old, U0: old})
    assert world.groups.reads("g", "t")
    assert world.groups.offset_deletion_refused("g") is GroupError.NONE
    world.now += 600_000
    await world.beat("a", 1)
    assert set(world.node.groups.offsets.committed("g")) == {T0}


async def test_an_empty_group_without_offsets_is_forgotten() -> None:
    world = await World().start()
    await world.beat("a", 0)
    await world.beat("a", -1)
    assert world.groups.group_ids() == ["g"]
    await world.wait(600_000)
    await world.groups.attend()
    assert world.groups.group_ids() == []


async def test_a_group_with_members_cannot_be_deleted_and_an_empty_one_goes_with_its_offsets() -> None:
    world = await World(log_flush="os").start()
    await world.beat("a", 0)
    await world.node.groups.commit("g", {T0: OffsetValue(offset=5)})
    assert await world.groups.delete("g") is E.NON_EMPTY_GROUP
    await world.beat("a", -1)
    assert await world.groups.delete("g") is E.NONE
    for _ in range(2):
        assert world.groups.group_ids() == []
        assert not world.node.groups.offsets.committed("g")
        await world.start()
