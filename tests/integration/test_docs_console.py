"""The sessions on the pages are true: each command is typed as it stands there, and prints what stands below it.

The blocks marked ```console of a page are one session in an empty directory. `…` stands for anything, and `^C` for the
interrupt, typed when what stands above it was printed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from streamflow.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    if "```console" in page.read_text()
]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INTERRUPT = "^C\n"
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "COLUMNS": "120",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Typed:
    """One command, the line it stands at, and what it is said to print."""

    command: str
    line: int
    output: str


def session(text: str) -> Iterator[Typed]:
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        for part in re.split(r"^(?=\$ )", block[1], flags=re.MULTILINE):
            if part:
                command, _, output = part.removeprefix("$ ").partition("\n")
                yield Typed(command, line + 1, output)
            line += part.count("\n")


def pattern(output: str) -> re.Pattern[str]:
    return re.compile(".*?".join(map(re.escape, output.split("…"))), re.DOTALL)


def trimmed(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def typed(command: str, before: str | None, directory: Path) -> str:
    """What the command prints. With `before`, it is interrupted when it has printed that many lines."""
    with subprocess.Popen(
        ["bash", "-c", command if before is None else f"exec {command}"],
        cwd=directory,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = ""
        if before is not None:
            for _ in before.splitlines():
                printed += process.stdout.readline()
            process.send_signal(signal.SIGINT)
            printed += INTERRUPT
        return trimmed(printed + process.stdout.read())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_prints_what_the_page_says(page: Path, tmp_path: Path) -> None:
    directory = tmp_path
    for step in session(page.read_text()):
        if step.command.startswith("cd "):
            directory /= step.command.removeprefix("cd ")
            continue
        before, interrupt, _ = step.output.partition(INTERRUPT)
        printed = typed(step.command, before if interrupt else None, directory)
        as_said = pattern(step.output).fullmatch(printed) is not None
        assert as_said, (
            f"{page.name}:{step.line}: $ {step.command}\n--- the page says\n{step.output}--- it printed\n{printed}"
        )


def commands(group: TyperGroup, path: str = "streamflow") -> Iterator[tuple[str, list[str]]]:
    """Every command with its options' long names."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{path} {name}")
        else:
            options = [option for parameter in command.params for option in parameter.opts]
            yield f"{path} {name}", [option for option in options if option.startswith("--")]


def test_every_command_and_every_option_is_on_the_page() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    sections = {
        text.partition("\n")[0]: text
        for text in re.split(r"^## ", (ROOT / "docs/cli.md").read_text(), flags=re.MULTILINE)
    }
    for command, options in commands(group):
        text = sections[command.split()[1]]
        assert f"`{command}" in text, command
        assert [option for option in options if option not in text] == [], command
        assert re.search(rf"^\$ .*{command}", text, re.MULTILINE), f"{command} has no example"
