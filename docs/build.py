"""Renders the pages as HTML: `make docs`.

One file a page, one stylesheet, no script: they can be read from the disk. The pages are `PAGES`, in the order of the
menu; another Markdown file in this directory comes behind them, by name.
"""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

HERE = Path(__file__).parent
PAGES = [HERE / name for name in ("index.md", "tutorial.md", "cli.md", "guarantees.md", "broker.md")]
LAST = [HERE.parent / "CONTRIBUTING.md", HERE.parent / "CHANGELOG.md"]

TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<nav>
<ul>
{menu}
</ul>
</nav>
<main>
{body}
</main>
</body>
</html>
"""


def pages() -> list[Path]:
    return [*PAGES, *sorted(set(HERE.glob("*.md")) - set(PAGES)), *LAST]


def file_name(page: Path) -> str:
    return f"{page.stem.lower()}.html"


def coloured(code: str, language: str, _: str) -> str:
    """Highlighted Python and sessions; anything else stays plain text, escaped by who calls."""
    if language not in ("python", "console"):
        return ""
    inner: str = highlight(code, get_lexer_by_name(language), HtmlFormatter(nowrap=True))
    return f'<pre><code class="highlight">{inner}</code></pre>'


def anchor(heading: str) -> str:
    return re.sub(r"[^\w]+", "-", heading.lower()).strip("-")


def linked(tokens: list[Token]) -> None:
    """Gives headings an id, and lets links to pages lead to their HTML."""
    names = {page.name: file_name(page) for page in pages()}
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            token.attrSet("id", anchor(following.content))
        for child in token.children or ():
            if child.type == "link_open":
                target, hash_mark, place = str(child.attrGet("href")).partition("#")
                child.attrSet("href", names.get(target.rpartition("/")[2], target) + hash_mark + place)


def render(page: Path) -> tuple[str, str]:
    """A page's title and its HTML."""
    markdown = MarkdownIt("commonmark", {"highlight": coloured}).enable("table")
    text = page.read_text()
    tokens = markdown.parse(text)
    linked(tokens)
    body = markdown.renderer.render(tokens, markdown.options, {})
    # A wide table scrolls by itself; the page never does.
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    return text.partition("\n")[0].removeprefix("# "), body


def stylesheet() -> str:
    light = HtmlFormatter(style="default").get_style_defs("code.highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs("code.highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n\n{(HERE / 'style.css').read_text()}"


def build(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    rendered = {page: render(page) for page in pages()}
    for page, (title, body) in rendered.items():
        menu = "\n".join(
            f'<li><a href="{file_name(p)}"{" aria-current=page" if p is page else ""}>{escape(t)}</a></li>'
            for p, (t, _) in rendered.items()
        )
        whole = title if title == "Streamflow" else f"{title} · Streamflow"
        (directory / file_name(page)).write_text(TEMPLATE.format(title=escape(whole), menu=menu, body=body))
    (directory / "style.css").write_text(stylesheet())


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs")
    build(target)
    print(f"{len(pages())} pages in {target}; begin with {target / 'index.html'}")
