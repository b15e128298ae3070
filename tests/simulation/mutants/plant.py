"""Plants known mistakes, one at a time, in a copy of `streamflow/`, and says which check of the simulation catches it.

    python -m tests.simulation.mutants.plant [--seeds 200] [--nodes 3] [--only WORDS] [--write]

`--write` puts the table into docs/reliability.md, between its markers. A mistake whose text isn't found exactly once is
an error, and so is one that isn't caught: a simulation that can't catch these proves nothing.

Rules for whoever edits this: the work tree isn't touched. Mutants are in the lists `MUTANTS` of the modules here.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.simulation.mutants.mutant import Mutant

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- mutants: begin -->", "<!-- mutants: end -->"
MUTANT_SECONDS = 300
_RUN = """
import json, sys
from tests.simulation.cluster.run import Scenario, run
first, seeds, nodes = (int(a) for a in sys.argv[1:])
for seed in range(first, first + seeds):
    violations = run(Scenario.draw(seed, nodes)).violations
    if violations:
        print(json.dumps([seed - first + 1, seed, violations[0]]))
        break
else:
    print("null")
"""


@dataclass(frozen=True, slots=True)
class Caught:
    """By what, and after how many seeds; `by` is empty when it wasn't."""

    mutant: Mutant
    by: str = ""
    seeds: int = 0
    seed: int = -1
    error: str = ""


def mutants(only: str = "") -> list[Mutant]:
    """All there are, by modules in order of their names."""
    found: list[Mutant] = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        module = import_module(f"tests.simulation.mutants.{path.stem}") if path.stem != "plant" else None
        found += getattr(module, "MUTANTS", [])
    return [m for m in found if only in f"{m.file} {m.name}"]


def applied(mutant: Mutant, text: str) -> str:
    """Raises: ValueError when the mistake can't be made any more."""
    times = text.count(mutant.find)
    if times != 1:
        raise ValueError(f"'{mutant.name}': its text is {times} times in {mutant.file}, and must be there once")
    return text.replace(mutant.find, mutant.replace)


@contextmanager
def planted(mutant: Mutant) -> Iterator[Path]:
    """A directory whose `streamflow` has the mistake, and whose `tests` are these. Raises: ValueError."""
    with tempfile.TemporaryDirectory(prefix="streamflow-mutant-") as home:
        place = Path(home)
        shutil.copytree(ROOT / "streamflow", place / "streamflow", ignore=shutil.ignore_patterns("__pycache__"))
        (place / "tests").symlink_to(ROOT / "tests")
        file = place / mutant.file
        file.write_text(applied(mutant, file.read_text()))
        yield place


def catch(mutant: Mutant, seeds: int, nodes: int, first: int = 0) -> Caught:
    """Runs seeds until one goes wrong."""
    try:
        with planted(mutant) as place:
            done = subprocess.run(
                [sys.executable, "-B", "-c", _RUN, str(first), str(seeds), str(nodes)],
                cwd=place,
                capture_output=True,
                text=True,
                timeout=MUTANT_SECONDS,
                check=False,
            )
    except ValueError as error:
        return Caught(mutant, error=str(error))
    except subprocess.TimeoutExpired:
        return Caught(mutant, by="a run doesn't end", seeds=1)
    if done.returncode:
        return Caught(mutant, error=done.stderr[-600:])
    found = json.loads(done.stdout.splitlines()[-1])
    return Caught(mutant) if found is None else Caught(mutant, by=found[2], seeds=found[0], seed=found[1])


def check_of(violation: str) -> str:
    """The name of the check alone, in a line."""
    return " ".join(violation.split(":")[0].split())[:80]


def table(results: Sequence[Caught]) -> str:
    """In Markdown."""
    lines = ["| mistake | what it would do | caught by | seeds |", "|---|---|---|---|"]
    for caught in results:
        by = check_of(caught.by) or f"**not caught** {caught.error}"
        lines.append(f"| {caught.mutant.name} | {caught.mutant.why} | {by} | {caught.seeds or ''} |")
    return "\n".join(lines)


def write(text: str, page: str) -> str:
    """The page with the table between its markers. Raises: ValueError when it hasn't any."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has no '{BEGIN}' and '{END}'")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    results: list[Caught] = []
    with ThreadPoolExecutor(given.processes) as pool:
        for caught in pool.map(lambda mutant: catch(mutant, given.seeds, given.nodes), mutants(given.only)):
            results.append(caught)
            how = f"after {caught.seeds} seeds: {check_of(caught.by)}" if caught.by else f"NOT CAUGHT {caught.error}"
            print(f"{caught.mutant.file.rpartition('/')[2]:<24}{caught.mutant.name:<50}{how}", flush=True)
    missed = [caught for caught in results if not caught.by]
    print(f"{len(results) - len(missed)} of {len(results)} are caught")
    if given.write:
        PAGE.write_text(write(table(results), PAGE.read_text()))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
