from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import update_features_request as q
from streamflow.log.protocol.versions import FEATURES

pytestmark = pytest.mark.anyio


async def update(door: Any, *levels: tuple[str, int], version: int = 2) -> Any:
    updates = [q.FeatureUpdateKey(feature=name, max_version_level=level) for name, level in levels]
    return await door.ask(q.UpdateFeaturesRequest(feature_updates=updates), version)


async def test_a_feature_stays_at_its_level(door: Any) -> None:
    feature = FEATURES[0]
    for version in range(3):
        same = await update(door, (feature.name, feature.level), version=version)
        assert same.error_code == ErrorCode.none
        assert [r.feature for r in same.results] == ([feature.name] if version < 2 else [])
        for level in (feature.level + 1, feature.level - 1, 0, -1):
            other = await update(door, (feature.name, level), version=version)
            assert other.error_code == ErrorCode.invalid_update_version
            assert f"at level {feature.level}" in other.error_message


async def test_one_update_that_cannot_be_fails_all(door: Any) -> None:
    answer = await update(door, (FEATURES[0].name, FEATURES[0].level), ("nope", 1))
    assert answer.error_code == ErrorCode.invalid_update_version
    assert "'nope' isn't known" in answer.error_message
