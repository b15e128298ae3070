"""UpdateFeatures 0–2 (KIP-584): features are at the levels this version of the broker has, and stay there.

An update to the level a feature has succeeds; any other fails for all features of the request, as with Kafka.
"""

from __future__ import annotations

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import update_features_request, update_features_response
from streamflow.log.protocol.versions import FEATURES
from streamflow.log.server.broker import Context

Response = update_features_response.UpdateFeaturesResponse
ONE_ANSWER = 2
"""The first version whose answer has no result for each feature."""


async def handle(
    context: Context, request: update_features_request.UpdateFeaturesRequest
) -> update_features_response.UpdateFeaturesResponse:
    levels = {feature.name: feature.level for feature in FEATURES}
    for update in request.feature_updates:
        level = levels.get(update.feature)
        if level != update.max_version_level:
            has = "isn't known here" if level is None else f"is at level {level}, which can't be changed"
            return Response(
                error_code=ErrorCode.invalid_update_version,
                error_message=f"no feature was updated: '{update.feature}' {has}",
            )
    results = [
        update_features_response.UpdatableFeatureResult(feature=update.feature, error_message=None)
        for update in request.feature_updates
    ]
    return Response(error_message=None, results=results if context.version < ONE_ANSWER else [])
