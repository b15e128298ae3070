"""Runs one job of one contender in this process and prints one JSON line about it.

A contender is a module with a function a job; this is the part they share, so that all are measured alike: pinned to
one core before any of their threads exists, timed by themselves from the first event to the last commit, peak memory
read when all is done.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from benchmarks.events import JOBS, answer


class Outcome(NamedTuple):
    """What a job measured of itself: seconds from the first event to the last commit, and its answer."""

    seconds: float
    answer: str


Job = Callable[[int], Outcome]


def pin_to_one_core() -> int | None:
    """Keeps this process on one core. Returns the core, or None where the system can't do it."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def peak_rss_mb() -> float:
    """Peak resident memory of this process, in MB (10^6 bytes).

    Read from VmHWM where there is one: on Linux `ru_maxrss` also remembers the parent's size from before the exec.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(contender: str, packages: list[str], jobs: Mapping[str, Job]) -> None:
    """Runs the job that the command line names, `--job JOB --events N`, and prints its line."""
    parser = argparse.ArgumentParser(description=f"one benchmark job of {contender}")
    parser.add_argument("--job", choices=JOBS, required=True)
    parser.add_argument("--events", type=int, default=100_000)
    asked = parser.parse_args()
    core = pin_to_one_core()
    outcome = jobs[asked.job](asked.events)
    line = {
        "contender": contender,
        "job": asked.job,
        "events": asked.events,
        "seconds": outcome.seconds,
        "events_per_second": asked.events / outcome.seconds,
        "peak_rss_mb": peak_rss_mb(),
        "correct": outcome.answer == answer(asked.job, asked.events),
        "answer": outcome.answer,
        "versions": {name: version(name) for name in packages},
        "python": platform.python_version(),
        "core": core,
    }
    print(json.dumps(line), flush=True)
