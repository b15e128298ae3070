"""The page of settings says what the tables say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_the_tables() -> None:
    made = runpy.run_path(str(ROOT / "docs/settings.py"))
    assert made["PAGE"].read_text() == made["page"](), "write it anew: python docs/settings.py"
