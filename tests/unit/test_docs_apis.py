"""The page of APIs says what the broker serves, and names tests that are there."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest

from streamflow.log.protocol.versions import CLIENT_APIS, Api

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """What `docs/apis.py` has and does."""
    return runpy.run_path(str(ROOT / "docs/apis.py"))


def test_the_page_is_the_table(made: dict[str, Any]) -> None:
    assert made["PAGE"].read_text() == made["page"](), "write it anew: python docs/apis.py"


@pytest.mark.parametrize("api", CLIENT_APIS.values(), ids=lambda api: api.name)
def test_every_api_is_shown_by_a_test_that_is_there(made: dict[str, Any], api: Api) -> None:
    file, _, name = made["SHOWN_BY"][api.name].partition(":")
    tree = ast.parse((ROOT / made["CLIENT_TESTS"] / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert (ROOT / made["unit_test"](api)).exists(), "its tests lie beside its handler's, or TESTED_WITH says where"


@pytest.mark.parametrize("api", CLIENT_APIS.values(), ids=lambda api: api.name)
def test_a_handler_says_which_versions_it_serves(made: dict[str, Any], api: Api) -> None:
    said = made["head"](api)
    assert said["name"].lower() == api.name.replace("_", "")
    assert (int(said["lowest"]), int(said["highest"] or said["lowest"])) == (api.lowest, api.highest)


@pytest.mark.parametrize("api", CLIENT_APIS.values(), ids=lambda api: api.name)
def test_nothing_is_served_that_kafka_does_not_serve(made: dict[str, Any], api: Api) -> None:
    lowest, highest = made["KAFKA"][api.key]
    assert lowest <= api.lowest <= api.highest <= highest


def test_nothing_is_said_of_apis_there_are_not(made: dict[str, Any]) -> None:
    unknown = made["TESTED_WITH"].keys() - {api.name for api in CLIENT_APIS.values()}
    assert unknown == set(), "take them off the list"
