from __future__ import annotations

import resource

import pytest
from structlog.testing import capture_logs

from streamflow.log.server.open_files import raise_limit


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The limits there are, and those that were asked for."""
    known = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda what: known[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda what, limit: known.append(limit))
    return known


def test_the_soft_limit_becomes_the_hard_one(limits: list[tuple[int, int]]) -> None:
    with capture_logs() as lines:
        assert raise_limit(1000, 10) == 4096
    assert limits[-1] == (4096, 4096)
    assert lines == []


def test_too_few_files_for_what_may_come_are_said(limits: list[tuple[int, int]]) -> None:
    with capture_logs() as lines:
        raise_limit(4000, 5000)
    assert [(line["limit"], line["partitions"]) for line in lines] == [(4096, 5000)]


def test_a_system_that_refuses_is_gone_on_with(limits: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(what: int, limit: tuple[int, int]) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    with capture_logs() as lines:
        assert raise_limit(100, 10) == 1024
    assert lines[0]["error"] == "not allowed"
