"""What becomes of an event that fails."""

from __future__ import annotations

import pytest

from streamflow.engine.policies import Retry, Skip, Stop, final, letter_headers, policy_of, retry, skip
from streamflow.errors import ConfigError
from streamflow.event import Event


def test_the_default_is_to_stop() -> None:
    assert policy_of(None) == Stop()


def test_pauses_double_up_to_their_bound_and_end_after_the_last_attempt() -> None:
    policy = retry(5, backoff="1s", backoff_max="5s")
    assert isinstance(policy, Retry)
    assert [policy.delay_ms(n) for n in range(1, 7)] == [1000, 2000, 4000, 5000, 5000, None]


def test_a_retry_comes_to_its_last_resort() -> None:
    assert final(retry(3, then=skip("aside"))) == Skip("aside")
    assert final(retry(3)) == Stop()


@pytest.mark.parametrize("wrong", [lambda: retry(0), lambda: retry(2, then="retry"), lambda: policy_of("explode")])
def test_what_makes_no_sense_is_refused(wrong) -> None:
    with pytest.raises(ConfigError):
        wrong()


def test_a_dead_letter_says_what_went_wrong_and_where_the_record_stood() -> None:
    event = Event(b"k", b"v", 5, 7, "orders", 2, (("trace", b"1"),))
    headers = dict(letter_headers(event, ValueError("no"), "agent"))
    assert headers == {
        "trace": b"1",
        "error": b"ValueError: no",
        "agent": b"agent",
        "topic": b"orders",
        "partition": b"2",
        "offset": b"7",
    }
