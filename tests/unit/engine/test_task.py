"""A task: facts in, orders out. No loop, no log."""

from __future__ import annotations

from collections import defaultdict

import anyio
import pytest

import streamflow as sf
from streamflow.codecs import encode_key, key_codec, value_codec
from streamflow.engine.events import Deliver, Effect, Ended, Fetched, Marked, Produce, Refused, Ticked, Yielded
from streamflow.engine.inputs import IDLE_AFTER_MS
from streamflow.engine.policies import Policy, Skip, Stop
from streamflow.engine.task import Outlet, Task
from streamflow.errors import AgentError
from streamflow.event import TIMESTAMP_MS_MAX, Batch
from streamflow.operators.regroup import WATERMARK_HEADER, Mark, decode_watermark
from streamflow.partitioner import partition_for
from streamflow.state.memory import MemoryStore
from streamflow.topic import Topic
from streamflow.topology import Piece, TopicDecl, assign_partitions


class Order(sf.Record):
    card: str
    amount: int


class Stores(defaultdict):  # type: ignore[type-arg]
    def __missing__(self, name: str) -> MemoryStore:
        self[name] = MemoryStore(name)
        return self[name]


def tasks_of(app: sf.App, *, policy: Policy = Stop(), partition: int = 0) -> list[Task]:
    pieces: list[Piece] = anyio.run(app.plan).pieces
    counts = assign_partitions(pieces, {}, app.partitions)
    homes = {node: piece for piece in pieces for node in piece.nodes}
    return [
        Task(
            piece,
            partition,
            stores=Stores(),
            counts=counts,
            upstream={s: homes[s.upstream].partitions for s in piece.sources if s.upstream is not None},
            policy=policy,
        )
        for piece in pieces
    ]


def an_app() -> tuple[sf.App, Topic]:
    app = sf.App("shop", partitions=4)
    return app, app.topic("orders", value=Order, key="card")


def fetched(task: Task, rows: list[tuple[str, int, int]], first: int = 0) -> Fetched:
    keys = [card.encode() for card, _, _ in rows]
    values = [value_codec("json", Order).encode(Order(card, amount)) for card, amount, _ in rows]
    batch = Batch(keys, values, [t for _, _, t in rows], range(first, first + len(rows)))
    return Fetched(task.piece.sources[0], batch)


def produced(effects: list[Effect]) -> list[tuple[str, list[bytes]]]:
    return [(e.topic.name, e.batch.values) for e in effects if isinstance(e, Produce)]


@pytest.mark.parametrize("key", ["card-1", b"raw", 7, ("a", 1)])
def test_a_key_is_placed_by_murmur2_of_its_plain_form_whatever_form_the_topic_keeps(key: object) -> None:
    topic = TopicDecl(name="t", key=key_codec("any"), value=value_codec("json"))
    made = Outlet(topic, 64, 0).encode(Batch([key], [1], [0], [0]))
    plain = encode_key(key)
    assert plain is not None
    assert made.partitions == [partition_for(plain, 64)]
    assert topic.key.decode(made.batch.keys[0]) == key


def test_records_without_a_key_stay_in_their_partition() -> None:
    topic = TopicDecl(name="t", key=key_codec(str), value=value_codec("json"))
    assert Outlet(topic, 4, 6).encode(Batch([None] * 3, [1, 2, 3], [0] * 3, range(3))).partitions == [2, 2, 2]


def test_events_go_down_every_branch_in_order() -> None:
    app, orders = an_app()
    stream = orders.stream()
    stream.filter(lambda o: o.amount > 1).map(lambda o: o.amount).to(app.topic("big"))
    stream.map(lambda o: o.card).to(app.topic("cards"))
    (task,) = tasks_of(app)
    effects = task.step(fetched(task, [("a", 1, 0), ("b", 2, 0)]), 0)
    assert produced(effects) == [("big", [b"2"]), ("cards", [b'"a"', b'"b"'])]


def test_an_agent_is_handed_its_events_and_what_it_yields_goes_on_below() -> None:
    app, orders = an_app()

    @app.agent(orders, sink=app.topic("out"))
    async def look(stream):
        async for order in stream:
            yield order

    (task,) = tasks_of(app)
    (order,) = task.step(fetched(task, [("a", 1, 5)]), 0)
    assert isinstance(order, Deliver)
    assert order.batch.values == [Order("a", 1)]
    effects = task.step(Yielded(order.agent, Batch(["a"], [{"n": 1}], [5], [0])), 0)
    assert produced(effects) == [("out", [b'{"n":1}'])]


def test_records_that_are_not_of_their_type_are_refused_and_the_others_go_on() -> None:
    app, orders = an_app()
    orders.stream().map(lambda o: o.amount).to(app.topic("out"))
    (task,) = tasks_of(app, policy=Skip())
    event = fetched(task, [("a", n, n) for n in range(4)], first=10)
    event.batch.values[1], event.batch.keys[2] = b"nonsense", b"\xff"
    effects = task.step(event, 0)
    refused = [e for e in effects if isinstance(e, Refused)]
    assert sorted((e.event.offset, e.event.value) for e in refused)[0] == (11, b"nonsense")
    assert sorted(e.event.offset for e in refused) == [11, 12]
    assert produced(effects) == [("out", [b"0", b"3"])]


def test_an_event_that_an_operator_fails_on_is_refused_or_stops_the_task() -> None:
    app, orders = an_app()
    orders.stream().map(lambda o: 6 // o.amount).to(app.topic("out"))
    rows = [("a", 1, 0), ("a", 0, 0), ("a", 3, 0)]
    (task,) = tasks_of(app, policy=Skip())
    effects = task.step(fetched(task, rows), 0)
    (refused,) = [e for e in effects if isinstance(e, Refused)]
    assert (refused.event.offset, type(refused.error)) == (1, ZeroDivisionError)
    assert produced(effects) == [("out", [b"6", b"2"])]
    (task,) = tasks_of(app)
    with pytest.raises(AgentError, match=r"orders-0 offset 1: .*zero"):
        task.step(fetched(task, rows), 0)


def test_a_window_with_grace_holds_back_the_time_of_what_follows_it() -> None:
    app, orders = an_app()
    hourly = orders.stream().window(sf.tumbling("10ms"), grace="20ms").aggregate(n=sf.count())
    hourly.window(sf.tumbling("20ms")).aggregate(n=sf.count()).to(app.topic("out"))
    (task,) = tasks_of(app)
    assert produced(task.step(fetched(task, [("a", 1, 5), ("a", 1, 15), ("a", 1, 25)]), 0)) == []
    effects = task.step(fetched(task, [("a", 1, 40)], first=3), 0)
    ((_, (row,)),) = produced(effects)
    assert b'"n":2' in row
    assert task.late_records == 0


def test_a_repartition_topic_is_told_the_time_at_a_commit_and_only_when_it_moved() -> None:
    app, orders = an_app()
    orders.stream().group_by("card").to(app.topic("out"))
    task, below = tasks_of(app, partition=3)
    task.step(fetched(task, [("a", 1, 500)]), 0)
    (told,) = task.marks()
    assert isinstance(told, Produce)
    assert told.partitions == [0, 1, 2, 3]
    headers = told.batch.headers
    assert headers is not None
    ((name, data),) = headers[0]
    assert name == WATERMARK_HEADER
    assert decode_watermark(data or b"", 9) == Mark(3, 500, False, 9)
    assert task.marks() == []
    for upstream in range(4):
        below.step(Marked(below.piece.sources[0], Mark(upstream, 400 + upstream, False, upstream)), 0)
    assert below.watermark_ms == 400


def test_a_silent_input_is_passed_on_as_idle() -> None:
    app, orders = an_app()
    orders.stream().group_by("card").to(app.topic("out"))
    task, _ = tasks_of(app)
    source = task.piece.sources[0]
    for now in (0, IDLE_AFTER_MS):
        task.step(Ticked(now, frozenset({source})), now)
    (told,) = task.marks()
    assert isinstance(told, Produce)
    assert told.batch.headers is not None
    assert decode_watermark(told.batch.headers[0][0][1] or b"", 0).idle


def test_the_end_of_the_input_closes_every_window() -> None:
    app, orders = an_app()
    orders.stream().window(sf.tumbling("1h"), grace="1h").aggregate(n=sf.count()).to(app.topic("out"))
    (task,) = tasks_of(app)
    task.step(fetched(task, [("a", 1, 0)]), 0)
    assert len(produced(task.step(Ended(), 0))) == 1
    assert task.watermark_ms == TIMESTAMP_MS_MAX


def test_state_and_positions_taken_between_steps_make_the_same_task_again() -> None:
    app, orders = an_app()
    orders.stream().window(sf.tumbling("1h")).aggregate(n=sf.count()).to(app.topic("out"))
    (task,) = tasks_of(app)
    source = task.inputs[task.piece.sources[0]]
    event = fetched(task, [("a", 1, 0), ("b", 1, 10)])
    source.add(event.batch, 2)
    taken = task.take(10)
    assert taken is not None
    task.step(taken, 0)
    ((name, changes),) = task.changes()
    ((tp, (offset, metadata)),) = task.positions().items()
    assert (tp.topic, tp.partition, offset) == ("orders", 0, 2)

    (again,) = tasks_of(app)
    again.restore(name, [(k, v) for k, v in changes if v is not None])
    again.inputs[again.piece.sources[0]].restore(offset, metadata)
    assert again.resume() == []
    assert again.watermark_ms == task.watermark_ms
    assert produced(again.step(Ended(), 0)) == produced(task.step(Ended(), 0))
