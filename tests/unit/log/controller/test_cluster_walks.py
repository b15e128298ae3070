"""Random walks of a cluster's life: whatever brokers, leaders and administrators do, the laws of the image hold.

Beside the image walks a model of what is committed: who has all of it. It is told what a leader does between changes:
with enough members in sync, it commits what only they have.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streamflow.log.controller.elections import balance, elect, elect_leaderless
from streamflow.log.controller.image import NO_LEADER
from streamflow.log.controller.reassignments import reassign
from streamflow.log.errors import LogError
from tests.unit.log.controller.cluster import A0, ImageOfCluster

BROKERS = (1, 2, 3, 4)
brokers = st.sampled_from(BROKERS)
some = st.lists(brokers, min_size=1, max_size=4, unique=True)
steps = st.one_of(
    st.tuples(st.sampled_from(["fence", "unfence", "restart", "lose", "stop", "prefer", "commit"]), brokers),
    st.tuples(st.sampled_from(["alter", "move"]), some),
    st.tuples(st.sampled_from(["cancel", "balance"]), st.none()),
)


class Walk:
    """`complete`: brokers that have every committed record."""

    def __init__(self, in_sync_min: int) -> None:
        self.c = ImageOfCluster(BROKERS)
        self.c.topic("a", (1, 2, 3), in_sync_min=in_sync_min)
        self.in_sync_min = in_sync_min
        self.complete = {1, 2, 3}
        self.lost = False

    def step(self, what: str, whom: object) -> None:
        try:
            getattr(self, what)(whom)
        except LogError:
            return
        p = self.c.partition()
        if not self.lost:
            assert set(p.isr) | set(p.elr) <= self.complete, "whoever may lead has all that is committed"
        assert all(self.c.image.brokers[n].may_lead for n in p.isr) or len(p.isr) == 1

    def fence(self, broker: int) -> None:
        self.c.fence(broker)

    def unfence(self, broker: int) -> None:
        self.c.unfence(broker)

    def stop(self, broker: int) -> None:
        self.c.begin_shutdown(broker)

    def restart(self, broker: int) -> None:
        self.c.register(broker)

    def lose(self, broker: int) -> None:
        self.complete.discard(broker)
        self.c.register(broker, previous=-1)
        p = self.c.partition()
        self.lost |= not ({*p.isr, *p.elr} & self.complete)  # The last copy: nothing can be promised any more.

    def prefer(self, _: int) -> None:
        self.c.apply([elect(self.c.image, A0, self.c.static, unclean=False)])

    def commit(self, _: int) -> None:
        """The leader commits something that its ISR has, and nobody else."""
        p = self.c.partition()
        if p.leader != NO_LEADER and len(p.isr) >= min(self.in_sync_min, len(p.replicas)):
            self.complete = set(p.isr)

    def alter(self, isr: list[int]) -> None:
        """Whoever comes in has caught up with the leader."""
        self.c.alter(isr)
        self.complete |= set(isr)

    def move(self, target: list[int]) -> None:
        change = reassign(self.c.image, A0, target, self.c.static)
        self.c.apply([] if change is None else [change])

    def cancel(self, _: None) -> None:
        change = reassign(self.c.image, A0, None, self.c.static)
        self.c.apply([] if change is None else [change])

    def balance(self, _: None) -> None:
        self.c.apply(balance(self.c.image, self.c.static))
        assert elect_leaderless(self.c.image, self.c.static) == [], "whoever could lead does"


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 3), st.lists(steps, max_size=40))
def test_whoever_may_lead_has_all_that_is_committed(in_sync_min: int, walk: list[tuple[str, object]]) -> None:
    w = Walk(in_sync_min)
    for what, whom in walk:
        w.step(what, whom)


@settings(max_examples=50, deadline=None)
@given(st.lists(steps, max_size=30))
def test_with_unclean_elections_a_broker_that_is_there_leads(walk: list[tuple[str, object]]) -> None:
    w = Walk(2)
    w.c.static = {"unclean.leader.election.enable": "true"}
    w.lost = True
    for what, whom in walk:
        w.step(what, whom)
        p = w.c.partition()
        able = [n for n in p.replicas if w.c.image.brokers[n].may_lead]
        assert (p.leader != NO_LEADER) == bool(able)
