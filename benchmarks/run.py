"""`make bench`: the same jobs in Streamflow, Faust and Quix Streams, on this machine, in this run.

    python -m benchmarks.run [--jobs agent window] [--contenders faust] [--repeats 3]

Every job of every contender runs in a process of its own, on one core, and the contenders take turns, so that what
else the machine does falls on all of them. Prints a table and writes a JSON row a result under `results/`. Nothing
here passes or fails: numbers are for people. README.md says what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.events import JOBS
from benchmarks.results import OURS, Result, failures_of, ours_in, result_of, table_of
from benchmarks.venvs import NotInstalledError, last_line, python_of

HERE = Path(__file__).parent
JOB_SECONDS_MAX = 300


@dataclass(frozen=True, slots=True)
class Contender:
    """`events` is how many a job runs over: fewer for slow ones, the rate being what is compared.

    The module runs in the environment that belongs to `name`; Streamflow's is the one this runs in.
    """

    name: str
    module: str
    events: int

    def python(self) -> Path:
        return Path(sys.executable) if self.name == OURS else python_of(self.name)


CONTENDERS = (
    Contender(OURS, "benchmarks.peers.streamflow_job", 500_000),
    Contender("faust", "benchmarks.peers.faust_job", 100_000),
    Contender("quixstreams", "benchmarks.peers.quix_job", 200_000),
)


class JobFailedError(Exception):
    """A job's process ended without a result; the message is the last thing it said."""


def run_once(python: Path, module: str, job: str, events: int) -> dict[str, Any]:
    """One job in a process of its own. Returns the line it printed.

    Raises: JobFailedError.
    """
    command = [str(python), "-W", "ignore", "-m", module, "--job", job, "--events", str(events)]
    try:
        done = subprocess.run(
            command, cwd=HERE.parent, check=False, capture_output=True, text=True, timeout=JOB_SECONDS_MAX
        )
    except subprocess.TimeoutExpired as expired:
        raise JobFailedError(f"took more than {JOB_SECONDS_MAX} s") from expired
    if done.returncode != 0:
        raise JobFailedError(last_line(done.stderr) or f"exited with {done.returncode}")
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return line


def run_job(job: str, contenders: Mapping[Contender, Path | str], repeats: int, console: Console) -> list[Result]:
    """All contenders at one job, taking turns. A string instead of an interpreter says why there is none."""
    lines: dict[Contender, list[dict[str, Any]]] = {c: [] for c in contenders}
    failures = {c: f"not installed: {why}" for c, why in contenders.items() if isinstance(why, str)}
    for repeat in range(repeats):
        for contender, python in contenders.items():
            if contender in failures:
                continue
            with console.status(f"{job}: {contender.name}, {repeat + 1} of {repeats}"):
                try:
                    lines[contender].append(run_once(Path(python), contender.module, job, contender.events))
                except JobFailedError as failed:
                    failures[contender] = str(failed)
    return [
        Result(job=job, contender=c.name, events=c.events, failure=failures[c])
        if c in failures
        else result_of(job, c.name, c.events, lines[c])
        for c in contenders
    ]


def environments(contenders: list[Contender], console: Console) -> dict[Contender, Path | str]:
    """The interpreter of each contender, or why there is none."""
    found: dict[Contender, Path | str] = {}
    for contender in contenders:
        with console.status(f"installing {contender.name}"):
            try:
                found[contender] = contender.python()
            except NotInstalledError as failed:
                found[contender] = str(failed)
    return found


def machine() -> dict[str, Any]:
    """Where and when this was measured."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "system": platform.platform(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def write(results: list[Result], here: Mapping[str, Any]) -> Path:
    """Writes a JSON row a result. Returns the file."""
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{here['measured_at'].replace(':', '')}.jsonl"
    rows = (result.row(here, ours_in(results, result.job)) for result in results)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--contenders", nargs="+", choices=[c.name for c in CONTENDERS], metavar="NAME")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    console = Console()
    chosen = [c for c in CONTENDERS if not asked.contenders or c.name in asked.contenders]
    pythons = environments(chosen, console)
    results: list[Result] = []
    for job in asked.jobs:
        results += run_job(job, pythons, asked.repeats, console)
    here = machine()
    console.print(table_of(results))
    for failure in failures_of(results):
        console.print(failure, markup=False)
    path = write(results, here)
    console.print(f"median of {asked.repeats}, one core each: {here['cpu']}, Python {here['python']}")
    console.print(f"rows: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    console.print("what each number includes: benchmarks/README.md")


if __name__ == "__main__":
    main()
