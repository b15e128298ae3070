"""The records of the metadata log `__cluster_metadata`, one struct a fact. PURE.

Written as MessagePack, tagged by name. A record, once written, is read by every later version: fields may be added
with a default, never renamed, reused or removed. The nouns are KRaft's (KIP-631).
"""

from __future__ import annotations

import msgspec

METADATA_TOPIC = "__cluster_metadata"


class MetadataRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True):
    """Root of all records."""


class RegisterBroker(MetadataRecord, frozen=True, kw_only=True):
    """A broker has started (KIP-631). `broker_epoch` is the offset of this record, higher with each start.

    `fenced`: it has yet to catch up, and others are elected in its place. One that isn't is a node alone: it leads what
    it led, each partition one epoch higher. `incarnation_id`: 16 bytes, new with each start of the process.
    `data_epoch`: the earlier epoch under which it is known to have lost nothing; -1 when it may have.
    """

    broker_id: int
    broker_epoch: int
    incarnation_id: bytes = b""
    host: str = ""
    port: int = 0
    peer_host: str = ""
    peer_port: int = 0
    rack: str | None = None
    fenced: bool = False
    data_epoch: int = -1


class BrokerChange(MetadataRecord, frozen=True, kw_only=True):
    """A broker's state has changed; None is "as before"."""

    broker_id: int
    broker_epoch: int
    fenced: bool | None = None
    in_controlled_shutdown: bool | None = None


class UnregisterBroker(MetadataRecord, frozen=True, kw_only=True):
    """A broker that was fenced is forgotten."""

    broker_id: int
    broker_epoch: int


class EpochBegan(MetadataRecord, frozen=True, kw_only=True):
    """The first record of a leader of the quorum: what is before it is committed with it (Raft §5.4.2)."""

    leader_id: int
    leader_epoch: int


class Cluster(MetadataRecord, frozen=True, kw_only=True):
    """The cluster's name for itself: 16 random bytes in URL-safe base64, as Kafka's. Written once."""

    cluster_id: str


class Topic(MetadataRecord, frozen=True, kw_only=True):
    name: str
    topic_id: bytes


class Partition(MetadataRecord, frozen=True, kw_only=True):
    topic_id: bytes
    partition: int
    leader: int
    isr: tuple[int, ...]
    replicas: tuple[int, ...]
    leader_epoch: int
    partition_epoch: int
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()
    adding: tuple[int, ...] = ()
    removing: tuple[int, ...] = ()


class PartitionChange(MetadataRecord, frozen=True, kw_only=True):
    """A partition's leader or replicas have changed; None is "as before".

    A `leader` that is given, the same one too, or none (-1), begins a new leader epoch; each change a new partition
    epoch (KIP-497). `elr`: eligible leader replicas (KIP-966). `adding`, `removing`: of a reassignment (KIP-455).
    """

    topic_id: bytes
    partition: int
    leader: int | None = None
    isr: tuple[int, ...] | None = None
    replicas: tuple[int, ...] | None = None
    elr: tuple[int, ...] | None = None
    last_known_elr: tuple[int, ...] | None = None
    adding: tuple[int, ...] | None = None
    removing: tuple[int, ...] | None = None


class TopicConfig(MetadataRecord, frozen=True, kw_only=True):
    """A setting of a topic, by Kafka's name; None is "back to the default"."""

    topic_id: bytes
    name: str
    value: str | None


class RemoveTopic(MetadataRecord, frozen=True, kw_only=True):
    """The only reason why a topic's data may be removed."""

    topic_id: bytes


class ProducerIds(MetadataRecord, frozen=True, kw_only=True):
    """Producer ids below `next_producer_id` belong to a broker (KIP-730): it hands them out, or they are lost."""

    broker_id: int
    next_producer_id: int


class BrokerSetting(MetadataRecord, frozen=True, kw_only=True):
    """A setting of a broker, or of all brokers (`broker_id` None), by Kafka's name; None is "not set here any more"."""

    broker_id: int | None
    name: str
    value: str | None


class ClientQuota(MetadataRecord, frozen=True, kw_only=True):
    """How much a client may do (KIP-546): an entity by its types and names, where a name of None is the type's default.
    None is "no quota any more"."""

    entity: dict[str, str | None]
    key: str
    value: float | None


AnyRecord = (
    RegisterBroker
    | BrokerChange
    | UnregisterBroker
    | EpochBegan
    | Cluster
    | Topic
    | Partition
    | PartitionChange
    | TopicConfig
    | RemoveTopic
    | ProducerIds
    | BrokerSetting
    | ClientQuota
)

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyRecord).decode
