"""Requests and answers as frames, as a client writes and reads them."""

from __future__ import annotations

import re
import struct
from functools import cache
from typing import Any

from streamflow.log.protocol.codec import Buffer
from streamflow.log.protocol.frames import API_VERSIONS, RequestHeader
from streamflow.log.protocol.messages import codec_of
from streamflow.log.protocol.versions import APIS, Api

_BY_NAME = {api.name: api for api in APIS.values()}
_HEAD = struct.Struct(">hhih")
ANSWER_HEAD_BYTES = 8


@cache
def api_of(message_class: type) -> Api:
    """By the name of the request's class."""
    name = re.sub(r"(?<=.)([A-Z])", r"_\1", message_class.__name__.removesuffix("Request")).lower()
    return _BY_NAME[name]


def write_request(message: Any, correlation_id: int, client_id: str, version: int | None = None) -> bytes:
    """A frame without its length. Unless given, the version is the newest served."""
    api = api_of(type(message))
    version = api.highest if version is None else version
    name = client_id.encode()
    out: list[Buffer] = [_HEAD.pack(api.key, version, correlation_id, len(name)), name]
    if version >= api.flexible:
        out.append(b"\0")
    codec_of(api.name, version, "request").write(out, message)
    return b"".join(out)


def read_response(header: RequestHeader, frame: bytes) -> Any:
    """The answer in a frame with its length."""
    tags = header.version >= header.api.flexible and header.api.key != API_VERSIONS
    message, _ = codec_of(header.api.name, header.version, "response").read(memoryview(frame), ANSWER_HEAD_BYTES + tags)
    return message
