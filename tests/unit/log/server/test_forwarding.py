"""A node that isn't the controller, and one that is: what the first is asked, the second answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from streamflow.log.errors import PeerUnreachableError
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import create_topics_request, envelope_response
from streamflow.log.server import forwarding as forwarding_module
from streamflow.log.server.broker import CloseConnectionError
from streamflow.log.server.forwarding import Forwarding, packed

pytestmark = pytest.mark.anyio

TOPIC = create_topics_request.CreatableTopic(name="events", num_partitions=1, replication_factor=1)
CREATE = create_topics_request.CreateTopicsRequest(topics=[TOPIC], timeout_ms=1_000)


@dataclass
class Quorum:
    leader_id: int = 2
    active: bool = False


@dataclass
class Way:
    """To the other door. `first` goes wrong before it is asked."""

    door: Any
    first: list[Any] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    async def ask(self, node_id: int, request: Any, *, timeout_ms: int) -> Any:
        self.asked.append(node_id)
        if self.first:
            wrong = self.first.pop(0)
            if isinstance(wrong, Exception):
                raise wrong
            return wrong
        return await self.door.ask(request, from_peer=True)


@pytest.fixture
async def way(door: Any, door_with: Any, monkeypatch: pytest.MonkeyPatch) -> Way:
    monkeypatch.setattr(forwarding_module, "RETRY_SECONDS", 0)
    other = await door_with().start()
    found = Way(other)
    other.broker.forwarding = Forwarding(2, Quorum(active=True), found)
    door.broker.forwarding = Forwarding(1, Quorum(), found)
    return found


async def test_a_topic_is_created_by_the_controller_whoever_is_asked(door: Any, way: Way) -> None:
    answer = await door.ask(CREATE)
    assert [topic.error_code for topic in answer.topics] == [ErrorCode.none]
    assert "events" in way.door.node.topics.metadata.image.topics
    assert "events" not in door.node.topics.metadata.image.topics
    assert (await door.ask(CREATE)).topics[0].error_code == ErrorCode.topic_already_exists


@pytest.mark.parametrize("version", [2, 5, 7])
async def test_the_answer_is_in_the_clients_version(door: Any, way: Way, version: int) -> None:
    assert (await door.ask(CREATE, version=version)).topics[0].name == "events"


async def test_the_controller_is_found_anew(door: Any, way: Way) -> None:
    moved = envelope_response.EnvelopeResponse(error_code=ErrorCode.not_controller)
    way.first = [PeerUnreachableError("gone"), moved]
    assert (await door.ask(CREATE)).topics[0].error_code == ErrorCode.none
    assert way.asked == [2, 2, 2]


async def test_who_became_the_controller_meanwhile_answers_itself(door: Any, way: Way) -> None:
    quorum = Quorum(active=True)
    door.broker.forwarding = Forwarding(1, quorum, way)
    assert (await door.ask(CREATE)).topics[0].error_code == ErrorCode.none
    assert way.asked == []
    assert "events" in door.node.topics.metadata.image.topics


async def test_without_a_controller_the_request_times_out(door: Any, way: Way) -> None:
    door.broker.forwarding = Forwarding(1, Quorum(leader_id=-1), way)
    request = create_topics_request.CreateTopicsRequest(topics=[TOPIC], timeout_ms=5)
    with pytest.raises(CloseConnectionError, match=r"create_topics in 5 ms.*nobody"):
        await door.ask(request)


def test_addresses_are_packed_as_in_kafka() -> None:
    assert (packed("10.1.2.3"), len(packed("fe80::1%eth0")), packed("here")) == (b"\n\1\2\3", 16, b"")
