"""Watches this machine: samples CPU, memory and disk every second, and alerts when one stays high.

    streamflow worker apps/hostwatch/app.py

It never ends by itself. `raw samples → 10-second windows by metric → alerts when a mean passes its bound`, and one
more alert when it comes back. Alerts go to the topic `host-alerts` and to the screen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psutil

import streamflow as sf

BOUNDS = {"cpu": 85.0, "memory": 90.0, "disk": 95.0, "swap": 50.0}
"""Percent, as a mean over ten seconds."""

app = sf.App("hostwatch", partitions=1)


class Sample(sf.Record):
    metric: str
    percent: float


class Alert(sf.Record):
    metric: str
    percent: float
    state: str


samples = app.topic("host-samples", value=Sample, key="metric", config={"retention.ms": "3600000"})
alerts = app.topic("host-alerts", value=Alert, key="metric")
high = app.table("high", default=bool)

levels = samples.stream().window(sf.tumbling("10s")).aggregate(percent=sf.mean("percent"))


def read_metrics() -> dict[str, float]:
    """Percent in use, by metric."""
    return {
        "cpu": psutil.cpu_percent(),
        "memory": psutil.virtual_memory().percent,
        "disk": psutil.disk_usage("/").percent,
        "swap": psutil.swap_memory().percent,
    }


@app.timer("1s")
async def sample() -> None:
    for metric, percent in read_metrics().items():
        await samples.send(Sample(metric, percent))


@app.agent(levels, sink=alerts)
async def watch(stream: Any) -> AsyncIterator[Alert]:
    async for level in stream:
        bound = BOUNDS[level.key]
        is_high = level.percent > bound
        if is_high != high[level.key]:
            high[level.key] = is_high
            alert = Alert(level.key, round(level.percent, 1), "high" if is_high else "normal")
            print(f"{level.end:%H:%M:%S} {alert.metric} is {alert.state}: {alert.percent} % (bound {bound:.0f} %)")
            yield alert
