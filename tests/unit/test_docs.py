"""The documentation is true: every Python example runs, and every link leads somewhere.

The blocks marked ```python of a page run in order, as one program in an empty directory. A block that can't is preceded
by `<!-- no-run: reason -->`.
"""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

BLOCK = re.compile(r"(?P<mark><!-- no-run: [^\n]+ -->\n+)?^```python\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


def examples(text: str) -> list[str]:
    """The blocks to run, each at its own line numbers, so that a traceback points into the page."""
    return [
        "\n" * text.count("\n", 0, found.start("code")) + found["code"]
        for found in BLOCK.finditer(text)
        if found["mark"] is None
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = ModuleType("page")  # a module of its own: types are looked up by their module's name
    monkeypatch.setitem(sys.modules, program.__name__, program)
    monkeypatch.chdir(tmp_path)
    for code in examples(page.read_text()):
        exec(compile(code, str(page), "exec", dont_inherit=True), program.__dict__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_to_files_that_are_there(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_a_block_keeps_its_line_and_one_with_a_reason_is_left_out() -> None:
    text = "# T\n\n```python\na\n```\n\n<!-- no-run: never ends -->\n```python\nb\n```\n\n```\nc\n```\n"
    assert examples(text) == ["\n\n\na\n"]


def test_every_page_is_rendered_and_linked_from_each(tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "docs" / "build.py"))["build"](tmp_path)
    built = {page.name: page.read_text() for page in tmp_path.glob("*.html")}
    assert {f"{page.stem}.html" for page in (ROOT / "docs").glob("*.md")} <= built.keys()
    for name, text in built.items():
        targets = set(re.findall(r'href="(?!\w+:)([^"#]+)', text))
        assert {other for other in built if other not in targets} == set(), name
        assert [target for target in targets if not (tmp_path / target).exists()] == [], name
