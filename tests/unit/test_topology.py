"""The graph: how it is cut, ordered, and given partitions."""

from __future__ import annotations

import anyio
import pytest

import streamflow as sf
from streamflow.errors import AppError
from streamflow.topology import assign_partitions


class Order(sf.Record):
    card: str
    amount: float


def planned(app: sf.App):
    return anyio.run(app.plan).pieces


def test_a_repartition_topic_cuts_the_graph_and_takes_its_writers_partitions() -> None:
    app = sf.App("shop")
    orders = app.topic("orders", value=Order, partitions=6)
    orders.stream().group_by("card").aggregate(n=sf.count()).to(app.topic("out"))
    first, second = planned(app)
    counts = assign_partitions([first, second], {}, default=4)
    assert [p.partitions for p in (first, second)] == [6, 6]
    assert counts == {"orders": 6, "shop-orders-by-key-repartition": 6, "out": 4}


def test_pieces_are_ordered_upstream_first_whatever_the_order_of_declaration() -> None:
    app = sf.App("shop")
    orders, slow = app.topic("orders", value=Order), app.topic("slow", value=Order)

    @app.agent(slow)
    async def last(stream):
        async for _ in stream:
            pass

    orders.stream(name="first").filter(lambda o: o.amount > 1).to(slow)
    assert [p.name for p in planned(app)] == ["first-to-slow", "last"]


def test_a_topic_that_exists_keeps_its_partitions() -> None:
    app = sf.App("shop")
    app.topic("orders", value=Order).stream().to(app.topic("out"))
    assert assign_partitions(planned(app), {"orders": 9}, default=4)["orders"] == 9


def test_a_declaration_that_contradicts_the_log_is_refused() -> None:
    app = sf.App("shop")
    app.topic("orders", value=Order, partitions=8).stream().to(app.topic("out"))
    with pytest.raises(AppError, match="'orders' has 9 partitions, the app declares 8"):
        assign_partitions(planned(app), {"orders": 9}, default=4)


def test_names_that_key_state_must_differ() -> None:
    app = sf.App("shop")
    orders = app.topic("orders", value=Order)
    orders.stream(name="same")
    with pytest.raises(AppError, match="'same' is used twice"):
        orders.stream(name="same")


def test_a_stream_of_unknown_type_cannot_be_grouped_if_it_holds_records() -> None:
    app = sf.App("shop")
    orders = app.topic("orders", value=Order)
    grouped = orders.stream().map(lambda o: o).group_by("card")
    grouped.to(app.topic("out"))
    from streamflow.errors import AgentError
    from streamflow.testing import TestApp

    with (
        pytest.raises(AgentError, match=r"orders-0 offset 0: EncodeError: .* the stream's type isn't known"),
        TestApp(app) as t,
    ):
        t.send(orders, Order("a", 1.0))
        t.advance("1s")
