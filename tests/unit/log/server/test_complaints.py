from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from streamflow.log.server.complaints import BURST, Complaints


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_flood_is_logged_as_a_few_lines_and_a_count(clock: Clock) -> None:
    complaints = Complaints(clock)
    with capture_logs() as lines:
        for _ in range(10_000):
            complaints.say("warning", "connection closed", reason="x")
        complaints.tell()
        assert len(lines) == BURST
        clock.now += 1
        complaints.tell()
    assert lines[0] == {"event": "connection closed", "reason": "x", "log_level": "warning"}
    assert lines[-1]["count"] == 10_000 - BURST
    assert len(lines) == BURST + 1
    assert complaints.left_out == 0


def test_a_line_a_second_is_always_logged(clock: Clock) -> None:
    complaints = Complaints(clock)
    with capture_logs() as lines:
        for _ in range(5 * BURST):
            complaints.say("info", "connection closed")
            clock.now += 1
        complaints.tell()
    assert len(lines) == 5 * BURST
