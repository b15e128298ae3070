"""What topics a cluster has. Asking for one never makes it, whatever the cluster's `auto.create.topics.enable`."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import TopicCollection
from confluent_kafka.admin import TopicDescription

from streamflow.errors import UnknownTopicError
from streamflow.transport.kafka.client import TIMEOUT_SECONDS, Client


async def topic_names(client: Client) -> list[str]:
    found = await client.blocking(lambda: client.admin.list_topics(timeout=TIMEOUT_SECONDS), "listing topics")
    return list(found.topics)


async def describe_topics(client: Client, names: Sequence[str]) -> dict[str, TopicDescription]:
    """Those there are. Raises: LogError."""
    if not names:
        return {}
    futures = client.admin.describe_topics(TopicCollection(list(names)), request_timeout=TIMEOUT_SECONDS)
    found: dict[str, TopicDescription] = {}
    for name, future in futures.items():
        try:
            found[name] = await client.result(future, f"describing topic '{name}'", name)
        except UnknownTopicError:
            continue
    return found


async def partition_count(client: Client, name: str) -> int:
    """Raises: UnknownTopicError."""
    found = await describe_topics(client, [name])
    if name not in found:
        raise UnknownTopicError(name, await topic_names(client))
    return len(found[name].partitions)
