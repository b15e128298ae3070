"""Committed offsets of consumer groups: what the records of `__consumer_offsets` fold to. PURE.

Offsets written inside a transaction are pending until its marker: a commit applies them, an abort drops them (KIP-98).
The newest commit of a partition wins, whether it came by itself or with a transaction.

Rule for whoever edits this: an answer depends on the records and their order alone, so that a replay gives it again.
"""

from __future__ import annotations

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

    def __repr__(self) -> str:
        return f"<GroupOffsets of {len(self._groups)} groups, {len(self._pending)} transactions open>"

    # Fold

    def written(self, rows: Iterable[tuple[bytes | None, bytes | None]], producer_id: int | None) -> None:
        """Rows were appended, inside the producer's transaction or (None) outside any."""
        for key, value in rows:
            known = None if key is None else decode_offset_key(key)
            if known is None:
                continue
            change = (known, None if value is None else decode_offset_value(value))
            if producer_id is None:
                self._apply(*change)
            else:
                self._pending.setdefault(producer_id, []).append(change)

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

    # Answers

    def groups(self) -> list[str]:
        return sorted(self._groups)

    def committed(self, group: str) -> Mapping[TopicPartition, OffsetValue]:
        """Empty for a group nothing is known of."""
        return dict(self._groups.get(group, {}))

    def topics(self) -> set[str]:
        """Those that groups have offsets of."""
        return {where.topic for known in self._groups.values() for where in known}

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

    def forget_group(self, group: str) -> list[Row]:
        known = self._groups.get(group, {})
        return [(encode_offset_key(OffsetKey(group=group, partition=where)), None) for where in known]

    def forget_topic(self, topic: str) -> list[Row]:
        """A topic re-created under the name must not inherit these."""
        return [
            (encode_offset_key(OffsetKey(group=group, partition=where)), None)
            for group, known in self._groups.items()
            for where in known
            if where.topic == topic
        ]

    def snapshot(self) -> list[Row]:
        """All there is, but for what is pending."""
        return [row for group, known in self._groups.items() for row in self.commit(group, known)]
