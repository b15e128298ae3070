"""What the month came to, queried back from DuckDB and shown on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

BAR_WIDTH = 40
SHOWN_ALERTS = 8


def query(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


def report(database: Path) -> Group:
    """Alerts, a table by airport, and a chart by day."""
    with duckdb.connect(str(database), read_only=True) as connection:
        shown: list[RenderableType] = [
            part(connection) for part in (weather_alerts, aircraft_alerts, by_airport, by_day)
        ]
        return Group(*(piece for part in shown for piece in (part, "")))


def weather_alerts(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = query(connection, "FROM weather_alerts ORDER BY delay_mean DESC, hour_start, airport")
    table = _table(f"Weather alerts: {len(rows)} hours, late in bad weather; the worst")
    for name, justify in (
        ("airport", "left"),
        ("hour (UTC)", "left"),
        ("mean delay", "right"),
        ("flights", "right"),
        ("sees", "right"),
        ("rain", "right"),
        ("wind", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for airport, hour, flights, _, mean, _, miles, inches, mph in rows[:SHOWN_ALERTS]:
        table.add_row(
            airport,
            f"{hour:%d %b %H:%M}",
            f"{mean:.0f} min",
            str(flights),
            f"{miles:g} mi",
            f"{inches:g} in",
            f"{mph:.0f} mph",
        )
    return table


def aircraft_alerts(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = query(
        connection,
        "SELECT tailnum, manufacturer, scheduled, carrier || ' ' || flight, origin || ' → ' || dest, "
        "first_delay, second_delay, third_delay FROM aircraft_alerts ORDER BY third_delay DESC, scheduled",
    )
    table = _table(f"Aircraft alerts: {len(rows)} delays that grew over three legs; the longest")
    for name in ("aircraft", "made by", "third leg (UTC)", "flight", "route", "delays"):
        table.add_column(name)
    for tail, maker, scheduled, flight, route, first, second, third in rows[:SHOWN_ALERTS]:
        table.add_row(
            tail, (maker or "?").title(), f"{scheduled:%d %b %H:%M}", flight, route, f"{first} → {second} → {third} min"
        )
    return table


def by_airport(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = query(
        connection,
        "SELECT airport, count(*), sum(flights), sum(flights) - sum(departed), "
        "sum(delay_mean * departed) / sum(departed), max(delay_max) FROM hourly GROUP BY airport ORDER BY airport",
    )
    table = _table("By airport")
    for name in ("airport", "hours", "flights", "cancelled", "mean delay", "longest"):
        table.add_column(name, justify="left" if name == "airport" else "right")
    for airport, hours, flights, cancelled, mean, longest in rows:
        table.add_row(airport, str(hours), f"{flights:,}", str(cancelled), f"{mean:.1f} min", f"{longest} min")
    return table


def by_day(connection: duckdb.DuckDBPyConnection) -> Group:
    rows = query(
        connection,
        "SELECT CAST(hour_start - INTERVAL 5 HOUR AS DATE) AS day, sum(delay_mean * departed) / sum(departed), "
        "(SELECT count(*) FROM weather_alerts AS w WHERE CAST(w.hour_start - INTERVAL 5 HOUR AS DATE) = day) "
        "FROM hourly GROUP BY day ORDER BY day",
    )
    most = max((mean for _, mean, _ in rows), default=1) or 1
    lines: list[Text] = [Text("Mean delay by day in minutes, and that day's weather alerts", "bold")]
    for day, mean, alerts in rows:
        bar = "█" * max(0, round(BAR_WIDTH * mean / most))
        style = "red" if alerts else "cyan"
        lines.append(
            Text.assemble(f"{day:%d %b} ", (f"{mean:5.1f} ", "dim"), (bar, style), f" {alerts}" if alerts else "")
        )
    return Group(*lines)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))


def show(console: Console, database: Path) -> None:
    console.print()
    console.print(report(database))
