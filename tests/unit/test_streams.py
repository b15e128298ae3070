"""The declarative form, end to end on virtual time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import streamflow as sf
from streamflow.errors import AppError, ConfigError
from streamflow.testing import TestApp

T0 = datetime(2026, 1, 1, tzinfo=UTC)


class Visit(sf.Record):
    page: str
    ms: int


class Page(sf.Record):
    page: str
    title: str


class Titled(sf.Record):
    title: str
    ms: int


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def visits_app() -> tuple[sf.App, object, object]:
    app = sf.App("site", partitions=3)
    return app, app.topic("visits", value=Visit, key="page"), app.topic("out")


def test_a_tumbling_window_is_emitted_once_complete_with_its_bounds() -> None:
    app, visits, out = visits_app()
    (
        visits.stream()
        .group_by("page")
        .window(sf.tumbling("1m"), grace="10s")
        .aggregate(n=sf.count(), slowest=sf.max("ms"))
        .to(out)
    )
    with TestApp(app) as t:
        for s, page, ms in ((1, "a", 5), (2, "b", 7), (30, "a", 9), (61, "a", 1)):
            t.send(visits, Visit(page, ms), at=at(s))
        assert t.read(out) == []
        t.send(visits, Visit("b", 1), at=at(75))
        t.send(visits, Visit("a", 1), at=at(75))
        t.send(visits, Visit("c", 1), at=at(75))
        t.end()
        rows = t.read(out)
    minute = [r for r in rows if r["start"] == "2026-01-01T00:00:00Z"]
    assert sorted((r["key"], r["n"], r["slowest"], r["final"]) for r in minute) == [
        ("a", 2, 9, True),
        ("b", 1, 7, True),
    ]
    assert {r["end"] for r in minute} == {"2026-01-01T00:01:00Z"}


def test_a_day_long_window_closes_in_a_test_of_milliseconds() -> None:
    app, visits, out = visits_app()
    visits.stream().window(sf.tumbling("24h")).aggregate(n=sf.count()).to(out)
    with TestApp(app) as t:
        t.send(visits, Visit("a", 1))
        t.send(visits, Visit("a", 1))
        t.advance("12h")
        assert t.read(out) == []
        t.advance("13h")
        (row,) = t.read(out)
    assert (row["key"], row["n"]) == ("a", 2)


def test_windows_survive_a_crash_and_close_once() -> None:
    app, visits, out = visits_app()
    visits.stream().group_by("page").window(sf.tumbling("1m")).aggregate(n=sf.count()).to(out)
    with TestApp(app) as t:
        for n in range(30):
            t.send(visits, Visit("ab"[n % 2], 1), at=at(n * 5))
            if n % 4 == 3:
                t.advance("1ms")
                t.crash()
        t.end()
        t.crash()
        t.end()
        rows = t.read(out)
    got = sorted((r["key"], r["start"][14:16], r["n"]) for r in rows)
    assert got == [
        ("a", "00", 6),
        ("a", "01", 6),
        ("a", "02", 3),
        ("b", "00", 6),
        ("b", "01", 6),
        ("b", "02", 3),
    ]


def test_late_records_are_counted_and_not_added() -> None:
    app, visits, out = visits_app()
    visits.stream().window(sf.tumbling("1m")).aggregate(n=sf.count()).to(out)
    with TestApp(app) as t:
        t.send(visits, Visit("a", 1), at=at(10))
        t.send(visits, Visit("a", 1), at=at(100))
        t.send(visits, Visit("a", 1), at=at(20))
        assert t.late_records == 1
        assert [r["n"] for r in t.read(out)] == [1]


def test_hopping_windows_overlap() -> None:
    app, visits, out = visits_app()
    visits.stream().window(sf.hopping("1m", "30s")).aggregate(n=sf.count()).to(out)
    with TestApp(app) as t:
        t.send(visits, Visit("a", 1), at=at(45))
        t.end()
        starts = sorted(r["start"] for r in t.read(out))
    assert starts == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:30Z"]


def test_updates_are_emitted_before_the_final_row_when_asked() -> None:
    app, visits, out = visits_app()
    visits.stream().window(sf.tumbling("1m")).aggregate(emit="updates", n=sf.count()).to(out)
    with TestApp(app) as t:
        t.send(visits, Visit("a", 1), at=at(1))
        assert [(r["n"], r["final"]) for r in t.read(out)] == [(1, False)]
        t.send(visits, Visit("a", 1), at=at(2))
        assert [(r["n"], r["final"]) for r in t.read(out)] == [(2, False)]
        t.end()
        assert [(r["n"], r["final"]) for r in t.read(out)] == [(2, True)]


def test_a_running_aggregate_emits_a_row_a_key() -> None:
    app, visits, out = visits_app()
    visits.stream().aggregate(n=sf.count(), total=sf.sum("ms")).to(out)
    with TestApp(app) as t:
        t.send(visits, Visit("a", 1))
        t.read(out)
        t.crash()
        t.send(visits, Visit("a", 4))
        assert t.read(out) == [{"key": "a", "n": 2, "total": 5}]


def test_filter_map_flat_map_branch_and_merge() -> None:
    app, visits, out = visits_app()
    slow, quick = visits.stream().branch(lambda v: v.ms > 10, lambda v: True)
    shouted = slow.map(lambda v: {"page": v.page.upper(), "ms": v.ms})
    twice = quick.flat_map(lambda v: [{"page": v.page, "ms": v.ms}] * 2).filter(lambda v: v["page"] != "x")
    shouted.merge(twice).to(out)
    with TestApp(app) as t:
        for s, (page, ms) in enumerate((("a", 5), ("b", 50), ("x", 1))):
            t.send(visits, Visit(page, ms), at=at(s))
        rows = t.read(out)
    assert sorted((r["page"], r["ms"]) for r in rows) == [("B", 50), ("a", 5), ("a", 5)]


def test_through_writes_the_topic_and_goes_on() -> None:
    app, visits, out = visits_app()
    slow = app.topic("slow", value=Visit)
    visits.stream().filter(lambda v: v.ms > 10).through(slow).map(lambda v: v.ms).to(out)
    with TestApp(app) as t:
        t.send(visits, Visit("a", 11))
        t.send(visits, Visit("a", 1))
        assert t.read(slow) == [Visit("a", 11)]
        assert t.read(out) == [11]


def test_a_stream_joins_a_table_that_mirrors_a_topic_as_of_the_events_time() -> None:
    app, visits, out = visits_app()
    pages = app.topic("pages", value=Page, key="page")
    table = app.table("titles", source=pages)
    visits.stream().join(table, lambda v, p: {"title": p.title, "ms": v.ms}).to(out)
    with TestApp(app) as t:
        t.send(pages, Page("a", "old"), at=at(0))
        t.send(visits, Visit("a", 1), at=at(1))
        t.send(visits, Visit("b", 1), at=at(1))
        t.send(pages, Page("a", "new"), at=at(2))
        t.send(visits, Visit("a", 2), at=at(3))
        rows = t.read(out)
        assert t.table(table) == {"a": Page("a", "new")}
    assert rows == [{"title": "old", "ms": 1}, {"title": "new", "ms": 2}]


def test_a_left_join_keeps_events_without_a_row() -> None:
    app, visits, out = visits_app()
    table = app.table("titles", source=app.topic("pages", value=Page, key="page"))
    visits.stream().join(table, how="left").map(lambda j: j.right is None).to(out)
    with TestApp(app) as t:
        t.send(visits, Visit("b", 1))
        assert t.read(out) == [True]


def test_a_joined_stream_can_be_grouped_when_its_type_is_known() -> None:
    app, visits, out = visits_app()
    table = app.table("titles", source=app.topic("pages", value=Page, key="page"))

    def titled(visit: Visit, page: Page) -> Titled:
        return Titled(page.title, visit.ms)

    visits.stream().join(table, titled).group_by("title").aggregate(n=sf.count()).to(out)
    with TestApp(app) as t:
        for page in "ab":
            t.send(app._topics["pages"], Page(page, "same"), at=at(0))
        for page in "ab":
            t.send(visits, Visit(page, 1), at=at(1))
        rows = t.read(out)
    assert rows[-1] == {"key": "same", "n": 2}


def test_inputs_of_a_join_with_unequal_partitions_are_refused_with_the_way_out() -> None:
    app, visits, out = visits_app()
    table = app.table("titles", source=app.topic("pages", value=Page, key="page", partitions=5))
    visits.stream().join(table).to(out)
    with pytest.raises(AppError, match=r"aren't co-partitioned: .*'visits' has 3.*\.group_by"), TestApp(app):
        pass


def test_a_negative_window_or_grace_is_refused() -> None:
    _, visits, _ = visits_app()
    with pytest.raises(ConfigError, match="negative"):
        sf.tumbling("-1m")
    with pytest.raises(ConfigError, match="grace '-5s' is negative"):
        visits.stream().window(sf.tumbling("1m"), grace="-5s")


def test_a_stream_cannot_be_looped_over_outside_an_agent() -> None:
    _, visits, _ = visits_app()
    with pytest.raises(AppError, match="inside an agent"):
        visits.stream().__aiter__()
