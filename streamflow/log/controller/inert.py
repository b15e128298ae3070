"""The settings of topics that Kafka has and that have no effect here. PURE.

They are shown with Kafka's defaults, as Kafka's tools and clients expect. One is taken with another value only if no
promise hangs on it: it would make something quicker, or concerns what isn't there. The others are `fixed`: whoever sets
one is told that it can't be had.

Rule for whoever edits this: a setting that begins to have an effect moves to `configs`.
"""

from __future__ import annotations

from streamflow.log.controller.configs import TOPIC_SETTINGS, Setting

_INT32_MAX = 2**31 - 1
_UNCOMPRESSED = "batches are kept as their producers compressed them"
_UNTIERED = "nothing is moved to remote storage"

INERT_TOPIC_SETTINGS = (
    Setting(
        field="compression_type",
        name="compression.type",
        broker="compression.type",
        default="producer",
        unit="",
        choices=("uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"),
        fixed=True,
        reason=_UNCOMPRESSED,
    ),
    Setting(
        field="gzip_level",
        name="compression.gzip.level",
        broker="compression.gzip.level",
        default=-1,
        unit="",
        least=-1,
        most=9,
        reason=_UNCOMPRESSED,
    ),
    Setting(
        field="lz4_level",
        name="compression.lz4.level",
        broker="compression.lz4.level",
        default=9,
        unit="",
        least=1,
        most=17,
        reason=_UNCOMPRESSED,
    ),
    Setting(
        field="zstd_level",
        name="compression.zstd.level",
        broker="compression.zstd.level",
        default=3,
        unit="",
        least=-131072,
        most=22,
        reason=_UNCOMPRESSED,
    ),
    Setting(
        field="dead_letter_queue",
        name="errors.deadletterqueue.group.enable",
        default=False,
        unit="",
        fixed=True,
        reason="there are no share groups",
    ),
    Setting(
        field="file_delete_delay_ms",
        name="file.delete.delay.ms",
        broker="log.segment.delete.delay.ms",
        default=60_000,
        unit="ms",
        reason="files are deleted at once: whoever reads one keeps it open",
    ),
    Setting(
        field="flush_messages",
        name="flush.messages",
        default=2**63 - 1,
        unit="records",
        least=1,
        fixed=True,
        reason="when records are made durable is the node's setting log.flush",
    ),
    Setting(
        field="flush_ms",
        name="flush.ms",
        default=2**63 - 1,
        unit="ms",
        fixed=True,
        reason="when records are made durable is the node's setting log.flush",
    ),
    Setting(
        field="local_retention_bytes",
        name="local.retention.bytes",
        broker="log.local.retention.bytes",
        default=-2,
        unit="bytes",
        least=-2,
        reason=_UNTIERED,
    ),
    Setting(
        field="local_retention_ms",
        name="local.retention.ms",
        broker="log.local.retention.ms",
        default=-2,
        unit="ms",
        least=-2,
        reason=_UNTIERED,
    ),
    Setting(
        field="decompressed_bytes_max",
        name="max.decompressed.message.bytes",
        broker="max.decompressed.message.bytes",
        default=_INT32_MAX - 8,
        unit="bytes",
        fixed=True,
        reason="batches aren't opened when they are appended",
    ),
    Setting(
        field="preallocate",
        name="preallocate",
        broker="log.preallocate",
        default=False,
        unit="",
        reason="files grow as they are written",
    ),
    Setting(
        field="remote_copy_lag_bytes",
        name="remote.copy.lag.bytes",
        broker="log.remote.copy.lag.bytes",
        default=-1,
        unit="bytes",
        least=-1,
        reason=_UNTIERED,
    ),
    Setting(
        field="remote_copy_lag_ms",
        name="remote.copy.lag.ms",
        broker="log.remote.copy.lag.ms",
        default=0,
        unit="ms",
        least=-1,
        reason=_UNTIERED,
    ),
    Setting(
        field="remote_copy_disabled",
        name="remote.log.copy.disable",
        default=False,
        unit="",
        reason=_UNTIERED,
    ),
    Setting(
        field="remote_delete_on_disable",
        name="remote.log.delete.on.disable",
        default=False,
        unit="",
        reason=_UNTIERED,
    ),
    Setting(
        field="remote_storage",
        name="remote.storage.enable",
        default=False,
        unit="",
        fixed=True,
        reason=_UNTIERED,
    ),
    Setting(
        field="segment_index_bytes",
        name="segment.index.bytes",
        broker="log.index.size.max.bytes",
        default=10 << 20,
        unit="bytes",
        least=4,
        most=_INT32_MAX,
        reason="an index grows with its segment",
    ),
    Setting(
        field="segment_jitter_ms",
        name="segment.jitter.ms",
        broker="log.roll.jitter.ms",
        default=0,
        unit="ms",
        reason="segments that are begun at the same time cost one fsync each",
    ),
)

ALL_TOPIC_SETTINGS: tuple[Setting, ...] = tuple(
    sorted((*TOPIC_SETTINGS, *INERT_TOPIC_SETTINGS), key=lambda setting: setting.name)
)
"""Every setting of a topic that Kafka has, by name."""
