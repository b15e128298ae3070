"""Where partitions of a cluster begin and end, and what lies at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import IsolationLevel
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import ListOffsetsResultInfo, OffsetSpec

from streamflow.event import TopicPartition
from streamflow.transport.base import EARLIEST, LATEST
from streamflow.transport.kafka.client import TIMEOUT_SECONDS, Client

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
