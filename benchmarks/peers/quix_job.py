"""Quix Streams' side: the jobs as its users write them, run by its own loop over `quix_memory`.

    python -m benchmarks.peers.quix_job --job agent --events 100000

Values are dicts decoded from JSON by its own deserializer (orjson), state is in RocksDB with a changelog, which is
what its Application does unless told otherwise. README.md says what is and isn't included.
"""

from __future__ import annotations

import tempfile
from time import perf_counter
from typing import Any

from quixstreams import Application, State
from quixstreams.dataframe.windows import Count
from quixstreams.models.topics import TopicManager

from benchmarks.events import AMOUNT_MIN, DISTINCT, TOPIC, WINDOW_MS, digest, payloads, timestamp_ms, whole_windows
from benchmarks.peers.measure import Outcome, main
from benchmarks.peers.quix_memory import MemoryAdmin, MemoryConsumer, MemoryProducer

ADDRESS = "unused:9092"


class Bench:
    """A Quix Streams application over the memory client."""

    def __init__(self, events: int, state_dir: str) -> None:
        self.app = Application(
            broker_address=ADDRESS,
            consumer_group="bench",
            auto_offset_reset="earliest",
            state_dir=state_dir,
            topic_manager=TopicManager(MemoryAdmin(ADDRESS), consumer_group="bench"),
            loglevel="ERROR",
        )
        self.consumer = MemoryConsumer(events, at_end=self.app.stop)
        self.app._consumer._inner_consumer = self.consumer
        self.app._producer._producer._inner_producer = MemoryProducer()
        self.topic = self.app.topic(TOPIC)
        self.stream = self.app.dataframe(self.topic)

    def run(self) -> float:
        """Runs until the last event is dealt with and its checkpoint committed. Returns the seconds since the first."""
        self.app.run()
        return self.consumer.closed - self.consumer.started


def produce(events: int) -> Outcome:
    records = [({"user": p.user, "amount": p.amount, "kind": p.kind}, p.user) for p in payloads()]
    sink = MemoryProducer()
    with tempfile.TemporaryDirectory() as state_dir:
        bench = Bench(0, state_dir)
        with bench.app.get_producer() as producer:
            producer._inner_producer = sink
            started = perf_counter()
            for i in range(events):
                value, key = records[i % DISTINCT]
                message = bench.topic.serialize(key=key, value=value)
                producer.produce(TOPIC, message.value, message.key, timestamp=timestamp_ms(i))
            producer.flush()
            return Outcome(perf_counter() - started, str(sink.sent))


def consume(events: int) -> Outcome:
    seen = 0

    def count(_: Any) -> None:
        nonlocal seen
        seen += 1

    with tempfile.TemporaryDirectory() as state_dir:
        bench = Bench(events, state_dir)
        bench.stream.update(count)
        return Outcome(bench.run(), str(seen))


def agent(events: int) -> Outcome:
    counts: dict[str, int] = {}

    def count(value: dict[str, Any], state: State) -> None:
        n = state.get("n", 0) + 1
        state.set("n", n)
        counts[value["user"]] = n

    with tempfile.TemporaryDirectory() as state_dir:
        bench = Bench(events, state_dir)
        bench.stream.filter(lambda value: value["amount"] > AMOUNT_MIN).update(count, stateful=True)
        return Outcome(bench.run(), digest(counts.items()))


def window(events: int) -> Outcome:
    rows: list[tuple[str, int, int]] = []

    def keep(value: dict[str, Any], key: bytes, timestamp: int, headers: Any) -> None:
        rows.append((key.decode(), value["start"], value["n"]))

    with tempfile.TemporaryDirectory() as state_dir:
        bench = Bench(events, state_dir)
        windows = bench.stream.tumbling_window(WINDOW_MS).agg(n=Count()).final(closing_strategy="partition")
        windows.update(keep, metadata=True)
        return Outcome(bench.run(), digest(whole_windows(rows, events)))


if __name__ == "__main__":
    main(
        "quixstreams",
        ["quixstreams", "orjson", "rocksdict"],
        {"produce": produce, "consume": consume, "agent": agent, "window": window},
    )
