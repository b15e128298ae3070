"""What consumer groups know of topics: names, ids and how many partitions, at one moment. PURE.

A view never changes: a change of topics is another view. What members' subscriptions come to in it is worked out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from streamflow.log.coordinators.topic_patterns import compile_pattern

RESOLVED_MAX = 1000
"""Subscriptions remembered by one view: members change theirs rarely, and mostly share them."""


class TopicIdPartition(NamedTuple):
    """A partition of one incarnation of a topic: created again under its name, a topic has another id (KIP-516)."""

    topic_id: bytes
    partition: int


Partitions = frozenset[TopicIdPartition]


@dataclass(frozen=True, slots=True)
class Topic:
    topic_id: bytes
    partitions: int


class TopicView:
    def __init__(self, topics: Mapping[str, Topic]) -> None:
        self.topics = topics
        self.names = {topic.topic_id: name for name, topic in topics.items()}
        self._resolved: dict[tuple[tuple[str, ...], str], frozenset[str]] = {}

    def __repr__(self) -> str:
        return f"<TopicView of {len(self.topics)} topics>"

    def subscribed(self, names: tuple[str, ...], pattern: str) -> frozenset[str]:
        """Those topics of a subscription that are there.

        Args:
            pattern: a regular expression that `compile_pattern` accepts; empty for none.
        """
        known = self._resolved.get((names, pattern))
        if known is None:
            found = {name for name in names if name in self.topics}
            if pattern:
                matches = compile_pattern(pattern)
                found.update(name for name in self.topics if matches(name))
            if len(self._resolved) >= RESOLVED_MAX:
                self._resolved.clear()
            known = self._resolved[names, pattern] = frozenset(found)
        return known

    def ids(self, names: Iterable[str]) -> frozenset[bytes]:
        """Of those that are there."""
        return frozenset(self.topics[name].topic_id for name in names if name in self.topics)

    def fingerprint(self, names: Iterable[str]) -> int:
        """64 bits that change when one of these topics does: comes, goes, grows or is created anew (KIP-1101). 0 for
        none."""
        parts = [
            f"{name}\0{self.topics[name].topic_id.hex()}\0{self.topics[name].partitions}\n"
            for name in sorted(names)
            if name in self.topics
        ]
        if not parts:
            return 0
        return int.from_bytes(blake2b("".join(parts).encode(), digest_size=8).digest(), "big", signed=True)
