"""The hostwatch app: alerts once when a metric stays high, and once when it comes back."""

from __future__ import annotations

import pytest

from apps.hostwatch import app as hostwatch
from streamflow.testing import TestApp


def test_an_alert_is_raised_once_when_a_mean_passes_its_bound_and_once_when_it_comes_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = {"cpu": 20.0, "memory": 50.0}
    monkeypatch.setattr(hostwatch, "read_metrics", lambda: now)
    with TestApp(hostwatch.app) as t:
        t.advance("30s")
        assert t.read(hostwatch.alerts) == []
        now["cpu"] = 99.0
        t.advance("60s")
        assert [(a.metric, a.state) for a in t.read(hostwatch.alerts)] == [("cpu", "high")]
        assert t.table(hostwatch.high)["cpu"] is True
        now["cpu"] = 10.0
        t.advance("60s")
        assert [(a.metric, a.state) for a in t.read(hostwatch.alerts)] == [("cpu", "normal")]
    assert "cpu is high" in capsys.readouterr().out


def test_a_short_peak_raises_none(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"cpu": 20.0}
    monkeypatch.setattr(hostwatch, "read_metrics", lambda: now)
    with TestApp(hostwatch.app) as t:
        t.advance("22s")
        now["cpu"] = 100.0
        t.advance("2s")
        now["cpu"] = 20.0
        t.advance("30s")
        assert t.read(hostwatch.alerts) == []


def test_the_real_metrics_are_percentages() -> None:
    assert all(0 <= percent <= 100 for percent in hostwatch.read_metrics().values())
    assert hostwatch.read_metrics().keys() == hostwatch.BOUNDS.keys()
