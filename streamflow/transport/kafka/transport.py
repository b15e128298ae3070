"""A cluster that speaks Kafka's protocol, as a transport.

Promises: those of `transport.base`, as far as the cluster keeps its own. What was created can be used when the call
returns: clusters tell their brokers of a topic one after the other, and that is waited for.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future

import anyio
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, NewTopic, ResourceType

from streamflow.errors import ConfigError, UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.compression import codec_number
from streamflow.log.errors import LeaderNotAvailableError, NotLeaderError, OffsetOutOfRangeError, RequestTimedOutError
from streamflow.transport.base import EARLIEST, LATEST, Committed, PartitionInfo, TopicInfo, TopicSpec
from streamflow.transport.kafka.address import parse_address
from streamflow.transport.kafka.client import TIMEOUT_SECONDS, Client
from streamflow.transport.kafka.failures import translate
from streamflow.transport.kafka.member import KafkaMember
from streamflow.transport.kafka.offsets import committed_offsets, find_offsets, list_offsets, stable_offsets
from streamflow.transport.kafka.reader import KafkaReader
from streamflow.transport.kafka.topics import describe_topics, partition_count, topic_names
from streamflow.transport.kafka.writer import TRANSACTION_TIMEOUT_MS, KafkaWriter

LOOK_SECONDS = 0.05
"""Between two looks whether all brokers know of a change."""
UNSTABLE_SECONDS = TRANSACTION_TIMEOUT_MS / 1000 + TIMEOUT_SECONDS
"""A transaction that its writer left open ends by its time-out."""


class KafkaTransport:
    """See `Transport`.

    Raises: ConfigError for an address that can't be.
    """

    def __init__(self, url: str, *, now_ms: Callable[[], int]) -> None:
        self._address = parse_address(url, os.environ)
        self._url = url
        self._held: Client | None = None

    def __repr__(self) -> str:
        return f"<KafkaTransport {self._url}{'' if self._held else ' closed'}>"

    @property
    def url(self) -> str:
        return self._url

    @property
    def _client(self) -> Client:
        if self._held is None:
            raise ConfigError(f"{self._url} isn't open; call open() first")
        return self._held

    @property
    def _admin(self) -> AdminClient:
        return self._client.admin

    async def open(self) -> None:
        if self._held is not None:
            raise ConfigError(f"{self._url} is open already")
        try:
            client = Client(self._address)
        except KafkaException as error:
            raise ConfigError(f"{self._url}: {error.args[0].str()}") from error
        await client.blocking(lambda: client.admin.list_topics(timeout=TIMEOUT_SECONDS), f"connecting to {self._url}")
        self._held = client

    async def close(self) -> None:
        self._held = None

    # Topics

    async def create_topic(self, spec: TopicSpec) -> None:
        new = NewTopic(spec.name, spec.partitions, spec.replication_factor, config=dict(spec.config))
        [future] = self._admin.create_topics([new], operation_timeout=TIMEOUT_SECONDS).values()
        await self._client.result(future, f"creating topic '{spec.name}'", spec.name)
        what = f"topic '{spec.name}' to be known, with a leader for each partition"
        await self._until(lambda: self._led(spec), what)

    async def _led(self, spec: TopicSpec) -> bool:
        """As their leaders say: whoever describes a topic may know of it earlier. It is asked first all the same, for
        librdkafka remembers for long that there was no leader."""
        topic = (await describe_topics(self._client, [spec.name])).get(spec.name)
        if topic is None or any(p.leader is None or p.leader.id < 0 for p in topic.partitions):
            return False
        try:
            await list_offsets(self._client, {TopicPartition(spec.name, n): LATEST for n in range(spec.partitions)})
        except (UnknownTopicError, NotLeaderError, LeaderNotAvailableError):
            return False
        return True

    async def delete_topic(self, name: str) -> None:
        [future] = self._admin.delete_topics([name], operation_timeout=TIMEOUT_SECONDS).values()
        await self._client.result(future, f"deleting topic '{name}'", name)
        await self._until(lambda: self._gone(name), f"topic '{name}' to be gone")

    async def _gone(self, name: str) -> bool:
        return not await describe_topics(self._client, [name])

    async def _until(self, holds: Callable[[], Awaitable[bool]], what: str, seconds: float = TIMEOUT_SECONDS) -> None:
        deadline = anyio.current_time() + seconds
        while anyio.current_time() < deadline:
            if await holds():
                return
            await anyio.sleep(LOOK_SECONDS)
        raise RequestTimedOutError(f"waited {seconds:.0f} s for {what}")

    async def topics(self) -> dict[str, TopicInfo]:
        described = await describe_topics(self._client, await topic_names(self._client))
        if not described:
            return {}
        configs = self._admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in described])
        return {
            resource.name: TopicInfo(
                name=resource.name,
                topic_id=str(described[resource.name].topic_id),
                partitions=len(described[resource.name].partitions),
                internal=described[resource.name].is_internal,
                config={
                    entry.name: entry.value
                    for entry in (await self._client.result(future, "describing settings", resource.name)).values()
                    if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
                },
            )
            for resource, future in configs.items()
        }

    async def describe_partitions(self, topic: str) -> list[PartitionInfo]:
        places = [TopicPartition(topic, number) for number in range(await partition_count(self._client, topic))]
        firsts = await list_offsets(self._client, dict.fromkeys(places, EARLIEST))
        stables = await list_offsets(self._client, dict.fromkeys(places, LATEST))
        ends = await list_offsets(self._client, dict.fromkeys(places, LATEST), committed=False)
        return [
            PartitionInfo(
                log_start_offset=firsts[where].offset,
                high_watermark=ends[where].offset,
                last_stable_offset=stables[where].offset,
                leader_epoch=ends[where].leader_epoch or 0,
                size_bytes=-1,
                segments=-1,
            )
            for where in places
        ]

    async def offsets_for_times(self, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        return await find_offsets(self._client, times)

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        futures = self._admin.delete_records([Place(w.topic, w.partition, offset) for w, offset in before.items()])
        for place, future in futures.items():
            where = TopicPartition(place.topic, place.partition)
            refused = await self._refusal(future, f"deleting records of {where}")
            if refused is not None and refused.code() == KafkaError.OFFSET_OUT_OF_RANGE:
                first = await find_offsets(self._client, {where: EARLIEST})
                end = await find_offsets(self._client, {where: LATEST})
                raise OffsetOutOfRangeError(str(where), before[where], first[where], end[where])
            if refused is not None:
                raise translate(refused, f"deleting records of {where}", where.topic)

    # Groups

    async def groups(self) -> list[str]:
        future = self._admin.list_consumer_groups(request_timeout=TIMEOUT_SECONDS)
        found = await self._client.result(future, "listing groups")
        if found.errors:
            raise translate(found.errors[0], "listing groups")
        return [group.group_id for group in found.valid]

    async def committed(self, group: str) -> dict[TopicPartition, Committed]:
        return await committed_offsets(self._client, group)

    async def stable_offsets(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Committed]:
        wanted, known = sorted(set(partitions)), dict[TopicPartition, Committed]()

        async def settled() -> bool:
            found = await stable_offsets(self._client, group, wanted)
            known.update(found or {})
            return found is not None

        await self._until(settled, f"transactions that hold offsets of group '{group}' to end", UNSTABLE_SECONDS)
        return known

    async def commit_offsets(self, group: str, offsets: Mapping[TopicPartition, Committed]) -> None:
        if not offsets:
            return
        places = [
            Place(w.topic, w.partition, c.offset, c.metadata, leader_epoch=c.leader_epoch)
            if c.leader_epoch >= 0
            else Place(w.topic, w.partition, c.offset, c.metadata)
            for w, c in offsets.items()
        ]
        asked = ConsumerGroupTopicPartitions(group, places)
        [future] = self._admin.alter_consumer_group_offsets([asked], request_timeout=TIMEOUT_SECONDS).values()
        what = f"committing offsets of group '{group}'"
        found = await self._client.result(future, what, places[0].topic)
        for place in found.topic_partitions or ():
            if place.error is not None:
                raise translate(place.error, what, place.topic)

    async def delete_group(self, group: str) -> None:
        [future] = self._admin.delete_consumer_groups([group], request_timeout=TIMEOUT_SECONDS).values()
        refused = await self._refusal(future, f"deleting group '{group}'")
        if refused is not None and refused.code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise translate(refused, f"deleting group '{group}'")

    async def _refusal(self, future: Future[object], what: str) -> KafkaError | None:
        """What the cluster has against it."""

        def wait() -> KafkaError | None:
            try:
                future.result(TIMEOUT_SECONDS)
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                return reason
            return None

        return await self._client.blocking(wait, what)

    async def join(self, group: str, topic: str) -> KafkaMember:
        return KafkaMember(self._client, group, topic)

    # Records

    async def reader(self) -> KafkaReader:
        found = await self._client.blocking(
            lambda: self._admin.list_topics(timeout=TIMEOUT_SECONDS), "asking for partitions"
        )
        counts = {name: len(topic.partitions) for name, topic in found.topics.items()}
        return KafkaReader(self._client, counts)

    async def writer(self, transactional_id: str | None = None, *, compression: str = "none") -> KafkaWriter:
        codec_number(compression)
        return await KafkaWriter.open(self._client, transactional_id, compression)
