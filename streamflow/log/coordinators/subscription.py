"""What consumers say in a JoinGroup: Kafka's `ConsumerProtocolSubscription`, as far as a broker looks into it. PURE.

A broker passes subscriptions on unopened. It reads the topics, which every version begins with, to know whose offsets
are in use.
"""

from __future__ import annotations

from struct import error

from streamflow.log.coordinators.fields import I16, I32, Cursor

CONSUMER_PROTOCOL = "consumer"
"""The protocol type of consumers; others (Kafka Connect's workers, say) have their own formats."""


def subscribed_topics(subscription: bytes) -> frozenset[str] | None:
    """None when the bytes aren't a subscription: clients may send what they like."""
    try:
        cursor = Cursor(subscription)
        cursor.take(I16)
        (count,) = cursor.take(I32)
        return frozenset(cursor.string() for _ in range(count))
    except (error, UnicodeDecodeError):
        return None
