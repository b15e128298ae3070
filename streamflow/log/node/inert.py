"""Kafka's settings of a broker that can't be chosen here: what they are by the way this broker is made.

They are shown, as clients and tools expect, and taken with the value they have, so that a file of settings for Kafka
serves. What isn't in any table is refused.
"""

from __future__ import annotations

from streamflow.log.controller.configs import Setting, Value

_ONE_PARTITION = "one coordinator serves all"
_FIXED: tuple[tuple[str, Value, str], ...] = (
    ("offsets.topic.num.partitions", 1, _ONE_PARTITION),
    ("transaction.state.log.num.partitions", 1, _ONE_PARTITION),
    (
        "transaction.state.log.min.isr",
        2,
        "as Kafka, where there are three brokers; set min.insync.replicas of the topic",
    ),
    ("process.roles", "broker,controller", "a node is both"),
    ("log.cleaner.enable", True, "compacted topics are compacted"),
    ("socket.request.max.bytes", 100 << 20, "as Kafka: of a request that produces; others are shorter"),
    ("max.incremental.fetch.session.cache.slots", 1000, "as Kafka"),
    ("max.request.partition.size.limit", 2000, "as Kafka: partitions in one answer to who describes topics"),
)

INERT_BROKER_SETTINGS: tuple[Setting, ...] = tuple(
    Setting(
        field=name.replace(".", "_"),
        name=name,
        default=default,
        unit="",
        most=2**31 - 1,
        many="," in str(default),
        fixed=True,
        reason=reason,
    )
    for name, default, reason in _FIXED
)
