from __future__ import annotations

import struct

import pytest

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.frames import parse_header
from streamflow.log.protocol.messages import fetch_request
from streamflow.log.server.broker import CloseConnectionError
from streamflow.log.server.dispatch import dispatch, encode

pytestmark = pytest.mark.anyio


async def test_an_api_versions_request_of_the_future_is_answered_in_version_0(door) -> None:
    """KIP-511."""
    frame = memoryview(struct.pack(">hhih", 18, 99, 7, -1) + b"\0 whatever there will be")
    header = parse_header(frame)
    answer = b"".join(encode(header, await dispatch(door.broker, header, frame, "")))
    assert struct.unpack_from(">ihi", answer, 4) == (7, 35, 1), "correlation id, UNSUPPORTED_VERSION, one API"
    assert struct.unpack_from(">hhh", answer, 14)[:2] == (18, 0)


async def test_a_body_that_ends_too_early_is_malformed(door) -> None:
    frame = memoryview(struct.pack(">hhih", 3, 1, 7, -1) + b"\0\0\0\5")
    with pytest.raises(MalformedError):
        await dispatch(door.broker, parse_header(frame), frame, "")


FETCH = fetch_request.FetchRequest


@pytest.mark.parametrize("version", [14, 15])
async def test_a_client_does_not_fetch_as_a_replica(door, version: int) -> None:
    """CVE-2018-1288: it would move the high watermark. Versions from 15 on say who fetches elsewhere."""
    claimed = FETCH(replica_id=2, replica_state=fetch_request.ReplicaState(replica_id=2))
    with pytest.raises(CloseConnectionError, match="replica of node 2"):
        await door.ask(claimed, version=version)
    consumer = FETCH(replica_id=-1, replica_state=fetch_request.ReplicaState(replica_id=-1))
    assert (await door.ask(consumer, version=version)).error_code == 0
