"""Frames: a length of four bytes, then a request with its header. PURE.

Promises: nothing is kept of a frame longer than its API allows; what can't be a request is refused as soon as that can
be known, which is at its first eight bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.codec import Buffer, read_uvarint
from streamflow.log.protocol.versions import APIS, CLIENT_APIS, PEER_APIS, PRODUCE_BYTES_MAX, Api

LENGTH_BYTES = 4
_LENGTH = struct.Struct(">i")
_HEAD = struct.Struct(">ihh")
_START = struct.Struct(">hhih")
_ANSWER = struct.Struct(">ii")
CLIENT_ID_BYTES_MAX = 1024
"""It is written to logs and kept in metrics."""
HEADER_TAGS_MAX = 16
"""Kafka defines none (CVE-2026-111115 sent 20 million)."""
API_VERSIONS = 18


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """`body_at` is where the body begins in the frame. A version that isn't served is only let through for ApiVersions,
    whose answer says which are (KIP-511)."""

    api: Api
    version: int
    correlation_id: int
    client_id: str
    body_at: int


class Frames:
    """Cuts what a connection receives into frames: `feed`, then `take` until it returns None.

    Args:
        from_peers: whether it is nodes that send, whose requests clients may not send.
    """

    def __init__(self, *, from_peers: bool = False) -> None:
        self._apis = PEER_APIS if from_peers else CLIENT_APIS
        self._buffer = bytearray()
        self._size = -1
        self.trusted = from_peers
        """Whether the connection has sent a good request, or is a node's."""

    @property
    def buffered(self) -> int:
        """Bytes that no frame was made of yet."""
        return len(self._buffer)

    @property
    def needed(self) -> int:
        """Bytes that are held by when the frame that has begun is whole, as far as that is known."""
        return len(self._buffer) if self._size < 0 else max(len(self._buffer), LENGTH_BYTES + self._size)

    def feed(self, data: Buffer) -> None:
        self._buffer += data

    def take(self) -> memoryview | None:
        """The next whole frame without its length. Raises: MalformedError."""
        buffer = self._buffer
        if self._size < 0:
            if len(buffer) < _HEAD.size:
                if len(buffer) >= LENGTH_BYTES:
                    self._check_length()
                return None
            self._size = self._checked_size()
        end = LENGTH_BYTES + self._size
        if len(buffer) < end:
            return None
        if len(buffer) == end:
            frame, self._buffer = memoryview(buffer)[LENGTH_BYTES:], bytearray()
        else:
            with memoryview(buffer) as view:
                frame = memoryview(bytes(view[LENGTH_BYTES:end]))
            del buffer[:end]
        self._size = -1
        return frame

    def _check_length(self) -> None:
        """Before it is known whose: one too short for a header, or too long for any API, will be nobody's."""
        (size,) = _LENGTH.unpack_from(self._buffer)
        if size < _START.size:
            raise MalformedError(f"a request of {size} bytes; its header alone takes {_START.size}")
        if size > PRODUCE_BYTES_MAX:
            raise MalformedError(f"a request of {size} bytes; the limit of the longest is {PRODUCE_BYTES_MAX}")

    def _checked_size(self) -> int:
        size, key, version = _HEAD.unpack_from(self._buffer)
        api = self._apis.get(key)
        if api is None:
            if key in APIS:
                raise MalformedError(f"{APIS[key].name} is for {APIS[key].senders}, who have another listener")
            raise MalformedError(f"API {key} isn't served here")
        if not api.serves(version) and key != API_VERSIONS:
            raise MalformedError(f"{api.name} version {version} isn't served: {api.lowest} to {api.highest} are")
        limit = api.bytes_max if self.trusted else api.first_bytes_max
        if not _START.size <= size <= limit:
            raise MalformedError(f"a {api.name} request of {size} bytes; the limit is {limit} here")
        return int(size)


def parse_header(frame: memoryview) -> RequestHeader:
    """Raises: MalformedError."""
    key, version, correlation_id, length = _START.unpack_from(frame)
    api, at = APIS[key], _START.size
    client_id = ""
    if length >= 0:
        if length > min(CLIENT_ID_BYTES_MAX, len(frame) - at):
            raise MalformedError(f"a client id of {length} bytes; the limit is {CLIENT_ID_BYTES_MAX}")
        try:
            client_id = str(frame[at : at + length], "utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError("a client id that isn't UTF-8") from error
        at += length
    if version >= api.flexible:
        at = _skip_tags(frame, at)
    return RequestHeader(api, version, correlation_id, client_id, at)


def _skip_tags(frame: memoryview, at: int) -> int:
    try:
        count, at = read_uvarint(frame, at)
        if count > HEADER_TAGS_MAX:
            raise MalformedError(f"a request's header may have {HEADER_TAGS_MAX} tags; this one has {count}")
        for _ in range(count):
            _, at = read_uvarint(frame, at)
            size, at = read_uvarint(frame, at)
            at += size
    except IndexError as error:
        raise MalformedError("a request's header ends too early") from error
    if at > len(frame):
        raise MalformedError("a request's header ends too early")
    return at


def frame_response(header: RequestHeader, body: list[Buffer]) -> list[Buffer]:
    """The answer's frame, in parts. The header of an ApiVersions answer never has tags: who asks may not know yet what
    the broker speaks."""
    tags = b"\0" if header.version >= header.api.flexible and header.api.key != API_VERSIONS else b""
    size = sum(map(len, body)) + 4 + len(tags)
    return [_ANSWER.pack(size, header.correlation_id) + tags, *body]
