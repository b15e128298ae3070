"""Code that is at the same thing for too long is told, again and again but ever less often."""

from __future__ import annotations

import threading
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from structlog.testing import capture_logs

import streamflow as sf
from streamflow.errors import ConfigError
from streamflow.worker.run import Worker
from streamflow.worker.stall import REPEAT_SECONDS_MAX, Held, Place, Stall, Stalls, Watch, tell


def held(work: object, run: str = "big/0", after_s: float = 10.0) -> Held:
    return Held(run, work, after_s, lambda: Place(f"agent '{run}'", "orders", 0, 42, "app.py:7"))


def told(stalls: Stalls, held_at: dict[float, list[Held]]) -> list[tuple[float, float, bool]]:
    """(when, for how long, whether it is over) of everything told."""
    return [(now, stall.seconds, stall.over) for now, h in held_at.items() for stall in stalls.look(h, now)]


def test_work_that_turns_to_another_event_in_time_is_never_told() -> None:
    assert told(Stalls(), {float(n): [held(n // 9)] for n in range(100)}) == []


def test_a_stall_is_told_when_its_bound_is_reached_and_again_each_time_it_has_doubled() -> None:
    found = told(Stalls(), {float(n): [held("same")] for n in range(100)})
    assert found == [(10.0, 10.0, False), (20.0, 20.0, False), (40.0, 40.0, False), (80.0, 80.0, False)]


def test_a_stall_of_hours_is_told_every_ten_minutes() -> None:
    whens = [when for when, _, _ in told(Stalls(), {float(n): [held("same")] for n in range(0, 10_000, 10)})]
    assert {b - a for a, b in zip(whens[-5:], whens[-4:], strict=False)} == {REPEAT_SECONDS_MAX}


def test_that_a_stall_is_over_is_told_once_whether_work_goes_on_or_ends() -> None:
    stalls = Stalls()
    assert told(stalls, {0: [held("a")], 11: [held("a")], 12: [held("b")], 13: [held("b")]}) == [
        (11, 11, False),
        (12, 12, True),
    ]
    assert told(stalls, {30: [held("b")], 31: [], 32: []}) == [(30, 18, False), (31, 19, True)]


def test_every_run_has_its_own_bound_and_its_own_time() -> None:
    stalls = Stalls()
    patient, hasty = held("x", "patient", after_s=60), held("x", "hasty", after_s=5)
    found = [stall for now in range(70) for stall in stalls.look([patient, hasty], float(now))]
    assert [s.seconds for s in found if "hasty" in s.place.who] == [5, 10, 20, 40]
    assert [s.seconds for s in found if "patient" in s.place.who] == [60]


def test_the_longest_stall_is_the_oldest_that_lasts() -> None:
    stalls = Stalls()
    assert stalls.longest(0) is None
    stalls.look([held("x", "first")], 0)
    stalls.look([held("x", "first"), held("y", "second")], 5)
    assert stalls.longest(9) is None
    stalls.look([held("x", "first"), held("y", "second")], 20)
    longest = stalls.longest(21)
    assert str(longest) == "agent 'first' on orders-0 offset 42 (app.py:7) for 21 s"
    stalls.look([held("y", "second")], 22)
    assert str(stalls.longest(22)).startswith("agent 'second'")


def test_a_log_line_names_who_where_and_how_long() -> None:
    place = Place("agent 'big'", "orders", 3, 42, "app.py:7")
    with capture_logs() as logs:
        tell(Stall(place, 12.3))
        tell(Stall(place, 15.0, over=True))
    expected = {"who": "agent 'big'", "topic": "orders", "partition": 3, "offset": 42}
    assert logs[0] == {"event": "stalled", "log_level": "warning", "at": "app.py:7", "seconds": 12, **expected}
    assert logs[1] == {"event": "goes on", "log_level": "info", "seconds": 15, **expected}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamflow.worker.stall.LOOK_SECONDS", 0.001)


class Warned:
    """Set once a stall was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stalls: list[Stall] = []
        self._told = threading.Event()
        monkeypatch.setattr("streamflow.worker.stall.tell", self._tell)

    def _tell(self, stall: Stall) -> None:
        self.stalls.append(stall)
        self._told.set()

    def wait(self) -> None:
        assert self._told.wait(5)


@pytest.mark.parametrize("blocking", [True, False], ids=["blocks the loop", "awaits"])
def test_an_agent_that_stalls_is_told_with_its_event_and_its_line(blocking, quick, monkeypatch) -> None:
    app, warned, seen = sf.App("shop", log="memory://", partitions=1), Warned(monkeypatch), []
    orders = app.topic("orders", value=int)

    @app.agent(orders, stalled_after="1ms")
    async def slow(stream):
        async for order in stream:
            if order == 3:
                if blocking:
                    warned.wait()
                else:
                    await anyio.to_thread.run_sync(warned.wait)
                seen.append(worker.figures().stalled)
                worker.stop()

    @app.task
    async def send() -> None:
        for order in range(5):
            await orders.send(order)

    worker = Worker(app)
    anyio.run(worker.run)
    first = warned.stalls[0].place
    assert (first.who, first.topic, first.partition, first.offset) == ("agent 'slow'", "orders", 0, 3)
    name, _, number = str(first.line).partition(":")
    assert name == Path(__file__).name
    assert "warned.wait" in Path(__file__).read_text().splitlines()[int(number) - 1]
    assert seen[0].startswith("agent 'slow' on orders-0 offset 3 (test_stall.py:")
    assert worker.figures().stalled is None


def test_code_behind_an_agents_loop_is_watched_too(quick, monkeypatch) -> None:
    app, warned = sf.App("shop", log="memory://", partitions=1), Warned(monkeypatch)
    orders = app.topic("orders", value=int)

    @app.agent(orders, stalled_after="1ms")
    async def slow(stream):
        async for _ in stream:
            worker.stop()
        await anyio.to_thread.run_sync(warned.wait)

    @app.task
    async def send() -> None:
        await orders.send(1)

    worker = Worker(app)
    anyio.run(worker.run)
    assert (warned.stalls[0].place.topic, warned.stalls[0].place.offset) == ("orders", None)


def test_a_bound_of_nothing_is_refused() -> None:
    app = sf.App("shop")
    with pytest.raises(ConfigError, match="stalled_after"):
        app.agent(app.topic("orders"), stalled_after=0)


def test_a_watch_looks_until_it_is_left(quick) -> None:
    looked = threading.Event()

    def look() -> list[Held]:
        looked.set()
        return []

    before = threading.active_count()
    with Watch(look) as watch:
        assert looked.wait(5)
        assert watch.longest is None
    assert threading.active_count() == before
