from __future__ import annotations

from struct import pack

from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.coordinators.subscription import subscribed_topics


def subscription(*topics: str, version: int = 3, rest: bytes = b"\xff\xff\xff\xff") -> bytes:
    names = b"".join(pack(">h", len(t.encode())) + t.encode() for t in topics)
    return pack(">hi", version, len(topics)) + names + rest


def test_the_topics_of_a_subscription_of_any_version_are_known() -> None:
    assert subscribed_topics(subscription("a", "ü", version=0)) == {"a", "ü"}
    assert subscribed_topics(subscription("a", version=9, rest=b"whatever comes next")) == {"a"}
    assert subscribed_topics(subscription()) == frozenset()


def test_what_is_no_subscription_tells_nothing() -> None:
    assert subscribed_topics(b"") is None
    assert subscribed_topics(pack(">hi", 0, 2**31 - 1)) is None
    assert subscribed_topics(pack(">hih", 0, 1, 2) + b"\xff\xfe") is None
    assert subscribed_topics(pack(">hih", 0, 1, -1)) is None


@given(st.binary(max_size=60))
def test_bytes_of_a_client_never_raise(data: bytes) -> None:
    subscribed_topics(data)
