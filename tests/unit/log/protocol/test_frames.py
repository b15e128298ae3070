"""A stream of bytes becomes frames, however it is cut; what can't be a request is refused at its first bytes."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.frames import (
    CLIENT_ID_BYTES_MAX,
    HEADER_TAGS_MAX,
    Frames,
    RequestHeader,
    frame_response,
    parse_header,
)
from streamflow.log.protocol.versions import APIS, FIRST_FRAME_BYTES_MAX, FRAME_BYTES_MAX, PRODUCE_BYTES_MAX

PRODUCE, FETCH, METADATA, API_VERSIONS = 0, 1, 3, 18


def request(key: int, version: int, body: bytes = b"", *, client: bytes | None = b"me", tags: bytes = b"\0") -> bytes:
    """A frame without its length."""
    head = struct.pack(">hhih", key, version, 7, -1 if client is None else len(client)) + (client or b"")
    return head + (tags if version >= APIS[key].flexible else b"") + body


def framed(frame: bytes) -> bytes:
    return struct.pack(">i", len(frame)) + frame


def taken(frames: Frames) -> list[bytes]:
    found = []
    while (frame := frames.take()) is not None:
        found.append(bytes(frame))
    return found


def trusted() -> Frames:
    frames = Frames()
    frames.trusted = True
    return frames


# Cutting


@given(st.data())
def test_frames_are_the_same_however_the_stream_is_cut(data: st.DataObject) -> None:
    bodies = data.draw(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
    sent = [request(METADATA, 1, body) for body in bodies]
    stream = b"".join(map(framed, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    frames, found = Frames(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        frames.feed(stream[start:end])
        found += taken(frames)
    assert found == sent


def test_a_frame_stays_what_it_was_while_others_come() -> None:
    frames = Frames()
    frames.feed(framed(request(METADATA, 1, b"first")) + framed(request(METADATA, 1, b"second"))[:-1])
    first = frames.take()
    assert first is not None
    frames.feed(b"d" + framed(request(METADATA, 1, b"third")))
    assert bytes(first).endswith(b"first")
    assert [frame[-6:] for frame in taken(frames)] == [b"second", b"ethird"]


# Limits


@pytest.mark.parametrize(("size", "at"), [(-1, 4), (-(2**31), 4), (0, 4), (9, 4), (2**31 - 1, 4)])
def test_an_impossible_size_is_refused_as_soon_as_it_is_known(size: int, at: int) -> None:
    """One too long for its API when the API is known; one too short for any at once: what follows isn't its own."""
    frames = trusted()
    head = struct.pack(">ihh", size, METADATA, 1)
    frames.feed(head[: at - 1])
    assert frames.take() is None
    frames.feed(head[at - 1 : at])
    with pytest.raises(MalformedError, match=str(size)):
        frames.take()


@pytest.mark.parametrize(
    ("key", "good", "limit"),
    [
        (METADATA, False, FIRST_FRAME_BYTES_MAX),
        (API_VERSIONS, False, FIRST_FRAME_BYTES_MAX),
        (PRODUCE, False, PRODUCE_BYTES_MAX),
        (FETCH, False, FRAME_BYTES_MAX),
        (PRODUCE, True, PRODUCE_BYTES_MAX),
        (METADATA, True, FRAME_BYTES_MAX),
    ],
)
def test_a_frame_may_be_as_long_as_its_api_allows_and_short_until_one_request_was_good(
    key: int, good: bool, limit: int
) -> None:
    for size, allowed in ((limit, True), (limit + 1, False)):
        frames = Frames()
        frames.trusted = good
        frames.feed(struct.pack(">ihh", size, key, APIS[key].highest))
        if allowed:
            assert frames.take() is None
        else:
            with pytest.raises(MalformedError, match=f"the limit is {limit}"):
                frames.take()


def test_what_is_not_served_is_refused_at_once() -> None:
    for key, version, saying in (
        (999, 0, "API 999"),
        (PRODUCE, 2, "produce version 2"),
        (FETCH, 99, "fetch version 99"),
    ):
        frames = Frames()
        frames.feed(struct.pack(">ihh", 100, key, version))
        with pytest.raises(MalformedError, match=saying):
            frames.take()


def test_any_version_of_api_versions_is_let_through() -> None:
    for version in (-1, 99, 2**15 - 1):
        frames = Frames()
        sent = request(API_VERSIONS, version)
        frames.feed(framed(sent))
        assert taken(frames) == [sent]


def test_another_protocols_greeting_is_refused() -> None:
    for greeting in (b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", b"SSH-2.0-OpenSSH_9.2\r\n"):
        frames = Frames()
        frames.feed(greeting)
        with pytest.raises(MalformedError):
            frames.take()


# Headers


@pytest.mark.parametrize(("version", "client"), [(1, b"me"), (1, None), (9, b"me"), (9, None), (9, "ü".encode())])
def test_a_header_is_read_up_to_where_the_body_begins(version: int, client: bytes | None) -> None:
    sent = request(METADATA, version, b"body", client=client)
    header = parse_header(memoryview(sent))
    assert (header.api.key, header.version, header.correlation_id) == (METADATA, version, 7)
    assert header.client_id.encode() == (client or b"")
    assert sent[header.body_at :] == b"body"


def test_tags_of_a_header_are_passed_over() -> None:
    sent = request(METADATA, 9, b"body", tags=b"\2" + b"\0\3abc" + b"\1\0")
    assert sent[parse_header(memoryview(sent)).body_at :] == b"body"


@pytest.mark.parametrize("count", [HEADER_TAGS_MAX + 1, 127])
def test_a_header_with_more_tags_than_any_is_refused(count: int) -> None:
    sent = request(METADATA, 9, bytes(300), tags=bytes([count]))
    with pytest.raises(MalformedError, match=f"this one has {count}"):
        parse_header(memoryview(sent))


def test_a_header_of_twenty_million_tags_costs_nothing() -> None:
    """CVE-2026-111115."""
    sent = memoryview(request(METADATA, 9, bytes(1 << 20), tags=b"\x80\xda\xc4\x09"))
    tracemalloc.start()
    try:
        with pytest.raises(MalformedError, match="20000000"):
            parse_header(sent)
        assert tracemalloc.get_traced_memory()[1] < 1 << 16
    finally:
        tracemalloc.stop()


def test_a_header_cut_short_at_any_byte_is_refused() -> None:
    whole = request(METADATA, 9, client=b"client", tags=b"\1\0\3abc")
    for end in range(10, len(whole)):
        with pytest.raises(MalformedError):
            parse_header(memoryview(whole[:end]))


def test_a_client_id_too_long_or_no_text_is_refused() -> None:
    longest = b"x" * CLIENT_ID_BYTES_MAX
    assert parse_header(memoryview(request(METADATA, 1, client=longest))).client_id == longest.decode()
    for wrong in (longest + b"x", b"\xff"):
        with pytest.raises(MalformedError, match="client id"):
            parse_header(memoryview(request(METADATA, 1, client=wrong)))


# Answers


@pytest.mark.parametrize(
    ("key", "version", "tagged"),
    [(METADATA, 8, False), (METADATA, 9, True), (API_VERSIONS, 0, False), (API_VERSIONS, 3, False)],
)
def test_an_answer_has_the_requests_number_and_tags_if_both_sides_know_of_them(
    key: int, version: int, tagged: bool
) -> None:
    header = RequestHeader(APIS[key], version, 7, "", 0)
    sent = b"".join(frame_response(header, [b"bo", memoryview(b"dy")]))
    head = struct.pack(">i", 7) + (b"\0" if tagged else b"")
    assert sent == framed(head + b"body")


@pytest.mark.parametrize("size", [-1, 0, 1, 9])
def test_a_frame_too_short_for_a_header_is_refused_at_once(size: int) -> None:
    frames = Frames()
    frames.feed(struct.pack(">i", size) + b"\0"[: max(0, size)])
    with pytest.raises(MalformedError, match="header alone takes"):
        frames.take()
