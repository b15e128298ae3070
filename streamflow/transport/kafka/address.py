"""What an address says: the brokers to begin with, and settings for librdkafka.

    kafka://localhost:9092
    kafka://a:9092,b:9092,c:9092?security.protocol=SASL_SSL&sasl.mechanism=PLAIN&sasl.username=app

A password has no place in an address, which is printed and logged: it is taken from the environment, as
`STREAMFLOW_KAFKA_SASL_PASSWORD` for `sasl.password`, and so may every other setting be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from streamflow.errors import ConfigError

PREFIX = "STREAMFLOW_KAFKA_"
PORT = 9092
OURS = frozenset(
    {
        "bootstrap.servers",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "group.id",
        "isolation.level",
        "transactional.id",
        "acks",
        "partitioner",
    }
)
"""What the guarantees hang on isn't for an address to change."""
SECRETS = frozenset({"sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem"})


@dataclass(frozen=True, slots=True)
class Address:
    """`settings` may hold secrets: it isn't shown."""

    servers: tuple[str, ...]
    settings: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<Address {','.join(self.servers)}>"


def parse_address(url: str, environment: Mapping[str, str]) -> Address:
    """Args:
        environment: of the process; settings of the address come before those in it.

    Raises: ConfigError.
    """
    _, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    servers = tuple(_server(s, place) for s in place.rstrip("/").split(","))
    try:
        given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise ConfigError("the settings in a kafka:// address are written name=value&name=value") from None
    for name in given:
        if name in SECRETS:
            raise ConfigError(f"{name} would be seen wherever the address is; set {PREFIX}{_variable(name)} instead")
    settings = {_setting(name): value for name, value in environment.items() if name.startswith(PREFIX)} | given
    for name in settings:
        if name in OURS:
            raise ConfigError(f"{name} can't be set: what a kafka:// log promises hangs on it")
    return Address(servers, settings)


def _server(text: str, place: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, str(PORT)
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise ConfigError(f"'{place}' doesn't name brokers; write kafka://HOST:PORT, or several with commas between")
    return f"{host}:{port}"


def _variable(name: str) -> str:
    return name.upper().replace(".", "_")


def _setting(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower().replace("_", ".")
