"""The flights app, as a user runs it: its tables are those of one SQL query each, killed on the way or not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from apps.flights.expected import AIRCRAFT_ALERTS, HOURLY, WEATHER_ALERTS, answer

ROOT = Path(__file__).parents[2]
KILLS = 20
RUN_SECONDS_MAX = 120


def start(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "apps.flights"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def tables(directory: Path) -> dict[str, list[dict[str, Any]]]:
    orders = {
        "hourly": "hour_start, airport",
        "weather_alerts": "hour_start, airport",
        "aircraft_alerts": "scheduled, carrier, flight",
    }
    with duckdb.connect(str(directory / "streamflow-data/flights/flights.duckdb"), read_only=True) as connection:
        found = {}
        for table, order in orders.items():
            cursor = connection.execute(f"FROM {table} ORDER BY {order}")
            names = [c[0] for c in cursor.description]
            found[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return found


def expected() -> dict[str, list[dict[str, Any]]]:
    return {
        "hourly": answer(HOURLY),
        "weather_alerts": answer(WEATHER_ALERTS),
        "aircraft_alerts": answer(AIRCRAFT_ALERTS),
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_tables_are_those_of_one_sql_query_each_and_the_report_shows_them(tmp_path: Path) -> None:
    process = start(tmp_path)
    output, _ = process.communicate(timeout=RUN_SECONDS_MAX)
    assert process.returncode == 0, output
    want = expected()
    assert tables(tmp_path) == want
    assert sum(row["flights"] for row in want["hourly"]) == 27_004
    assert f"Weather alerts: {len(want['weather_alerts'])} " in output
    assert f"Aircraft alerts: {len(want['aircraft_alerts'])} " in output

    again = start(tmp_path)
    output, _ = again.communicate(timeout=RUN_SECONDS_MAX)
    assert again.returncode == 0, output
    assert tables(tmp_path) == want


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_random_moments_and_started_again_it_ends_with_the_same_tables(tmp_path: Path) -> None:
    chance = random.Random(20_130_101)
    want = expected()
    kills = runs = 0
    while kills < KILLS:
        runs += 1
        directory = tmp_path / str(runs)
        directory.mkdir()
        for _ in range(chance.randint(1, 5)):
            process = start(directory)
            try:
                output, _ = process.communicate(timeout=chance.uniform(0.2, 2.5))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
            else:
                assert process.returncode == 0, output
                break
        process = start(directory)
        output, _ = process.communicate(timeout=RUN_SECONDS_MAX)
        assert process.returncode == 0, output
        assert tables(directory) == want, f"after {kills} kills, in run {runs}"
    print(f"{kills} kills in {runs} runs, every run ended with the same tables")
