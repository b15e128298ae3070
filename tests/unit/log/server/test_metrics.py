from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamflow.event import Batch, TopicPartition
from streamflow.log.coordinators.records import OffsetValue
from streamflow.log.records import build_batch
from streamflow.log.replication.events import Assignment
from streamflow.log.server import metrics as metrics_module
from streamflow.log.server.listener import Listener
from streamflow.log.server.metrics import LEFT_OUT, ROWS, exposition, table

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[4] / "docs" / "metrics.md"


def told(listener: Listener) -> dict[tuple[str, ...], float]:
    """Value by name and labels, these by their names' alphabet."""
    text = b"".join(exposition(listener)).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_quiet_broker_tells_every_figure_that_is_not_about_something(door: Any) -> None:
    found = told(Listener(door.broker))
    single = {row.name + ("_total" if row.kind == "counter" else "") for row in ROWS if not row.labels}
    single -= {"streamflow_flush_seconds"}
    assert single <= {name for name, *_ in found}
    assert found["streamflow_connections",] == found["streamflow_partitions",] == 0
    assert found["streamflow_series_left_out",] == 0
    assert found["process_resident_memory_bytes",] > 1 << 20


async def test_what_is_in_the_log_is_told_by_topic_partition_and_group(door: Any) -> None:
    await door.topic("a", 2)
    await door.append("1", "2", "3", topic="a", partition=1)
    await door.node.groups.commit('odd "name"\\', {TopicPartition("a", 1): OffsetValue(offset=1, metadata="")})
    found = told(Listener(door.broker))
    assert found["streamflow_partition_end_offset", "0", "a"] == 0
    assert found["streamflow_partition_end_offset", "1", "a"] == 3
    assert found["streamflow_group_lag", 'odd "name"\\', "1", "a"] == 2
    assert found["streamflow_topic_bytes", "a"] > 0
    assert found["streamflow_partitions",] >= 3
    assert found["streamflow_under_min_isr_partitions",] == found["streamflow_offline_partitions",] == 0


async def test_requests_are_told_with_how_long_they_took_and_their_errors(door: Any) -> None:
    listener = Listener(door.broker)
    listener.figures.answered("produce", 0.003)
    listener.figures.answered("produce", 20)
    listener.figures.errors["produce", 3] = 2
    listener.figures.errors["fetch", 9999] = 1
    listener.flushes.observe(0.5)
    found = told(listener)
    assert found["streamflow_request_seconds_bucket", "produce", "0.0025"] == 0
    assert found["streamflow_request_seconds_bucket", "produce", "0.005"] == 1
    assert found["streamflow_request_seconds_bucket", "produce", "+Inf"] == 2
    assert found["streamflow_request_seconds_count", "produce"] == 2
    assert found["streamflow_request_seconds_sum", "produce"] == pytest.approx(20.003)
    assert found["streamflow_request_errors_total", "produce", "unknown_topic_or_partition"] == 2
    assert found["streamflow_request_errors_total", "fetch", "9999"] == 1
    assert found["streamflow_flush_seconds_count",] == 1


async def test_a_flush_is_observed(door: Any) -> None:
    listener = Listener(door.broker)
    await door.topic("a")
    await door.append("1", topic="a")
    assert sum(listener.flushes.counts) == 1


async def test_no_more_series_are_told_than_the_limit_and_the_rest_are_counted(
    door: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_module, "SERIES_MAX", 30)
    monkeypatch.setattr(metrics_module, "SLICE", 3)
    await door.topic("a", 40)
    listener = Listener(door.broker)
    parts = list(exposition(listener))
    text = b"".join(parts).decode()
    assert text.count("streamflow_partition_end_offset{") == 30
    assert text.count("# TYPE streamflow_partition_end_offset gauge") == 1
    assert told(listener)["streamflow_series_left_out",] == 10
    assert len(parts) > len(ROWS), "long ones come in slices"


async def test_open_transactions_are_counted_once_each(door: Any) -> None:
    await door.topic("a", 2)
    producer = await door.node.producer("tx", codec=0)
    producer.begin()
    for partition in (0, 1):
        producer.append(TopicPartition("a", partition), Batch([None], [b"x"], [1000], range(1)), door.now)
    listener = Listener(door.broker)
    assert told(listener)["streamflow_open_transactions",] == 1
    await producer.end(commit=False)
    assert told(listener)["streamflow_open_transactions",] == 0


async def test_the_quorum_is_told_by_each_node_as_it_knows_it(door: Any) -> None:
    found = told(Listener(door.broker))
    metadata = door.node.topics.metadata
    assert (found["streamflow_active_controller",], found["streamflow_quorum_leader",]) == (1, 1)
    assert found["streamflow_quorum_epoch",] == metadata.leader_epoch > 0
    assert found["streamflow_metadata_applied_offset",] == metadata.applied > 0
    assert found["streamflow_fenced_brokers",] == 0
    assert found["streamflow_led_partitions",] == found["streamflow_under_replicated_partitions",] == 0


async def test_a_follower_is_told_with_how_far_it_is_behind(door: Any) -> None:
    await door.topic("a")
    replica = door.replica("a")
    replica.lead(Assignment(me=1, replicas=(1, 2), isr=(1, 2)), replica.leader_epoch + 1, door.now)
    replica.append(build_batch([None], [b"v"], [1000]), door.now)
    assert told(Listener(door.broker))["streamflow_follower_lag", "2"] == 1


def test_names_are_as_prometheus_wants_them() -> None:
    names = [row.name for row in (*ROWS, LEFT_OUT)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"streamflow_[a-z_]+", name) for name in names)
    assert not [name for name in names if name.endswith("_total")], "the exposition adds it to counters"


def test_the_page_has_the_table_of_the_code() -> None:
    assert table() in PAGE.read_text(), "put the new table there: streamflow.log.server.metrics.table()"
