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
    """A broker has started. Until then it was fenced: it leads what it led, each partition one epoch higher."""

    broker_id: int
    broker_epoch: int


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


class PartitionChange(MetadataRecord, frozen=True, kw_only=True):
    """A partition's leader or in-sync replicas have changed; None is "as before"."""

    topic_id: bytes
    partition: int
    leader: int | None = None
    isr: tuple[int, ...] | None = None


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
