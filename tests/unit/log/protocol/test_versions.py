"""The table of what is served, held against Kafka's definitions and against what is here."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from streamflow.log.protocol.schema import schema_of
from streamflow.log.protocol.versions import (
    APIS,
    CLIENT_APIS,
    CLIENTS,
    FEATURES,
    FIRST_FRAME_BYTES_MAX,
    PEER_APIS,
    PEERS,
    Api,
)

sys.path.insert(0, str(Path(__file__).parent))
from samples import kio_class, versions

ROWS = [pytest.param(api, id=api.name) for api in APIS.values()]


@pytest.mark.parametrize("api", ROWS)
def test_a_row_says_what_kafkas_definitions_say(api: Api) -> None:
    from kio.schema.index import api_key_map

    assert api_key_map[api.key] == api.name
    known = sorted(versions(api.name, "request"))
    assert set(range(api.lowest, api.highest + 1)) <= set(known)
    for version in range(api.lowest, api.highest + 1):
        assert schema_of(api.name, version, "request").flexible == (version >= api.flexible), version
        header = kio_class(api.name, version, "request").__header_schema__
        assert header.__flexible__ == (version >= api.flexible), version


@pytest.mark.parametrize("api", [row for row in ROWS if row.values[0].senders != PEERS])
def test_a_row_that_clients_see_has_its_handler(api: Api) -> None:
    name = f"streamflow.log.server.handlers.{api.name}"
    assert find_spec(name) is not None
    assert callable(import_module(name).handle)


def test_every_handler_has_its_row() -> None:
    handlers = Path(import_module("streamflow.log.server.handlers").__path__[0])
    assert {p.stem for p in handlers.glob("[a-z]*.py")} - {api.name for api in APIS.values()} == set()


def test_produce_lists_version_0_and_serves_it_not() -> None:
    assert APIS[0].advertised[0] == 0
    assert not APIS[0].serves(0)


def test_a_feature_is_finalized_within_its_range() -> None:
    for feature in FEATURES:
        assert feature.level == 0 or feature.lowest <= feature.level <= feature.highest


def test_nothing_is_allowed_less_than_a_first_frame() -> None:
    assert all(api.bytes_max >= FIRST_FRAME_BYTES_MAX for api in APIS.values())


def test_each_is_taken_at_the_listeners_of_its_senders() -> None:
    for key, api in APIS.items():
        assert (key in CLIENT_APIS, key in PEER_APIS) == (api.senders != PEERS, api.senders != CLIENTS)


def test_what_changes_the_quorum_or_the_isr_is_taken_from_peers_alone() -> None:
    assert {52, 53, 54, 56, 58, 59, 62, 63, 67}.isdisjoint(CLIENT_APIS)
