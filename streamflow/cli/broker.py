"""`streamflow broker`: one node, behind a socket."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from streamflow.cli.logs import configure
from streamflow.errors import ConfigError
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.membership import CONTROLLER, ROLES, Endpoint, Membership
from streamflow.log.server import process
from streamflow.log.server.broker import Address


@dataclass(frozen=True, slots=True)
class Addresses:
    """As given: HOST:PORT."""

    listen: str
    advertise: str | None
    metrics: str | None = None


def run(data: Path, addresses: Addresses, file: Path | None, settings: list[str], place: Place | None = None) -> None:
    """Args:
        place: in a cluster; None for a node alone.

    Raises: StreamflowError saying what keeps the broker from serving.
    """
    listen = parse_address(addresses.listen)
    advertise = None if addresses.advertise is None else parse_address(addresses.advertise)
    metrics = None if addresses.metrics is None else parse_address(addresses.metrics)
    config = NodeConfig.parse({**_from_file(file), **dict(map(_split, settings))})
    configure()
    path = data.expanduser()
    where = process.Place(listen=listen, advertise=advertise, metrics=metrics)
    if place is not None:
        membership = parse_membership(place, advertise or listen)
        peer_listen = None if place.peer_listen is None else parse_address(place.peer_listen)
        where = replace(where, membership=membership, peer_listen=peer_listen)
    anyio.run(lambda: process.run_broker(path, config, where, now_ms=_now_ms))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def parse_address(text: str) -> Address:
    """Raises: ConfigError for what isn't HOST:PORT."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"'{text}' isn't an address; write HOST:PORT, for example 127.0.0.1:9092")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """In a cluster, as given: `controllers` is 1@host:port,2@host:port,…, `role` broker,controller or one of them;
    `peer_advertise` is where nodes reach this one, if not at `peer_listen`."""

    node_id: int
    peer_listen: str | None
    controllers: str | None
    peer_advertise: str | None = None
    role: str = "broker,controller"
    rack: str | None = None


def parse_membership(place: Place, client: Address) -> Membership:
    """Raises: ConfigError for a place that no node can have."""
    if not place.controllers:
        raise ConfigError("a node of a cluster needs --controllers 1@HOST:PORT,2@HOST:PORT,… with all controllers")
    if place.peer_listen is None:
        raise ConfigError("a node of a cluster needs --peer-listen HOST:PORT, where the other nodes reach it")
    roles = frozenset(name.strip() for name in place.role.split(","))
    if not roles <= ROLES:
        raise ConfigError(f"--role {place.role}: write broker, controller, or broker,controller")
    voters = _voters(place.controllers)
    if CONTROLLER in roles and place.node_id not in voters:
        raise ConfigError(f"node {place.node_id} is a controller by its --role and isn't one of --controllers")
    if CONTROLLER not in roles and place.node_id in voters:
        raise ConfigError(f"node {place.node_id} is one of --controllers and isn't a controller by its --role")
    peer = parse_address(place.peer_advertise or place.peer_listen)
    return Membership(
        node_id=place.node_id,
        roles=roles,
        voters=voters,
        client=Endpoint(client.host, client.port),
        peer=Endpoint(peer.host, peer.port),
        rack=place.rack,
    )


def _voters(text: str) -> dict[int, Endpoint]:
    found: dict[int, Endpoint] = {}
    for part in text.split(","):
        number, at, where = part.strip().partition("@")
        if not at or not number.isascii() or not number.isdigit():
            raise ConfigError(f"--controllers: '{part}' isn't ID@HOST:PORT, for example 1@127.0.0.1:9192")
        if int(number) in found:
            raise ConfigError(f"--controllers names node {number} twice")
        address = parse_address(where)
        found[int(number)] = Endpoint(address.host, address.port)
    return found


def _split(setting: str) -> tuple[str, str]:
    key, equals, value = setting.partition("=")
    if not equals:
        raise ConfigError(f"--set {setting}: write KEY=VALUE, for example --set num.partitions=4")
    return key.strip(), value.strip()


def _from_file(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            return dict(_flat(tomllib.load(file), ""))
    except OSError as error:
        raise ConfigError(f"can't read the settings in {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} isn't TOML: {error}") from error


def _flat(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    """`log.flush = "os"` and `[log] flush = "os"` are the same in TOML."""
    for key, value in table.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            yield from _flat(value, name)
        else:
            yield name, str(value).lower() if isinstance(value, bool) else str(value)
