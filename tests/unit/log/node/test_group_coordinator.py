from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import pytest
import structlog.testing

from streamflow.event import TopicPartition
from streamflow.log.controller.topics import NewTopic
from streamflow.log.coordinators.group_events import (
    CommitOffsets,
    GroupError,
    Heartbeat,
    JoinGroup,
    LeaveGroup,
    Leaving,
    Request,
    SyncGroup,
)
from streamflow.log.coordinators.group_states import GroupState
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.errors import StorageFailedError, StorageFullError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.group_coordinator import GroupCoordinator, Promise
from streamflow.log.node.groups import OFFSETS
from streamflow.log.node.node import Node, Surroundings
from streamflow.log.storage.files import MemoryFiles

T = TypeVar("T")
E, S = GroupError, GroupState
T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
DELAY_MS, SESSION_MS = 3_000, 10_000
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

    async def ask(self, request: Request, group_id: str = "g") -> Promise:
        await self.groups.ask(group_id, request)
        assert isinstance(request.ticket, Promise)
        return request.ticket

    async def join(self, member_id: str = "", new: str = "", group_id: str = "g", **given: Any) -> Promise:
        request: dict[str, Any] = {
            "ticket": Promise(),
            "member_id": member_id,
            "instance_id": None,
            "new_member_id": new,
            "client_id": "client",
            "client_host": "/host",
            "session_timeout_ms": SESSION_MS,
            "rebalance_timeout_ms": 60_000,
            "protocol_type": "consumer",
            "protocols": (("range", b"\x00\x00\x00\x00\x00\x01\x00\x01t"),),
            "id_required": False,
            "can_skip_assignment": False,
        }
        return await self.ask(JoinGroup(**{**request, **given}), group_id)

    async def sync(self, member_id: str, generation: int, **assignments: bytes) -> Promise:
        return await self.ask(
            SyncGroup(
                ticket=Promise(),
                member_id=member_id,
                instance_id=None,
                generation=generation,
                protocol_type=None,
                protocol_name=None,
                assignments=tuple(assignments.items()),
            )
        )

    async def leave(self, member_id: str) -> Promise:
        members = (Leaving(member_id=member_id, instance_id=None),)
        return await self.ask(LeaveGroup(ticket=Promise(), members=members))

    async def heartbeat(self, member_id: str, generation: int) -> GroupError:
        event = Heartbeat(ticket=Promise(), member_id=member_id, instance_id=None, generation=generation)
        return await self.groups.heartbeat("g", event)

    async def may_commit(self, member_id: str, generation: int, group_id: str = "g") -> GroupError:
        event = CommitOffsets(
            ticket=Promise(), member_id=member_id, instance_id=None, generation=generation, transactional=False
        )
        return await self.groups.may_commit(group_id, event)

    async def wait(self, ms: int) -> None:
        self.now += ms
        await self.groups.attend()

    async def stable(self) -> World:
        """One member, `a`, in generation 1."""
        await self.join(new="a")
        await self.wait(DELAY_MS)
        sync = await self.sync("a", 1, a=b"all")
        await self.groups.attend()
        assert (await sync.wait()).assignment == b"all"  # type: ignore[union-attr]
        return self

    def state(self, group_id: str = "g") -> GroupState | None:
        found = self.groups.describe(group_id)
        return None if found is None else found.state

    async def commit(self, group_id: str = "g", *, ago_ms: int = 0, where: TopicPartition = T0) -> None:
        value = OffsetValue(offset=5, commit_timestamp_ms=self.now - ago_ms)
        await self.node.groups.commit(group_id, {where: value})


async def test_an_assignment_is_told_when_it_is_durable() -> None:
    world = await World().start()
    joined = await world.join(new="a")
    assert joined.answer is None
    await world.wait(DELAY_MS)
    assert joined.answer is not None
    flushed = world.node.topics.find(OFFSETS).leader.flushed
    sync = await world.sync("a", 1, a=b"all")
    assert sync.answer is None
    assert world.node.topics.find(OFFSETS).leader.flushed == flushed
    await world.groups.attend()
    assert sync.answer is not None
    assert not world.node.topics.find(OFFSETS).unflushed


async def test_where_nothing_is_flushed_it_is_told_at_once() -> None:
    world = await World(log_flush="os").start()
    await world.join(new="a")
    await world.wait(DELAY_MS)
    assert (await world.sync("a", 1)).answer is not None


async def test_who_waits_for_an_answer_gets_it_from_whoever_runs_the_groups() -> None:
    world = await World(group_initial_rebalance_delay_ms="0").start()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.groups.run)
            assert (await (await world.join(new="a")).wait()).generation == 1  # type: ignore[union-attr]
            assert (await (await world.sync("a", 1, a=b"x")).wait()).assignment == b"x"  # type: ignore[union-attr]
            assert (await (await world.leave("a")).wait()).error is E.NONE  # type: ignore[union-attr]
            assert await world.groups.delete("g") is E.NONE
            tasks.cancel_scope.cancel()


async def test_groups_cost_nothing_while_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await (await World().start()).stable()
    attended = 0
    attend = world.groups.attend

    async def counted() -> None:
        nonlocal attended
        attended += 1
        await attend()

    monkeypatch.setattr(world.groups, "attend", counted)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.groups.run)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        assert attended == 1
        await world.join(new="b")  # The rebalance ends sooner than the session.
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        assert attended <= 3
        tasks.cancel_scope.cancel()


async def test_after_a_restart_members_go_on_and_their_sessions_begin_anew() -> None:
    world = await (await World().start()).stable()
    world.now += SESSION_MS - 1
    await world.start()
    assert world.state() is S.STABLE
    assert await world.heartbeat("a", 1) is E.NONE
    await world.wait(SESSION_MS - 1)
    assert world.state() is S.STABLE
    await world.wait(1)
    assert world.state() is S.EMPTY


async def test_heartbeats_put_the_end_of_a_session_off() -> None:
    world = await (await World().start()).stable()
    for _ in range(5):
        await world.wait(SESSION_MS - 1)
        assert await world.heartbeat("a", 1) is E.NONE
    await world.wait(SESSION_MS)
    assert await world.heartbeat("a", 1) is E.UNKNOWN_MEMBER_ID


async def test_a_deleted_group_is_gone_with_its_offsets_for_good() -> None:
    world = await (await World().start()).stable()
    await world.commit()
    await world.leave("a")
    await world.groups.attend()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.groups.run)
        assert await world.groups.delete("g") is E.NONE
        tasks.cancel_scope.cancel()
    for _ in range(2):
        assert not world.groups.exists("g")
        assert world.groups.group_ids() == []
        assert world.state() is None
        await world.start()
    assert await world.groups.delete("g") is E.GROUP_ID_NOT_FOUND


async def test_a_group_of_offsets_alone_is_empty_and_can_be_deleted() -> None:
    world = await World(log_flush="os").start()
    await world.commit()
    assert world.groups.group_ids() == ["g"]
    assert world.state() is S.EMPTY
    assert await world.groups.delete("g") is E.NONE
    assert world.groups.group_ids() == []


async def test_nothing_is_remembered_of_groups_that_nothing_came_of() -> None:
    world = await World().start()
    for n in range(20):
        await world.join("ghost", group_id=f"g{n}")
        await world.join(new="a", group_id=f"h{n}", id_required=True)
        await world.may_commit("", -1, group_id=f"i{n}")
    assert len(world.groups.group_ids()) == 20
    await world.wait(SESSION_MS)
    assert world.groups.group_ids() == []
    assert repr(world.groups) == "<GroupCoordinator of 0 groups>"


async def test_commits_to_unknown_groups_are_taken_from_who_names_no_generation() -> None:
    world = await World().start()
    assert await world.may_commit("", -1) is E.NONE
    assert await world.may_commit("a", 3) is E.GROUP_ID_NOT_FOUND
    for name in ("g" * 32_768, "ü" * 20_000):
        assert await world.may_commit("", -1, group_id=name) is E.INVALID_GROUP_ID
    await world.commit()
    assert await world.may_commit("a", 3) is E.UNKNOWN_MEMBER_ID


async def test_ids_are_made_from_names_and_chance() -> None:
    world = await World().start()
    first, second = world.groups.new_member_id("client"), world.groups.new_member_id("client")
    assert first.startswith("client-")
    assert len(first) == len("client-") + 32
    assert first != second


async def test_a_full_disk_is_told_to_members_who_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await World().start()
    await world.join(new="a")
    await world.wait(DELAY_MS)

    def full(*_: object, **__: object) -> None:
        raise StorageFullError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(world.node.topics.find(OFFSETS), "append", full)
        sync = await world.sync("a", 1)
        assert sync.answer.error is E.COORDINATOR_NOT_AVAILABLE  # type: ignore[union-attr]
    again = await world.join("a")
    assert again.answer.generation == 2  # type: ignore[union-attr]


async def test_a_disk_that_has_failed_is_told_as_a_coordinator_that_has_gone() -> None:
    world = await World().start()
    await world.join(new="a")
    await world.wait(DELAY_MS)
    sync = await world.sync("a", 1)
    world.broken = StorageFailedError("fsync failed")
    with structlog.testing.capture_logs():
        await world.groups.attend()
    assert sync.answer.error is E.NOT_COORDINATOR  # type: ignore[union-attr]


async def test_a_group_whose_name_no_record_can_hold_is_refused() -> None:
    world = await World().start()
    name = "g" * 40_000
    await world.join(new="a", group_id=name)
    await world.wait(DELAY_MS)
    event = SyncGroup(
        ticket=Promise(),
        member_id="a",
        instance_id=None,
        generation=1,
        protocol_type=None,
        protocol_name=None,
        assignments=(),
    )
    promise = await world.ask(event, name)
    assert promise.answer.error is E.UNKNOWN_SERVER_ERROR  # type: ignore[union-attr]


async def test_a_group_of_many_members_that_say_much_is_kept() -> None:
    world = await World().start()
    protocols = (("range", b"\x00\x00\x00\x00\x00\x01\x00\x01t" + b"x" * 5_000),)
    for n in range(1_000):
        await world.join(new=f"m{n}", protocols=protocols)
    await world.wait(DELAY_MS)
    await world.wait(DELAY_MS)
    sync = await world.sync("m0", 1)
    await world.groups.attend()
    assert sync.answer.error is E.NONE  # type: ignore[union-attr]
    await world.start()
    found = world.groups.describe("g")
    assert found is not None
    assert len(found.members) == 1_000


async def test_without_a_place_to_keep_groups_every_request_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await World().start()

    async def full(*_: object) -> None:
        raise StorageFullError("no space left")

    monkeypatch.setattr(world.node.topics, "ensure_internal", full)
    with structlog.testing.capture_logs():
        for promise in (await world.join("a"), await world.sync("a", 1), await world.leave("a")):
            assert promise.answer.error is E.COORDINATOR_NOT_AVAILABLE  # type: ignore[union-attr]
        assert await world.heartbeat("a", 1) is E.COORDINATOR_NOT_AVAILABLE
        assert await world.may_commit("", -1) is E.COORDINATOR_NOT_AVAILABLE


# Expiry (KIP-211)


async def test_offsets_that_nobody_has_used_for_long_are_forgotten_with_their_group() -> None:
    world = await World(offsets_retention_minutes="1440").start()
    await world.commit("simple")
    await world.commit("simple", where=T1, ago_ms=-2 * DAY_MS)
    await world.stable()
    await world.commit()
    await world.leave("a")
    await world.wait(DAY_MS // 2)
    assert world.groups.group_ids() == ["g", "simple"]
    await world.wait(DAY_MS // 2)
    await world.groups.attend()
    assert world.groups.group_ids() == ["simple"]
    assert list(world.node.groups.offsets.committed("simple")) == [T1]
    await world.start()
    assert world.groups.group_ids() == ["simple"]


async def test_offsets_of_topics_that_members_read_are_kept_however_old() -> None:
    world = await (await World(offsets_retention_minutes="1").start()).stable()
    await world.node.topics.create(NewTopic(name="other"))
    await world.commit(ago_ms=DAY_MS)
    await world.commit(ago_ms=DAY_MS, where=TopicPartition("other", 0))
    for _ in range(100):
        await world.wait(SESSION_MS - 1)
        assert await world.heartbeat("a", 1) is E.NONE
    assert list(world.node.groups.offsets.committed("g")) == [T0]


async def test_offsets_that_a_transaction_may_still_change_are_kept() -> None:
    world = await World(offsets_retention_minutes="1").start()
    await world.commit()
    producer = await world.node.producer("p", codec=0)
    producer.begin()
    await producer.add_offsets("g", {T0: OffsetValue(offset=6, commit_timestamp_ms=world.now)}, world.now)
    await world.wait(DAY_MS)
    assert world.groups.exists("g")
    await producer.end(commit=False)
    await world.wait(DAY_MS)
    assert not world.groups.exists("g")


async def test_what_is_known_of_groups_survives_the_topics_compaction() -> None:
    world = await (await World(internal_log_bytes="4096").start()).stable()
    await world.commit()
    for _ in range(100):
        await world.commit("other")
    before = world.node.topics.find(OFFSETS).log.size_bytes
    await world.node.groups.compact(world.config.internal_log_bytes)
    assert world.node.topics.find(OFFSETS).log.log_start_offset > 0
    assert before > 4096
    await world.start()
    assert world.state() is S.STABLE
    assert await world.heartbeat("a", 1) is E.NONE
    assert world.node.groups.offsets.committed("g")[T0].offset == 5
