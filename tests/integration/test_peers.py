"""Nodes that ask each other over sockets, and a client that says it is one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from structlog.testing import capture_logs

from streamflow.log.errors import PeerUnreachableError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.embedded import EmbeddedLog
from streamflow.log.node.membership import Endpoint
from streamflow.log.protocol.messages import api_versions_request, fetch_request, vote_request
from streamflow.log.server.broker import Address, Broker
from streamflow.log.server.listener import Listener
from streamflow.log.server.peers import SocketPeers

pytestmark = pytest.mark.anyio

ASKED = api_versions_request.ApiVersionsRequest(client_software_name="node", client_software_version="1")
VOTE = 52


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def listening(path: Path, *, for_peers: bool) -> AsyncIterator[SocketPeers]:
    """The way to a node that listens."""
    embedded = await EmbeddedLog.open_directory(path, NodeConfig.parse({}), lambda: 1_700_000_000_000)
    listener = Listener(Broker(embedded.node, Address("127.0.0.1", 1)), for_peers=for_peers)
    loop, stop = asyncio.get_running_loop(), anyio.Event()
    with socket.create_server(("127.0.0.1", 0)) as door:
        at = Endpoint("127.0.0.1", door.getsockname()[1])
        peers = SocketPeers("node-2", lambda node_id: at if node_id == 1 else None)
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, lambda made: loop.create_server(made, sock=door), stop)
            try:
                yield peers
            finally:
                peers.close()
                stop.set()
    await embedded.close()


async def test_a_node_asks_another_many_things_at_once(tmp_path: Path) -> None:
    async with listening(tmp_path / "data", for_peers=True) as peers:
        answers = await asyncio.gather(*(peers.ask(1, ASKED, timeout_ms=5_000) for _ in range(50)))
        assert all(VOTE in {api.api_key for api in answer.api_keys} for answer in answers)


async def test_a_client_is_neither_told_nor_granted_what_nodes_ask(tmp_path: Path) -> None:
    """CVE-2018-1288."""
    replica = fetch_request.FetchRequest(replica_state=fetch_request.ReplicaState(replica_id=2))
    async with listening(tmp_path / "data", for_peers=False) as client:
        answer = await client.ask(1, ASKED, timeout_ms=5_000)
        assert VOTE not in {api.api_key for api in answer.api_keys}
        with capture_logs() as lines:
            for request in (vote_request.VoteRequest(), replica):
                with pytest.raises(PeerUnreachableError, match="closed the connection"):
                    await client.ask(1, request, timeout_ms=5_000)
        assert [line["reason"] for line in lines] == [
            "vote is for peers, who have another listener",
            "it fetches as the replica of node 2, and isn't a node (CVE-2018-1288)",
        ]
