"""The sessions on the pages are true: each command is typed as it stands there, and prints what stands below it.

The blocks marked ```console of a page are one session in an empty directory. `…` stands for anything, and `^C` for the
interrupt, typed when what stands above it was printed. What ends in ` &` goes on beside what follows, until `kill %1`.
The ports on the pages are others when they are tested: those may be taken.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import typer.main
from typer.core import TyperGroup

from streamflow.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    # What runs beside a session is a broker or three, which take their time to come and go.
    pytest.param(page, marks=[pytest.mark.slow] if " &\n" in text else [], id=page.name)
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    if "```console" in (text := page.read_text())
]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INTERRUPT = "^C\n"
PORT = re.compile(r"\b9[01]9[234]\b")
"""`cluster local`, as it comes."""
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


def moved(text: str) -> str:
    """With ports that nobody has."""
    named = {int(port) for port in PORT.findall(text)}
    random, by = Random(os.getpid()), 0
    while named and not (by and all(is_free(port + by) for port in named)):
        by = random.randrange(10_000, 40_000)
    return PORT.sub(lambda port: str(int(port[0]) + by), text)


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


class Terminal:
    """Where commands are typed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._job: subprocess.Popen[str] | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        if self._job is not None:
            self._job.terminate()
            self._job.communicate()

    def type(self, command: str, said: str) -> str:
        """What the command prints, which the page says is `said`."""
        if command.startswith("cd "):
            self._directory /= command.removeprefix("cd ")
            return said
        if command == "kill %1":
            assert self._job is not None, "nothing goes on"
            job, self._job = self._job, None
            job.terminate()
            return self._rest(job)
        before, interrupt, _ = said.partition(INTERRUPT)
        if command.endswith(" &"):
            self._job = self._begin(f"exec {command.removesuffix(' &')}")
            return self._read(self._job, said)
        process = self._begin(f"exec {command}" if interrupt else command)
        printed = ""
        if interrupt:
            printed = self._read(process, before) + INTERRUPT
            process.send_signal(signal.SIGINT)
        return printed + self._rest(process)

    def _begin(self, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", command],
            cwd=self._directory,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @staticmethod
    def _read(process: subprocess.Popen[str], said: str) -> str:
        """As many lines as are said."""
        assert process.stdout is not None
        return trimmed("".join(process.stdout.readline() for _ in said.splitlines()))

    @staticmethod
    def _rest(process: subprocess.Popen[str]) -> str:
        printed, _ = process.communicate()
        return trimmed(printed)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_prints_what_the_page_says(page: Path, tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        for step in session(moved(page.read_text())):
            printed = terminal.type(step.command, step.output)
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
