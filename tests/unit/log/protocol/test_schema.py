"""Schemas as `kio` has them: what they say of null, defaults and order."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streamflow.log.protocol.schema import FORKS, Field, Schema, merged_schema, newest_version, schema_of

sys.path.insert(0, str(Path(__file__).parent))
from samples import APIS, SIDES, versions


def field(schema: Schema, *path: str) -> Field:
    found = next(f for f in schema.fields if f.name == path[0])
    if len(path) == 1:
        return found
    assert found.struct is not None
    return field(found.struct, *path[1:])


def test_defaults_are_those_of_kafkas_definitions() -> None:
    fetch = schema_of("fetch", 12, "request")
    assert field(fetch, "replica_id").default == -1
    assert field(fetch, "max_bytes").default == 2**31 - 1
    assert field(fetch, "cluster_id").default is None
    assert field(fetch, "topics", "topic").default == ""
    assert field(schema_of("metadata", 12, "request"), "topics", "topic_id").default == b"\0" * 16


def test_times_are_in_ms_and_null_is_minus_one() -> None:
    commit = field(schema_of("produce", 9, "response"), "responses", "partition_responses", "log_append_time_ms")
    assert (commit.kind, commit.nullable, commit.default) == ("datetime_i64", False, -1)


def test_a_nullable_array_is_not_an_array_of_nulls() -> None:
    topics = field(schema_of("metadata", 9, "request"), "topics")
    assert (topics.array, topics.nullable) == (True, True)


@pytest.mark.parametrize("api", APIS)
def test_tagged_fields_come_last_in_the_order_of_their_tags(api: str) -> None:
    def check(schema: Schema) -> None:
        tags = [f.tag for f in schema.fields]
        known = [t for t in tags if t is not None]
        assert tags == [None] * (len(tags) - len(known)) + sorted(set(known)), schema.name
        assert not known or schema.flexible
        for f in schema.fields:
            if f.struct is not None:
                check(f.struct)

    for side in SIDES:
        for version in versions(api, side):
            check(schema_of(api, version, side))


def test_a_merged_schema_has_what_only_old_versions_have_after_what_the_newest_has() -> None:
    newest, merged = schema_of("produce", newest_version("produce"), "request"), merged_schema("produce", "request")
    topic = field(merged, "topic_data").struct
    assert topic is not None
    assert [f.name for f in merged.fields] == [f.name for f in newest.fields]
    assert [f.name for f in topic.fields] == ["topic_id", "partition_data", "name"]


def test_every_fork_is_an_api_that_is_there_and_adds_something() -> None:
    for api, forks in FORKS.items():
        plain = {side: schema_of(api, newest_version(api), side) for side in SIDES}
        assert any(merged_schema(api, side) != plain[side] for side in SIDES), api
        assert all(version < newest_version(api) for version in forks)


def test_an_unknown_api_or_version_is_not_found() -> None:
    for api, version in (("nothing", 0), ("fetch", 99)):
        with pytest.raises(ModuleNotFoundError):
            schema_of(api, version, "request")
