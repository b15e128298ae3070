"""The page of differences is the table the clients' tests ask."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_the_table() -> None:
    made = runpy.run_path(str(ROOT / "docs/differences.py"))
    assert made["DIFFERENCES"], "the table is read from the tests"
    assert made["PAGE"].read_text() == made["page"](), "write it anew: python docs/differences.py"
