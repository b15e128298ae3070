from __future__ import annotations

import struct

import pytest

from streamflow.log.errors import MalformedError
from streamflow.log.node.peers import Alone
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import envelope_request
from streamflow.log.server.forwarding import Forwarding

pytestmark = pytest.mark.anyio


class Quorum:
    leader_id, active = 1, True


async def test_a_node_that_is_not_the_controller_says_so(door) -> None:
    answer = await door.ask(envelope_request.EnvelopeRequest(request_data=b""), from_peer=True)
    assert answer.error_code == ErrorCode.not_controller


@pytest.mark.parametrize("data", [b"", b"\0", struct.pack(">hhih", 58, 0, 1, -1), struct.pack(">hhih", 0, 9, 1, -1)])
async def test_only_what_is_sent_on_is_taken_out_of_an_envelope(door, data: bytes) -> None:
    door.broker.forwarding = Forwarding(1, Quorum(), Alone())
    with pytest.raises(MalformedError, match="isn't sent on"):
        await door.ask(envelope_request.EnvelopeRequest(request_data=data), from_peer=True)


async def test_a_version_that_is_not_served_is_refused(door) -> None:
    door.broker.forwarding = Forwarding(1, Quorum(), Alone())
    data = struct.pack(">hhih", 19, 99, 1, -1) + b"\0"
    answer = await door.ask(envelope_request.EnvelopeRequest(request_data=data), from_peer=True)
    assert answer.error_code == ErrorCode.unsupported_version
