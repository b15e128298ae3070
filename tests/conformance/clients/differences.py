"""Where Streamflow's broker answers otherwise than Apache Kafka, on purpose: one table, which the docs page shows.

A test that meets such a difference asks `differs(broker, NAME)` and asserts what each of the two does. There is no
other way to excuse one: what isn't in the table is a bug.
"""

from __future__ import annotations

from brokers import Broker

DIFFERENCES: dict[str, str] = {
    "mixed-groups": "A group has members of one group protocol at a time, as with `group.consumer.migration.policy` = "
    "`disabled`. Apache Kafka converts a group while it has members of both; Streamflow refuses who speaks the other "
    "protocol (INCONSISTENT_GROUP_PROTOCOL, GROUP_ID_NOT_FOUND) until the group is empty. To change an application's "
    "protocol, stop all its members and start them again: committed offsets stay.",
    "late-duplicates": "A batch older than a producer's last five is answered DUPLICATE_SEQUENCE_NUMBER when it "
    "certainly was appended. Apache Kafka always says OUT_OF_ORDER_SEQUENCE_NUMBER, at which a producer may begin a "
    "new epoch and send the records once more.",
    "defaults": "Two settings of topics have other defaults: `segment.bytes` is 128 MiB (Apache Kafka: 1 GiB), as a "
    "start after a crash scans a segment; `index.interval.bytes` is 16 KiB (4 KiB), as an entry costs more memory.",
    "refused-settings": "A setting that would have to do something and can't is refused: "
    "`compression.type` other than `producer`, `flush.messages`, `flush.ms`, `max.decompressed.message.bytes`; and "
    "settings of a broker that aren't known. Apache Kafka has the first ones, and keeps the others for plug-ins.",
}
"""What is different, by a short name: what Apache Kafka does, what Streamflow does, and why."""


def differs(broker: Broker, name: str) -> bool:
    """Whether this broker shows that difference. Raises: KeyError for one the table doesn't tell."""
    return bool(DIFFERENCES[name]) and broker.name == "streamflow"
