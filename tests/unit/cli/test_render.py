"""An app's graph, drawn."""

from __future__ import annotations

from xml.etree import ElementTree

import anyio

import streamflow as sf
from streamflow.cli.graph import pieces_of
from streamflow.cli.render import as_svg, as_text


class Order(sf.Record):
    card: str
    amount: float


def an_app() -> sf.App:
    app = sf.App("shop", partitions=2)
    orders = app.topic("orders", value=Order, key="card")
    cards = app.table("cards", source=app.topic("cards", value=Order))
    out = app.topic("out & more")
    orders.stream(name="totals").join(cards).to(out)
    (
        orders.stream(name="windows")
        .filter(lambda o: o.amount > 1)
        .group_by("card", name="by-card")
        .window(sf.tumbling("1m"))
        .aggregate(n=sf.count())
        .to(out)
    )
    return app


def test_the_graph_as_text_shows_each_way_through_each_piece() -> None:
    shown = as_text(anyio.run(pieces_of, an_app()))
    assert (
        """  topic orders
  └─ filter
     └─ rekey
        └─ topic shop-by-card-repartition
"""
        in shown
    )
    assert "  └─ join ⋈ cards\n" in shown
    assert "(2 tasks)" in shown


def test_the_drawing_is_sound_and_no_two_boxes_overlap() -> None:
    drawing = ElementTree.fromstring(as_svg(anyio.run(pieces_of, an_app())))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [
        (float(r.get("x")), float(r.get("y")), float(r.get("width")), float(r.get("height")))
        for r in drawing.iter(f"{space}rect")
        if r.get("x") is not None
    ]
    assert len(boxes) == len(set(boxes))
    for n, (x, y, w, h) in enumerate(boxes):
        for x2, y2, w2, h2 in boxes[n + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    words = [t.text for t in drawing.iter(f"{space}text")]
    assert "out & more" in words
    assert words.count("orders") == 1
