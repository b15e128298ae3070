"""Tables inside agents: what an event that fails leaves behind."""

from __future__ import annotations

import pytest

import streamflow as sf
from streamflow.testing import TestApp


class Visit(sf.Record):
    page: str
    ms: int


def by_getitem(table, key):
    return table[key]


def by_get(table, key):
    return table.get(key) if key in table else table[key]


def by_items(table, key):
    return dict(table.items()).get(key) if key in table else table[key]


@pytest.mark.parametrize("look", [by_getitem, by_get, by_items])
def test_an_edit_in_place_by_an_event_that_was_set_aside_leaves_no_trace(look) -> None:
    app = sf.App("site", partitions=1)
    visits, out = app.topic("visits", value=Visit, key="page"), app.topic("out")
    seen = app.table("seen", default=list, value=list[int])

    @app.agent(visits, sink=out, on_error=sf.skip())
    async def collect(stream):
        async for visit in stream:
            look(seen, visit.page).append(visit.ms)
            seen[visit.page].append(-visit.ms)
            if visit.ms == 2:
                raise ValueError("two")
            yield list(seen[visit.page])

    with TestApp(app) as t:
        for ms in (2, 1, 2, 3):
            t.send(visits, Visit("a", ms))
        assert t.read(out) == [[1, -1], [1, -1, 3, -3]]
        t.crash()
        assert seen.as_dict() == {"a": [1, -1, 3, -3]}


def test_a_value_popped_by_an_event_that_was_set_aside_is_back() -> None:
    app = sf.App("site", partitions=1)
    visits = app.topic("visits", value=Visit, key="page")
    seen = app.table("seen", default=list, value=list[int])

    @app.agent(visits, on_error=sf.skip())
    async def collect(stream):
        async for visit in stream:
            if visit.ms == 2:
                seen.pop(visit.page).clear()
                raise ValueError("two")
            seen[visit.page].append(visit.ms)

    with TestApp(app) as t:
        for ms in (1, 2, 3):
            t.send(visits, Visit("a", ms))
        t.advance("1ms")
        assert seen.as_dict() == {"a": [1, 3]}
