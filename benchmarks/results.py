"""What the repeats of a job add up to, and how it is shown. Pure: no clock, no processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from rich.table import Table

OURS = "streamflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A job of a contender over all repeats; `failure` says why there are no numbers."""

    job: str
    contender: str
    events: int
    events_per_second: float | None = None
    events_per_second_min: float | None = None
    events_per_second_max: float | None = None
    peak_rss_mb: float | None = None
    repeats: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""

    def row(self, machine: Mapping[str, Any], ours: Result | None) -> dict[str, Any]:
        """The JSON row: this result, the machine it was measured on, and its rate over Streamflow's."""
        return {**asdict(self), "ratio_to_streamflow": _ratio(self, ours), **machine}


def result_of(job: str, contender: str, events: int, lines: Sequence[Mapping[str, Any]]) -> Result:
    """The median of the repeats' rates, their extremes, and the highest peak of memory.

    A wrong answer in any repeat is a failure: a rate of wrong work is no rate.
    """
    wrong = [line for line in lines if not line["correct"]]
    if wrong:
        return Result(job=job, contender=contender, events=events, failure=f"wrong answer {wrong[0]['answer']}")
    rates = [line["events_per_second"] for line in lines]
    return Result(
        job=job,
        contender=contender,
        events=events,
        events_per_second=median(rates),
        events_per_second_min=min(rates),
        events_per_second_max=max(rates),
        peak_rss_mb=max(line["peak_rss_mb"] for line in lines),
        repeats=len(lines),
        versions=lines[0]["versions"],
    )


def ours_in(results: Sequence[Result], job: str) -> Result | None:
    """Streamflow's result of the job, if it has one."""
    return next((r for r in results if r.job == job and r.contender == OURS), None)


def table_of(results: Sequence[Result]) -> Table:
    """One table of all results, a section a job; `ratio` is the rate over Streamflow's."""
    table = Table()
    table.add_column("job")
    table.add_column("engine", no_wrap=True)
    for name in ("events", "events/s", "peak MB", "ratio"):
        table.add_column(name, justify="right")
    job = ""
    for result in results:
        if job and result.job != job:
            table.add_section()
        table.add_row("" if result.job == job else result.job, result.contender, *_cells(result, results))
        job = result.job
    return table


def failures_of(results: Sequence[Result]) -> list[str]:
    """A line for each result without numbers, saying why."""
    return [f"{r.contender}, {r.job}: {r.failure}" for r in results if r.failure]


def _cells(result: Result, results: Sequence[Result]) -> tuple[str, ...]:
    if result.events_per_second is None:
        return f"{result.events:,}", "—", "—", "—"
    ratio = _ratio(result, ours_in(results, result.job))
    return (
        f"{result.events:,}",
        f"{result.events_per_second:,.0f}",
        f"{result.peak_rss_mb:,.0f}",
        "—" if ratio is None else f"{ratio:.3f}",
    )


def _ratio(result: Result, ours: Result | None) -> float | None:
    if ours is None or not ours.events_per_second or result.events_per_second is None:
        return None
    return result.events_per_second / ours.events_per_second
