from __future__ import annotations

import pytest

from streamflow.log.controller.effective import BrokerConfig
from streamflow.log.controller.throttles import THROTTLE_SETTINGS, Side, bytes_per_second

RATES = BrokerConfig(
    own={"leader.replication.throttled.rate": "100"}, all_brokers={"follower.replication.throttled.rate": "7"}
)


@pytest.mark.parametrize(
    ("replicas", "partition", "broker", "rate"),
    [("*", 0, 1, 100), ("0:1, 3:2", 3, 2, 100), ("0:1,3:2", 3, 1, None), ("13:2", 3, 2, None), ("", 0, 1, None)],
)
def test_a_replica_is_throttled_by_its_name(replicas: str, partition: int, broker: int, rate: int | None) -> None:
    topic = {"leader.replication.throttled.replicas": replicas}
    assert bytes_per_second(Side.LEADER, topic, partition, broker, RATES) == rate
    assert bytes_per_second(Side.FOLLOWER, topic, partition, broker, RATES) is None


def test_without_a_rate_nothing_is_throttled() -> None:
    topic = {"follower.replication.throttled.replicas": "*"}
    assert bytes_per_second(Side.FOLLOWER, topic, 0, 1, RATES) == 7
    assert bytes_per_second(Side.FOLLOWER, topic, 0, 1, BrokerConfig()) is None


def test_both_sides_have_a_rate() -> None:
    assert [setting.name for setting in THROTTLE_SETTINGS] == [side.rate for side in Side]
