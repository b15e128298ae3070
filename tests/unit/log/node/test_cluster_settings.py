from streamflow.log.node.config import NodeConfig


def test_a_broker_is_heard_several_times_within_its_session() -> None:
    config = NodeConfig.parse({})
    assert config.broker_heartbeat_interval_ms * 3 < config.broker_session_timeout_ms


def test_a_cluster_is_told_by_kafkas_names() -> None:
    config = NodeConfig.parse({"broker.rack": "r1", "default.replication.factor": "3"})
    assert (config.rack, config.default_replication_factor) == ("r1", 3)
