"""Three controllers and an observer that speak the real protocol to each other, without a socket."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest

from streamflow.log.controller import records as r
from streamflow.log.errors import CorruptBatchError, NotControllerError, PeerUnreachableError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.membership import Endpoint, Membership
from streamflow.log.node.metadata import MetadataLog
from streamflow.log.node.quorum import Quorum
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import codec_of, fetch_request, vote_request
from streamflow.log.protocol.versions import APIS
from streamflow.log.storage.files import MemoryFiles

pytestmark = pytest.mark.anyio
VOTERS = {n: Endpoint("here", n) for n in (1, 2, 3)}
OBSERVER = 4
CONFIG = NodeConfig.parse({"controller.quorum.election.timeout.ms": "30", "controller.quorum.fetch.timeout.ms": "60"})
VERSIONS = {api.name: api.highest for api in APIS.values()}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def through_the_wire(message: Any, kind: str) -> tuple[str, Any]:
    """As the other side would read it."""
    name = re.sub(r"(?<=.)([A-Z])", r"_\1", type(message).__name__.removesuffix(kind.title())).lower()
    codec, written = codec_of(name, VERSIONS[name], kind), []
    codec.write(written, message)
    return name, codec.read(memoryview(b"".join(written)), 0)[0]


def topic(name: str) -> r.Topic:
    return r.Topic(name=name, topic_id=name.encode().ljust(16))


class Member:
    """One node's: `life` is there while it runs."""

    def __init__(self, three: Three, node_id: int) -> None:
        self.id = node_id
        self.files = MemoryFiles()
        self.three = three
        self.life: anyio.CancelScope | None = None
        self.metadata: MetadataLog
        self.quorum: Quorum

    def open(self) -> None:
        self.metadata = MetadataLog.open(
            self.files,
            Membership(node_id=self.id, voters=VOTERS, roles=frozenset({"broker", "controller"})),
            CONFIG,
            recovery_point=0,
            clean=False,
            now_ms=lambda: int(anyio.current_time() * 1000),
            chance=Random(self.id),
        )

        async def alone(work: Callable[[], None]) -> None:
            work()

        self.metadata.alone = alone
        self.quorum = Quorum(self.metadata, self, lambda offset: None, Random(self.id))

    def start(self) -> None:
        self.open()
        self.three.group.start_soon(self._live)

    async def _live(self) -> None:
        with anyio.CancelScope() as self.life:
            await self.quorum.run()

    def kill(self) -> None:
        assert self.life is not None
        self.life.cancel()
        self.life = None

    async def ask(self, node_id: int, request: Any, *, timeout_ms: int) -> Any:
        name, asked = through_the_wire(request, "request")
        other = self.three.members[node_id]
        await self._reach(other)
        with anyio.fail_after(timeout_ms / 1000):
            answer = await getattr(other.quorum, name)(asked)
        await self._reach(other)
        return through_the_wire(answer, "response")[1]

    async def _reach(self, other: Member) -> None:
        if other.life is None or self.three.cut & {self.id, other.id}:
            await anyio.sleep(0.001)
            raise PeerUnreachableError(f"node {other.id} is gone")


class Three:
    def __init__(self) -> None:
        self.members = {n: Member(self, n) for n in (*VOTERS, OBSERVER)}
        self.cut: set[int] = set()
        self.group: anyio.abc.TaskGroup

    async def until(self, holds: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not holds():  # noqa: ASYNC110
                await anyio.sleep(0.002)

    @property
    def leaders(self) -> list[Member]:
        return [m for m in self.members.values() if m.life is not None and m.metadata.active]

    async def leader(self, *, but: Member | None = None) -> Member:
        await self.until(lambda: any(m is not but for m in self.leaders))
        return next(m for m in self.leaders if m is not but)

    async def change(self, name: str) -> None:
        """At whoever leads, until it holds."""
        with anyio.fail_after(10):
            while True:
                try:
                    await (await self.leader()).metadata.change(lambda image: [topic(name)])
                    return
                except NotControllerError:
                    continue

    async def all_have(self, name: str) -> None:
        running = [m for m in self.members.values() if m.life is not None]
        await self.until(lambda: all(name in m.metadata.image.topics for m in running))


@asynccontextmanager
async def three() -> AsyncIterator[Three]:
    made = Three()
    async with AsyncExitStack() as stack:
        made.group = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(made.group.cancel_scope.cancel)
        for member in made.members.values():
            member.start()
        await made.leader()
        yield made


async def test_a_change_is_applied_on_every_node_in_order() -> None:
    async with three() as quorum:
        seen: dict[int, list[Any]] = {n: [] for n in quorum.members}
        for member in quorum.members.values():

            async def note(records: Any, to: list[Any] = seen[member.id]) -> None:
                to += [record.name for record in records if isinstance(record, r.Topic)]

            member.metadata.on_applied = note
        for name in ("a", "b", "c"):
            await quorum.change(name)
        await quorum.all_have("c")
        await quorum.until(lambda: all(len(names) == 3 for names in seen.values()))
        assert all(names == ["a", "b", "c"] for names in seen.values())


async def test_only_the_leader_takes_changes() -> None:
    async with three() as quorum:
        leader = await quorum.leader()
        other = next(m for n, m in quorum.members.items() if n != leader.id)
        with pytest.raises(NotControllerError, match="isn't the active controller"):
            await other.metadata.change(lambda image: [topic("x")])


async def test_another_leads_when_the_leader_is_gone_and_it_catches_up_when_it_is_back() -> None:
    async with three() as quorum:
        await quorum.change("before")
        first = await quorum.leader()
        first.kill()
        second = await quorum.leader(but=first)
        assert second.metadata.leader_epoch > 1
        await quorum.change("after")
        first.start()
        await quorum.all_have("after")


async def test_what_a_leader_wrote_that_was_cut_off_goes_when_it_is_back() -> None:
    async with three() as quorum:
        await quorum.change("before")
        first = await quorum.leader()
        quorum.cut = {first.id}
        async with anyio.create_task_group() as group:

            async def lost() -> None:
                with pytest.raises(NotControllerError, match="was replaced"):
                    await first.metadata.change(lambda image: [topic("lost")])

            group.start_soon(lost)
            await quorum.until(lambda: not first.metadata.raft.leads)
        await quorum.leader(but=first)
        await quorum.change("after")
        quorum.cut = set()
        await quorum.all_have("after")
        logs = {m.metadata.raft.log.end for m in quorum.members.values()}
        assert first.metadata.partition.log_end_offset == first.metadata.raft.log.end
        assert len(logs) == 1
        assert all("lost" not in m.metadata.image.topics for m in quorum.members.values())


async def test_a_leader_that_stops_is_followed_at_once() -> None:
    async with three() as quorum:
        first = await quorum.leader()
        await first.quorum.resign()
        assert not first.metadata.active
        await quorum.change("after")
        await quorum.all_have("after")


async def test_a_disk_that_is_new_gets_everything_and_votes_again() -> None:
    async with three() as quorum:
        await quorum.change("before")
        lost = next(m for n, m in quorum.members.items() if m is not quorum.leaders[0] and n in VOTERS)
        lost.kill()
        lost.files = MemoryFiles()
        lost.start()
        assert not lost.metadata.raft.joined
        await quorum.all_have("before")
        await quorum.until(lambda: lost.metadata.raft.joined)
        (await quorum.leader()).kill()
        await quorum.change("after")


async def test_who_voted_and_lost_both_copies_of_it_doesnt_open() -> None:
    async with three() as quorum:
        member = quorum.members[1]
        await quorum.until(lambda: member.metadata.raft.joined)
        member.kill()
        for copy in (0, 1):
            member.files.replace(f"quorum-state.{copy}", b"rotten")
        with pytest.raises(CorruptBatchError, match="may have voted"):
            member.open()


async def test_another_cluster_is_neither_voted_for_nor_served() -> None:
    async with three() as quorum:
        leader = await quorum.leader()
        await leader.metadata.change(lambda image: [r.Cluster(cluster_id="mine")])
        partition = vote_request.PartitionData(partition_index=0)
        topic = vote_request.TopicData(topic_name=r.METADATA_TOPIC, partitions=[partition])
        asked = vote_request.VoteRequest(cluster_id="another", topics=[topic])
        assert (await leader.quorum.vote(asked)).error_code == ErrorCode.inconsistent_cluster_id
        wanted = fetch_request.FetchRequest(cluster_id="another")
        assert (await leader.quorum.fetch(wanted)).error_code == ErrorCode.inconsistent_cluster_id
