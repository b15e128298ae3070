"""Failover is measured from the kill to what was produced after it; how long it takes is for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.broker import failover


def test_what_was_produced_before_a_kill_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "RESUME_SECONDS_MAX", 0)
    acknowledged = failover.Acknowledged()
    acknowledged.note(produced=1.0)
    with pytest.raises(failover.FailoverError):
        acknowledged.after(1.0)
    acknowledged.note(produced=2.0)
    assert acknowledged.after(1.0) == acknowledged.at


def test_an_older_record_acknowledged_late_changes_nothing() -> None:
    acknowledged = failover.Acknowledged()
    acknowledged.note(produced=2.0)
    first = acknowledged.at
    acknowledged.note(produced=1.0)
    assert (acknowledged.produced, acknowledged.at) == (2.0, first)


def test_the_table_has_the_median_and_the_extremes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    results = {"streamflow": [1.0, 2.0, 9.0]}
    console = Console(width=120)
    with console.capture() as shown:
        console.print(failover.table_of(results))
    assert all(figure in shown.get() for figure in ("2.00", "1.00", "9.00"))
    monkeypatch.setattr(failover, "RESULTS", tmp_path)
    failover.write(results, datetime(2026, 1, 1, tzinfo=UTC))
    row = json.loads((tmp_path / "failover-20260101-000000.jsonl").read_text())
    assert (row["contender"], row["median_s"], row["max_s"], row["seconds"]) == (
        "streamflow",
        2.0,
        9.0,
        [1.0, 2.0, 9.0],
    )
