"""Tables inside agents: what comes back after a restart, and what an event that fails leaves behind."""

from __future__ import annotations

from collections import Counter, deque
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

import streamflow as sf
from streamflow.errors import AppError, ConfigError
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


def restarted(value: Any, /, **declared: Any) -> dict[Any, Any]:
    """A table that holds the value, after a crash."""
    app = sf.App("site", partitions=1)
    visits, kept = app.topic("visits"), app.table("kept", **declared)

    @app.agent(visits)
    async def keep(stream):
        async for _ in stream:
            kept["key"] = value

    with TestApp(app) as t:
        t.send(visits, 1)
        assert t.table(kept) == {"key": value}
        t.crash()
        return t.table(kept)


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        (None, {}),
        (None, {"default": int}),
        (None, {"value": Visit}),
        ((1, (2, "b")), {}),
        ({1, 2}, {}),
        ({"at": date(2026, 1, 2), 3: [(4,)]}, {}),
        ({"pair": (1, 2)}, {"default": dict}),
        ([(1, 2), None], {"default": list}),
        (10**30, {"default": int}),
        (True, {"default": int}),
        (1, {"default": float}),
        (Decimal("1.50"), {"default": Decimal}),
        (7, {"default": lambda: None}),
        (Visit("a", 1), {"value": Visit}),
        ([Visit("a", 1)], {"default": list, "value": list[Visit]}),
    ],
)
def test_a_value_comes_back_after_a_restart_as_it_was(value: Any, declared: dict[str, Any]) -> None:
    (back,) = restarted(value, **declared).values()
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        (Visit("a", 1), {}),
        ([Visit("a", 1)], {"default": list}),
        (Counter("aab"), {"default": dict}),
        (Visit("a", "no number"), {"value": Visit}),
        ({"a": "x"}, {"value": dict[str, int]}),
        ("text", {"default": int}),
    ],
)
def test_a_value_that_would_not_come_back_stops_the_worker_before_it_is_committed(
    value: Any, declared: dict[str, Any]
) -> None:
    with pytest.raises(AppError, match=r"table 'kept' can't keep what it has for key 'key': .*declare the type with"):
        restarted(value, **declared)


@pytest.mark.parametrize("default", [Counter, lambda: Visit("a", "no number"), lambda: deque([1])])
def test_a_default_that_would_not_come_back_is_refused_where_the_table_is_declared(default: Any) -> None:
    with pytest.raises(ConfigError, match="table 'kept' can't keep what its default makes"):
        sf.App("site").table("kept", default=default)


def test_none_is_a_value_and_only_del_deletes() -> None:
    app = sf.App("site", partitions=1)
    visits, seen = app.topic("visits", value=Visit, key="page"), app.table("seen", default=int)

    @app.agent(visits)
    async def keep(stream):
        async for visit in stream:
            seen[visit.page] = None
            if visit.ms == 0:
                del seen[visit.page]

    with TestApp(app) as t:
        t.send(visits, Visit("kept", 1))
        t.send(visits, Visit("deleted", 1))
        t.crash()
        assert t.table(seen) == {"kept": None, "deleted": None}
        t.send(visits, Visit("deleted", 0))
        t.crash()
        assert t.table(seen) == {"kept": None}
