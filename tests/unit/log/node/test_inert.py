from __future__ import annotations

import pytest

from streamflow.errors import ConfigError
from streamflow.log.controller.configs import as_text
from streamflow.log.node.config import BROKER_SETTINGS, NodeConfig
from streamflow.log.node.inert import INERT_BROKER_SETTINGS


def test_a_broker_has_each_setting_once() -> None:
    assert len({s.name for s in BROKER_SETTINGS}) == len({s.field for s in BROKER_SETTINGS}) == len(BROKER_SETTINGS)


def test_a_file_of_settings_for_kafka_is_taken_where_it_says_what_is_so_anyway() -> None:
    given = {s.name: as_text(s.default) for s in INERT_BROKER_SETTINGS}
    assert NodeConfig.parse(given).static == given


def test_what_cannot_be_chosen_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"offsets\.topic\.num\.partitions can only be 1 here.*one coordinator"):
        NodeConfig.parse({"offsets.topic.num.partitions": "50"})
