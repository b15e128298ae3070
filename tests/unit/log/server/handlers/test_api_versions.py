from __future__ import annotations

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import api_versions_request
from streamflow.log.protocol.versions import APIS, CLIENT_APIS, PEERS
from streamflow.log.server.dispatch import unsupported_version

pytestmark = pytest.mark.anyio
REQUEST = api_versions_request.ApiVersionsRequest


async def test_what_is_served_is_what_is_listed_but_for_produce(door) -> None:
    answer = await door.ask(REQUEST(client_software_name="a", client_software_version="1"))
    listed = {a.api_key: (a.min_version, a.max_version) for a in answer.api_keys}
    assert listed == {key: api.advertised for key, api in CLIENT_APIS.items()}
    assert not any(APIS[key].senders == PEERS for key in listed)
    assert listed[0][0] == 0, "librdkafka stops compressing otherwise (KAFKA-18659)"
    assert APIS[0].lowest == 3


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "a\n"])
async def test_a_client_that_names_itself_strangely_is_told_so(door, name: str) -> None:
    answer = await door.ask(REQUEST(client_software_name=name, client_software_version="1"))
    assert answer.error_code == ErrorCode.invalid_request
    older = await door.ask(REQUEST(client_software_name=name), version=2)
    assert older.error_code == ErrorCode.none, "before version 3 there were no names"


async def test_features_with_a_minimum_of_zero_are_kept_from_clients_that_cannot_read_them(door) -> None:
    named = REQUEST(client_software_name="a", client_software_version="1")
    features = (await door.ask(named, version=3)).supported_features
    assert all(f.min_version > 0 for f in features)


def test_an_unknown_version_is_answered_with_those_of_this_api_alone() -> None:
    answer = unsupported_version()
    assert answer.error_code == ErrorCode.unsupported_version
    assert [(a.api_key, a.min_version, a.max_version) for a in answer.api_keys] == [(18, 0, APIS[18].highest)]
