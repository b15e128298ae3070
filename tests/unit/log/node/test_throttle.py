from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.node.throttle import IDLE_MS, Throttle

RATE = 1000


class World:
    def __init__(self, rate: int | None = RATE) -> None:
        self.rate = rate
        self.now_ms = 0
        self.throttle = Throttle(lambda replica: self.rate, lambda: self.now_ms)

    def copy(self, replica: Any, follower: int, batch: int) -> int:
        """As much as it may, in whole batches."""
        allowed = self.throttle.allowance(replica, follower)
        assert allowed is not None
        size = 0 if not allowed else max(allowed // batch, 1) * batch
        self.throttle.took(replica, follower, size)
        return size

    def run(self, copies: list[tuple[Any, int, int]], ms: int, every_ms: int = 10) -> list[int]:
        """Bytes that each copied."""
        taken = [0] * len(copies)
        for _ in range(ms // every_ms):
            self.now_ms += every_ms
            for n, copy in enumerate(copies):
                taken[n] += self.copy(*copy)
        return taken


def test_what_is_not_throttled_has_no_limit_and_is_not_counted() -> None:
    world = World(None)
    assert world.throttle.allowance("a", 2) is None  # type: ignore[arg-type]
    world.throttle.took("a", 2, 10)  # type: ignore[arg-type]
    assert (world.throttle.bytes, world.throttle.copies) == (0, 0)


def test_nothing_is_saved_up_for_longer_than_a_second() -> None:
    world = World()
    world.copy("a", 2, 1)
    assert world.run([("a", 2, 1)], 2_900, every_ms=2_900) == [RATE]


def test_a_rate_that_changes_holds_at_once() -> None:
    world = World()
    assert world.run([("a", 2, 1)], 5_000) == [world.throttle.bytes]
    world.rate = 0
    assert world.run([("a", 2, 1)], 5_000) == [0]
    world.rate = None
    assert world.throttle.allowance("a", 2) is None  # type: ignore[arg-type]
    assert world.throttle.copies == 0


def test_small_batches_and_large_ones_have_equal_shares() -> None:
    few, many = World().run([("a", 2, 10), ("b", 3, 5_000)], 200_000)
    assert abs(few - many) <= 5_000 + RATE
    assert abs(few + many - 200 * RATE) <= 5_000 + RATE


def test_who_has_done_leaves_its_share_to_the_others() -> None:
    world = World()
    assert world.run([("a", 2, 1), ("b", 2, 1)], 10_000)[0] <= 5 * RATE + 10
    world.run([("a", 2, 1)], IDLE_MS + 1_000)
    assert world.throttle.copies == 1
    assert world.run([("a", 2, 1)], 10_000)[0] >= 10 * RATE - 10


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4_000), st.integers(0, 2_000)), max_size=60),
    st.integers(1, 5_000),
)
def test_no_more_is_copied_than_the_rate_and_a_batch_of_each(turns: list[tuple[int, int, int]], rate: int) -> None:
    world = World(rate)
    largest = {n: max((batch for m, batch, _ in turns if m == n), default=0) for n in range(4)}
    for n, batch, pause_ms in turns:
        world.now_ms += pause_ms
        world.copy(n, 2, batch)
    assert world.throttle.bytes <= rate * world.now_ms / 1000 + sum(largest.values())
