"""The topics of the log as a node knows and changes them; what it has of them itself is `hosted`.

Promises: a topic exists once its records are committed by the quorum. Who asked for a change finds it done on this node
when the call returns. On a node that isn't the active controller `change` is refused, and what a node needs for itself
(`ensure`) is asked of the controller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import structlog

from streamflow.errors import UnknownTopicError
from streamflow.event import TopicPartition
from streamflow.log.controller.image import MetadataImage, TopicImage
from streamflow.log.controller.placement import internal_factor
from streamflow.log.controller.records import METADATA_TOPIC, AnyRecord
from streamflow.log.controller.topics import INTERNAL_TOPICS, OFFSETS_TOPIC, NewTopic, create_topic, delete_topic
from streamflow.log.errors import (
    InvalidTopicError,
    NotLeaderError,
    PeerUnreachableError,
    RequestTimedOutError,
    StorageFailedError,
)
from streamflow.log.node.config import NodeConfig
from streamflow.log.node.hosted import Hosted
from streamflow.log.node.membership import Membership
from streamflow.log.node.metadata import PATH as METADATA_PATH
from streamflow.log.node.metadata import MetadataLog
from streamflow.log.node.peers import Peers
from streamflow.log.node.replica import Replica
from streamflow.log.node.settings import Settings
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import create_topics_request

log = structlog.get_logger("streamflow.log")

INTERNAL_CONFIG = {
    "cleanup.policy": "compact",
    "segment.bytes": str(8 << 20),
    # A group is one record: 1,000 members with long subscriptions need more than what a client may send at once.
    "max.message.bytes": str(16 << 20),
}
SAFE_FACTOR = 3
"""From so many replicas on, one may fail: two have to be in sync then."""
ENSURE_TIMEOUT_MS = 10_000
RETRY_MS = 50
"""Between two looks whether a controller is there, or a topic is known."""


class Topics:
    """Args:
    new_id: gives 16 bytes that no topic ever had.
    """

    def __init__(
        self,
        metadata: MetadataLog,
        hosted: Hosted,
        settings: Settings,
        config: NodeConfig,
        *,
        membership: Membership,
        peers: Peers,
        new_id: Callable[[], bytes],
    ) -> None:
        self.replicas = hosted.replicas
        self.metadata = metadata
        self.settings = settings
        self.hosted = hosted
        self._config = config
        self._membership = membership
        self._peers = peers
        self._new_id = new_id

    # Looking up

    def find(self, where: TopicPartition) -> Replica:
        """This node's replica.

        Raises: UnknownTopicError, InvalidTopicError for a number it doesn't have, NotLeaderError where others have it,
            StorageFailedError.
        """
        replica = self.replicas.get(where)
        if replica is None:
            partitions = self.describe(where.topic).partitions
            if not 0 <= where.partition < len(partitions):
                raise InvalidTopicError(
                    f"topic '{where.topic}' has no partition {where.partition}: it has {len(partitions)}"
                )
            if self.metadata.node_id not in partitions[where.partition].replicas:
                raise NotLeaderError(f"{where} has no replica on node {self.metadata.node_id}")
            raise StorageFailedError(f"{where} couldn't be opened when it was made; open the log again")
        return replica

    def describe(self, name: str) -> TopicImage:
        """Raises: UnknownTopicError."""
        topics = self.metadata.image.topics
        if name not in topics:
            raise UnknownTopicError(name, list(topics))
        return topics[name]

    def points(self) -> dict[str, int]:
        """Recovery points by path, as of now."""
        return {**self.hosted.points(), METADATA_PATH: self.metadata.partition.recovery_point}

    # Changing

    async def create(self, new: NewTopic, *, validate_only: bool = False) -> TopicImage:
        """Returns: the topic, or what it would be. Raises: TopicExistsError, InvalidTopicError, LogError."""
        if new.name not in self.metadata.image.topics and new.name in {*INTERNAL_TOPICS, METADATA_TOPIC}:
            raise InvalidTopicError(f"topic '{new.name}' is the log's own; it makes it when it needs it")
        if validate_only:
            preview = MetadataImage()
            for record in self._creation(self.metadata.image, new, self._new_id()):
                preview.apply(record)
            return preview.topics[new.name]
        return await self._create(new)

    async def _create(self, new: NewTopic) -> TopicImage:
        topic_id = self._new_id()
        await self.metadata.change(lambda image: self._creation(image, new, topic_id))
        created = self.metadata.image.topics_by_id.get(topic_id)
        if created is None:
            raise UnknownTopicError(new.name)  # It was deleted at once.
        return created

    def _creation(self, image: MetadataImage, new: NewTopic, topic_id: bytes) -> list[AnyRecord]:
        """Whose turn it is to begin hangs on the id: topics don't all begin with the same leader."""
        return create_topic(
            image,
            new,
            topic_id,
            sorted(image.brokers),
            default_factor=self._config.default_replication_factor,
            first=int.from_bytes(topic_id[:4], "big"),
        )

    async def ensure_internal(self, name: str) -> None:
        """One of the log's own topics is there when this returns.

        Raises: RequestTimedOutError; InvalidReplicationFactorError while too few brokers have registered.
        """
        if name in self.metadata.image.topics:
            return
        if self.metadata.active:
            await self._create_internal(name)
            return
        await self.ensure(name)

    async def _create_internal(self, name: str) -> None:
        config = self._config
        wanted = config.offsets_replication_factor if name == OFFSETS_TOPIC else config.transactions_replication_factor
        topic_id = self._new_id()

        def decide(image: MetadataImage) -> Sequence[AnyRecord]:
            if name in image.topics:
                return ()
            factor = internal_factor(wanted, len(image.brokers), len(self._membership.quorum))
            safe = {"min.insync.replicas": "2"} if factor >= SAFE_FACTOR else {}
            new = NewTopic(name=name, replication_factor=factor, config={**INTERNAL_CONFIG, **safe})
            return self._creation(image, new, topic_id)

        await self.metadata.change(decide)

    async def ensure(self, name: str, partitions: int = 1) -> None:
        """The topic is there when this returns: on a node that isn't the controller, too.

        Raises: InvalidTopicError; RequestTimedOutError.
        """
        request = create_topics_request.CreateTopicsRequest(
            topics=[create_topics_request.CreatableTopic(name=name, num_partitions=partitions, replication_factor=-1)],
            timeout_ms=ENSURE_TIMEOUT_MS,
        )
        wrong = "no controller is known"
        with anyio.move_on_after(ENSURE_TIMEOUT_MS / 1000):
            while name not in self.metadata.image.topics:
                leader_id = self.metadata.leader_id
                if leader_id >= 0 and leader_id != self.metadata.node_id:
                    try:
                        answer = await self._peers.ask(leader_id, request, timeout_ms=ENSURE_TIMEOUT_MS)
                        wrong = _refusal(answer.topics[0])
                    except PeerUnreachableError as error:
                        wrong = str(error)
                await anyio.sleep(RETRY_MS / 1000)
            return
        raise RequestTimedOutError(f"topic '{name}' couldn't be made in {ENSURE_TIMEOUT_MS} ms: {wrong}")

    async def delete(self, name: str) -> None:
        """Raises: UnknownTopicError, InvalidTopicError, LogError."""
        await self.metadata.change(lambda image: delete_topic(image, name))

    async def write(self, records: Sequence[AnyRecord]) -> None:
        """Adds other metadata records."""
        await self.metadata.change(lambda _: records)

    async def change(self, decide: Callable[[MetadataImage], Sequence[AnyRecord]]) -> None:
        """Adds what is decided while nothing else changes: settings hold and new partitions are there when it returns.

        Raises: what `decide` raises; NotControllerError, LogError.
        """
        await self.metadata.change(decide)

    def expire_producers(self, before_ms: int) -> None:
        """Partitions forget producers that wrote nothing since."""
        for replica in self.replicas.values():
            replica.log.producers.expire(before_ms)

    def apply_retention(self, now_ms: int) -> None:
        """Deletes old segments, never one above the last stable offset. Followers do as their leaders did."""
        for replica in self.replicas.values():
            if replica.leads and replica.log.apply_retention(now_ms, replica.last_stable_offset):
                log.info("old records deleted", partition=str(replica.where), now_from=replica.log.log_start_offset)


def _refusal(result: object) -> str:
    """What keeps the controller from it; raises what no waiting mends."""
    code = ErrorCode(result.error_code)  # type: ignore[attr-defined]
    if code in (ErrorCode.none, ErrorCode.topic_already_exists):
        return "it is made, and not yet known here"
    message = str(result.error_message or code.name)  # type: ignore[attr-defined]
    if code in (ErrorCode.invalid_topic_exception, ErrorCode.policy_violation):
        raise InvalidTopicError(message)
    return message
