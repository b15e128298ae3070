"""Agents, end to end on virtual time: what they read, yield, keep, and do when they fail."""

from __future__ import annotations

import anyio
import pytest

import streamflow as sf
from streamflow.errors import AgentError, AppError, ConfigError
from streamflow.testing import TestApp


class Order(sf.Record):
    card: str
    amount: float


class Alert(sf.Record):
    card: str
    total: float


def orders_app(**options: object) -> tuple[sf.App, object]:
    app = sf.App("shop", **options)
    return app, app.topic("orders", value=Order, key="card")


def test_an_agent_yields_to_its_sink_with_the_key_and_time_of_the_event_in_hand() -> None:
    app, orders = orders_app()
    alerts = app.topic("alerts", value=Alert)

    @app.agent(orders, sink=alerts)
    async def big(stream):
        async for order in stream:
            if order.amount > 10:
                yield Alert(order.card, order.amount)

    with TestApp(app) as t:
        t.send(orders, Order("a", 5), at=1000)
        t.send(orders, Order("b", 50), at=2000)
        (event,) = t.events(alerts)
    assert event.value == Alert("b", 50)
    assert (event.key, event.timestamp) == ("b", 2000)


def test_a_table_keeps_its_values_over_a_crash_and_counts_every_event_once() -> None:
    app, orders = orders_app()
    spent = app.table("spent", default=float)

    @app.agent(orders)
    async def add(stream):
        async for order in stream:
            spent[order.card] += order.amount

    with TestApp(app) as t:
        for n in range(20):
            t.send(orders, Order(f"card-{n % 3}", 1.0))
            if n % 7 == 0:
                t.crash()
        assert t.table(spent) == {"card-0": 7.0, "card-1": 7.0, "card-2": 6.0}


def test_an_edit_inside_a_mutable_table_value_is_kept() -> None:
    app, orders = orders_app()
    seen = app.table("seen", default=list)

    @app.agent(orders)
    async def remember(stream):
        async for order in stream:
            seen[order.card].append(order.amount)

    with TestApp(app) as t:
        t.send(orders, Order("a", 1))
        t.table(seen)
        t.crash()
        t.send(orders, Order("a", 2))
        t.table(seen)
        t.crash()
        assert t.table(seen) == {"a": [1, 2]}


def test_group_by_inside_an_agent_brings_equal_keys_together() -> None:
    app = sf.App("shop")
    orders = app.topic("orders", value=Order)
    counts = app.table("counts", default=int)
    alerts = app.topic("alerts", value=Alert)

    @app.agent(orders, sink=alerts)
    async def count(stream):
        async for order in stream.group_by(lambda o: o.card).filter(lambda o: o.amount > 0):
            counts[order.card] += 1
            if counts[order.card] == 5:
                yield Alert(order.card, 5)

    with TestApp(app) as t:
        for n in range(20):
            t.send(orders, Order(f"card-{n % 4}", float(n)), key=str(n))
        assert t.table(counts) == {"card-0": 4, "card-1": 5, "card-2": 5, "card-3": 5}
        assert sorted(a.card for a in t.read(alerts)) == ["card-1", "card-2", "card-3"]


def test_two_agents_on_one_topic_each_see_every_event() -> None:
    app, orders = orders_app()
    first, second = [], []

    @app.agent(orders)
    async def one(stream):
        async for order in stream:
            first.append(order.amount)

    @app.agent(orders)
    async def two(stream):
        async for order in stream:
            second.append(order.amount)

    with TestApp(app) as t:
        for n in range(5):
            t.send(orders, Order("a", n))
        t.advance("1s")
    assert first == second == [0, 1, 2, 3, 4]


def test_concurrent_runs_keep_the_order_of_each_key() -> None:
    app, orders = orders_app(partitions=1)
    seen: dict[str, list[float]] = {}
    running, most = 0, 0

    @app.agent(orders, concurrency=4)
    async def slow(stream):
        nonlocal running, most
        async for order in stream:
            running += 1
            most = max(most, running)
            await anyio.sleep(0.01)
            running -= 1
            seen.setdefault(order.card, []).append(order.amount)

    with TestApp(app) as t:
        t.send_all(orders, [Order(f"card-{n % 8}", n) for n in range(64)])
        t.advance("1m")
    assert most > 1
    assert {card: sorted(amounts) == amounts for card, amounts in seen.items()} == {f"card-{n}": True for n in range(8)}
    assert sum(len(a) for a in seen.values()) == 64


def test_take_hands_over_full_lists_and_the_rest_after_its_time() -> None:
    app, orders = orders_app(partitions=1)
    lists = []

    @app.agent(orders)
    async def many(stream):
        async for batch in stream.take(3, within="10s"):
            lists.append([o.amount for o in batch])

    with TestApp(app) as t:
        for n in range(7):
            t.send(orders, Order("a", n))
        t.advance("1s")
        assert lists == [[0, 1, 2], [3, 4, 5]]
        t.advance("10s")
        assert lists == [[0, 1, 2], [3, 4, 5], [6]]


def test_events_an_agent_waits_with_are_read_again_after_a_crash() -> None:
    app, orders = orders_app(partitions=1)
    lists = []

    @app.agent(orders)
    async def many(stream):
        async for batch in stream.take(3):
            lists.append([o.amount for o in batch])

    with TestApp(app) as t:
        for n in range(5):
            t.send(orders, Order("a", n))
        t.advance("1s")
        t.crash()
        t.send(orders, Order("a", 5))
        t.advance("1s")
    assert lists == [[0, 1, 2], [3, 4, 5]]


def test_batches_come_as_lists() -> None:
    app, orders = orders_app(partitions=1)
    got = []

    @app.agent(orders)
    async def lists(stream):
        async for batch in stream.batches():
            assert isinstance(batch, list)
            got.extend(o.amount for o in batch)

    with TestApp(app) as t:
        t.send_all(orders, [Order("a", n) for n in range(10)])
        t.advance("1s")
    assert got == list(range(10))


def test_an_agent_sees_key_time_offset_and_headers_of_events() -> None:
    app, orders = orders_app(partitions=1)
    got = []

    @app.agent(orders)
    async def look(stream):
        async for event in stream.events():
            got.append(event)

    with TestApp(app) as t:
        t.send(orders, Order("a", 1), at=5000, headers={"trace": b"x"})
        t.advance("1s")
    (event,) = got
    assert (event.key, event.value, event.timestamp, event.offset) == ("a", Order("a", 1), 5000, 0)
    assert (event.topic, event.partition, event.headers) == ("orders", 0, (("trace", b"x"),))


def test_a_send_inside_an_agent_is_part_of_the_events_commit() -> None:
    app, orders = orders_app()
    copies = app.topic("copies", value=Order)
    fail = [True]

    @app.agent(orders, on_error=sf.retry(2))
    async def copy(stream):
        async for order in stream:
            await copies.send(order, key=order.card)
            if fail[0]:
                fail[0] = False
                raise ValueError("after the send")

    with TestApp(app) as t:
        t.send(orders, Order("a", 1))
        t.advance("1s")
        assert t.read(copies) == [Order("a", 1)]


def test_by_default_an_error_stops_the_worker_and_the_event_is_read_again() -> None:
    app, orders = orders_app()
    spent = app.table("spent", default=float)
    broken = [True]

    @app.agent(orders)
    async def add(stream):
        async for order in stream:
            spent[order.card] += order.amount
            if broken[0] and order.amount == 2:
                raise ValueError("no twos")

    t = TestApp(app)
    with (
        pytest.raises(AgentError, match=r"agent 'add' stopped at orders-\d offset \d+: ValueError: no twos"),
        t,
    ):
        t.send(orders, Order("a", 1))
        t.send(orders, Order("a", 2))
        t.table(spent)


def test_retry_hands_the_event_to_a_fresh_run_and_its_first_attempt_leaves_no_trace() -> None:
    app, orders = orders_app()
    spent = app.table("spent", default=float)
    alerts = app.topic("alerts", value=Alert)
    attempts = []

    @app.agent(orders, sink=alerts, on_error=sf.retry(5, backoff="1s"))
    async def add(stream):
        async for order in stream:
            spent[order.card] += order.amount
            yield Alert(order.card, spent[order.card])
            attempts.append(order.amount)
            if order.amount == 2 and attempts.count(2) < 3:
                raise ValueError("not yet")

    with TestApp(app) as t:
        before = t.now
        for amount in (1, 2, 3):
            t.send(orders, Order("a", amount))
        t.advance("1m")
        assert t.table(spent) == {"a": 6}
        assert [a.total for a in t.read(alerts)] == [1, 3, 6]
        assert (t.now - before).total_seconds() >= 60
    assert attempts == [1, 2, 2, 2, 3]


def test_skip_sets_the_record_aside_with_its_bytes_its_place_and_the_error() -> None:
    app, orders = orders_app(partitions=1)
    spent = app.table("spent", default=float)

    @app.agent(orders, on_error=sf.skip())
    async def add(stream):
        async for order in stream:
            spent[order.card] += order.amount
            if order.amount == 2:
                raise ValueError("no twos")

    with TestApp(app) as t:
        for amount in (1.0, 2.0, 3.0):
            t.send(orders, Order("a", amount))
        assert t.table(spent) == {"a": 4.0}
        (letter,) = t.events("shop-dead-letters")
    assert (letter.key, letter.value) == (b"a", b'{"card":"a","amount":2.0}')
    headers = dict(letter.headers)
    assert headers["error"] == b"ValueError: no twos"
    assert (headers["topic"], headers["partition"], headers["offset"]) == (b"orders", b"0", b"1")


def test_a_record_that_is_not_of_its_type_follows_the_same_policy() -> None:
    app, orders = orders_app(partitions=1)
    got = []

    @app.agent(orders, on_error=sf.skip("bad-orders"))
    async def look(stream):
        async for order in stream:
            got.append(order.amount)

    with TestApp(app) as t:
        t.send(orders, Order("a", 1))
        t.send_raw(orders, b'{"card": "a", "amount": "much"}')
        t.send_raw(orders, b"not json")
        t.send(orders, Order("a", 2))
        letters = t.events("bad-orders")
    assert got == [1, 2]
    assert [e.value for e in letters] == [b'{"card": "a", "amount": "much"}', b"not json"]
    assert b"amount" in dict(letters[0].headers)["error"]


def test_a_record_that_is_not_of_its_type_stops_the_worker_by_default() -> None:
    app, orders = orders_app(partitions=1)

    @app.agent(orders)
    async def look(stream):
        async for _ in stream:
            pass

    with (
        pytest.raises(AgentError, match=r"'look' stopped at orders-0 offset 0: .*on_error=sf\.skip\(\)"),
        TestApp(app) as t,
    ):
        t.send_raw(orders, b"not json")
        t.advance("1s")


def test_an_agent_that_never_reads_is_refused() -> None:
    app, orders = orders_app()

    @app.agent(orders)
    async def idle(stream):
        pass

    with pytest.raises(AppError, match="agent 'idle' doesn't read its stream"), TestApp(app):
        pass


def test_a_table_can_be_read_outside_agents_but_not_changed() -> None:
    app, orders = orders_app()
    spent = app.table("spent", default=float)

    @app.agent(orders)
    async def add(stream):
        async for order in stream:
            spent[order.card] += order.amount

    with TestApp(app) as t:
        t.send(orders, Order("a", 1))
        t.advance("1s")
        assert spent["a"] == 1
        assert spent.get("b") is None
        with pytest.raises(AppError, match="changed outside an agent"):
            spent["a"] = 2


def test_timers_and_crontabs_fire_on_virtual_time() -> None:
    app, orders = orders_app()
    ticks, noons = [], []

    @app.timer("10s")
    async def tick() -> None:
        ticks.append(1)
        await orders.send(Order("timer", 1))

    @app.crontab("0 12 * * *", timezone="Europe/Berlin")
    async def noon() -> None:
        noons.append(1)

    with TestApp(app, start="2026-03-01T00:00:00Z") as t:
        t.advance("1m")
        assert len(ticks) == 6
        assert len(t.read(orders)) == 6
        t.advance("10h")
        assert noons == []
        t.advance("1h")
        assert noons == [1]


def test_what_stands_behind_the_loop_still_counts_when_the_worker_stops() -> None:
    app, orders = orders_app()
    alerts = app.topic("alerts", value=Alert)
    ended = []

    @app.agent(orders, sink=alerts)
    async def total(stream):
        amount = 0.0
        async for order in stream:
            amount += order.amount
        ended.append(amount)
        if False:
            yield None

    with TestApp(app) as t:
        t.send(orders, Order("a", 1))
        t.send(orders, Order("a", 2))
    assert sum(ended) == 3


@pytest.mark.parametrize("bad", ["explode", 7])
def test_an_unknown_policy_is_refused(bad: object) -> None:
    app, orders = orders_app()
    with pytest.raises(ConfigError, match="isn't a policy"):
        app.agent(orders, on_error=bad)
