"""Committed offsets of consumer groups: what the records of `__consumer_offsets` fold to. PURE.

Offsets written inside a transaction are pending until its marker: a commit applies them, an abort drops them (KIP-98).
What was appended and isn't committed by the replicas yet is known of, and isn't told.
The newest commit of a partition wins, whether it came by itself or with a transaction. What is forgotten is forgotten
in open transactions too.

Rule for whoever edits this: an answer depends on the records and their order alone, so that a replay gives it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from streamflow.event import TopicPartition
from streamflow.log.coordinators.records import (
    OffsetKey,
    OffsetValue,
    decode_offset_key,
    decode_offset_value,
    encode_offset_key,
    encode_offset_value,
)

Row = tuple[bytes, bytes | None]


class GroupOffsets:
    """The fold, and the records of each wish."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[TopicPartition, OffsetValue]] = {}
        self._pending: dict[int, list[tuple[OffsetKey, OffsetValue | None]]] = {}
        self._appended: deque[list[Row]] = deque()

    def __repr__(self) -> str:
        return f"<GroupOffsets of {len(self._groups)} groups, {len(self._pending)} transactions open>"

    # Fold

    def clear(self) -> None:
        """Nothing is known."""
        self._groups.clear()
        self._pending.clear()
        self._appended.clear()

    def appended(self, rows: Iterable[Row]) -> None:
        """Rows were appended outside any transaction, which may be lost yet; see `settled`."""
        self._appended.append(list(rows))

    def settled(self) -> list[Row]:
        """The first rows `appended` are committed. Returns: as `written`."""
        return self.written(self._appended.popleft(), None)

    def written(self, rows: Iterable[tuple[bytes | None, bytes | None]], producer_id: int | None) -> list[Row]:
        """Rows were appended, inside the producer's transaction or (None) outside any.

        Returns: those that aren't about offsets.
        """
        others: list[Row] = []
        for key, value in rows:
            if key is None:
                continue
            known = decode_offset_key(key)
            if known is None:
                others.append((key, value))
                continue
            change = (known, None if value is None else decode_offset_value(value))
            if producer_id is not None:
                self._pending.setdefault(producer_id, []).append(change)
                continue
            self._apply(*change)
            if value is None:
                self._forget_pending(known)
        return others

    def ended(self, producer_id: int, committed: bool) -> None:
        """The producer's transaction has its marker."""
        changes = self._pending.pop(producer_id, [])
        if committed:
            for key, value in changes:
                self._apply(key, value)

    def _apply(self, key: OffsetKey, value: OffsetValue | None) -> None:
        if value is not None:
            self._groups.setdefault(key.group, {})[key.partition] = value
            return
        group = self._groups.get(key.group, {})
        group.pop(key.partition, None)
        if not group:
            self._groups.pop(key.group, None)

    def _forget_pending(self, key: OffsetKey) -> None:
        for producer_id, changes in self._pending.items():
            self._pending[producer_id] = [change for change in changes if change[0] != key]

    # Answers

    def groups(self) -> list[str]:
        return sorted(self._groups)

    def committed(self, group: str) -> Mapping[TopicPartition, OffsetValue]:
        """Empty for a group nothing is known of."""
        return dict(self._groups.get(group, {}))

    def unstable(self, group: str) -> frozenset[TopicPartition]:
        """Partitions whose offset an open transaction may still change (KIP-447)."""
        return frozenset(k.partition for changes in self._pending.values() for k, _ in changes if k.group == group)

    def knows(self, group: str) -> bool:
        """Whether there is an offset of the group, or may be one."""
        return group in self._groups or bool(self._open(group))

    def topics(self) -> set[str]:
        """Those that groups have offsets of."""
        return {where.topic for known in self._groups.values() for where in known}

    def _open(self, group: str) -> frozenset[TopicPartition]:
        """Partitions there may be an offset of, by what isn't settled."""
        return self.unstable(group) | {key.partition for key in self._uncommitted() if key.group == group}

    def _uncommitted(self) -> set[OffsetKey]:
        keys = (decode_offset_key(key) for rows in self._appended for key, _ in rows)
        return {key for key in keys if key is not None}

    @property
    def size(self) -> int:
        """Offsets kept."""
        return sum(map(len, self._groups.values()))

    # Wishes, as rows to append

    def commit(self, group: str, offsets: Mapping[TopicPartition, OffsetValue]) -> list[Row]:
        return [
            (encode_offset_key(OffsetKey(group=group, partition=where)), encode_offset_value(value))
            for where, value in offsets.items()
        ]

    def forget(self, group: str, partitions: Iterable[TopicPartition]) -> list[Row]:
        """Rows for those there is an offset of, or may be one."""
        known = self._groups.get(group, {}).keys() | self._open(group)
        return [_tombstone(group, where) for where in dict.fromkeys(partitions) if where in known]

    def forget_group(self, group: str) -> list[Row]:
        return [_tombstone(group, w) for w in sorted(self._groups.get(group, {}).keys() | self._open(group))]

    def forget_topic(self, topic: str) -> list[Row]:
        """A topic re-created under the name must not inherit these."""
        keys = {OffsetKey(group=group, partition=w) for group, known in self._groups.items() for w in known}
        keys |= {key for changes in self._pending.values() for key, _ in changes} | self._uncommitted()
        found = sorted((k.group, k.partition) for k in keys if k.partition.topic == topic)
        return [_tombstone(group, where) for group, where in found]

    def snapshot(self) -> list[Row]:
        """All there is, but for what is pending."""
        return [row for group, known in self._groups.items() for row in self.commit(group, known)]


def _tombstone(group: str, where: TopicPartition) -> Row:
    return encode_offset_key(OffsetKey(group=group, partition=where)), None
