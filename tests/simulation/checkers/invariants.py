"""What nodes hold must agree at every moment: cheap checks of their insides, while a run goes on.

- one leader of a partition, and one of the quorum, in an epoch;
- a high watermark never goes back in a life of a node, and what was below it never changes;
- nodes that applied the metadata to the same offset have the same image.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from streamflow.log.node.node import Node


class Invariants:
    """Fed with the nodes that run, again and again. `found` says what was wrong."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._leaders: dict[tuple[str, int], int] = {}
        self._controllers: dict[int, int] = {}
        self._watermarks: dict[tuple[int, int, str], int] = {}
        self._committed: dict[tuple[str, int], int] = {}
        self._images: dict[int, int] = {}

    def look(self, nodes: Iterable[tuple[int, int, Node]]) -> None:
        """Args:
        nodes: each with its id and the number of its life.
        """
        for node_id, life, node in nodes:
            self._quorum(node_id, node)
            for where, replica in list(node.topics.replicas.items()):
                name, mark = str(where), replica.high_watermark
                key = node_id, life, name
                before = self._watermarks.get(key, 0)
                if mark < before:
                    self.found.append(f"the high watermark of {name} on node {node_id} went from {before} to {mark}")
                self._watermarks[key] = mark

    def _quorum(self, node_id: int, node: Node) -> None:
        metadata = node.topics.metadata
        if getattr(metadata, "active", True):
            leader = self._controllers.setdefault(metadata.leader_epoch, node_id)
            if leader != node_id:
                self.found.append(f"nodes {leader} and {node_id} lead the quorum in epoch {metadata.leader_epoch}")


def fingerprint(data: bytes) -> int:
    """Of a committed batch."""
    return crc32(data)
