from __future__ import annotations

import pytest

from streamflow.errors import ConfigError
from streamflow.transport.kafka.address import parse_address


def test_brokers_are_named_with_commas_between_and_have_a_usual_port() -> None:
    assert parse_address("kafka://a:9093,b", {}).servers == ("a:9093", "b:9092")


def test_settings_come_from_the_address_and_from_the_environment() -> None:
    environment = {"STREAMFLOW_KAFKA_SASL_PASSWORD": "secret", "STREAMFLOW_KAFKA_SASL_USERNAME": "other", "HOME": "/"}
    address = parse_address("kafka://a:1?security.protocol=SASL_SSL&sasl.username=app", environment)
    assert address.settings == {
        "security.protocol": "SASL_SSL",
        "sasl.username": "app",
        "sasl.password": "secret",
    }


def test_a_password_is_refused_in_an_address_and_never_shown() -> None:
    with pytest.raises(ConfigError, match="STREAMFLOW_KAFKA_SASL_PASSWORD") as refused:
        parse_address("kafka://a:1?sasl.password=hunter2", {})
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(parse_address("kafka://a:1", {"STREAMFLOW_KAFKA_SASL_PASSWORD": "hunter2"}))


@pytest.mark.parametrize("name", ["acks", "enable.idempotence", "isolation.level", "transactional.id"])
def test_what_the_guarantees_hang_on_cannot_be_set(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        parse_address(f"kafka://a:1?{name}=1", {})


@pytest.mark.parametrize(
    "url", ["kafka://", "kafka://:9092", "kafka://a:b", "kafka://a:0", "kafka://a:99999", "kafka://a,"]
)
def test_what_names_no_broker_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        parse_address(url, {})


def test_settings_that_are_not_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="name=value"):
        parse_address("kafka://a:1?what", {})
