"""Which APIs are served, in which versions, and to whom. PURE.

Promises: what isn't served isn't here, so it isn't advertised: a client takes what is listed at its word and leaves the
path it would have gone without. What nodes say to each other is neither told to clients nor taken from them
(CVE-2018-1288). The versions are Apache Kafka 4.4's (`clients/…/message/*Request.json`), as far as the
handler's head says that they are done.
"""

from __future__ import annotations

from dataclasses import dataclass

FRAME_BYTES_MAX = 8 << 20
"""Of any request but those below: a group of 1,000 members over 100,000 partitions fits."""
ENVELOPE_BYTES_MAX = FRAME_BYTES_MAX + (64 << 10)
"""Whatever a client may send fits into one."""
PRODUCE_BYTES_MAX = 100 << 20
"""`socket.request.max.bytes`, as Kafka."""
FIRST_FRAME_BYTES_MAX = 64 << 10
"""Of a connection that hasn't yet sent one good request: who it is isn't known, and what begins a conversation is
short (Kafka's limit before authentication: 512 KiB)."""
BEGUN_WITH = (0, 1)
"""Produce and Fetch are as long as ever: a client that was told what the broker speaks, or knows it from another
connection, begins one with what it is for (sarama, kafkajs). What is held of all together is bounded elsewhere."""

CLIENTS, PEERS, BOTH = "clients", "peers", "both"
"""Who may send a request: at which of a node's two listeners it is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Args:
    name: as in `messages` and `server.handlers`.
    senders: who may send it.
    of_controller: whether the active controller answers it, whoever is asked.
    lowest: the lowest version served; `listed` the lowest advertised, where that differs.
    flexible: the first version with compact lengths and tags (KIP-482).
    """

    key: int
    name: str
    lowest: int
    highest: int
    flexible: int
    listed: int | None = None
    bytes_max: int = FRAME_BYTES_MAX
    senders: str = CLIENTS
    of_controller: bool = False

    @property
    def advertised(self) -> tuple[int, int]:
        return self.lowest if self.listed is None else self.listed, self.highest

    @property
    def first_bytes_max(self) -> int:
        """Of a connection's first request."""
        return self.bytes_max if self.key in BEGUN_WITH else min(self.bytes_max, FIRST_FRAME_BYTES_MAX)

    def serves(self, version: int) -> bool:
        return self.lowest <= version <= self.highest


_TABLE = (
    # Kafka serves 3 and up and lists 0: librdkafka before 2.11.1 derives from the minimum whether the broker can
    # compress, and stops compressing without a word (KAFKA-18659).
    Api(key=0, name="produce", lowest=3, highest=13, flexible=9, listed=0, bytes_max=PRODUCE_BYTES_MAX),
    Api(key=1, name="fetch", lowest=4, highest=18, flexible=12, senders=BOTH),
    Api(key=2, name="list_offsets", lowest=1, highest=11, flexible=6, senders=BOTH),
    Api(key=3, name="metadata", lowest=0, highest=13, flexible=9, senders=BOTH),
    Api(key=8, name="offset_commit", lowest=2, highest=10, flexible=8),
    Api(key=9, name="offset_fetch", lowest=1, highest=10, flexible=6),
    Api(key=10, name="find_coordinator", lowest=0, highest=6, flexible=3),
    Api(key=11, name="join_group", lowest=0, highest=9, flexible=6),
    Api(key=12, name="heartbeat", lowest=0, highest=4, flexible=4),
    Api(key=13, name="leave_group", lowest=0, highest=5, flexible=4),
    Api(key=14, name="sync_group", lowest=0, highest=5, flexible=4),
    Api(key=15, name="describe_groups", lowest=0, highest=6, flexible=5),
    Api(key=16, name="list_groups", lowest=0, highest=5, flexible=3),
    Api(key=18, name="api_versions", lowest=0, highest=4, flexible=3, senders=BOTH),
    Api(key=19, name="create_topics", lowest=2, highest=7, flexible=5, senders=BOTH, of_controller=True),
    Api(key=20, name="delete_topics", lowest=1, highest=6, flexible=4, of_controller=True),
    Api(key=21, name="delete_records", lowest=0, highest=2, flexible=2),
    Api(key=22, name="init_producer_id", lowest=0, highest=5, flexible=2),
    Api(key=23, name="offset_for_leader_epoch", lowest=2, highest=4, flexible=4, senders=BOTH),
    Api(key=24, name="add_partitions_to_txn", lowest=0, highest=5, flexible=3, senders=BOTH),
    Api(key=25, name="add_offsets_to_txn", lowest=0, highest=4, flexible=3),
    Api(key=26, name="end_txn", lowest=0, highest=5, flexible=3),
    Api(key=27, name="write_txn_markers", lowest=1, highest=2, flexible=1, senders=BOTH),
    Api(key=28, name="txn_offset_commit", lowest=0, highest=5, flexible=3),
    Api(key=32, name="describe_configs", lowest=1, highest=4, flexible=4, senders=BOTH),
    Api(key=33, name="alter_configs", lowest=0, highest=2, flexible=2, of_controller=True),
    Api(key=35, name="describe_log_dirs", lowest=1, highest=5, flexible=2, senders=BOTH),
    Api(key=37, name="create_partitions", lowest=0, highest=3, flexible=2, of_controller=True),
    Api(key=42, name="delete_groups", lowest=0, highest=2, flexible=2),
    Api(key=43, name="elect_leaders", lowest=0, highest=2, flexible=2, senders=BOTH, of_controller=True),
    Api(key=44, name="incremental_alter_configs", lowest=0, highest=1, flexible=1, of_controller=True),
    Api(
        key=45, name="alter_partition_reassignments", lowest=0, highest=1, flexible=0, senders=BOTH, of_controller=True
    ),
    Api(key=46, name="list_partition_reassignments", lowest=0, highest=0, flexible=0, senders=BOTH, of_controller=True),
    Api(key=47, name="offset_delete", lowest=0, highest=0, flexible=1),
    Api(key=48, name="describe_client_quotas", lowest=0, highest=1, flexible=1),
    Api(key=49, name="alter_client_quotas", lowest=0, highest=1, flexible=1, of_controller=True),
    Api(key=50, name="describe_user_scram_credentials", lowest=0, highest=0, flexible=0),
    Api(key=52, name="vote", lowest=0, highest=2, flexible=0, senders=PEERS),
    Api(key=53, name="begin_quorum_epoch", lowest=0, highest=1, flexible=1, senders=PEERS),
    Api(key=54, name="end_quorum_epoch", lowest=0, highest=1, flexible=1, senders=PEERS),
    Api(key=55, name="describe_quorum", lowest=0, highest=2, flexible=0, senders=BOTH, of_controller=True),
    Api(key=56, name="alter_partition", lowest=2, highest=3, flexible=0, senders=PEERS),
    Api(key=57, name="update_features", lowest=0, highest=2, flexible=0, of_controller=True),
    Api(key=58, name="envelope", lowest=0, highest=0, flexible=0, bytes_max=ENVELOPE_BYTES_MAX, senders=PEERS),
    Api(key=60, name="describe_cluster", lowest=0, highest=2, flexible=0, senders=BOTH),
    Api(key=61, name="describe_producers", lowest=0, highest=0, flexible=0, senders=BOTH),
    Api(key=62, name="broker_registration", lowest=0, highest=4, flexible=0, senders=PEERS),
    Api(key=63, name="broker_heartbeat", lowest=0, highest=2, flexible=0, senders=PEERS),
    Api(key=64, name="unregister_broker", lowest=0, highest=0, flexible=0, senders=PEERS, of_controller=True),
    Api(key=65, name="describe_transactions", lowest=0, highest=0, flexible=0, senders=BOTH),
    Api(key=66, name="list_transactions", lowest=0, highest=2, flexible=0),
    Api(key=67, name="allocate_producer_ids", lowest=0, highest=0, flexible=0, senders=PEERS),
    Api(key=68, name="consumer_group_heartbeat", lowest=0, highest=1, flexible=0),
    Api(key=69, name="consumer_group_describe", lowest=0, highest=1, flexible=0),
    Api(key=74, name="list_config_resources", lowest=0, highest=1, flexible=0),
    Api(key=75, name="describe_topic_partitions", lowest=0, highest=0, flexible=0),
)

APIS: dict[int, Api] = {api.key: api for api in _TABLE}
"""By key."""
CLIENT_APIS: dict[int, Api] = {api.key: api for api in _TABLE if api.senders != PEERS}
"""Those of the clients' listener."""
PEER_APIS: dict[int, Api] = {api.key: api for api in _TABLE if api.senders != CLIENTS}
"""Those of the peers' listener."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What clients turn on when it is finalized at a `level` (KIP-584); 0 is off."""

    name: str
    lowest: int
    highest: int
    level: int


FEATURES: tuple[Feature, ...] = (
    Feature(name="metadata.version", lowest=7, highest=25, level=25),
    Feature(name="transaction.version", lowest=0, highest=2, level=2),
    Feature(name="group.version", lowest=0, highest=1, level=1),
)
"""Listed when they work: `transaction.version` 2 turns clients to KIP-890's second part, `group.version` 1 to
KIP-848."""
