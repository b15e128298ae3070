"""What is measured of a broker, as Prometheus asks for it: names, meanings, and where the figures come from.

Promises: whatever clients do, no more than `SERIES_MAX` series of any name are told, and how many were left out is told
too; telling them stops the broker for no longer than a slice of `SLICE` series takes (a ms).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.server import cluster_figures
from streamflow.log.server.figures import BOUNDS_SECONDS, Figures, Histogram

if TYPE_CHECKING:
    from streamflow.log.server.listener import Listener

SERIES_MAX = 10_000
"""Of one name: twice the partitions a node is built for. Clients choose the names of topics and groups."""
SLICE = 200

Labels = tuple[str, ...]
Sample = tuple[str, Labels, float]
"""What the row's name goes on with (`_bucket`), the labels' values, the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One name. `kind` is Prometheus's type."""

    name: str
    kind: str
    help: str
    labels: Labels = ()
    read: Callable[[Listener], Iterable[Sample]]


def _one(value: Callable[[Listener], float], *, suffix: str = "") -> Callable[[Listener], Iterable[Sample]]:
    return lambda listener: ((suffix, (), value(listener)),)


def _histogram(labels: Labels, found: Histogram) -> Iterator[Sample]:
    total = 0
    for bound, count in zip((*map(str, BOUNDS_SECONDS), "+Inf"), found.counts, strict=True):
        total += count
        yield "_bucket", (*labels, bound), total
    yield "_count", labels, total
    yield "_sum", labels, found.seconds


def _requests(listener: Listener) -> Iterator[Sample]:
    for api, found in list(listener.figures.requests.items()):
        yield from _histogram((api,), found)


def _errors(listener: Listener) -> Iterator[Sample]:
    for (api, code), count in list(listener.figures.errors.items()):
        yield "_total", (api, _error_name(code)), count


def _error_name(code: int) -> str:
    return ErrorCode(code).name if code in ErrorCode._value2member_map_ else str(code)


def _topic_bytes(listener: Listener) -> Iterator[Sample]:
    sizes: dict[str, int] = {}
    for where, replica in list(listener.broker.node.topics.replicas.items()):
        sizes[where.topic] = sizes.get(where.topic, 0) + replica.log.size_bytes
    return (("", (topic,), size) for topic, size in sizes.items())


def _ends(listener: Listener) -> Iterator[Sample]:
    for where, replica in list(listener.broker.node.topics.replicas.items()):
        yield "", (where.topic, str(where.partition)), replica.log.log_end_offset


def _lags(listener: Listener) -> Iterator[Sample]:
    node = listener.broker.node
    for group in node.groups.offsets.groups():
        for where, committed in node.groups.offsets.committed(group).items():
            replica = node.topics.replicas.get(where)
            if replica is not None:
                lag = max(0, replica.high_watermark - committed.offset)
                yield "", (group, where.topic, str(where.partition)), lag


def _open_transactions(listener: Listener) -> int:
    replicas = cluster_figures.led(listener.broker.node)
    return len({producer for replica in replicas for producer, _ in replica.log.open_transactions()})


def _follower_lags(listener: Listener) -> Iterator[Sample]:
    for follower, lag in cluster_figures.follower_lags(listener.broker.node).items():
        yield "", (str(follower),), lag


def _throttled_bytes(listener: Listener) -> Iterator[Sample]:
    for side, throttle in listener.broker.node.cluster.throttles.items():
        yield "_total", (side.value,), throttle.bytes


def _throttled_copies(listener: Listener) -> Iterator[Sample]:
    for side, throttle in listener.broker.node.cluster.throttles.items():
        yield "", (side.value,), throttle.copies


ROWS: tuple[Row, ...] = (
    Row(
        name="streamflow_request_seconds",
        kind="histogram",
        labels=("api",),
        help="From a request's arrival to when its answer was sent, waiting included",
        read=_requests,
    ),
    Row(
        name="streamflow_request_errors",
        kind="counter",
        labels=("api", "error"),
        help="Error codes in answers; one answer may have many",
        read=_errors,
    ),
    Row(
        name="streamflow_received_bytes",
        kind="counter",
        help="Received from clients",
        read=_one(lambda listener: listener.bytes_in, suffix="_total"),
    ),
    Row(
        name="streamflow_sent_bytes",
        kind="counter",
        help="Sent to clients",
        read=_one(lambda listener: listener.bytes_out, suffix="_total"),
    ),
    Row(
        name="streamflow_connections",
        kind="gauge",
        help="Clients connected",
        read=_one(lambda listener: len(listener.connections)),
    ),
    Row(
        name="streamflow_connections_refused",
        kind="counter",
        help="Turned away: max.connections, max.connections.per.ip",
        read=_one(lambda listener: listener.refused, suffix="_total"),
    ),
    Row(
        name="streamflow_request_memory_bytes",
        kind="gauge",
        help="Held of requests until they are answered; at queued.max.request.bytes others wait",
        read=_one(lambda listener: listener.requests.held),
    ),
    Row(
        name="streamflow_response_memory_bytes",
        kind="gauge",
        help="Held of answers until they are sent; at queued.max.response.bytes fetches wait",
        read=_one(lambda listener: listener.broker.answers.held),
    ),
    Row(
        name="streamflow_fetch_sessions",
        kind="gauge",
        help="Consumers' fetch sessions (KIP-227)",
        read=_one(lambda listener: len(listener.broker.fetch_sessions)),
    ),
    Row(
        name="streamflow_topic_bytes",
        kind="gauge",
        labels=("topic",),
        help="Of a topic's segments on disk",
        read=_topic_bytes,
    ),
    Row(
        name="streamflow_partition_end_offset",
        kind="gauge",
        labels=("topic", "partition"),
        help="The offset the next record will have",
        read=_ends,
    ),
    Row(
        name="streamflow_group_lag",
        kind="gauge",
        labels=("group", "topic", "partition"),
        help="Records from a group's committed offset to the high watermark",
        read=_lags,
    ),
    Row(
        name="streamflow_open_transactions",
        kind="gauge",
        help="Producers with a transaction that some partition led here has no end of yet",
        read=_one(_open_transactions),
    ),
    Row(
        name="streamflow_partitions",
        kind="gauge",
        help="Partitions with a replica here",
        read=_one(lambda listener: len(listener.broker.node.topics.replicas)),
    ),
    Row(
        name="streamflow_led_partitions",
        kind="gauge",
        help="Partitions led here",
        read=_one(lambda listener: sum(1 for _ in cluster_figures.led(listener.broker.node))),
    ),
    Row(
        name="streamflow_under_replicated_partitions",
        kind="gauge",
        help="Partitions led here with replicas that aren't in sync",
        read=_one(lambda listener: cluster_figures.under_replicated(listener.broker.node)),
    ),
    Row(
        name="streamflow_under_min_isr_partitions",
        kind="gauge",
        help="Partitions led here with fewer replicas in sync than min.insync.replicas: acks=all is refused",
        read=_one(lambda listener: cluster_figures.under_min_isr(listener.broker.node)),
    ),
    Row(
        name="streamflow_offline_partitions",
        kind="gauge",
        help="Partitions that nobody leads, told by the active controller; partitions to lead that couldn't be opened",
        read=_one(lambda listener: cluster_figures.offline(listener.broker.node)),
    ),
    Row(
        name="streamflow_follower_lag",
        kind="gauge",
        labels=("follower",),
        help="Records a broker lacks of a partition led here, where it lacks most",
        read=_follower_lags,
    ),
    Row(
        name="streamflow_quarantined_ranges",
        kind="gauge",
        help="Ranges of offsets that can't be read here: damaged, and neither mended from another replica nor given up",
        read=_one(lambda listener: cluster_figures.quarantined(listener.broker.node)),
    ),
    Row(
        name="streamflow_mended_ranges",
        kind="counter",
        help="Damaged ranges of offsets that were fetched again from another replica",
        read=_one(lambda listener: listener.broker.node.replication.mender.mended, suffix="_total"),
    ),
    Row(
        name="streamflow_throttled_copies",
        kind="gauge",
        labels=("side",),
        help="Replicas not in sync that are held back while they are copied: leader.replication.throttled.rate, "
        "follower.replication.throttled.rate",
        read=_throttled_copies,
    ),
    Row(
        name="streamflow_throttled_bytes",
        kind="counter",
        labels=("side",),
        help="Copied of replicas that were held back",
        read=_throttled_bytes,
    ),
    Row(
        name="streamflow_fenced_brokers",
        kind="gauge",
        help="Brokers that registered and aren't admitted now, told by the active controller",
        read=_one(lambda listener: cluster_figures.fenced(listener.broker.node)),
    ),
    Row(
        name="streamflow_active_controller",
        kind="gauge",
        help="1 on the controller that decides: one of a cluster's nodes",
        read=_one(lambda listener: float(listener.broker.node.topics.metadata.active)),
    ),
    Row(
        name="streamflow_quorum_leader",
        kind="gauge",
        help="The node that leads the metadata quorum as far as this one knows; -1 for nobody",
        read=_one(lambda listener: listener.broker.node.topics.metadata.leader_id),
    ),
    Row(
        name="streamflow_quorum_epoch",
        kind="gauge",
        help="Of the metadata quorum: grows with each election",
        read=_one(lambda listener: listener.broker.node.topics.metadata.leader_epoch),
    ),
    Row(
        name="streamflow_metadata_applied_offset",
        kind="gauge",
        help="How far this node has the metadata: behind the others' while it is cut off",
        read=_one(lambda listener: listener.broker.node.topics.metadata.applied),
    ),
    Row(
        name="streamflow_flush_seconds",
        kind="histogram",
        help="For what was appended to be durable: a group commit's fsyncs",
        read=lambda listener: _histogram((), listener.flushes),
    ),
    Row(
        name="streamflow_log_failed",
        kind="gauge",
        help="1 once the disk couldn't be relied on: nothing is written any more",
        read=_one(lambda listener: float(listener.broker.node.flusher.failed is not None)),
    ),
)

LEFT_OUT = Row(
    name="streamflow_series_left_out",
    kind="gauge",
    help=f"Series that aren't told: there are more than {SERIES_MAX} of a name",
    read=lambda listener: (),
)


def exposition(listener: Listener) -> Iterator[bytes]:
    """The text for Prometheus, in slices: between two of them, others may run."""
    left_out = 0
    for row in ROWS:
        samples = iter(row.read(listener))
        yield from _slices(row, islice(samples, SERIES_MAX))
        left_out += sum(1 for _ in samples)
    yield from _slices(LEFT_OUT, [("", (), left_out)])
    for family in ProcessCollector(registry=None).collect():
        yield generate_latest(_Once(family))


def _slices(row: Row, samples: Iterable[Sample]) -> Iterator[bytes]:
    rest = iter(samples)
    first = True
    while some := list(islice(rest, SLICE)):
        family = Metric(row.name, row.help, row.kind)
        for suffix, values, value in some:
            names = (*row.labels, "le") if suffix == "_bucket" else row.labels
            family.add_sample(row.name + suffix, dict(zip(names, values, strict=True)), value)
        text = generate_latest(_Once(family))
        yield text if first else _without_head(text)
        first = False


def _without_head(text: bytes) -> bytes:
    """A family has its lines of HELP and TYPE once."""
    return b"\n".join(line for line in text.split(b"\n") if not line.startswith(b"#"))


class _Once:
    """A registry of one family."""

    def __init__(self, *families: Metric) -> None:
        self._families: Sequence[Metric] = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def table() -> str:
    """The rows, for the page that describes them."""
    lines = ["| Name | Type | Labels | |", "|---|---|---|---|"]
    for row in chain(ROWS, (LEFT_OUT,)):
        name = row.name + ("_total" if row.kind == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append(f"| `{name}` | {row.kind} | {labels} | {row.help} |")
    return "\n".join(lines)


__all__ = ["ROWS", "Figures", "exposition", "table"]
