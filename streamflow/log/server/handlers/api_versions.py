"""ApiVersions 0–4 (KIP-511, KIP-584): what is served, and which features are on.

Any version is answered: `dispatch` answers those we don't have. Version 5 (KIP-1242, checking that the client reached
the broker it meant) isn't done.
"""

from __future__ import annotations

import re

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import api_versions_request, api_versions_response
from streamflow.log.protocol.versions import CLIENT_APIS, FEATURES, PEER_APIS
from streamflow.log.server.broker import Context

_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


async def handle(
    context: Context, request: api_versions_request.ApiVersionsRequest
) -> api_versions_response.ApiVersionsResponse:
    named = (request.client_software_name, request.client_software_version)
    if context.version >= 3 and not all(map(_NAME.fullmatch, named)):
        return api_versions_response.ApiVersionsResponse(error_code=ErrorCode.invalid_request)
    supported = [
        api_versions_response.SupportedFeatureKey(name=f.name, min_version=f.lowest, max_version=f.highest)
        for f in FEATURES
        # Clients before version 4 choke on a minimum of 0 (KAFKA-17011).
        if f.lowest > 0 or context.version >= 4
    ]
    finalized = [
        api_versions_response.FinalizedFeatureKey(name=f.name, min_version_level=f.level, max_version_level=f.level)
        for f in FEATURES
        if f.level > 0
    ]
    return api_versions_response.ApiVersionsResponse(
        api_keys=[
            api_versions_response.ApiVersion(api_key=a.key, min_version=a.advertised[0], max_version=a.advertised[1])
            for a in (PEER_APIS if context.from_peer else CLIENT_APIS).values()
        ],
        supported_features=supported,
        finalized_features=finalized,
        finalized_features_epoch=0,
    )
