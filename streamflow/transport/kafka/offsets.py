"""Where partitions of a cluster begin and end, what lies at a time, and where groups stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import ListOffsetsResultInfo, OffsetSpec

from streamflow.event import TopicPartition
from streamflow.transport.base import EARLIEST, LATEST, Committed
from streamflow.transport.kafka.client import TIMEOUT_SECONDS, Client
from streamflow.transport.kafka.failures import translate

_SPECIAL = {EARLIEST: OffsetSpec.earliest(), LATEST: OffsetSpec.latest()}


async def list_offsets(
    client: Client, times: Mapping[TopicPartition, int], *, committed: bool = True
) -> dict[TopicPartition, ListOffsetsResultInfo]:
    """Args:
        committed: ends are last stable offsets, else high watermarks.

    Raises: UnknownTopicError, LogError.
    """
    if not times:
        return {}
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    asked = {
        Place(where.topic, where.partition): _SPECIAL.get(at) or OffsetSpec.for_timestamp(at)
        for where, at in times.items()
    }
    futures = client.admin.list_offsets(asked, isolation_level=level, request_timeout=TIMEOUT_SECONDS)
    return {
        TopicPartition(place.topic, place.partition): await client.result(
            future, f"asking for offsets of {place.topic}-{place.partition}", place.topic
        )
        for place, future in futures.items()
    }


async def find_offsets(client: Client, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """As `Transport.offsets_for_times`."""
    found = {where: info.offset for where, info in (await list_offsets(client, times)).items()}
    past = [where for where, offset in found.items() if offset < 0]  # No record is so new.
    return found | await ends(client, past) if past else found


async def ends(client: Client, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Last stable offsets."""
    infos = await list_offsets(client, dict.fromkeys(partitions, LATEST))
    return {where: info.offset for where, info in infos.items()}


async def committed_offsets(client: Client, group: str) -> dict[TopicPartition, Committed]:
    """As `Transport.committed`."""
    asked = ConsumerGroupTopicPartitions(group)
    [future] = client.admin.list_consumer_group_offsets([asked], request_timeout=TIMEOUT_SECONDS).values()
    found = await client.result(future, f"asking for the offsets of group '{group}'")
    return _known(found.topic_partitions or ())


async def stable_offsets(
    client: Client, group: str, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, Committed] | None:
    """None as long as an open transaction holds one of them. Raises: LogError."""
    asked = [Place(w.topic, w.partition) for w in partitions]
    if not asked:
        return {}
    [future] = client.admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group, asked)], require_stable=True, request_timeout=TIMEOUT_SECONDS
    ).values()
    what = f"asking for the offsets of group '{group}'"
    found = await client.blocking(lambda: _unless_unstable(future), what)
    if found is None:
        return None
    for place in found.topic_partitions or ():
        if place.error is not None:
            if place.error.code() == KafkaError.UNSTABLE_OFFSET_COMMIT:
                return None
            raise translate(place.error, what, place.topic)
    return _known(found.topic_partitions or ())


def _unless_unstable(future: Future[ConsumerGroupTopicPartitions]) -> ConsumerGroupTopicPartitions | None:
    try:
        return future.result(TIMEOUT_SECONDS + 5)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNSTABLE_OFFSET_COMMIT:
            return None
        raise


def _known(places: Iterable[Place]) -> dict[TopicPartition, Committed]:
    return {
        TopicPartition(p.topic, p.partition): Committed(
            p.offset, p.metadata or "", -1 if p.leader_epoch is None else p.leader_epoch
        )
        for p in places
        if p.offset >= 0
    }
