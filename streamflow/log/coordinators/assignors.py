"""Which member of a consumer group is to have which partitions: the server-side assignors of KIP-848. PURE.

Promises of both: every partition of a topic that has subscribers goes to exactly one of them, and the same members,
subscriptions and topics give the same assignment.

- `range` (stateless): of each topic, every subscriber gets one run of neighbouring partitions, members in the same
  order for all topics; so topics with as many partitions and the same subscribers are co-partitioned.
- `uniform` (sticky): no partition can go from one member to another so that their numbers come closer; where all
  subscribe to the same, numbers differ by one at most. A partition stays with its member unless that demands otherwise.

Racks aren't looked at, as in Apache Kafka since 4.0 (KIP-1101 brings them back for brokers that have some).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace

from streamflow.log.coordinators.topic_view import Partitions, TopicIdPartition


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignorMember:
    """Args:
    topics: ids of those it is subscribed to; each is in the assignor's counts.
    partitions: what the last assignment gave it.
    """

    instance_id: str | None = None
    topics: frozenset[bytes]
    partitions: Partitions = frozenset()


Members = Mapping[str, AssignorMember]
Assignment = dict[str, Partitions]
Assignor = Callable[[Members, Mapping[bytes, int]], Assignment]


def assign_range(members: Members, counts: Mapping[bytes, int]) -> Assignment:
    """Static members come first, by instance id, then the others by member id: who returns under another member id
    gets the same range.

    Args:
        counts: partitions of each topic.
    """
    order = sorted(members, key=lambda m: (members[m].instance_id is None, members[m].instance_id or m))
    given: dict[str, set[TopicIdPartition]] = {member_id: set() for member_id in members}
    for topic_id, subscribers in _subscribers(members, order).items():
        each, extra = divmod(counts[topic_id], len(subscribers))
        start = 0
        for rank, member_id in enumerate(subscribers):
            end = start + each + (rank < extra)
            given[member_id].update(TopicIdPartition(topic_id, n) for n in range(start, end))
            start = end
    return {member_id: frozenset(partitions) for member_id, partitions in given.items()}


def assign_uniform(members: Members, counts: Mapping[bytes, int]) -> Assignment:
    """Keeps what it can, gives what nobody has to those with least, then moves from those with most.

    Args:
        counts: partitions of each topic.
    """
    balance = _Balance(members, counts)
    subscribers = _subscribers(members, sorted(members))
    alike: dict[tuple[str, ...], list[bytes]] = {}
    for topic_id in sorted(subscribers):
        alike.setdefault(tuple(subscribers[topic_id]), []).append(topic_id)
    by_scarcity = sorted(alike.items(), key=lambda item: len(item[0]))
    for candidates, topics in by_scarcity:
        balance.give([(topic_id, counts[topic_id]) for topic_id in topics], candidates)
    while sum(balance.level(topics, candidates) for candidates, topics in by_scarcity):
        pass  # Each move brings two numbers closer, so there is a last one.
    return balance.assignment()


ASSIGNORS: Mapping[str, Assignor] = {"uniform": assign_uniform, "range": assign_range}
"""By the name that members ask for (`group.remote.assignor`). The first is the default."""


def _subscribers(members: Members, order: list[str]) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for member_id in order:
        for topic_id in members[member_id].topics:
            found.setdefault(topic_id, []).append(member_id)
    return found


class _Balance:
    """Invariant: `_sizes` counts what each member has of all topics in `_given`, and nothing is given twice."""

    def __init__(self, members: Members, counts: Mapping[bytes, int]) -> None:
        self._given: dict[str, dict[bytes, set[int]]] = {}
        self._sizes: dict[str, int] = {}
        taken: set[TopicIdPartition] = set()
        for member_id, member in members.items():
            topics: dict[bytes, set[int]] = {topic_id: set() for topic_id in member.topics}
            kept = {w for w in member.partitions - taken if w.topic_id in topics and w.partition < counts[w.topic_id]}
            for topic_id, number in kept:
                topics[topic_id].add(number)
            taken |= kept
            self._given[member_id], self._sizes[member_id] = topics, len(kept)

    def give(self, topics: list[tuple[bytes, int]], candidates: tuple[str, ...]) -> None:
        """What nobody has of topics that the same members want."""
        least = [(self._sizes[member_id], rank, member_id) for rank, member_id in enumerate(candidates)]
        heapify(least)
        for topic_id, count in topics:
            for number in sorted(set(range(count)).difference(*(self._given[m][topic_id] for m in candidates))):
                size, rank, member_id = least[0]
                self._given[member_id][topic_id].add(number)
                self._sizes[member_id] = size + 1
                heapreplace(least, (size + 1, rank, member_id))

    def level(self, topics: list[bytes], candidates: tuple[str, ...]) -> bool:
        """Moves partitions of topics that the same members want, always from who has most to who has least, until no
        move of one brings numbers closer. Returns: whether there was any."""
        ranks = {member_id: rank for rank, member_id in enumerate(candidates)}
        most = [(-self._sizes[m], rank, m) for m, rank in ranks.items()]
        least = [(self._sizes[m], rank, m) for m, rank in ranks.items()]
        heapify(most)
        heapify(least)
        moved = False
        while most:
            (high, _, giver), (low, _, taker) = most[0], least[0]
            had = self._given[giver]
            if -high != self._sizes[giver] or not any(had[topic_id] for topic_id in topics):
                heappop(most)  # A newer entry speaks for it, or it has nothing of these.
            elif low != self._sizes[taker]:
                heappop(least)
            elif -high - low <= 1:
                break
            else:
                self._move(max(topics, key=lambda topic_id: len(had[topic_id])), giver, taker)
                moved = True
                for member_id in (giver, taker):
                    heappush(most, (-self._sizes[member_id], ranks[member_id], member_id))
                    heappush(least, (self._sizes[member_id], ranks[member_id], member_id))
        return moved

    def _move(self, topic_id: bytes, giver: str, taker: str) -> None:
        number = max(self._given[giver][topic_id])
        self._given[giver][topic_id].remove(number)
        self._given[taker][topic_id].add(number)
        self._sizes[giver] -= 1
        self._sizes[taker] += 1

    def assignment(self) -> Assignment:
        return {
            member_id: frozenset(TopicIdPartition(topic_id, n) for topic_id, numbers in topics.items() for n in numbers)
            for member_id, topics in self._given.items()
        }
