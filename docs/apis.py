"""Writes `apis.md`: each API the broker serves, in which versions, and the tests that show it.

    python docs/apis.py

The rows are the broker's own table (`protocol/versions.py`); what an API does is the head of its handler; the tests of
the broker itself lie beside the handler's by name. Which of the tests with real clients shows an API is said here.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from streamflow.log.protocol.versions import CLIENT_APIS, Api

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = HERE / "apis.md"
HANDLERS = "streamflow/log/server/handlers"
UNIT_TESTS = "tests/unit/log/server/handlers"
CLIENT_TESTS = "tests/conformance/clients"

HEAD = re.compile(
    r"(?P<name>\w+) (?P<lowest>\d+)(?:–(?P<highest>\d+))?(?: \((?P<kips>[^)]*)\))?[:,] (?P<does>.*)", re.DOTALL
)
"""A handler's docstring begins with what it serves: `CreateTopics 2–7 (KIP-4): each topic on its own.`"""

TESTED_WITH = {
    "heartbeat": "join_group",
    "leave_group": "join_group",
    "sync_group": "join_group",
    "list_groups": "describe_groups",
    "delete_groups": "describe_groups",
    "init_producer_id": "end_txn",
    "add_partitions_to_txn": "end_txn",
    "add_offsets_to_txn": "end_txn",
    "txn_offset_commit": "end_txn",
    "write_txn_markers": "end_txn",
    "describe_producers": "end_txn",
    "describe_transactions": "end_txn",
    "list_transactions": "end_txn",
}
"""Whose tests show an API that has none of its own, as it means nothing alone."""

SHOWN_BY = {
    "produce": "test_wire.py:test_every_version_of_produce_stores_a_batch",
    "fetch": "test_wire.py:test_every_version_of_fetch_returns_what_was_stored",
    "list_offsets": "test_wire.py:test_offsets_are_found_by_every_special_timestamp",
    "metadata": "test_wire.py:test_metadata_knows_topics_by_id",
    "offset_commit": "test_wire.py:test_commits_are_held_to_members_and_limits",
    "offset_fetch": "test_wire.py:test_offsets_of_many_groups_are_fetched_at_once",
    "find_coordinator": "test_wire.py:test_coordinators_of_many_are_found_at_once",
    "join_group": "test_confluent.py:test_two_members_share_the_partitions_and_one_alone_has_all",
    "heartbeat": "test_wire.py:test_heartbeats_and_syncs_of_strangers_are_refused",
    "leave_group": "test_wire.py:test_leaving_tells_each_members_outcome",
    "sync_group": "test_wire.py:test_heartbeats_and_syncs_of_strangers_are_refused",
    "describe_groups": "test_confluent.py:test_groups_are_listed_described_and_deleted",
    "list_groups": "test_confluent.py:test_groups_are_listed_described_and_deleted",
    "api_versions": "test_wire.py:test_every_version_of_api_versions_is_answered_under_the_oldest_header",
    "create_topics": "test_wire_admin.py:test_topics_that_cannot_be_are_refused_each_on_its_own",
    "delete_topics": "test_wire_admin.py:test_topics_are_deleted_by_name_and_by_id",
    "delete_records": "test_wire_admin.py:test_records_are_not_deleted_where_there_are_none_or_none_may_be",
    "init_producer_id": "test_wire.py:test_an_epoch_goes_up_with_every_initialisation",
    "offset_for_leader_epoch": "test_wire.py:test_the_end_of_an_epoch_is_told",
    "add_partitions_to_txn": "test_wire.py:test_transactions_are_held_to_their_producer",
    "add_offsets_to_txn": "test_confluent.py:test_offsets_are_committed_with_the_transaction_that_used_them",
    "end_txn": "test_confluent.py:test_committed_transactions_are_read_and_aborted_ones_are_not",
    "write_txn_markers": "test_java_clients.py:test_transactions_are_described_listed_and_aborted",
    "txn_offset_commit": "test_wire.py:test_offsets_of_an_open_transaction_are_unstable",
    "describe_configs": "test_wire_admin.py:test_every_setting_of_a_topic_has_kafkas_type_and_source",
    "alter_configs": "test_wire_admin.py:test_the_old_way_to_alter_forgets_what_it_does_not_name",
    "describe_log_dirs": "test_wire_admin.py:test_the_disk_is_described",
    "create_partitions": "test_wire_admin.py:test_partitions_are_added_and_never_taken_away",
    "delete_groups": "test_confluent.py:test_groups_are_listed_described_and_deleted",
    "elect_leaders": "test_wire_admin.py:test_no_election_is_needed",
    "incremental_alter_configs": "test_wire_admin.py:test_lists_are_added_to_and_taken_from_and_settings_deleted",
    "alter_partition_reassignments": "test_wire_admin.py:test_nothing_is_moved",
    "list_partition_reassignments": "test_wire_admin.py:test_nothing_is_moved",
    "offset_delete": "test_java_clients.py:test_groups_are_administered",
    "describe_client_quotas": "test_wire_admin.py:test_quotas_are_kept_found_and_taken_away",
    "alter_client_quotas": "test_wire_admin.py:test_quotas_and_filters_that_cannot_be_are_refused",
    "describe_user_scram_credentials": "test_wire_admin.py:test_nobody_has_credentials",
    "describe_quorum": "test_wire_admin.py:test_the_quorum_is_one_node",
    "update_features": "test_wire_admin.py:test_features_stay_at_their_levels",
    "describe_cluster": "test_confluent.py:test_the_cluster_is_described",
    "describe_producers": "test_java_clients.py:test_transactions_are_described_listed_and_aborted",
    "describe_transactions": "test_java_clients.py:test_transactions_are_described_listed_and_aborted",
    "list_transactions": "test_java_clients.py:test_transactions_are_described_listed_and_aborted",
    "consumer_group_heartbeat": "test_java_clients.py:test_two_members_share_the_partitions_and_one_alone_has_all",
    "consumer_group_describe": "test_java_clients.py:test_groups_are_administered",
    "list_config_resources": "test_wire_admin.py:test_what_has_settings_is_listed",
    "describe_topic_partitions": "test_wire_admin.py:test_topics_are_described_a_page_at_a_time",
}
"""A test of real clients, or of requests by hand, against this broker and Apache Kafka alike."""

KAFKA = {
    0: (3, 13), 1: (4, 18), 2: (1, 11), 3: (0, 13), 8: (2, 10), 9: (1, 10), 10: (0, 6), 11: (0, 9), 12: (0, 4),
    13: (0, 5), 14: (0, 5), 15: (0, 6), 16: (0, 5), 18: (0, 5), 19: (2, 7), 20: (1, 6), 21: (0, 2), 22: (0, 5),
    23: (2, 4), 24: (0, 5), 25: (0, 4), 26: (0, 5), 27: (1, 2), 28: (0, 6), 32: (1, 4), 33: (0, 2), 35: (1, 5),
    37: (0, 3), 42: (0, 3), 43: (0, 2), 44: (0, 1), 45: (0, 1), 46: (0, 0), 47: (0, 0), 48: (0, 1), 49: (0, 1),
    50: (0, 0), 55: (0, 2), 57: (0, 2), 60: (0, 2), 61: (0, 0), 65: (0, 0), 66: (0, 2), 68: (0, 1), 69: (0, 1),
    74: (0, 1), 75: (0, 0),
}  # fmt: skip
"""What Apache Kafka 4.4.0 serves, as it answers ApiVersions (Produce: as its messages say, for it lists 0)."""

INTRODUCTION = f"""# APIs

What the broker serves of Kafka's protocol, and the tests that show it. It lists to clients what is here and nothing
else: a client takes what is listed at its word. A request of another version closes its connection, but for
ApiVersions, which is answered with the versions there are (KIP-511).

Each is shown by a test with real clients, or with requests by hand, against this broker and Apache Kafka alike
(`{CLIENT_TESTS}`), and by tests of its handler alone (`{UNIT_TESTS}`).

This page is made by `python docs/apis.py`.

"""

NOT_SERVED = (
    (
        "SaslHandshake, SaslAuthenticate, ACLs, delegation tokens, SCRAM credentials (17, 29–31, 36, 38–41, 51)",
        "there is no authentication yet: everybody may do everything",
    ),
    (
        "Of nodes to each other: Vote, BeginQuorumEpoch, EndQuorumEpoch, AlterPartition, Envelope, FetchSnapshot, "
        "BrokerRegistration, BrokerHeartbeat, AllocateProducerIds (52–54, 56, 58, 59, 62, 63, 67); a replica's Fetch",
        "clients' listener takes it from nobody (CVE-2018-1288): nodes have a listener of their own",
    ),
    (
        "AlterReplicaLogDirs, UnregisterBroker, ControllerRegistration, AssignReplicasToDirs, changes of the voters "
        "(34, 64, 70, 73, 80–82)",
        "a node has one directory, and the voters are those it was started with",
    ),
    (
        "GetTelemetrySubscriptions, PushTelemetry (71, 72)",
        "clients push their metrics where these are listed (KIP-714), and nothing here receives them; Apache Kafka "
        "doesn't list them either, unless it has a receiver",
    ),
    ("Share groups, streams groups (76–79, 83–94)", "not built; their features aren't listed, so that nobody asks"),
)
"""And why."""


def head(api: Api) -> re.Match[str]:
    """What the API's handler says of itself. Raises: ValueError when it doesn't begin as it should."""
    path = ROOT / HANDLERS / f"{api.name}.py"
    found = HEAD.match(ast.get_docstring(ast.parse(path.read_text())) or "")
    if found is None:
        raise ValueError(f"{path} doesn't begin with its name and versions, as in: CreateTopics 2–7: what it does")
    return found


def versions(lowest: int, highest: int) -> str:
    return str(lowest) if lowest == highest else f"{lowest}–{highest}"


def unit_test(api: Api) -> str:
    return f"{UNIT_TESTS}/test_{TESTED_WITH.get(api.name, api.name)}.py"


def row(api: Api) -> str:
    said = head(api)
    sentence = re.split(r"(?<=[\w)`])[.:](?:\s|$)", " ".join(said["does"].split()), maxsplit=1)[0]
    listed = "" if api.listed is None else f" (lists {api.listed})"
    file, _, test = SHOWN_BY[api.name].partition(":")
    shown = f"{test.removeprefix('test_').replace('_', ' ')} (`{file}`); `{Path(unit_test(api)).name}`"
    served = versions(api.lowest, api.highest) + listed
    return f"| {api.key} | {said['name']} | {served} | {versions(*KAFKA[api.key])} | {sentence} | {shown} |"


def page() -> str:
    rows = "\n".join(row(api) for api in CLIENT_APIS.values())
    return (
        f"{INTRODUCTION}| key | API | versions | Kafka 4.4 | what it does | shown by |\n|---|---|---|---|---|---|\n"
        f"{rows}\n\n## What isn't served\n\n| API | why |\n|---|---|\n"
        + "".join(f"| {api} | {why} |\n" for api, why in NOT_SERVED)
    )


if __name__ == "__main__":
    PAGE.write_text(page())
