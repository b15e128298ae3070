"""The hot paths run and come to right answers; how long they take is for people."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from rich.console import Console

from benchmarks.micro import PATHS, HotPath, measure, table_of, write


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_path_is_measured_as_nanoseconds_a_record(path: HotPath, tmp_path: Path) -> None:
    measured = anyio.run(measure, path, 0.0)
    assert measured.path == path.name
    assert 0 < measured.ns_per_record_min <= measured.ns_per_record
    (row,) = write([measured], {"measured_at": "2026-01-01T00:00:00+00:00"}, tmp_path).read_text().splitlines()
    assert json.loads(row)["ns_per_record"] == measured.ns_per_record
    console = Console(width=120)
    with console.capture() as shown:
        console.print(table_of([measured]))
    assert path.what in shown.get()
