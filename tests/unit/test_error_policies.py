"""An event that some user code can't deal with, wherever that code stands: the error names it, the policy decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import streamflow as sf
from streamflow.errors import AgentError
from streamflow.testing import TestApp


class Order(sf.Record):
    card: Any
    at: Any = 0


def unhashable_key(app: sf.App, policy: str) -> sf.Topic:
    orders = app.topic("orders", value=Order)
    orders.stream(name="by", on_error=policy).group_by("card").aggregate(n=sf.count()).to(app.topic("out"))
    return orders


def unhashable_key_inside_an_agent(app: sf.App, policy: str) -> sf.Topic:
    orders = app.topic("orders", value=Order)

    @app.agent(orders, sink=app.topic("out"), on_error=policy)
    async def agent(stream):
        async for order in stream.group_by(lambda o: o.card):
            yield order.card

    return orders


def key_that_is_no_key(app: sf.App, policy: str) -> sf.Topic:
    orders = app.topic("orders", value=Order)
    stream = orders.stream(name="by", on_error=policy)
    stream.group_by(lambda o: object() if o.card == ["bad"] else o.card).aggregate(n=sf.count()).to(app.topic("out"))
    return orders


def key_function_of_a_topic(app: sf.App, policy: str) -> sf.Topic:
    orders = app.topic("orders", value=Order)
    orders.stream(name="to", on_error=policy).to(app.topic("out", key=lambda o: o.card.upper()))
    return orders


def value_that_is_not_the_topics(app: sf.App, policy: str) -> sf.Topic:
    orders = app.topic("orders", value=Order)
    orders.stream(name="to", on_error=policy).map(lambda o: o.card).to(app.topic("out", value=str))
    return orders


def timestamp_function_of_a_topic(app: sf.App, policy: str) -> sf.Topic:
    orders = app.topic("orders", value=Order, timestamp=lambda o: 0 if isinstance(o.card, str) else o.card.at)
    stream = orders.stream(name="to", on_error=policy)
    stream.to(app.topic("out"))
    return orders


def field_that_is_no_time(app: sf.App, policy: str) -> sf.Topic:
    orders = app.topic("orders", value=Order, timestamp="at")
    orders.stream(name="to", on_error=policy).to(app.topic("out"))
    return orders


def yield_that_its_sink_refuses(app: sf.App, policy: str) -> sf.Topic:
    orders = app.topic("orders", value=Order)

    @app.agent(orders, sink=app.topic("out", value=str), on_error=policy)
    async def agent(stream):
        async for order in stream:
            yield order.card

    return orders


def send_that_its_topic_refuses(app: sf.App, policy: str) -> sf.Topic:
    orders, out = app.topic("orders", value=Order), app.topic("out", value=str)

    @app.agent(orders, on_error=policy)
    async def agent(stream):
        async for order in stream:
            await out.send(order.card)

    return orders


CASES = [
    unhashable_key,
    unhashable_key_inside_an_agent,
    key_that_is_no_key,
    key_function_of_a_topic,
    value_that_is_not_the_topics,
    timestamp_function_of_a_topic,
    field_that_is_no_time,
    yield_that_its_sink_refuses,
    send_that_its_topic_refuses,
]


def send(t: TestApp, orders: sf.Topic) -> None:
    bad = b'{"card": ["bad"], "at": "noon"}'
    for value in (b'{"card": "a"}', b'{"card": "b"}', bad, b'{"card": "c"}'):
        t.send_raw(orders, value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_by_default_the_worker_stops_and_says_at_which_event(case: Callable[[sf.App, str], sf.Topic]) -> None:
    app = sf.App("shop", partitions=1)
    orders = case(app, "stop")
    with pytest.raises(AgentError, match=r"stopped at orders-0 offset 2: ."), TestApp(app) as t:
        send(t, orders)
        t.read("out")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_skipped_it_is_a_dead_letter_with_its_own_bytes_and_the_others_go_on(
    case: Callable[[sf.App, str], sf.Topic],
) -> None:
    app = sf.App("shop", partitions=1)
    orders = case(app, "skip")
    with TestApp(app) as t:
        send(t, orders)
        assert len(t.read("out")) == 3
        (letter,) = t.events("shop-dead-letters")
    assert letter.value == b'{"card": ["bad"], "at": "noon"}'
    assert dict(letter.headers)["offset"] == b"2"


def test_a_yield_that_is_refused_leaves_no_trace_of_its_event() -> None:
    app = sf.App("shop", partitions=1)
    orders, seen = app.topic("orders", value=Order), app.table("seen", default=int)

    @app.agent(orders, sink=app.topic("out", value=str), on_error="skip")
    async def agent(stream):
        async for order in stream:
            seen["all"] += 1
            yield "seen"
            yield order.card

    with TestApp(app) as t:
        send(t, orders)
        assert t.read("out") == ["seen", "a", "seen", "b", "seen", "c"]
        assert t.table(seen) == {"all": 3}


def test_a_key_read_from_the_log_that_cannot_be_one_is_undecodable() -> None:
    app = sf.App("shop", partitions=1)
    orders = app.topic("orders", value=str, key_type=Any)
    orders.stream(name="by", on_error="skip").window(sf.tumbling("1m")).aggregate(n=sf.count()).to(app.topic("out"))
    with TestApp(app) as t:
        t.send_raw(orders, b'"x"', key=b'["a"]')
        t.send_raw(orders, b'"x"', key=b'"a"')
        t.end()
        assert [w["n"] for w in t.read("out")] == [1]
        (letter,) = t.events("shop-dead-letters")
    assert letter.key == b'["a"]'
    assert b"can't be a key" in dict(letter.headers)["error"]


def windows_app(policy: str) -> tuple[sf.App, sf.Topic]:
    app = sf.App("shop", partitions=1)
    orders = app.topic("orders", value=Order)
    stream = orders.stream(name="by", on_error=policy).group_by("card").window(sf.tumbling("1m"))
    stream.aggregate(n=sf.count()).map(lambda w: 1 / (w.n - 2)).to(app.topic("out"))
    return app, orders


def test_a_windows_row_is_told_by_its_key_for_no_record_is_it() -> None:
    app, orders = windows_app("stop")
    with (
        pytest.raises(AgentError, match=r"stopped at a window's row of key 'b' on partition 0: ZeroDiv"),
        TestApp(app) as t,
    ):
        t.send_all(orders, [Order("a"), Order("b"), Order("b")])
        t.end()


def test_a_windows_row_that_is_skipped_is_kept_as_it_looks() -> None:
    app, orders = windows_app("skip")
    with TestApp(app) as t:
        t.send_all(orders, [Order("a"), Order("b"), Order("b")])
        t.end()
        assert t.read("out") == [-1.0]
        (letter,) = t.events("shop-dead-letters")
    assert b"n=2" in letter.value
