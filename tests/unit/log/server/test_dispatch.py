from __future__ import annotations

import struct

import pytest

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.frames import parse_header
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
