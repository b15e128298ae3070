"""Which copying between brokers is held back, and how much (KIP-73): what `kafka-reassign-partitions --throttle` sets.

A broker has two rates, for what it sends as a leader and for what it takes as a follower, over all partitions that are
throttled on it. Replicas in sync are never held back, whatever is set: that's for whoever copies. PURE.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from streamflow.log.controller.configs import INT64_MAX, Setting
from streamflow.log.controller.effective import BrokerConfig


class Side(Enum):
    """Of a copy."""

    LEADER = "leader"
    FOLLOWER = "follower"

    @property
    def rate(self) -> str:
        """The broker's setting."""
        return f"{self.value}.replication.throttled.rate"

    @property
    def replicas(self) -> str:
        """The topic's setting."""
        return f"{self.value}.replication.throttled.replicas"


THROTTLE_SETTINGS = tuple(
    Setting(
        field=f"{side.value}_throttled_rate",
        name=side.rate,
        default=INT64_MAX,
        unit="bytes a second",
        reason=f"as Kafka: how much a broker {verb} for replicas that {side.replicas} names, until they are in sync",
    )
    for side, verb in ((Side.LEADER, "sends"), (Side.FOLLOWER, "fetches"))
)
"""They may be altered while a broker runs."""


def bytes_per_second(
    side: Side, topic: Mapping[str, str], partition: int, broker_id: int, broker: BrokerConfig
) -> int | None:
    """The rate of that broker, which the partition's copy has to share with others; None when it isn't throttled.

    Args:
        topic: what is set of the topic.
        broker: what is set of the broker.
    """
    named = topic[side.replicas].replace(" ", "").split(",") if side.replicas in topic else ()
    if "*" not in named and f"{partition}:{broker_id}" not in named:
        return None
    rate = int(next(broker.synonyms(side.rate, str(INT64_MAX))).value)
    return None if rate == INT64_MAX else rate
