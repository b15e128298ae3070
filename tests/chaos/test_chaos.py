"""Three minutes of chaos, as CI has them: real processes, real faults, and no anomaly."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.chaos.run import Asked, faults_of, run

MINUTES = float(os.environ.get("CHAOS_MINUTES", "3"))
NODES = int(os.environ.get("CHAOS_NODES", "3"))
SEED = int(os.environ.get("CHAOS_SEED", "0"))
MORE_SECONDS = 900
"""Healing, the clients' ends, and reading everything."""

pytestmark = [pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(MINUTES * 60 + MORE_SECONDS)]


def makes_clusters() -> bool:
    command = [sys.executable, "-m", "streamflow.cli.main", "broker", "--help"]
    return "--controllers" in subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def test_what_was_acknowledged_is_read_once_and_in_order_whatever_happens() -> None:
    if NODES > 1 and not makes_clusters():
        pytest.skip("`streamflow broker` starts nodes alone only")
    report = run(Asked("streamflow", NODES, MINUTES, SEED, faults_of("streamflow", NODES)))
    print(report)
    assert report.anomalies == {}, str(report)
    assert report.acknowledged > 0
    assert report.faults.total() > 0
