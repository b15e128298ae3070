"""What nodes hold must agree at every moment: cheap looks at their insides, while a run goes on.

- one leader of a partition, and one of the quorum, in an epoch;
- a high watermark never goes back in a life of a node, and what was ever below one is the same on every node, for ever;
- nodes that applied the metadata to the same offset have the same image.

Rules for whoever edits this: it looks, and changes nothing; what is looked at twice is looked at for news only.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from streamflow.log.controller.image import MetadataImage
from streamflow.log.errors import LogError
from streamflow.log.node.node import Node
from streamflow.log.node.replica import Replica
from streamflow.log.records import parse_header

READ_BYTES = 1 << 16


class Invariants:
    """Fed with the nodes that run, again and again. `found` says what was wrong."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._leaders: dict[tuple[str, int], int] = {}
        self._controllers: dict[int, int] = {}
        self._watermarks: dict[tuple[int, int, str], int] = {}
        self._compared: dict[tuple[int, int, str], int] = {}
        self._committed: dict[tuple[str, int], tuple[int, int]] = {}
        self._images: dict[int, tuple[int, int]] = {}
        self._applied: dict[tuple[int, int], int] = {}

    def look(self, nodes: Iterable[tuple[int, int, Node]]) -> None:
        """Args:
        nodes: each with its id and the number of its life.
        """
        for node_id, life, node in nodes:
            self._quorum(node_id, life, node)
            for where, replica in list(node.topics.replicas.items()):
                self._partition(node_id, life, str(where), replica)

    def _partition(self, node_id: int, life: int, name: str, replica: Replica) -> None:
        mark, key = replica.high_watermark, (node_id, life, name)
        before = self._watermarks.get(key, 0)
        if mark < before:
            self._tell(f"the high watermark went back: {name} on node {node_id}, from {before} to {mark}")
        self._watermarks[key] = mark
        if replica.leads:
            leader = self._leaders.setdefault((name, replica.leader_epoch), node_id)
            if leader != node_id:
                self._tell(f"two leaders in an epoch: {leader} and {node_id}, of {name} in {replica.leader_epoch}")
        if mark > before and not name.startswith("__"):  # What is compacted is written anew.
            self._compare(key, name, replica, mark)

    def _compare(self, key: tuple[int, int, str], name: str, replica: Replica, mark: int) -> None:
        at = max(self._compared.get(key, 0), replica.log.log_start_offset)
        while at < mark:
            try:
                batches = replica.log.read(at, READ_BYTES, up_to=mark)
            except LogError:
                return  # It can't be read now; whoever reads it is told.
            if not batches:
                return
            for batch in batches:
                header = parse_header(batch)
                seen = header.last_offset, marked(batch) if header.control else header.crc
                if self._committed.setdefault((name, header.base_offset), seen) != seen:
                    self._tell(f"committed data changed: {name} at {header.base_offset} on node {key[0]}")
                at = header.last_offset + 1
            self._compared[key] = at

    def _quorum(self, node_id: int, life: int, node: Node) -> None:
        metadata = node.topics.metadata
        if getattr(metadata, "active", True):
            leader = self._controllers.setdefault(metadata.leader_epoch, node_id)
            if leader != node_id:
                self._tell(f"two leaders of the quorum in an epoch: {leader} and {node_id} in {metadata.leader_epoch}")
        applied = getattr(metadata, "applied", None)
        if applied is None or self._applied.get((node_id, life)) == applied:
            return
        self._applied[node_id, life] = applied
        image = fingerprint(metadata.image)
        other, before = self._images.setdefault(applied, (node_id, image))
        if before != image:
            self._tell(f"metadata differs: nodes {other} and {node_id} at offset {applied}")

    def _tell(self, what: str) -> None:
        if len(self.found) < 20:
            self.found.append(what)


def marked(batch: memoryview) -> int:
    """A node alone shows markers before they are durable: those that were lost are written again at the same offsets,
    at another time and in another order."""
    return int(parse_header(batch).control)


def fingerprint(image: MetadataImage) -> int:
    """Equal for equal images."""
    topics = [(t.name, t.topic_id, t.partitions, sorted(t.config.items())) for t in image.topics.values()]
    brokers = sorted(image.brokers.items())
    return crc32(repr((image.cluster_id, sorted(topics, key=lambda t: t[0]), brokers, image.next_producer_id)).encode())
