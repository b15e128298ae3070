"""Made by `stubs`; don't edit."""

# ruff: noqa
# fmt: off
from collections.abc import Sequence
from typing import Any

from streamflow.log.protocol.codec import Buffer, Codec
from streamflow.log.protocol.schema import Side

def structures(api: str, side: Side) -> dict[str, Any]: ...
def codec_of(api: str, version: int, side: Side) -> Codec: ...
def read_request(api: str, version: int, view: memoryview, at: int) -> Any: ...
def write_response(api: str, version: int, message: Any) -> list[Buffer]: ...

class produce_request:
    class PartitionProduceData:
        index: int
        records: memoryview | Sequence[Buffer] | None
        def __init__(self, *, index: int = ..., records: memoryview | Sequence[Buffer] | None = ...) -> None: ...
    class TopicProduceData:
        topic_id: bytes
        partition_data: list[produce_request.PartitionProduceData]
        name: str
        def __init__(self, *, topic_id: bytes = ..., partition_data: list[produce_request.PartitionProduceData] = ..., name: str = ...) -> None: ...
    class ProduceRequest:
        transactional_id: str | None
        acks: int
        timeout_ms: int
        topic_data: list[produce_request.TopicProduceData]
        def __init__(self, *, transactional_id: str | None = ..., acks: int = ..., timeout_ms: int = ..., topic_data: list[produce_request.TopicProduceData] = ...) -> None: ...

class produce_response:
    class BatchIndexAndErrorMessage:
        batch_index: int
        batch_index_error_message: str | None
        def __init__(self, *, batch_index: int = ..., batch_index_error_message: str | None = ...) -> None: ...
    class LeaderIdAndEpoch:
        leader_id: int
        leader_epoch: int
        def __init__(self, *, leader_id: int = ..., leader_epoch: int = ...) -> None: ...
    class PartitionProduceResponse:
        index: int
        error_code: int
        base_offset: int
        log_append_time_ms: int
        log_start_offset: int
        record_errors: list[produce_response.BatchIndexAndErrorMessage]
        error_message: str | None
        current_leader: produce_response.LeaderIdAndEpoch
        def __init__(self, *, index: int = ..., error_code: int = ..., base_offset: int = ..., log_append_time_ms: int = ..., log_start_offset: int = ..., record_errors: list[produce_response.BatchIndexAndErrorMessage] = ..., error_message: str | None = ..., current_leader: produce_response.LeaderIdAndEpoch = ...) -> None: ...
    class TopicProduceResponse:
        topic_id: bytes
        partition_responses: list[produce_response.PartitionProduceResponse]
        name: str
        def __init__(self, *, topic_id: bytes = ..., partition_responses: list[produce_response.PartitionProduceResponse] = ..., name: str = ...) -> None: ...
    class NodeEndpoint:
        node_id: int
        host: str
        port: int
        rack: str | None
        def __init__(self, *, node_id: int = ..., host: str = ..., port: int = ..., rack: str | None = ...) -> None: ...
    class ProduceResponse:
        responses: list[produce_response.TopicProduceResponse]
        throttle_time_ms: int
        node_endpoints: list[produce_response.NodeEndpoint]
        def __init__(self, *, responses: list[produce_response.TopicProduceResponse] = ..., throttle_time_ms: int = ..., node_endpoints: list[produce_response.NodeEndpoint] = ...) -> None: ...

class fetch_request:
    class FetchPartition:
        partition: int
        current_leader_epoch: int
        fetch_offset: int
        last_fetched_epoch: int
        log_start_offset: int
        partition_max_bytes: int
        replica_directory_id: bytes
        high_watermark: int
        def __init__(self, *, partition: int = ..., current_leader_epoch: int = ..., fetch_offset: int = ..., last_fetched_epoch: int = ..., log_start_offset: int = ..., partition_max_bytes: int = ..., replica_directory_id: bytes = ..., high_watermark: int = ...) -> None: ...
    class FetchTopic:
        topic_id: bytes
        partitions: list[fetch_request.FetchPartition]
        topic: str
        def __init__(self, *, topic_id: bytes = ..., partitions: list[fetch_request.FetchPartition] = ..., topic: str = ...) -> None: ...
    class ForgottenTopic:
        topic_id: bytes
        partitions: list[int]
        topic: str
        def __init__(self, *, topic_id: bytes = ..., partitions: list[int] = ..., topic: str = ...) -> None: ...
    class ReplicaState:
        replica_id: int
        replica_epoch: int
        def __init__(self, *, replica_id: int = ..., replica_epoch: int = ...) -> None: ...
    class FetchRequest:
        max_wait_ms: int
        min_bytes: int
        max_bytes: int
        isolation_level: int
        session_id: int
        session_epoch: int
        topics: list[fetch_request.FetchTopic]
        forgotten_topics_data: list[fetch_request.ForgottenTopic]
        rack_id: str
        cluster_id: str | None
        replica_state: fetch_request.ReplicaState
        replica_id: int
        def __init__(self, *, max_wait_ms: int = ..., min_bytes: int = ..., max_bytes: int = ..., isolation_level: int = ..., session_id: int = ..., session_epoch: int = ..., topics: list[fetch_request.FetchTopic] = ..., forgotten_topics_data: list[fetch_request.ForgottenTopic] = ..., rack_id: str = ..., cluster_id: str | None = ..., replica_state: fetch_request.ReplicaState = ..., replica_id: int = ...) -> None: ...

class fetch_response:
    class AbortedTransaction:
        producer_id: int
        first_offset: int
        def __init__(self, *, producer_id: int = ..., first_offset: int = ...) -> None: ...
    class EpochEndOffset:
        epoch: int
        end_offset: int
        def __init__(self, *, epoch: int = ..., end_offset: int = ...) -> None: ...
    class LeaderIdAndEpoch:
        leader_id: int
        leader_epoch: int
        def __init__(self, *, leader_id: int = ..., leader_epoch: int = ...) -> None: ...
    class SnapshotId:
        end_offset: int
        epoch: int
        def __init__(self, *, end_offset: int = ..., epoch: int = ...) -> None: ...
    class PartitionData:
        partition_index: int
        error_code: int
        high_watermark: int
        last_stable_offset: int
        log_start_offset: int
        aborted_transactions: list[fetch_response.AbortedTransaction] | None
        preferred_read_replica: int
        records: memoryview | Sequence[Buffer] | None
        diverging_epoch: fetch_response.EpochEndOffset
        current_leader: fetch_response.LeaderIdAndEpoch
        snapshot_id: fetch_response.SnapshotId
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., high_watermark: int = ..., last_stable_offset: int = ..., log_start_offset: int = ..., aborted_transactions: list[fetch_response.AbortedTransaction] | None = ..., preferred_read_replica: int = ..., records: memoryview | Sequence[Buffer] | None = ..., diverging_epoch: fetch_response.EpochEndOffset = ..., current_leader: fetch_response.LeaderIdAndEpoch = ..., snapshot_id: fetch_response.SnapshotId = ...) -> None: ...
    class FetchableTopicResponse:
        topic_id: bytes
        partitions: list[fetch_response.PartitionData]
        topic: str
        def __init__(self, *, topic_id: bytes = ..., partitions: list[fetch_response.PartitionData] = ..., topic: str = ...) -> None: ...
    class NodeEndpoint:
        node_id: int
        host: str
        port: int
        rack: str | None
        def __init__(self, *, node_id: int = ..., host: str = ..., port: int = ..., rack: str | None = ...) -> None: ...
    class FetchResponse:
        throttle_time_ms: int
        error_code: int
        session_id: int
        responses: list[fetch_response.FetchableTopicResponse]
        node_endpoints: list[fetch_response.NodeEndpoint]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., session_id: int = ..., responses: list[fetch_response.FetchableTopicResponse] = ..., node_endpoints: list[fetch_response.NodeEndpoint] = ...) -> None: ...

class list_offsets_request:
    class ListOffsetsPartition:
        partition_index: int
        current_leader_epoch: int
        timestamp: int
        def __init__(self, *, partition_index: int = ..., current_leader_epoch: int = ..., timestamp: int = ...) -> None: ...
    class ListOffsetsTopic:
        name: str
        partitions: list[list_offsets_request.ListOffsetsPartition]
        def __init__(self, *, name: str = ..., partitions: list[list_offsets_request.ListOffsetsPartition] = ...) -> None: ...
    class ListOffsetsRequest:
        replica_id: int
        isolation_level: int
        topics: list[list_offsets_request.ListOffsetsTopic]
        timeout_ms: int
        def __init__(self, *, replica_id: int = ..., isolation_level: int = ..., topics: list[list_offsets_request.ListOffsetsTopic] = ..., timeout_ms: int = ...) -> None: ...

class list_offsets_response:
    class ListOffsetsPartitionResponse:
        partition_index: int
        error_code: int
        timestamp: int
        offset: int
        leader_epoch: int
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., timestamp: int = ..., offset: int = ..., leader_epoch: int = ...) -> None: ...
    class ListOffsetsTopicResponse:
        name: str
        partitions: list[list_offsets_response.ListOffsetsPartitionResponse]
        def __init__(self, *, name: str = ..., partitions: list[list_offsets_response.ListOffsetsPartitionResponse] = ...) -> None: ...
    class ListOffsetsResponse:
        throttle_time_ms: int
        topics: list[list_offsets_response.ListOffsetsTopicResponse]
        def __init__(self, *, throttle_time_ms: int = ..., topics: list[list_offsets_response.ListOffsetsTopicResponse] = ...) -> None: ...

class metadata_request:
    class MetadataRequestTopic:
        topic_id: bytes
        name: str | None
        def __init__(self, *, topic_id: bytes = ..., name: str | None = ...) -> None: ...
    class MetadataRequest:
        topics: list[metadata_request.MetadataRequestTopic] | None
        allow_auto_topic_creation: bool
        include_topic_authorized_operations: bool
        include_cluster_authorized_operations: bool
        def __init__(self, *, topics: list[metadata_request.MetadataRequestTopic] | None = ..., allow_auto_topic_creation: bool = ..., include_topic_authorized_operations: bool = ..., include_cluster_authorized_operations: bool = ...) -> None: ...

class metadata_response:
    class MetadataResponseBroker:
        node_id: int
        host: str
        port: int
        rack: str | None
        def __init__(self, *, node_id: int = ..., host: str = ..., port: int = ..., rack: str | None = ...) -> None: ...
    class MetadataResponsePartition:
        error_code: int
        partition_index: int
        leader_id: int
        leader_epoch: int
        replica_nodes: list[int]
        isr_nodes: list[int]
        offline_replicas: list[int]
        def __init__(self, *, error_code: int = ..., partition_index: int = ..., leader_id: int = ..., leader_epoch: int = ..., replica_nodes: list[int] = ..., isr_nodes: list[int] = ..., offline_replicas: list[int] = ...) -> None: ...
    class MetadataResponseTopic:
        error_code: int
        name: str | None
        topic_id: bytes
        is_internal: bool
        partitions: list[metadata_response.MetadataResponsePartition]
        topic_authorized_operations: int
        def __init__(self, *, error_code: int = ..., name: str | None = ..., topic_id: bytes = ..., is_internal: bool = ..., partitions: list[metadata_response.MetadataResponsePartition] = ..., topic_authorized_operations: int = ...) -> None: ...
    class MetadataResponse:
        throttle_time_ms: int
        brokers: list[metadata_response.MetadataResponseBroker]
        cluster_id: str | None
        controller_id: int
        topics: list[metadata_response.MetadataResponseTopic]
        error_code: int
        cluster_authorized_operations: int
        def __init__(self, *, throttle_time_ms: int = ..., brokers: list[metadata_response.MetadataResponseBroker] = ..., cluster_id: str | None = ..., controller_id: int = ..., topics: list[metadata_response.MetadataResponseTopic] = ..., error_code: int = ..., cluster_authorized_operations: int = ...) -> None: ...

class offset_commit_request:
    class OffsetCommitRequestPartition:
        partition_index: int
        committed_offset: int
        committed_leader_epoch: int
        committed_metadata: str | None
        def __init__(self, *, partition_index: int = ..., committed_offset: int = ..., committed_leader_epoch: int = ..., committed_metadata: str | None = ...) -> None: ...
    class OffsetCommitRequestTopic:
        topic_id: bytes
        partitions: list[offset_commit_request.OffsetCommitRequestPartition]
        name: str
        def __init__(self, *, topic_id: bytes = ..., partitions: list[offset_commit_request.OffsetCommitRequestPartition] = ..., name: str = ...) -> None: ...
    class OffsetCommitRequest:
        group_id: str
        generation_id_or_member_epoch: int
        member_id: str
        group_instance_id: str | None
        topics: list[offset_commit_request.OffsetCommitRequestTopic]
        retention_time_ms: int
        def __init__(self, *, group_id: str = ..., generation_id_or_member_epoch: int = ..., member_id: str = ..., group_instance_id: str | None = ..., topics: list[offset_commit_request.OffsetCommitRequestTopic] = ..., retention_time_ms: int = ...) -> None: ...

class offset_commit_response:
    class OffsetCommitResponsePartition:
        partition_index: int
        error_code: int
        def __init__(self, *, partition_index: int = ..., error_code: int = ...) -> None: ...
    class OffsetCommitResponseTopic:
        topic_id: bytes
        partitions: list[offset_commit_response.OffsetCommitResponsePartition]
        name: str
        def __init__(self, *, topic_id: bytes = ..., partitions: list[offset_commit_response.OffsetCommitResponsePartition] = ..., name: str = ...) -> None: ...
    class OffsetCommitResponse:
        throttle_time_ms: int
        topics: list[offset_commit_response.OffsetCommitResponseTopic]
        def __init__(self, *, throttle_time_ms: int = ..., topics: list[offset_commit_response.OffsetCommitResponseTopic] = ...) -> None: ...

class offset_fetch_request:
    class OffsetFetchRequestTopics:
        topic_id: bytes
        partition_indexes: list[int]
        name: str
        def __init__(self, *, topic_id: bytes = ..., partition_indexes: list[int] = ..., name: str = ...) -> None: ...
    class OffsetFetchRequestGroup:
        group_id: str
        member_id: str | None
        member_epoch: int
        topics: list[offset_fetch_request.OffsetFetchRequestTopics] | None
        def __init__(self, *, group_id: str = ..., member_id: str | None = ..., member_epoch: int = ..., topics: list[offset_fetch_request.OffsetFetchRequestTopics] | None = ...) -> None: ...
    class OffsetFetchRequestTopic:
        name: str
        partition_indexes: list[int]
        def __init__(self, *, name: str = ..., partition_indexes: list[int] = ...) -> None: ...
    class OffsetFetchRequest:
        groups: list[offset_fetch_request.OffsetFetchRequestGroup]
        require_stable: bool
        group_id: str
        topics: list[offset_fetch_request.OffsetFetchRequestTopic] | None
        def __init__(self, *, groups: list[offset_fetch_request.OffsetFetchRequestGroup] = ..., require_stable: bool = ..., group_id: str = ..., topics: list[offset_fetch_request.OffsetFetchRequestTopic] | None = ...) -> None: ...

class offset_fetch_response:
    class OffsetFetchResponsePartitions:
        partition_index: int
        committed_offset: int
        committed_leader_epoch: int
        metadata: str | None
        error_code: int
        def __init__(self, *, partition_index: int = ..., committed_offset: int = ..., committed_leader_epoch: int = ..., metadata: str | None = ..., error_code: int = ...) -> None: ...
    class OffsetFetchResponseTopics:
        topic_id: bytes
        partitions: list[offset_fetch_response.OffsetFetchResponsePartitions]
        name: str
        def __init__(self, *, topic_id: bytes = ..., partitions: list[offset_fetch_response.OffsetFetchResponsePartitions] = ..., name: str = ...) -> None: ...
    class OffsetFetchResponseGroup:
        group_id: str
        topics: list[offset_fetch_response.OffsetFetchResponseTopics]
        error_code: int
        def __init__(self, *, group_id: str = ..., topics: list[offset_fetch_response.OffsetFetchResponseTopics] = ..., error_code: int = ...) -> None: ...
    class OffsetFetchResponsePartition:
        partition_index: int
        committed_offset: int
        committed_leader_epoch: int
        metadata: str | None
        error_code: int
        def __init__(self, *, partition_index: int = ..., committed_offset: int = ..., committed_leader_epoch: int = ..., metadata: str | None = ..., error_code: int = ...) -> None: ...
    class OffsetFetchResponseTopic:
        name: str
        partitions: list[offset_fetch_response.OffsetFetchResponsePartition]
        def __init__(self, *, name: str = ..., partitions: list[offset_fetch_response.OffsetFetchResponsePartition] = ...) -> None: ...
    class OffsetFetchResponse:
        throttle_time_ms: int
        groups: list[offset_fetch_response.OffsetFetchResponseGroup]
        topics: list[offset_fetch_response.OffsetFetchResponseTopic]
        error_code: int
        def __init__(self, *, throttle_time_ms: int = ..., groups: list[offset_fetch_response.OffsetFetchResponseGroup] = ..., topics: list[offset_fetch_response.OffsetFetchResponseTopic] = ..., error_code: int = ...) -> None: ...

class find_coordinator_request:
    class FindCoordinatorRequest:
        key_type: int
        coordinator_keys: list[str]
        key: str
        def __init__(self, *, key_type: int = ..., coordinator_keys: list[str] = ..., key: str = ...) -> None: ...

class find_coordinator_response:
    class Coordinator:
        key: str
        node_id: int
        host: str
        port: int
        error_code: int
        error_message: str | None
        def __init__(self, *, key: str = ..., node_id: int = ..., host: str = ..., port: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class FindCoordinatorResponse:
        throttle_time_ms: int
        coordinators: list[find_coordinator_response.Coordinator]
        error_code: int
        error_message: str | None
        node_id: int
        host: str
        port: int
        def __init__(self, *, throttle_time_ms: int = ..., coordinators: list[find_coordinator_response.Coordinator] = ..., error_code: int = ..., error_message: str | None = ..., node_id: int = ..., host: str = ..., port: int = ...) -> None: ...

class join_group_request:
    class JoinGroupRequestProtocol:
        name: str
        metadata: bytes
        def __init__(self, *, name: str = ..., metadata: bytes = ...) -> None: ...
    class JoinGroupRequest:
        group_id: str
        session_timeout_ms: int
        rebalance_timeout_ms: int
        member_id: str
        group_instance_id: str | None
        protocol_type: str
        protocols: list[join_group_request.JoinGroupRequestProtocol]
        reason: str | None
        def __init__(self, *, group_id: str = ..., session_timeout_ms: int = ..., rebalance_timeout_ms: int = ..., member_id: str = ..., group_instance_id: str | None = ..., protocol_type: str = ..., protocols: list[join_group_request.JoinGroupRequestProtocol] = ..., reason: str | None = ...) -> None: ...

class join_group_response:
    class JoinGroupResponseMember:
        member_id: str
        group_instance_id: str | None
        metadata: bytes
        def __init__(self, *, member_id: str = ..., group_instance_id: str | None = ..., metadata: bytes = ...) -> None: ...
    class JoinGroupResponse:
        throttle_time_ms: int
        error_code: int
        generation_id: int
        protocol_type: str | None
        protocol_name: str | None
        leader: str
        skip_assignment: bool
        member_id: str
        members: list[join_group_response.JoinGroupResponseMember]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., generation_id: int = ..., protocol_type: str | None = ..., protocol_name: str | None = ..., leader: str = ..., skip_assignment: bool = ..., member_id: str = ..., members: list[join_group_response.JoinGroupResponseMember] = ...) -> None: ...

class heartbeat_request:
    class HeartbeatRequest:
        group_id: str
        generation_id: int
        member_id: str
        group_instance_id: str | None
        def __init__(self, *, group_id: str = ..., generation_id: int = ..., member_id: str = ..., group_instance_id: str | None = ...) -> None: ...

class heartbeat_response:
    class HeartbeatResponse:
        throttle_time_ms: int
        error_code: int
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ...) -> None: ...

class leave_group_request:
    class MemberIdentity:
        member_id: str
        group_instance_id: str | None
        reason: str | None
        def __init__(self, *, member_id: str = ..., group_instance_id: str | None = ..., reason: str | None = ...) -> None: ...
    class LeaveGroupRequest:
        group_id: str
        members: list[leave_group_request.MemberIdentity]
        member_id: str
        def __init__(self, *, group_id: str = ..., members: list[leave_group_request.MemberIdentity] = ..., member_id: str = ...) -> None: ...

class leave_group_response:
    class MemberResponse:
        member_id: str
        group_instance_id: str | None
        error_code: int
        def __init__(self, *, member_id: str = ..., group_instance_id: str | None = ..., error_code: int = ...) -> None: ...
    class LeaveGroupResponse:
        throttle_time_ms: int
        error_code: int
        members: list[leave_group_response.MemberResponse]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., members: list[leave_group_response.MemberResponse] = ...) -> None: ...

class sync_group_request:
    class SyncGroupRequestAssignment:
        member_id: str
        assignment: bytes
        def __init__(self, *, member_id: str = ..., assignment: bytes = ...) -> None: ...
    class SyncGroupRequest:
        group_id: str
        generation_id: int
        member_id: str
        group_instance_id: str | None
        protocol_type: str | None
        protocol_name: str | None
        assignments: list[sync_group_request.SyncGroupRequestAssignment]
        def __init__(self, *, group_id: str = ..., generation_id: int = ..., member_id: str = ..., group_instance_id: str | None = ..., protocol_type: str | None = ..., protocol_name: str | None = ..., assignments: list[sync_group_request.SyncGroupRequestAssignment] = ...) -> None: ...

class sync_group_response:
    class SyncGroupResponse:
        throttle_time_ms: int
        error_code: int
        protocol_type: str | None
        protocol_name: str | None
        assignment: bytes
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., protocol_type: str | None = ..., protocol_name: str | None = ..., assignment: bytes = ...) -> None: ...

class describe_groups_request:
    class DescribeGroupsRequest:
        groups: list[str]
        include_authorized_operations: bool
        def __init__(self, *, groups: list[str] = ..., include_authorized_operations: bool = ...) -> None: ...

class describe_groups_response:
    class DescribedGroupMember:
        member_id: str
        group_instance_id: str | None
        client_id: str
        client_host: str
        member_metadata: bytes
        member_assignment: bytes
        def __init__(self, *, member_id: str = ..., group_instance_id: str | None = ..., client_id: str = ..., client_host: str = ..., member_metadata: bytes = ..., member_assignment: bytes = ...) -> None: ...
    class DescribedGroup:
        error_code: int
        error_message: str | None
        group_id: str
        group_state: str
        protocol_type: str
        protocol_data: str
        members: list[describe_groups_response.DescribedGroupMember]
        authorized_operations: int
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., group_id: str = ..., group_state: str = ..., protocol_type: str = ..., protocol_data: str = ..., members: list[describe_groups_response.DescribedGroupMember] = ..., authorized_operations: int = ...) -> None: ...
    class DescribeGroupsResponse:
        throttle_time_ms: int
        groups: list[describe_groups_response.DescribedGroup]
        def __init__(self, *, throttle_time_ms: int = ..., groups: list[describe_groups_response.DescribedGroup] = ...) -> None: ...

class list_groups_request:
    class ListGroupsRequest:
        states_filter: list[str]
        types_filter: list[str]
        def __init__(self, *, states_filter: list[str] = ..., types_filter: list[str] = ...) -> None: ...

class list_groups_response:
    class ListedGroup:
        group_id: str
        protocol_type: str
        group_state: str
        group_type: str
        def __init__(self, *, group_id: str = ..., protocol_type: str = ..., group_state: str = ..., group_type: str = ...) -> None: ...
    class ListGroupsResponse:
        throttle_time_ms: int
        error_code: int
        groups: list[list_groups_response.ListedGroup]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., groups: list[list_groups_response.ListedGroup] = ...) -> None: ...

class sasl_handshake_request:
    class SaslHandshakeRequest:
        mechanism: str
        def __init__(self, *, mechanism: str = ...) -> None: ...

class sasl_handshake_response:
    class SaslHandshakeResponse:
        error_code: int
        mechanisms: list[str]
        def __init__(self, *, error_code: int = ..., mechanisms: list[str] = ...) -> None: ...

class api_versions_request:
    class ApiVersionsRequest:
        client_software_name: str
        client_software_version: str
        def __init__(self, *, client_software_name: str = ..., client_software_version: str = ...) -> None: ...

class api_versions_response:
    class ApiVersion:
        api_key: int
        min_version: int
        max_version: int
        def __init__(self, *, api_key: int = ..., min_version: int = ..., max_version: int = ...) -> None: ...
    class SupportedFeatureKey:
        name: str
        min_version: int
        max_version: int
        def __init__(self, *, name: str = ..., min_version: int = ..., max_version: int = ...) -> None: ...
    class FinalizedFeatureKey:
        name: str
        max_version_level: int
        min_version_level: int
        def __init__(self, *, name: str = ..., max_version_level: int = ..., min_version_level: int = ...) -> None: ...
    class ApiVersionsResponse:
        error_code: int
        api_keys: list[api_versions_response.ApiVersion]
        throttle_time_ms: int
        supported_features: list[api_versions_response.SupportedFeatureKey]
        finalized_features_epoch: int
        finalized_features: list[api_versions_response.FinalizedFeatureKey]
        zk_migration_ready: bool
        def __init__(self, *, error_code: int = ..., api_keys: list[api_versions_response.ApiVersion] = ..., throttle_time_ms: int = ..., supported_features: list[api_versions_response.SupportedFeatureKey] = ..., finalized_features_epoch: int = ..., finalized_features: list[api_versions_response.FinalizedFeatureKey] = ..., zk_migration_ready: bool = ...) -> None: ...

class create_topics_request:
    class CreatableReplicaAssignment:
        partition_index: int
        broker_ids: list[int]
        def __init__(self, *, partition_index: int = ..., broker_ids: list[int] = ...) -> None: ...
    class CreatableTopicConfig:
        name: str
        value: str | None
        def __init__(self, *, name: str = ..., value: str | None = ...) -> None: ...
    class CreatableTopic:
        name: str
        num_partitions: int
        replication_factor: int
        assignments: list[create_topics_request.CreatableReplicaAssignment]
        configs: list[create_topics_request.CreatableTopicConfig]
        def __init__(self, *, name: str = ..., num_partitions: int = ..., replication_factor: int = ..., assignments: list[create_topics_request.CreatableReplicaAssignment] = ..., configs: list[create_topics_request.CreatableTopicConfig] = ...) -> None: ...
    class CreateTopicsRequest:
        topics: list[create_topics_request.CreatableTopic]
        timeout_ms: int
        validate_only: bool
        def __init__(self, *, topics: list[create_topics_request.CreatableTopic] = ..., timeout_ms: int = ..., validate_only: bool = ...) -> None: ...

class create_topics_response:
    class CreatableTopicConfigs:
        name: str
        value: str | None
        read_only: bool
        config_source: int
        is_sensitive: bool
        def __init__(self, *, name: str = ..., value: str | None = ..., read_only: bool = ..., config_source: int = ..., is_sensitive: bool = ...) -> None: ...
    class CreatableTopicResult:
        name: str
        topic_id: bytes
        error_code: int
        error_message: str | None
        num_partitions: int
        replication_factor: int
        configs: list[create_topics_response.CreatableTopicConfigs] | None
        topic_config_error_code: int
        def __init__(self, *, name: str = ..., topic_id: bytes = ..., error_code: int = ..., error_message: str | None = ..., num_partitions: int = ..., replication_factor: int = ..., configs: list[create_topics_response.CreatableTopicConfigs] | None = ..., topic_config_error_code: int = ...) -> None: ...
    class CreateTopicsResponse:
        throttle_time_ms: int
        topics: list[create_topics_response.CreatableTopicResult]
        def __init__(self, *, throttle_time_ms: int = ..., topics: list[create_topics_response.CreatableTopicResult] = ...) -> None: ...

class delete_topics_request:
    class DeleteTopicState:
        name: str | None
        topic_id: bytes
        def __init__(self, *, name: str | None = ..., topic_id: bytes = ...) -> None: ...
    class DeleteTopicsRequest:
        topics: list[delete_topics_request.DeleteTopicState]
        timeout_ms: int
        topic_names: list[str]
        def __init__(self, *, topics: list[delete_topics_request.DeleteTopicState] = ..., timeout_ms: int = ..., topic_names: list[str] = ...) -> None: ...

class delete_topics_response:
    class DeletableTopicResult:
        name: str | None
        topic_id: bytes
        error_code: int
        error_message: str | None
        def __init__(self, *, name: str | None = ..., topic_id: bytes = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class DeleteTopicsResponse:
        throttle_time_ms: int
        responses: list[delete_topics_response.DeletableTopicResult]
        def __init__(self, *, throttle_time_ms: int = ..., responses: list[delete_topics_response.DeletableTopicResult] = ...) -> None: ...

class delete_records_request:
    class DeleteRecordsPartition:
        partition_index: int
        offset: int
        def __init__(self, *, partition_index: int = ..., offset: int = ...) -> None: ...
    class DeleteRecordsTopic:
        name: str
        partitions: list[delete_records_request.DeleteRecordsPartition]
        def __init__(self, *, name: str = ..., partitions: list[delete_records_request.DeleteRecordsPartition] = ...) -> None: ...
    class DeleteRecordsRequest:
        topics: list[delete_records_request.DeleteRecordsTopic]
        timeout_ms: int
        def __init__(self, *, topics: list[delete_records_request.DeleteRecordsTopic] = ..., timeout_ms: int = ...) -> None: ...

class delete_records_response:
    class DeleteRecordsPartitionResult:
        partition_index: int
        low_watermark: int
        error_code: int
        def __init__(self, *, partition_index: int = ..., low_watermark: int = ..., error_code: int = ...) -> None: ...
    class DeleteRecordsTopicResult:
        name: str
        partitions: list[delete_records_response.DeleteRecordsPartitionResult]
        def __init__(self, *, name: str = ..., partitions: list[delete_records_response.DeleteRecordsPartitionResult] = ...) -> None: ...
    class DeleteRecordsResponse:
        throttle_time_ms: int
        topics: list[delete_records_response.DeleteRecordsTopicResult]
        def __init__(self, *, throttle_time_ms: int = ..., topics: list[delete_records_response.DeleteRecordsTopicResult] = ...) -> None: ...

class init_producer_id_request:
    class InitProducerIdRequest:
        transactional_id: str | None
        transaction_timeout_ms: int
        producer_id: int
        producer_epoch: int
        enable2_pc: bool
        keep_prepared_txn: bool
        def __init__(self, *, transactional_id: str | None = ..., transaction_timeout_ms: int = ..., producer_id: int = ..., producer_epoch: int = ..., enable2_pc: bool = ..., keep_prepared_txn: bool = ...) -> None: ...

class init_producer_id_response:
    class InitProducerIdResponse:
        throttle_time_ms: int
        error_code: int
        producer_id: int
        producer_epoch: int
        ongoing_txn_producer_id: int
        ongoing_txn_producer_epoch: int
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., producer_id: int = ..., producer_epoch: int = ..., ongoing_txn_producer_id: int = ..., ongoing_txn_producer_epoch: int = ...) -> None: ...

class offset_for_leader_epoch_request:
    class OffsetForLeaderPartition:
        partition: int
        current_leader_epoch: int
        leader_epoch: int
        def __init__(self, *, partition: int = ..., current_leader_epoch: int = ..., leader_epoch: int = ...) -> None: ...
    class OffsetForLeaderTopic:
        topic: str
        partitions: list[offset_for_leader_epoch_request.OffsetForLeaderPartition]
        def __init__(self, *, topic: str = ..., partitions: list[offset_for_leader_epoch_request.OffsetForLeaderPartition] = ...) -> None: ...
    class OffsetForLeaderEpochRequest:
        replica_id: int
        topics: list[offset_for_leader_epoch_request.OffsetForLeaderTopic]
        def __init__(self, *, replica_id: int = ..., topics: list[offset_for_leader_epoch_request.OffsetForLeaderTopic] = ...) -> None: ...

class offset_for_leader_epoch_response:
    class EpochEndOffset:
        error_code: int
        partition: int
        leader_epoch: int
        end_offset: int
        def __init__(self, *, error_code: int = ..., partition: int = ..., leader_epoch: int = ..., end_offset: int = ...) -> None: ...
    class OffsetForLeaderTopicResult:
        topic: str
        partitions: list[offset_for_leader_epoch_response.EpochEndOffset]
        def __init__(self, *, topic: str = ..., partitions: list[offset_for_leader_epoch_response.EpochEndOffset] = ...) -> None: ...
    class OffsetForLeaderEpochResponse:
        throttle_time_ms: int
        topics: list[offset_for_leader_epoch_response.OffsetForLeaderTopicResult]
        def __init__(self, *, throttle_time_ms: int = ..., topics: list[offset_for_leader_epoch_response.OffsetForLeaderTopicResult] = ...) -> None: ...

class add_partitions_to_txn_request:
    class AddPartitionsToTxnTopic:
        name: str
        partitions: list[int]
        def __init__(self, *, name: str = ..., partitions: list[int] = ...) -> None: ...
    class AddPartitionsToTxnTransaction:
        transactional_id: str
        producer_id: int
        producer_epoch: int
        verify_only: bool
        topics: list[add_partitions_to_txn_request.AddPartitionsToTxnTopic]
        def __init__(self, *, transactional_id: str = ..., producer_id: int = ..., producer_epoch: int = ..., verify_only: bool = ..., topics: list[add_partitions_to_txn_request.AddPartitionsToTxnTopic] = ...) -> None: ...
    class AddPartitionsToTxnRequest:
        transactions: list[add_partitions_to_txn_request.AddPartitionsToTxnTransaction]
        v3_and_below_transactional_id: str
        v3_and_below_producer_id: int
        v3_and_below_producer_epoch: int
        v3_and_below_topics: list[add_partitions_to_txn_request.AddPartitionsToTxnTopic]
        def __init__(self, *, transactions: list[add_partitions_to_txn_request.AddPartitionsToTxnTransaction] = ..., v3_and_below_transactional_id: str = ..., v3_and_below_producer_id: int = ..., v3_and_below_producer_epoch: int = ..., v3_and_below_topics: list[add_partitions_to_txn_request.AddPartitionsToTxnTopic] = ...) -> None: ...

class add_partitions_to_txn_response:
    class AddPartitionsToTxnPartitionResult:
        partition_index: int
        partition_error_code: int
        def __init__(self, *, partition_index: int = ..., partition_error_code: int = ...) -> None: ...
    class AddPartitionsToTxnTopicResult:
        name: str
        results_by_partition: list[add_partitions_to_txn_response.AddPartitionsToTxnPartitionResult]
        def __init__(self, *, name: str = ..., results_by_partition: list[add_partitions_to_txn_response.AddPartitionsToTxnPartitionResult] = ...) -> None: ...
    class AddPartitionsToTxnResult:
        transactional_id: str
        topic_results: list[add_partitions_to_txn_response.AddPartitionsToTxnTopicResult]
        def __init__(self, *, transactional_id: str = ..., topic_results: list[add_partitions_to_txn_response.AddPartitionsToTxnTopicResult] = ...) -> None: ...
    class AddPartitionsToTxnResponse:
        throttle_time_ms: int
        error_code: int
        results_by_transaction: list[add_partitions_to_txn_response.AddPartitionsToTxnResult]
        results_by_topic_v3_and_below: list[add_partitions_to_txn_response.AddPartitionsToTxnTopicResult]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., results_by_transaction: list[add_partitions_to_txn_response.AddPartitionsToTxnResult] = ..., results_by_topic_v3_and_below: list[add_partitions_to_txn_response.AddPartitionsToTxnTopicResult] = ...) -> None: ...

class add_offsets_to_txn_request:
    class AddOffsetsToTxnRequest:
        transactional_id: str
        producer_id: int
        producer_epoch: int
        group_id: str
        def __init__(self, *, transactional_id: str = ..., producer_id: int = ..., producer_epoch: int = ..., group_id: str = ...) -> None: ...

class add_offsets_to_txn_response:
    class AddOffsetsToTxnResponse:
        throttle_time_ms: int
        error_code: int
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ...) -> None: ...

class end_txn_request:
    class EndTxnRequest:
        transactional_id: str
        producer_id: int
        producer_epoch: int
        committed: bool
        def __init__(self, *, transactional_id: str = ..., producer_id: int = ..., producer_epoch: int = ..., committed: bool = ...) -> None: ...

class end_txn_response:
    class EndTxnResponse:
        throttle_time_ms: int
        error_code: int
        producer_id: int
        producer_epoch: int
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., producer_id: int = ..., producer_epoch: int = ...) -> None: ...

class write_txn_markers_request:
    class WritableTxnMarkerTopic:
        name: str
        partition_indexes: list[int]
        def __init__(self, *, name: str = ..., partition_indexes: list[int] = ...) -> None: ...
    class WritableTxnMarker:
        producer_id: int
        producer_epoch: int
        transaction_result: bool
        topics: list[write_txn_markers_request.WritableTxnMarkerTopic]
        coordinator_epoch: int
        transaction_version: int
        def __init__(self, *, producer_id: int = ..., producer_epoch: int = ..., transaction_result: bool = ..., topics: list[write_txn_markers_request.WritableTxnMarkerTopic] = ..., coordinator_epoch: int = ..., transaction_version: int = ...) -> None: ...
    class WriteTxnMarkersRequest:
        markers: list[write_txn_markers_request.WritableTxnMarker]
        def __init__(self, *, markers: list[write_txn_markers_request.WritableTxnMarker] = ...) -> None: ...

class write_txn_markers_response:
    class WritableTxnMarkerPartitionResult:
        partition_index: int
        error_code: int
        def __init__(self, *, partition_index: int = ..., error_code: int = ...) -> None: ...
    class WritableTxnMarkerTopicResult:
        name: str
        partitions: list[write_txn_markers_response.WritableTxnMarkerPartitionResult]
        def __init__(self, *, name: str = ..., partitions: list[write_txn_markers_response.WritableTxnMarkerPartitionResult] = ...) -> None: ...
    class WritableTxnMarkerResult:
        producer_id: int
        topics: list[write_txn_markers_response.WritableTxnMarkerTopicResult]
        def __init__(self, *, producer_id: int = ..., topics: list[write_txn_markers_response.WritableTxnMarkerTopicResult] = ...) -> None: ...
    class WriteTxnMarkersResponse:
        markers: list[write_txn_markers_response.WritableTxnMarkerResult]
        def __init__(self, *, markers: list[write_txn_markers_response.WritableTxnMarkerResult] = ...) -> None: ...

class txn_offset_commit_request:
    class TxnOffsetCommitRequestPartition:
        partition_index: int
        committed_offset: int
        committed_leader_epoch: int
        committed_metadata: str | None
        def __init__(self, *, partition_index: int = ..., committed_offset: int = ..., committed_leader_epoch: int = ..., committed_metadata: str | None = ...) -> None: ...
    class TxnOffsetCommitRequestTopic:
        name: str
        partitions: list[txn_offset_commit_request.TxnOffsetCommitRequestPartition]
        def __init__(self, *, name: str = ..., partitions: list[txn_offset_commit_request.TxnOffsetCommitRequestPartition] = ...) -> None: ...
    class TxnOffsetCommitRequest:
        transactional_id: str
        group_id: str
        producer_id: int
        producer_epoch: int
        generation_id: int
        member_id: str
        group_instance_id: str | None
        topics: list[txn_offset_commit_request.TxnOffsetCommitRequestTopic]
        def __init__(self, *, transactional_id: str = ..., group_id: str = ..., producer_id: int = ..., producer_epoch: int = ..., generation_id: int = ..., member_id: str = ..., group_instance_id: str | None = ..., topics: list[txn_offset_commit_request.TxnOffsetCommitRequestTopic] = ...) -> None: ...

class txn_offset_commit_response:
    class TxnOffsetCommitResponsePartition:
        partition_index: int
        error_code: int
        def __init__(self, *, partition_index: int = ..., error_code: int = ...) -> None: ...
    class TxnOffsetCommitResponseTopic:
        name: str
        partitions: list[txn_offset_commit_response.TxnOffsetCommitResponsePartition]
        def __init__(self, *, name: str = ..., partitions: list[txn_offset_commit_response.TxnOffsetCommitResponsePartition] = ...) -> None: ...
    class TxnOffsetCommitResponse:
        throttle_time_ms: int
        topics: list[txn_offset_commit_response.TxnOffsetCommitResponseTopic]
        def __init__(self, *, throttle_time_ms: int = ..., topics: list[txn_offset_commit_response.TxnOffsetCommitResponseTopic] = ...) -> None: ...

class describe_acls_request:
    class DescribeAclsRequest:
        resource_type_filter: int
        resource_name_filter: str | None
        pattern_type_filter: int
        principal_filter: str | None
        host_filter: str | None
        operation: int
        permission_type: int
        def __init__(self, *, resource_type_filter: int = ..., resource_name_filter: str | None = ..., pattern_type_filter: int = ..., principal_filter: str | None = ..., host_filter: str | None = ..., operation: int = ..., permission_type: int = ...) -> None: ...

class describe_acls_response:
    class AclDescription:
        principal: str
        host: str
        operation: int
        permission_type: int
        def __init__(self, *, principal: str = ..., host: str = ..., operation: int = ..., permission_type: int = ...) -> None: ...
    class DescribeAclsResource:
        resource_type: int
        resource_name: str
        pattern_type: int
        acls: list[describe_acls_response.AclDescription]
        def __init__(self, *, resource_type: int = ..., resource_name: str = ..., pattern_type: int = ..., acls: list[describe_acls_response.AclDescription] = ...) -> None: ...
    class DescribeAclsResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        resources: list[describe_acls_response.DescribeAclsResource]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., resources: list[describe_acls_response.DescribeAclsResource] = ...) -> None: ...

class create_acls_request:
    class AclCreation:
        resource_type: int
        resource_name: str
        resource_pattern_type: int
        principal: str
        host: str
        operation: int
        permission_type: int
        def __init__(self, *, resource_type: int = ..., resource_name: str = ..., resource_pattern_type: int = ..., principal: str = ..., host: str = ..., operation: int = ..., permission_type: int = ...) -> None: ...
    class CreateAclsRequest:
        creations: list[create_acls_request.AclCreation]
        def __init__(self, *, creations: list[create_acls_request.AclCreation] = ...) -> None: ...

class create_acls_response:
    class AclCreationResult:
        error_code: int
        error_message: str | None
        def __init__(self, *, error_code: int = ..., error_message: str | None = ...) -> None: ...
    class CreateAclsResponse:
        throttle_time_ms: int
        results: list[create_acls_response.AclCreationResult]
        def __init__(self, *, throttle_time_ms: int = ..., results: list[create_acls_response.AclCreationResult] = ...) -> None: ...

class delete_acls_request:
    class DeleteAclsFilter:
        resource_type_filter: int
        resource_name_filter: str | None
        pattern_type_filter: int
        principal_filter: str | None
        host_filter: str | None
        operation: int
        permission_type: int
        def __init__(self, *, resource_type_filter: int = ..., resource_name_filter: str | None = ..., pattern_type_filter: int = ..., principal_filter: str | None = ..., host_filter: str | None = ..., operation: int = ..., permission_type: int = ...) -> None: ...
    class DeleteAclsRequest:
        filters: list[delete_acls_request.DeleteAclsFilter]
        def __init__(self, *, filters: list[delete_acls_request.DeleteAclsFilter] = ...) -> None: ...

class delete_acls_response:
    class DeleteAclsMatchingAcl:
        error_code: int
        error_message: str | None
        resource_type: int
        resource_name: str
        pattern_type: int
        principal: str
        host: str
        operation: int
        permission_type: int
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., resource_type: int = ..., resource_name: str = ..., pattern_type: int = ..., principal: str = ..., host: str = ..., operation: int = ..., permission_type: int = ...) -> None: ...
    class DeleteAclsFilterResult:
        error_code: int
        error_message: str | None
        matching_acls: list[delete_acls_response.DeleteAclsMatchingAcl]
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., matching_acls: list[delete_acls_response.DeleteAclsMatchingAcl] = ...) -> None: ...
    class DeleteAclsResponse:
        throttle_time_ms: int
        filter_results: list[delete_acls_response.DeleteAclsFilterResult]
        def __init__(self, *, throttle_time_ms: int = ..., filter_results: list[delete_acls_response.DeleteAclsFilterResult] = ...) -> None: ...

class describe_configs_request:
    class DescribeConfigsResource:
        resource_type: int
        resource_name: str
        configuration_keys: list[str] | None
        def __init__(self, *, resource_type: int = ..., resource_name: str = ..., configuration_keys: list[str] | None = ...) -> None: ...
    class DescribeConfigsRequest:
        resources: list[describe_configs_request.DescribeConfigsResource]
        include_synonyms: bool
        include_documentation: bool
        def __init__(self, *, resources: list[describe_configs_request.DescribeConfigsResource] = ..., include_synonyms: bool = ..., include_documentation: bool = ...) -> None: ...

class describe_configs_response:
    class DescribeConfigsSynonym:
        name: str
        value: str | None
        source: int
        def __init__(self, *, name: str = ..., value: str | None = ..., source: int = ...) -> None: ...
    class DescribeConfigsResourceResult:
        name: str
        value: str | None
        read_only: bool
        config_source: int
        is_sensitive: bool
        synonyms: list[describe_configs_response.DescribeConfigsSynonym]
        config_type: int
        documentation: str | None
        def __init__(self, *, name: str = ..., value: str | None = ..., read_only: bool = ..., config_source: int = ..., is_sensitive: bool = ..., synonyms: list[describe_configs_response.DescribeConfigsSynonym] = ..., config_type: int = ..., documentation: str | None = ...) -> None: ...
    class DescribeConfigsResult:
        error_code: int
        error_message: str | None
        resource_type: int
        resource_name: str
        configs: list[describe_configs_response.DescribeConfigsResourceResult]
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., resource_type: int = ..., resource_name: str = ..., configs: list[describe_configs_response.DescribeConfigsResourceResult] = ...) -> None: ...
    class DescribeConfigsResponse:
        throttle_time_ms: int
        results: list[describe_configs_response.DescribeConfigsResult]
        def __init__(self, *, throttle_time_ms: int = ..., results: list[describe_configs_response.DescribeConfigsResult] = ...) -> None: ...

class alter_configs_request:
    class AlterableConfig:
        name: str
        value: str | None
        def __init__(self, *, name: str = ..., value: str | None = ...) -> None: ...
    class AlterConfigsResource:
        resource_type: int
        resource_name: str
        configs: list[alter_configs_request.AlterableConfig]
        def __init__(self, *, resource_type: int = ..., resource_name: str = ..., configs: list[alter_configs_request.AlterableConfig] = ...) -> None: ...
    class AlterConfigsRequest:
        resources: list[alter_configs_request.AlterConfigsResource]
        validate_only: bool
        def __init__(self, *, resources: list[alter_configs_request.AlterConfigsResource] = ..., validate_only: bool = ...) -> None: ...

class alter_configs_response:
    class AlterConfigsResourceResponse:
        error_code: int
        error_message: str | None
        resource_type: int
        resource_name: str
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., resource_type: int = ..., resource_name: str = ...) -> None: ...
    class AlterConfigsResponse:
        throttle_time_ms: int
        responses: list[alter_configs_response.AlterConfigsResourceResponse]
        def __init__(self, *, throttle_time_ms: int = ..., responses: list[alter_configs_response.AlterConfigsResourceResponse] = ...) -> None: ...

class alter_replica_log_dirs_request:
    class AlterReplicaLogDirTopic:
        name: str
        partitions: list[int]
        def __init__(self, *, name: str = ..., partitions: list[int] = ...) -> None: ...
    class AlterReplicaLogDir:
        path: str
        topics: list[alter_replica_log_dirs_request.AlterReplicaLogDirTopic]
        def __init__(self, *, path: str = ..., topics: list[alter_replica_log_dirs_request.AlterReplicaLogDirTopic] = ...) -> None: ...
    class AlterReplicaLogDirsRequest:
        dirs: list[alter_replica_log_dirs_request.AlterReplicaLogDir]
        def __init__(self, *, dirs: list[alter_replica_log_dirs_request.AlterReplicaLogDir] = ...) -> None: ...

class alter_replica_log_dirs_response:
    class AlterReplicaLogDirPartitionResult:
        partition_index: int
        error_code: int
        def __init__(self, *, partition_index: int = ..., error_code: int = ...) -> None: ...
    class AlterReplicaLogDirTopicResult:
        topic_name: str
        partitions: list[alter_replica_log_dirs_response.AlterReplicaLogDirPartitionResult]
        def __init__(self, *, topic_name: str = ..., partitions: list[alter_replica_log_dirs_response.AlterReplicaLogDirPartitionResult] = ...) -> None: ...
    class AlterReplicaLogDirsResponse:
        throttle_time_ms: int
        results: list[alter_replica_log_dirs_response.AlterReplicaLogDirTopicResult]
        def __init__(self, *, throttle_time_ms: int = ..., results: list[alter_replica_log_dirs_response.AlterReplicaLogDirTopicResult] = ...) -> None: ...

class describe_log_dirs_request:
    class DescribableLogDirTopic:
        topic: str
        partitions: list[int]
        def __init__(self, *, topic: str = ..., partitions: list[int] = ...) -> None: ...
    class DescribeLogDirsRequest:
        topics: list[describe_log_dirs_request.DescribableLogDirTopic] | None
        def __init__(self, *, topics: list[describe_log_dirs_request.DescribableLogDirTopic] | None = ...) -> None: ...

class describe_log_dirs_response:
    class DescribeLogDirsPartition:
        partition_index: int
        partition_size: int
        offset_lag: int
        is_future_key: bool
        def __init__(self, *, partition_index: int = ..., partition_size: int = ..., offset_lag: int = ..., is_future_key: bool = ...) -> None: ...
    class DescribeLogDirsTopic:
        name: str
        partitions: list[describe_log_dirs_response.DescribeLogDirsPartition]
        def __init__(self, *, name: str = ..., partitions: list[describe_log_dirs_response.DescribeLogDirsPartition] = ...) -> None: ...
    class DescribeLogDirsResult:
        error_code: int
        log_dir: str
        topics: list[describe_log_dirs_response.DescribeLogDirsTopic]
        total_bytes: int
        usable_bytes: int
        is_cordoned: bool
        def __init__(self, *, error_code: int = ..., log_dir: str = ..., topics: list[describe_log_dirs_response.DescribeLogDirsTopic] = ..., total_bytes: int = ..., usable_bytes: int = ..., is_cordoned: bool = ...) -> None: ...
    class DescribeLogDirsResponse:
        throttle_time_ms: int
        error_code: int
        results: list[describe_log_dirs_response.DescribeLogDirsResult]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., results: list[describe_log_dirs_response.DescribeLogDirsResult] = ...) -> None: ...

class sasl_authenticate_request:
    class SaslAuthenticateRequest:
        auth_bytes: bytes
        def __init__(self, *, auth_bytes: bytes = ...) -> None: ...

class sasl_authenticate_response:
    class SaslAuthenticateResponse:
        error_code: int
        error_message: str | None
        auth_bytes: bytes
        session_lifetime_ms: int
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., auth_bytes: bytes = ..., session_lifetime_ms: int = ...) -> None: ...

class create_partitions_request:
    class CreatePartitionsAssignment:
        broker_ids: list[int]
        def __init__(self, *, broker_ids: list[int] = ...) -> None: ...
    class CreatePartitionsTopic:
        name: str
        count: int
        assignments: list[create_partitions_request.CreatePartitionsAssignment] | None
        def __init__(self, *, name: str = ..., count: int = ..., assignments: list[create_partitions_request.CreatePartitionsAssignment] | None = ...) -> None: ...
    class CreatePartitionsRequest:
        topics: list[create_partitions_request.CreatePartitionsTopic]
        timeout_ms: int
        validate_only: bool
        def __init__(self, *, topics: list[create_partitions_request.CreatePartitionsTopic] = ..., timeout_ms: int = ..., validate_only: bool = ...) -> None: ...

class create_partitions_response:
    class CreatePartitionsTopicResult:
        name: str
        error_code: int
        error_message: str | None
        def __init__(self, *, name: str = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class CreatePartitionsResponse:
        throttle_time_ms: int
        results: list[create_partitions_response.CreatePartitionsTopicResult]
        def __init__(self, *, throttle_time_ms: int = ..., results: list[create_partitions_response.CreatePartitionsTopicResult] = ...) -> None: ...

class create_delegation_token_request:
    class CreatableRenewers:
        principal_type: str
        principal_name: str
        def __init__(self, *, principal_type: str = ..., principal_name: str = ...) -> None: ...
    class CreateDelegationTokenRequest:
        owner_principal_type: str | None
        owner_principal_name: str | None
        renewers: list[create_delegation_token_request.CreatableRenewers]
        max_lifetime_ms: int
        def __init__(self, *, owner_principal_type: str | None = ..., owner_principal_name: str | None = ..., renewers: list[create_delegation_token_request.CreatableRenewers] = ..., max_lifetime_ms: int = ...) -> None: ...

class create_delegation_token_response:
    class CreateDelegationTokenResponse:
        error_code: int
        principal_type: str
        principal_name: str
        token_requester_principal_type: str
        token_requester_principal_name: str
        issue_timestamp_ms: int
        expiry_timestamp_ms: int
        max_timestamp_ms: int
        token_id: str
        hmac: bytes
        throttle_time_ms: int
        def __init__(self, *, error_code: int = ..., principal_type: str = ..., principal_name: str = ..., token_requester_principal_type: str = ..., token_requester_principal_name: str = ..., issue_timestamp_ms: int = ..., expiry_timestamp_ms: int = ..., max_timestamp_ms: int = ..., token_id: str = ..., hmac: bytes = ..., throttle_time_ms: int = ...) -> None: ...

class renew_delegation_token_request:
    class RenewDelegationTokenRequest:
        hmac: bytes
        renew_period_ms: int
        def __init__(self, *, hmac: bytes = ..., renew_period_ms: int = ...) -> None: ...

class renew_delegation_token_response:
    class RenewDelegationTokenResponse:
        error_code: int
        expiry_timestamp_ms: int
        throttle_time_ms: int
        def __init__(self, *, error_code: int = ..., expiry_timestamp_ms: int = ..., throttle_time_ms: int = ...) -> None: ...

class expire_delegation_token_request:
    class ExpireDelegationTokenRequest:
        hmac: bytes
        expiry_time_period_ms: int
        def __init__(self, *, hmac: bytes = ..., expiry_time_period_ms: int = ...) -> None: ...

class expire_delegation_token_response:
    class ExpireDelegationTokenResponse:
        error_code: int
        expiry_timestamp_ms: int
        throttle_time_ms: int
        def __init__(self, *, error_code: int = ..., expiry_timestamp_ms: int = ..., throttle_time_ms: int = ...) -> None: ...

class describe_delegation_token_request:
    class DescribeDelegationTokenOwner:
        principal_type: str
        principal_name: str
        def __init__(self, *, principal_type: str = ..., principal_name: str = ...) -> None: ...
    class DescribeDelegationTokenRequest:
        owners: list[describe_delegation_token_request.DescribeDelegationTokenOwner] | None
        def __init__(self, *, owners: list[describe_delegation_token_request.DescribeDelegationTokenOwner] | None = ...) -> None: ...

class describe_delegation_token_response:
    class DescribedDelegationTokenRenewer:
        principal_type: str
        principal_name: str
        def __init__(self, *, principal_type: str = ..., principal_name: str = ...) -> None: ...
    class DescribedDelegationToken:
        principal_type: str
        principal_name: str
        token_requester_principal_type: str
        token_requester_principal_name: str
        issue_timestamp: int
        expiry_timestamp: int
        max_timestamp: int
        token_id: str
        hmac: bytes
        renewers: list[describe_delegation_token_response.DescribedDelegationTokenRenewer]
        def __init__(self, *, principal_type: str = ..., principal_name: str = ..., token_requester_principal_type: str = ..., token_requester_principal_name: str = ..., issue_timestamp: int = ..., expiry_timestamp: int = ..., max_timestamp: int = ..., token_id: str = ..., hmac: bytes = ..., renewers: list[describe_delegation_token_response.DescribedDelegationTokenRenewer] = ...) -> None: ...
    class DescribeDelegationTokenResponse:
        error_code: int
        tokens: list[describe_delegation_token_response.DescribedDelegationToken]
        throttle_time_ms: int
        def __init__(self, *, error_code: int = ..., tokens: list[describe_delegation_token_response.DescribedDelegationToken] = ..., throttle_time_ms: int = ...) -> None: ...

class delete_groups_request:
    class DeleteGroupsRequest:
        groups_names: list[str]
        def __init__(self, *, groups_names: list[str] = ...) -> None: ...

class delete_groups_response:
    class DeletableGroupResult:
        group_id: str
        error_code: int
        def __init__(self, *, group_id: str = ..., error_code: int = ...) -> None: ...
    class DeleteGroupsResponse:
        throttle_time_ms: int
        results: list[delete_groups_response.DeletableGroupResult]
        def __init__(self, *, throttle_time_ms: int = ..., results: list[delete_groups_response.DeletableGroupResult] = ...) -> None: ...

class elect_leaders_request:
    class TopicPartitions:
        topic: str
        partitions: list[int]
        def __init__(self, *, topic: str = ..., partitions: list[int] = ...) -> None: ...
    class ElectLeadersRequest:
        election_type: int
        topic_partitions: list[elect_leaders_request.TopicPartitions] | None
        timeout_ms: int
        def __init__(self, *, election_type: int = ..., topic_partitions: list[elect_leaders_request.TopicPartitions] | None = ..., timeout_ms: int = ...) -> None: ...

class elect_leaders_response:
    class PartitionResult:
        partition_id: int
        error_code: int
        error_message: str | None
        def __init__(self, *, partition_id: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class ReplicaElectionResult:
        topic: str
        partition_result: list[elect_leaders_response.PartitionResult]
        def __init__(self, *, topic: str = ..., partition_result: list[elect_leaders_response.PartitionResult] = ...) -> None: ...
    class ElectLeadersResponse:
        throttle_time_ms: int
        error_code: int
        replica_election_results: list[elect_leaders_response.ReplicaElectionResult]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., replica_election_results: list[elect_leaders_response.ReplicaElectionResult] = ...) -> None: ...

class incremental_alter_configs_request:
    class AlterableConfig:
        name: str
        config_operation: int
        value: str | None
        def __init__(self, *, name: str = ..., config_operation: int = ..., value: str | None = ...) -> None: ...
    class AlterConfigsResource:
        resource_type: int
        resource_name: str
        configs: list[incremental_alter_configs_request.AlterableConfig]
        def __init__(self, *, resource_type: int = ..., resource_name: str = ..., configs: list[incremental_alter_configs_request.AlterableConfig] = ...) -> None: ...
    class IncrementalAlterConfigsRequest:
        resources: list[incremental_alter_configs_request.AlterConfigsResource]
        validate_only: bool
        def __init__(self, *, resources: list[incremental_alter_configs_request.AlterConfigsResource] = ..., validate_only: bool = ...) -> None: ...

class incremental_alter_configs_response:
    class AlterConfigsResourceResponse:
        error_code: int
        error_message: str | None
        resource_type: int
        resource_name: str
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., resource_type: int = ..., resource_name: str = ...) -> None: ...
    class IncrementalAlterConfigsResponse:
        throttle_time_ms: int
        responses: list[incremental_alter_configs_response.AlterConfigsResourceResponse]
        def __init__(self, *, throttle_time_ms: int = ..., responses: list[incremental_alter_configs_response.AlterConfigsResourceResponse] = ...) -> None: ...

class alter_partition_reassignments_request:
    class ReassignablePartition:
        partition_index: int
        replicas: list[int] | None
        def __init__(self, *, partition_index: int = ..., replicas: list[int] | None = ...) -> None: ...
    class ReassignableTopic:
        name: str
        partitions: list[alter_partition_reassignments_request.ReassignablePartition]
        def __init__(self, *, name: str = ..., partitions: list[alter_partition_reassignments_request.ReassignablePartition] = ...) -> None: ...
    class AlterPartitionReassignmentsRequest:
        timeout_ms: int
        allow_replication_factor_change: bool
        topics: list[alter_partition_reassignments_request.ReassignableTopic]
        def __init__(self, *, timeout_ms: int = ..., allow_replication_factor_change: bool = ..., topics: list[alter_partition_reassignments_request.ReassignableTopic] = ...) -> None: ...

class alter_partition_reassignments_response:
    class ReassignablePartitionResponse:
        partition_index: int
        error_code: int
        error_message: str | None
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class ReassignableTopicResponse:
        name: str
        partitions: list[alter_partition_reassignments_response.ReassignablePartitionResponse]
        def __init__(self, *, name: str = ..., partitions: list[alter_partition_reassignments_response.ReassignablePartitionResponse] = ...) -> None: ...
    class AlterPartitionReassignmentsResponse:
        throttle_time_ms: int
        allow_replication_factor_change: bool
        error_code: int
        error_message: str | None
        responses: list[alter_partition_reassignments_response.ReassignableTopicResponse]
        def __init__(self, *, throttle_time_ms: int = ..., allow_replication_factor_change: bool = ..., error_code: int = ..., error_message: str | None = ..., responses: list[alter_partition_reassignments_response.ReassignableTopicResponse] = ...) -> None: ...

class list_partition_reassignments_request:
    class ListPartitionReassignmentsTopics:
        name: str
        partition_indexes: list[int]
        def __init__(self, *, name: str = ..., partition_indexes: list[int] = ...) -> None: ...
    class ListPartitionReassignmentsRequest:
        timeout_ms: int
        topics: list[list_partition_reassignments_request.ListPartitionReassignmentsTopics] | None
        def __init__(self, *, timeout_ms: int = ..., topics: list[list_partition_reassignments_request.ListPartitionReassignmentsTopics] | None = ...) -> None: ...

class list_partition_reassignments_response:
    class OngoingPartitionReassignment:
        partition_index: int
        replicas: list[int]
        adding_replicas: list[int]
        removing_replicas: list[int]
        def __init__(self, *, partition_index: int = ..., replicas: list[int] = ..., adding_replicas: list[int] = ..., removing_replicas: list[int] = ...) -> None: ...
    class OngoingTopicReassignment:
        name: str
        partitions: list[list_partition_reassignments_response.OngoingPartitionReassignment]
        def __init__(self, *, name: str = ..., partitions: list[list_partition_reassignments_response.OngoingPartitionReassignment] = ...) -> None: ...
    class ListPartitionReassignmentsResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        topics: list[list_partition_reassignments_response.OngoingTopicReassignment]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., topics: list[list_partition_reassignments_response.OngoingTopicReassignment] = ...) -> None: ...

class offset_delete_request:
    class OffsetDeleteRequestPartition:
        partition_index: int
        def __init__(self, *, partition_index: int = ...) -> None: ...
    class OffsetDeleteRequestTopic:
        name: str
        partitions: list[offset_delete_request.OffsetDeleteRequestPartition]
        def __init__(self, *, name: str = ..., partitions: list[offset_delete_request.OffsetDeleteRequestPartition] = ...) -> None: ...
    class OffsetDeleteRequest:
        group_id: str
        topics: list[offset_delete_request.OffsetDeleteRequestTopic]
        def __init__(self, *, group_id: str = ..., topics: list[offset_delete_request.OffsetDeleteRequestTopic] = ...) -> None: ...

class offset_delete_response:
    class OffsetDeleteResponsePartition:
        partition_index: int
        error_code: int
        def __init__(self, *, partition_index: int = ..., error_code: int = ...) -> None: ...
    class OffsetDeleteResponseTopic:
        name: str
        partitions: list[offset_delete_response.OffsetDeleteResponsePartition]
        def __init__(self, *, name: str = ..., partitions: list[offset_delete_response.OffsetDeleteResponsePartition] = ...) -> None: ...
    class OffsetDeleteResponse:
        error_code: int
        throttle_time_ms: int
        topics: list[offset_delete_response.OffsetDeleteResponseTopic]
        def __init__(self, *, error_code: int = ..., throttle_time_ms: int = ..., topics: list[offset_delete_response.OffsetDeleteResponseTopic] = ...) -> None: ...

class describe_client_quotas_request:
    class ComponentData:
        entity_type: str
        match_type: int
        match: str | None
        def __init__(self, *, entity_type: str = ..., match_type: int = ..., match: str | None = ...) -> None: ...
    class DescribeClientQuotasRequest:
        components: list[describe_client_quotas_request.ComponentData]
        strict: bool
        def __init__(self, *, components: list[describe_client_quotas_request.ComponentData] = ..., strict: bool = ...) -> None: ...

class describe_client_quotas_response:
    class EntityData:
        entity_type: str
        entity_name: str | None
        def __init__(self, *, entity_type: str = ..., entity_name: str | None = ...) -> None: ...
    class ValueData:
        key: str
        value: float
        def __init__(self, *, key: str = ..., value: float = ...) -> None: ...
    class EntryData:
        entity: list[describe_client_quotas_response.EntityData]
        values: list[describe_client_quotas_response.ValueData]
        def __init__(self, *, entity: list[describe_client_quotas_response.EntityData] = ..., values: list[describe_client_quotas_response.ValueData] = ...) -> None: ...
    class DescribeClientQuotasResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        entries: list[describe_client_quotas_response.EntryData] | None
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., entries: list[describe_client_quotas_response.EntryData] | None = ...) -> None: ...

class alter_client_quotas_request:
    class EntityData:
        entity_type: str
        entity_name: str | None
        def __init__(self, *, entity_type: str = ..., entity_name: str | None = ...) -> None: ...
    class OpData:
        key: str
        value: float
        remove: bool
        def __init__(self, *, key: str = ..., value: float = ..., remove: bool = ...) -> None: ...
    class EntryData:
        entity: list[alter_client_quotas_request.EntityData]
        ops: list[alter_client_quotas_request.OpData]
        def __init__(self, *, entity: list[alter_client_quotas_request.EntityData] = ..., ops: list[alter_client_quotas_request.OpData] = ...) -> None: ...
    class AlterClientQuotasRequest:
        entries: list[alter_client_quotas_request.EntryData]
        validate_only: bool
        def __init__(self, *, entries: list[alter_client_quotas_request.EntryData] = ..., validate_only: bool = ...) -> None: ...

class alter_client_quotas_response:
    class EntityData:
        entity_type: str
        entity_name: str | None
        def __init__(self, *, entity_type: str = ..., entity_name: str | None = ...) -> None: ...
    class EntryData:
        error_code: int
        error_message: str | None
        entity: list[alter_client_quotas_response.EntityData]
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., entity: list[alter_client_quotas_response.EntityData] = ...) -> None: ...
    class AlterClientQuotasResponse:
        throttle_time_ms: int
        entries: list[alter_client_quotas_response.EntryData]
        def __init__(self, *, throttle_time_ms: int = ..., entries: list[alter_client_quotas_response.EntryData] = ...) -> None: ...

class describe_user_scram_credentials_request:
    class UserName:
        name: str
        def __init__(self, *, name: str = ...) -> None: ...
    class DescribeUserScramCredentialsRequest:
        users: list[describe_user_scram_credentials_request.UserName] | None
        def __init__(self, *, users: list[describe_user_scram_credentials_request.UserName] | None = ...) -> None: ...

class describe_user_scram_credentials_response:
    class CredentialInfo:
        mechanism: int
        iterations: int
        def __init__(self, *, mechanism: int = ..., iterations: int = ...) -> None: ...
    class DescribeUserScramCredentialsResult:
        user: str
        error_code: int
        error_message: str | None
        credential_infos: list[describe_user_scram_credentials_response.CredentialInfo]
        def __init__(self, *, user: str = ..., error_code: int = ..., error_message: str | None = ..., credential_infos: list[describe_user_scram_credentials_response.CredentialInfo] = ...) -> None: ...
    class DescribeUserScramCredentialsResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        results: list[describe_user_scram_credentials_response.DescribeUserScramCredentialsResult]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., results: list[describe_user_scram_credentials_response.DescribeUserScramCredentialsResult] = ...) -> None: ...

class alter_user_scram_credentials_request:
    class ScramCredentialDeletion:
        name: str
        mechanism: int
        def __init__(self, *, name: str = ..., mechanism: int = ...) -> None: ...
    class ScramCredentialUpsertion:
        name: str
        mechanism: int
        iterations: int
        salt: bytes
        salted_password: bytes
        def __init__(self, *, name: str = ..., mechanism: int = ..., iterations: int = ..., salt: bytes = ..., salted_password: bytes = ...) -> None: ...
    class AlterUserScramCredentialsRequest:
        deletions: list[alter_user_scram_credentials_request.ScramCredentialDeletion]
        upsertions: list[alter_user_scram_credentials_request.ScramCredentialUpsertion]
        def __init__(self, *, deletions: list[alter_user_scram_credentials_request.ScramCredentialDeletion] = ..., upsertions: list[alter_user_scram_credentials_request.ScramCredentialUpsertion] = ...) -> None: ...

class alter_user_scram_credentials_response:
    class AlterUserScramCredentialsResult:
        user: str
        error_code: int
        error_message: str | None
        def __init__(self, *, user: str = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class AlterUserScramCredentialsResponse:
        throttle_time_ms: int
        results: list[alter_user_scram_credentials_response.AlterUserScramCredentialsResult]
        def __init__(self, *, throttle_time_ms: int = ..., results: list[alter_user_scram_credentials_response.AlterUserScramCredentialsResult] = ...) -> None: ...

class vote_request:
    class PartitionData:
        partition_index: int
        replica_epoch: int
        replica_id: int
        replica_directory_id: bytes
        voter_directory_id: bytes
        last_offset_epoch: int
        last_offset: int
        pre_vote: bool
        def __init__(self, *, partition_index: int = ..., replica_epoch: int = ..., replica_id: int = ..., replica_directory_id: bytes = ..., voter_directory_id: bytes = ..., last_offset_epoch: int = ..., last_offset: int = ..., pre_vote: bool = ...) -> None: ...
    class TopicData:
        topic_name: str
        partitions: list[vote_request.PartitionData]
        def __init__(self, *, topic_name: str = ..., partitions: list[vote_request.PartitionData] = ...) -> None: ...
    class VoteRequest:
        cluster_id: str | None
        voter_id: int
        topics: list[vote_request.TopicData]
        def __init__(self, *, cluster_id: str | None = ..., voter_id: int = ..., topics: list[vote_request.TopicData] = ...) -> None: ...

class vote_response:
    class PartitionData:
        partition_index: int
        error_code: int
        leader_id: int
        leader_epoch: int
        vote_granted: bool
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., leader_id: int = ..., leader_epoch: int = ..., vote_granted: bool = ...) -> None: ...
    class TopicData:
        topic_name: str
        partitions: list[vote_response.PartitionData]
        def __init__(self, *, topic_name: str = ..., partitions: list[vote_response.PartitionData] = ...) -> None: ...
    class NodeEndpoint:
        node_id: int
        host: str
        port: int
        def __init__(self, *, node_id: int = ..., host: str = ..., port: int = ...) -> None: ...
    class VoteResponse:
        error_code: int
        topics: list[vote_response.TopicData]
        node_endpoints: list[vote_response.NodeEndpoint]
        def __init__(self, *, error_code: int = ..., topics: list[vote_response.TopicData] = ..., node_endpoints: list[vote_response.NodeEndpoint] = ...) -> None: ...

class begin_quorum_epoch_request:
    class PartitionData:
        partition_index: int
        voter_directory_id: bytes
        leader_id: int
        leader_epoch: int
        def __init__(self, *, partition_index: int = ..., voter_directory_id: bytes = ..., leader_id: int = ..., leader_epoch: int = ...) -> None: ...
    class TopicData:
        topic_name: str
        partitions: list[begin_quorum_epoch_request.PartitionData]
        def __init__(self, *, topic_name: str = ..., partitions: list[begin_quorum_epoch_request.PartitionData] = ...) -> None: ...
    class LeaderEndpoint:
        name: str
        host: str
        port: int
        def __init__(self, *, name: str = ..., host: str = ..., port: int = ...) -> None: ...
    class BeginQuorumEpochRequest:
        cluster_id: str | None
        voter_id: int
        topics: list[begin_quorum_epoch_request.TopicData]
        leader_endpoints: list[begin_quorum_epoch_request.LeaderEndpoint]
        def __init__(self, *, cluster_id: str | None = ..., voter_id: int = ..., topics: list[begin_quorum_epoch_request.TopicData] = ..., leader_endpoints: list[begin_quorum_epoch_request.LeaderEndpoint] = ...) -> None: ...

class begin_quorum_epoch_response:
    class PartitionData:
        partition_index: int
        error_code: int
        leader_id: int
        leader_epoch: int
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., leader_id: int = ..., leader_epoch: int = ...) -> None: ...
    class TopicData:
        topic_name: str
        partitions: list[begin_quorum_epoch_response.PartitionData]
        def __init__(self, *, topic_name: str = ..., partitions: list[begin_quorum_epoch_response.PartitionData] = ...) -> None: ...
    class NodeEndpoint:
        node_id: int
        host: str
        port: int
        def __init__(self, *, node_id: int = ..., host: str = ..., port: int = ...) -> None: ...
    class BeginQuorumEpochResponse:
        error_code: int
        topics: list[begin_quorum_epoch_response.TopicData]
        node_endpoints: list[begin_quorum_epoch_response.NodeEndpoint]
        def __init__(self, *, error_code: int = ..., topics: list[begin_quorum_epoch_response.TopicData] = ..., node_endpoints: list[begin_quorum_epoch_response.NodeEndpoint] = ...) -> None: ...

class end_quorum_epoch_request:
    class ReplicaInfo:
        candidate_id: int
        candidate_directory_id: bytes
        def __init__(self, *, candidate_id: int = ..., candidate_directory_id: bytes = ...) -> None: ...
    class PartitionData:
        partition_index: int
        leader_id: int
        leader_epoch: int
        preferred_candidates: list[end_quorum_epoch_request.ReplicaInfo]
        preferred_successors: list[int]
        def __init__(self, *, partition_index: int = ..., leader_id: int = ..., leader_epoch: int = ..., preferred_candidates: list[end_quorum_epoch_request.ReplicaInfo] = ..., preferred_successors: list[int] = ...) -> None: ...
    class TopicData:
        topic_name: str
        partitions: list[end_quorum_epoch_request.PartitionData]
        def __init__(self, *, topic_name: str = ..., partitions: list[end_quorum_epoch_request.PartitionData] = ...) -> None: ...
    class LeaderEndpoint:
        name: str
        host: str
        port: int
        def __init__(self, *, name: str = ..., host: str = ..., port: int = ...) -> None: ...
    class EndQuorumEpochRequest:
        cluster_id: str | None
        topics: list[end_quorum_epoch_request.TopicData]
        leader_endpoints: list[end_quorum_epoch_request.LeaderEndpoint]
        def __init__(self, *, cluster_id: str | None = ..., topics: list[end_quorum_epoch_request.TopicData] = ..., leader_endpoints: list[end_quorum_epoch_request.LeaderEndpoint] = ...) -> None: ...

class end_quorum_epoch_response:
    class PartitionData:
        partition_index: int
        error_code: int
        leader_id: int
        leader_epoch: int
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., leader_id: int = ..., leader_epoch: int = ...) -> None: ...
    class TopicData:
        topic_name: str
        partitions: list[end_quorum_epoch_response.PartitionData]
        def __init__(self, *, topic_name: str = ..., partitions: list[end_quorum_epoch_response.PartitionData] = ...) -> None: ...
    class NodeEndpoint:
        node_id: int
        host: str
        port: int
        def __init__(self, *, node_id: int = ..., host: str = ..., port: int = ...) -> None: ...
    class EndQuorumEpochResponse:
        error_code: int
        topics: list[end_quorum_epoch_response.TopicData]
        node_endpoints: list[end_quorum_epoch_response.NodeEndpoint]
        def __init__(self, *, error_code: int = ..., topics: list[end_quorum_epoch_response.TopicData] = ..., node_endpoints: list[end_quorum_epoch_response.NodeEndpoint] = ...) -> None: ...

class describe_quorum_request:
    class PartitionData:
        partition_index: int
        def __init__(self, *, partition_index: int = ...) -> None: ...
    class TopicData:
        topic_name: str
        partitions: list[describe_quorum_request.PartitionData]
        def __init__(self, *, topic_name: str = ..., partitions: list[describe_quorum_request.PartitionData] = ...) -> None: ...
    class DescribeQuorumRequest:
        topics: list[describe_quorum_request.TopicData]
        def __init__(self, *, topics: list[describe_quorum_request.TopicData] = ...) -> None: ...

class describe_quorum_response:
    class ReplicaState:
        replica_id: int
        replica_directory_id: bytes
        log_end_offset: int
        last_fetch_timestamp: int
        last_caught_up_timestamp: int
        def __init__(self, *, replica_id: int = ..., replica_directory_id: bytes = ..., log_end_offset: int = ..., last_fetch_timestamp: int = ..., last_caught_up_timestamp: int = ...) -> None: ...
    class PartitionData:
        partition_index: int
        error_code: int
        error_message: str | None
        leader_id: int
        leader_epoch: int
        high_watermark: int
        current_voters: list[describe_quorum_response.ReplicaState]
        observers: list[describe_quorum_response.ReplicaState]
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., error_message: str | None = ..., leader_id: int = ..., leader_epoch: int = ..., high_watermark: int = ..., current_voters: list[describe_quorum_response.ReplicaState] = ..., observers: list[describe_quorum_response.ReplicaState] = ...) -> None: ...
    class TopicData:
        topic_name: str
        partitions: list[describe_quorum_response.PartitionData]
        def __init__(self, *, topic_name: str = ..., partitions: list[describe_quorum_response.PartitionData] = ...) -> None: ...
    class Listener:
        name: str
        host: str
        port: int
        def __init__(self, *, name: str = ..., host: str = ..., port: int = ...) -> None: ...
    class Node:
        node_id: int
        listeners: list[describe_quorum_response.Listener]
        def __init__(self, *, node_id: int = ..., listeners: list[describe_quorum_response.Listener] = ...) -> None: ...
    class DescribeQuorumResponse:
        error_code: int
        error_message: str | None
        topics: list[describe_quorum_response.TopicData]
        nodes: list[describe_quorum_response.Node]
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., topics: list[describe_quorum_response.TopicData] = ..., nodes: list[describe_quorum_response.Node] = ...) -> None: ...

class alter_partition_request:
    class BrokerState:
        broker_id: int
        broker_epoch: int
        def __init__(self, *, broker_id: int = ..., broker_epoch: int = ...) -> None: ...
    class PartitionData:
        partition_index: int
        leader_epoch: int
        new_isr_with_epochs: list[alter_partition_request.BrokerState]
        leader_recovery_state: int
        partition_epoch: int
        new_isr: list[int]
        def __init__(self, *, partition_index: int = ..., leader_epoch: int = ..., new_isr_with_epochs: list[alter_partition_request.BrokerState] = ..., leader_recovery_state: int = ..., partition_epoch: int = ..., new_isr: list[int] = ...) -> None: ...
    class TopicData:
        topic_id: bytes
        partitions: list[alter_partition_request.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[alter_partition_request.PartitionData] = ...) -> None: ...
    class AlterPartitionRequest:
        broker_id: int
        broker_epoch: int
        topics: list[alter_partition_request.TopicData]
        def __init__(self, *, broker_id: int = ..., broker_epoch: int = ..., topics: list[alter_partition_request.TopicData] = ...) -> None: ...

class alter_partition_response:
    class PartitionData:
        partition_index: int
        error_code: int
        leader_id: int
        leader_epoch: int
        isr: list[int]
        leader_recovery_state: int
        partition_epoch: int
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., leader_id: int = ..., leader_epoch: int = ..., isr: list[int] = ..., leader_recovery_state: int = ..., partition_epoch: int = ...) -> None: ...
    class TopicData:
        topic_id: bytes
        partitions: list[alter_partition_response.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[alter_partition_response.PartitionData] = ...) -> None: ...
    class AlterPartitionResponse:
        throttle_time_ms: int
        error_code: int
        topics: list[alter_partition_response.TopicData]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., topics: list[alter_partition_response.TopicData] = ...) -> None: ...

class update_features_request:
    class FeatureUpdateKey:
        feature: str
        max_version_level: int
        upgrade_type: int
        allow_downgrade: bool
        def __init__(self, *, feature: str = ..., max_version_level: int = ..., upgrade_type: int = ..., allow_downgrade: bool = ...) -> None: ...
    class UpdateFeaturesRequest:
        timeout_ms: int
        feature_updates: list[update_features_request.FeatureUpdateKey]
        validate_only: bool
        def __init__(self, *, timeout_ms: int = ..., feature_updates: list[update_features_request.FeatureUpdateKey] = ..., validate_only: bool = ...) -> None: ...

class update_features_response:
    class UpdatableFeatureResult:
        feature: str
        error_code: int
        error_message: str | None
        def __init__(self, *, feature: str = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class UpdateFeaturesResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        results: list[update_features_response.UpdatableFeatureResult]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., results: list[update_features_response.UpdatableFeatureResult] = ...) -> None: ...

class envelope_request:
    class EnvelopeRequest:
        request_data: bytes
        request_principal: bytes | None
        client_host_address: bytes
        def __init__(self, *, request_data: bytes = ..., request_principal: bytes | None = ..., client_host_address: bytes = ...) -> None: ...

class envelope_response:
    class EnvelopeResponse:
        response_data: bytes | None
        error_code: int
        def __init__(self, *, response_data: bytes | None = ..., error_code: int = ...) -> None: ...

class fetch_snapshot_request:
    class SnapshotId:
        end_offset: int
        epoch: int
        def __init__(self, *, end_offset: int = ..., epoch: int = ...) -> None: ...
    class PartitionSnapshot:
        partition: int
        current_leader_epoch: int
        snapshot_id: fetch_snapshot_request.SnapshotId
        position: int
        replica_directory_id: bytes
        def __init__(self, *, partition: int = ..., current_leader_epoch: int = ..., snapshot_id: fetch_snapshot_request.SnapshotId = ..., position: int = ..., replica_directory_id: bytes = ...) -> None: ...
    class TopicSnapshot:
        name: str
        partitions: list[fetch_snapshot_request.PartitionSnapshot]
        def __init__(self, *, name: str = ..., partitions: list[fetch_snapshot_request.PartitionSnapshot] = ...) -> None: ...
    class FetchSnapshotRequest:
        replica_id: int
        max_bytes: int
        topics: list[fetch_snapshot_request.TopicSnapshot]
        cluster_id: str | None
        def __init__(self, *, replica_id: int = ..., max_bytes: int = ..., topics: list[fetch_snapshot_request.TopicSnapshot] = ..., cluster_id: str | None = ...) -> None: ...

class fetch_snapshot_response:
    class SnapshotId:
        end_offset: int
        epoch: int
        def __init__(self, *, end_offset: int = ..., epoch: int = ...) -> None: ...
    class LeaderIdAndEpoch:
        leader_id: int
        leader_epoch: int
        def __init__(self, *, leader_id: int = ..., leader_epoch: int = ...) -> None: ...
    class PartitionSnapshot:
        index: int
        error_code: int
        snapshot_id: fetch_snapshot_response.SnapshotId
        size: int
        position: int
        unaligned_records: memoryview | Sequence[Buffer] | None
        current_leader: fetch_snapshot_response.LeaderIdAndEpoch
        def __init__(self, *, index: int = ..., error_code: int = ..., snapshot_id: fetch_snapshot_response.SnapshotId = ..., size: int = ..., position: int = ..., unaligned_records: memoryview | Sequence[Buffer] | None = ..., current_leader: fetch_snapshot_response.LeaderIdAndEpoch = ...) -> None: ...
    class TopicSnapshot:
        name: str
        partitions: list[fetch_snapshot_response.PartitionSnapshot]
        def __init__(self, *, name: str = ..., partitions: list[fetch_snapshot_response.PartitionSnapshot] = ...) -> None: ...
    class NodeEndpoint:
        node_id: int
        host: str
        port: int
        def __init__(self, *, node_id: int = ..., host: str = ..., port: int = ...) -> None: ...
    class FetchSnapshotResponse:
        throttle_time_ms: int
        error_code: int
        topics: list[fetch_snapshot_response.TopicSnapshot]
        node_endpoints: list[fetch_snapshot_response.NodeEndpoint]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., topics: list[fetch_snapshot_response.TopicSnapshot] = ..., node_endpoints: list[fetch_snapshot_response.NodeEndpoint] = ...) -> None: ...

class describe_cluster_request:
    class DescribeClusterRequest:
        include_cluster_authorized_operations: bool
        endpoint_type: int
        include_fenced_brokers: bool
        def __init__(self, *, include_cluster_authorized_operations: bool = ..., endpoint_type: int = ..., include_fenced_brokers: bool = ...) -> None: ...

class describe_cluster_response:
    class DescribeClusterBroker:
        broker_id: int
        host: str
        port: int
        rack: str | None
        is_fenced: bool
        def __init__(self, *, broker_id: int = ..., host: str = ..., port: int = ..., rack: str | None = ..., is_fenced: bool = ...) -> None: ...
    class DescribeClusterResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        endpoint_type: int
        cluster_id: str
        controller_id: int
        brokers: list[describe_cluster_response.DescribeClusterBroker]
        cluster_authorized_operations: int
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., endpoint_type: int = ..., cluster_id: str = ..., controller_id: int = ..., brokers: list[describe_cluster_response.DescribeClusterBroker] = ..., cluster_authorized_operations: int = ...) -> None: ...

class describe_producers_request:
    class TopicRequest:
        name: str
        partition_indexes: list[int]
        def __init__(self, *, name: str = ..., partition_indexes: list[int] = ...) -> None: ...
    class DescribeProducersRequest:
        topics: list[describe_producers_request.TopicRequest]
        def __init__(self, *, topics: list[describe_producers_request.TopicRequest] = ...) -> None: ...

class describe_producers_response:
    class ProducerState:
        producer_id: int
        producer_epoch: int
        last_sequence: int
        last_timestamp: int
        coordinator_epoch: int
        current_txn_start_offset: int
        def __init__(self, *, producer_id: int = ..., producer_epoch: int = ..., last_sequence: int = ..., last_timestamp: int = ..., coordinator_epoch: int = ..., current_txn_start_offset: int = ...) -> None: ...
    class PartitionResponse:
        partition_index: int
        error_code: int
        error_message: str | None
        active_producers: list[describe_producers_response.ProducerState]
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., error_message: str | None = ..., active_producers: list[describe_producers_response.ProducerState] = ...) -> None: ...
    class TopicResponse:
        name: str
        partitions: list[describe_producers_response.PartitionResponse]
        def __init__(self, *, name: str = ..., partitions: list[describe_producers_response.PartitionResponse] = ...) -> None: ...
    class DescribeProducersResponse:
        throttle_time_ms: int
        topics: list[describe_producers_response.TopicResponse]
        def __init__(self, *, throttle_time_ms: int = ..., topics: list[describe_producers_response.TopicResponse] = ...) -> None: ...

class broker_registration_request:
    class Listener:
        name: str
        host: str
        port: int
        security_protocol: int
        def __init__(self, *, name: str = ..., host: str = ..., port: int = ..., security_protocol: int = ...) -> None: ...
    class Feature:
        name: str
        min_supported_version: int
        max_supported_version: int
        def __init__(self, *, name: str = ..., min_supported_version: int = ..., max_supported_version: int = ...) -> None: ...
    class BrokerRegistrationRequest:
        broker_id: int
        cluster_id: str
        incarnation_id: bytes
        listeners: list[broker_registration_request.Listener]
        features: list[broker_registration_request.Feature]
        rack: str | None
        is_migrating_zk_broker: bool
        log_dirs: list[bytes]
        previous_broker_epoch: int
        def __init__(self, *, broker_id: int = ..., cluster_id: str = ..., incarnation_id: bytes = ..., listeners: list[broker_registration_request.Listener] = ..., features: list[broker_registration_request.Feature] = ..., rack: str | None = ..., is_migrating_zk_broker: bool = ..., log_dirs: list[bytes] = ..., previous_broker_epoch: int = ...) -> None: ...

class broker_registration_response:
    class BrokerRegistrationResponse:
        throttle_time_ms: int
        error_code: int
        broker_epoch: int
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., broker_epoch: int = ...) -> None: ...

class broker_heartbeat_request:
    class BrokerHeartbeatRequest:
        broker_id: int
        broker_epoch: int
        current_metadata_offset: int
        want_fence: bool
        want_shut_down: bool
        offline_log_dirs: list[bytes]
        cordoned_log_dirs: list[bytes]
        def __init__(self, *, broker_id: int = ..., broker_epoch: int = ..., current_metadata_offset: int = ..., want_fence: bool = ..., want_shut_down: bool = ..., offline_log_dirs: list[bytes] = ..., cordoned_log_dirs: list[bytes] = ...) -> None: ...

class broker_heartbeat_response:
    class BrokerHeartbeatResponse:
        throttle_time_ms: int
        error_code: int
        is_caught_up: bool
        is_fenced: bool
        should_shut_down: bool
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., is_caught_up: bool = ..., is_fenced: bool = ..., should_shut_down: bool = ...) -> None: ...

class unregister_broker_request:
    class UnregisterBrokerRequest:
        broker_id: int
        def __init__(self, *, broker_id: int = ...) -> None: ...

class unregister_broker_response:
    class UnregisterBrokerResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...

class describe_transactions_request:
    class DescribeTransactionsRequest:
        transactional_ids: list[str]
        def __init__(self, *, transactional_ids: list[str] = ...) -> None: ...

class describe_transactions_response:
    class TopicData:
        topic: str
        partitions: list[int]
        def __init__(self, *, topic: str = ..., partitions: list[int] = ...) -> None: ...
    class TransactionState:
        error_code: int
        transactional_id: str
        transaction_state: str
        transaction_timeout_ms: int
        transaction_start_time_ms: int
        producer_id: int
        producer_epoch: int
        topics: list[describe_transactions_response.TopicData]
        def __init__(self, *, error_code: int = ..., transactional_id: str = ..., transaction_state: str = ..., transaction_timeout_ms: int = ..., transaction_start_time_ms: int = ..., producer_id: int = ..., producer_epoch: int = ..., topics: list[describe_transactions_response.TopicData] = ...) -> None: ...
    class DescribeTransactionsResponse:
        throttle_time_ms: int
        transaction_states: list[describe_transactions_response.TransactionState]
        def __init__(self, *, throttle_time_ms: int = ..., transaction_states: list[describe_transactions_response.TransactionState] = ...) -> None: ...

class list_transactions_request:
    class ListTransactionsRequest:
        state_filters: list[str]
        producer_id_filters: list[int]
        duration_filter: int
        transactional_id_pattern: str | None
        def __init__(self, *, state_filters: list[str] = ..., producer_id_filters: list[int] = ..., duration_filter: int = ..., transactional_id_pattern: str | None = ...) -> None: ...

class list_transactions_response:
    class TransactionState:
        transactional_id: str
        producer_id: int
        transaction_state: str
        def __init__(self, *, transactional_id: str = ..., producer_id: int = ..., transaction_state: str = ...) -> None: ...
    class ListTransactionsResponse:
        throttle_time_ms: int
        error_code: int
        unknown_state_filters: list[str]
        transaction_states: list[list_transactions_response.TransactionState]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., unknown_state_filters: list[str] = ..., transaction_states: list[list_transactions_response.TransactionState] = ...) -> None: ...

class allocate_producer_ids_request:
    class AllocateProducerIdsRequest:
        broker_id: int
        broker_epoch: int
        def __init__(self, *, broker_id: int = ..., broker_epoch: int = ...) -> None: ...

class allocate_producer_ids_response:
    class AllocateProducerIdsResponse:
        throttle_time_ms: int
        error_code: int
        producer_id_start: int
        producer_id_len: int
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., producer_id_start: int = ..., producer_id_len: int = ...) -> None: ...

class consumer_group_heartbeat_request:
    class TopicPartitions:
        topic_id: bytes
        partitions: list[int]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[int] = ...) -> None: ...
    class ConsumerGroupHeartbeatRequest:
        group_id: str
        member_id: str
        member_epoch: int
        instance_id: str | None
        rack_id: str | None
        rebalance_timeout_ms: int
        subscribed_topic_names: list[str] | None
        subscribed_topic_regex: str | None
        server_assignor: str | None
        topic_partitions: list[consumer_group_heartbeat_request.TopicPartitions] | None
        def __init__(self, *, group_id: str = ..., member_id: str = ..., member_epoch: int = ..., instance_id: str | None = ..., rack_id: str | None = ..., rebalance_timeout_ms: int = ..., subscribed_topic_names: list[str] | None = ..., subscribed_topic_regex: str | None = ..., server_assignor: str | None = ..., topic_partitions: list[consumer_group_heartbeat_request.TopicPartitions] | None = ...) -> None: ...

class consumer_group_heartbeat_response:
    class TopicPartitions:
        topic_id: bytes
        partitions: list[int]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[int] = ...) -> None: ...
    class Assignment:
        topic_partitions: list[consumer_group_heartbeat_response.TopicPartitions]
        def __init__(self, *, topic_partitions: list[consumer_group_heartbeat_response.TopicPartitions] = ...) -> None: ...
    class ConsumerGroupHeartbeatResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        member_id: str | None
        member_epoch: int
        heartbeat_interval_ms: int
        assignment: consumer_group_heartbeat_response.Assignment | None
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., member_id: str | None = ..., member_epoch: int = ..., heartbeat_interval_ms: int = ..., assignment: consumer_group_heartbeat_response.Assignment | None = ...) -> None: ...

class consumer_group_describe_request:
    class ConsumerGroupDescribeRequest:
        group_ids: list[str]
        include_authorized_operations: bool
        def __init__(self, *, group_ids: list[str] = ..., include_authorized_operations: bool = ...) -> None: ...

class consumer_group_describe_response:
    class TopicPartitions:
        topic_id: bytes
        topic_name: str
        partitions: list[int]
        def __init__(self, *, topic_id: bytes = ..., topic_name: str = ..., partitions: list[int] = ...) -> None: ...
    class Assignment:
        topic_partitions: list[consumer_group_describe_response.TopicPartitions]
        def __init__(self, *, topic_partitions: list[consumer_group_describe_response.TopicPartitions] = ...) -> None: ...
    class Member:
        member_id: str
        instance_id: str | None
        rack_id: str | None
        member_epoch: int
        client_id: str
        client_host: str
        subscribed_topic_names: list[str]
        subscribed_topic_regex: str | None
        assignment: consumer_group_describe_response.Assignment
        target_assignment: consumer_group_describe_response.Assignment
        member_type: int
        def __init__(self, *, member_id: str = ..., instance_id: str | None = ..., rack_id: str | None = ..., member_epoch: int = ..., client_id: str = ..., client_host: str = ..., subscribed_topic_names: list[str] = ..., subscribed_topic_regex: str | None = ..., assignment: consumer_group_describe_response.Assignment = ..., target_assignment: consumer_group_describe_response.Assignment = ..., member_type: int = ...) -> None: ...
    class DescribedGroup:
        error_code: int
        error_message: str | None
        group_id: str
        group_state: str
        group_epoch: int
        assignment_epoch: int
        assignor_name: str
        members: list[consumer_group_describe_response.Member]
        authorized_operations: int
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., group_id: str = ..., group_state: str = ..., group_epoch: int = ..., assignment_epoch: int = ..., assignor_name: str = ..., members: list[consumer_group_describe_response.Member] = ..., authorized_operations: int = ...) -> None: ...
    class ConsumerGroupDescribeResponse:
        throttle_time_ms: int
        groups: list[consumer_group_describe_response.DescribedGroup]
        def __init__(self, *, throttle_time_ms: int = ..., groups: list[consumer_group_describe_response.DescribedGroup] = ...) -> None: ...

class controller_registration_request:
    class Listener:
        name: str
        host: str
        port: int
        security_protocol: int
        def __init__(self, *, name: str = ..., host: str = ..., port: int = ..., security_protocol: int = ...) -> None: ...
    class Feature:
        name: str
        min_supported_version: int
        max_supported_version: int
        def __init__(self, *, name: str = ..., min_supported_version: int = ..., max_supported_version: int = ...) -> None: ...
    class ControllerRegistrationRequest:
        controller_id: int
        incarnation_id: bytes
        zk_migration_ready: bool
        listeners: list[controller_registration_request.Listener]
        features: list[controller_registration_request.Feature]
        def __init__(self, *, controller_id: int = ..., incarnation_id: bytes = ..., zk_migration_ready: bool = ..., listeners: list[controller_registration_request.Listener] = ..., features: list[controller_registration_request.Feature] = ...) -> None: ...

class controller_registration_response:
    class ControllerRegistrationResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...

class get_telemetry_subscriptions_request:
    class GetTelemetrySubscriptionsRequest:
        client_instance_id: bytes
        def __init__(self, *, client_instance_id: bytes = ...) -> None: ...

class get_telemetry_subscriptions_response:
    class GetTelemetrySubscriptionsResponse:
        throttle_time_ms: int
        error_code: int
        client_instance_id: bytes
        subscription_id: int
        accepted_compression_types: list[int]
        push_interval_ms: int
        telemetry_max_bytes: int
        delta_temporality: bool
        requested_metrics: list[str]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., client_instance_id: bytes = ..., subscription_id: int = ..., accepted_compression_types: list[int] = ..., push_interval_ms: int = ..., telemetry_max_bytes: int = ..., delta_temporality: bool = ..., requested_metrics: list[str] = ...) -> None: ...

class push_telemetry_request:
    class PushTelemetryRequest:
        client_instance_id: bytes
        subscription_id: int
        terminating: bool
        compression_type: int
        metrics: bytes
        def __init__(self, *, client_instance_id: bytes = ..., subscription_id: int = ..., terminating: bool = ..., compression_type: int = ..., metrics: bytes = ...) -> None: ...

class push_telemetry_response:
    class PushTelemetryResponse:
        throttle_time_ms: int
        error_code: int
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ...) -> None: ...

class assign_replicas_to_dirs_request:
    class PartitionData:
        partition_index: int
        def __init__(self, *, partition_index: int = ...) -> None: ...
    class TopicData:
        topic_id: bytes
        partitions: list[assign_replicas_to_dirs_request.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[assign_replicas_to_dirs_request.PartitionData] = ...) -> None: ...
    class DirectoryData:
        id_: bytes
        topics: list[assign_replicas_to_dirs_request.TopicData]
        def __init__(self, *, id_: bytes = ..., topics: list[assign_replicas_to_dirs_request.TopicData] = ...) -> None: ...
    class AssignReplicasToDirsRequest:
        broker_id: int
        broker_epoch: int
        directories: list[assign_replicas_to_dirs_request.DirectoryData]
        def __init__(self, *, broker_id: int = ..., broker_epoch: int = ..., directories: list[assign_replicas_to_dirs_request.DirectoryData] = ...) -> None: ...

class assign_replicas_to_dirs_response:
    class PartitionData:
        partition_index: int
        error_code: int
        def __init__(self, *, partition_index: int = ..., error_code: int = ...) -> None: ...
    class TopicData:
        topic_id: bytes
        partitions: list[assign_replicas_to_dirs_response.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[assign_replicas_to_dirs_response.PartitionData] = ...) -> None: ...
    class DirectoryData:
        id_: bytes
        topics: list[assign_replicas_to_dirs_response.TopicData]
        def __init__(self, *, id_: bytes = ..., topics: list[assign_replicas_to_dirs_response.TopicData] = ...) -> None: ...
    class AssignReplicasToDirsResponse:
        throttle_time_ms: int
        error_code: int
        directories: list[assign_replicas_to_dirs_response.DirectoryData]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., directories: list[assign_replicas_to_dirs_response.DirectoryData] = ...) -> None: ...

class list_config_resources_request:
    class ListConfigResourcesRequest:
        resource_types: list[int]
        def __init__(self, *, resource_types: list[int] = ...) -> None: ...

class list_config_resources_response:
    class ConfigResource:
        resource_name: str
        resource_type: int
        def __init__(self, *, resource_name: str = ..., resource_type: int = ...) -> None: ...
    class ListConfigResourcesResponse:
        throttle_time_ms: int
        error_code: int
        config_resources: list[list_config_resources_response.ConfigResource]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., config_resources: list[list_config_resources_response.ConfigResource] = ...) -> None: ...

class describe_topic_partitions_request:
    class TopicRequest:
        name: str
        def __init__(self, *, name: str = ...) -> None: ...
    class Cursor:
        topic_name: str
        partition_index: int
        def __init__(self, *, topic_name: str = ..., partition_index: int = ...) -> None: ...
    class DescribeTopicPartitionsRequest:
        topics: list[describe_topic_partitions_request.TopicRequest]
        response_partition_limit: int
        cursor: describe_topic_partitions_request.Cursor | None
        def __init__(self, *, topics: list[describe_topic_partitions_request.TopicRequest] = ..., response_partition_limit: int = ..., cursor: describe_topic_partitions_request.Cursor | None = ...) -> None: ...

class describe_topic_partitions_response:
    class DescribeTopicPartitionsResponsePartition:
        error_code: int
        partition_index: int
        leader_id: int
        leader_epoch: int
        replica_nodes: list[int]
        isr_nodes: list[int]
        eligible_leader_replicas: list[int] | None
        last_known_elr: list[int] | None
        offline_replicas: list[int]
        def __init__(self, *, error_code: int = ..., partition_index: int = ..., leader_id: int = ..., leader_epoch: int = ..., replica_nodes: list[int] = ..., isr_nodes: list[int] = ..., eligible_leader_replicas: list[int] | None = ..., last_known_elr: list[int] | None = ..., offline_replicas: list[int] = ...) -> None: ...
    class DescribeTopicPartitionsResponseTopic:
        error_code: int
        name: str | None
        topic_id: bytes
        is_internal: bool
        partitions: list[describe_topic_partitions_response.DescribeTopicPartitionsResponsePartition]
        topic_authorized_operations: int
        def __init__(self, *, error_code: int = ..., name: str | None = ..., topic_id: bytes = ..., is_internal: bool = ..., partitions: list[describe_topic_partitions_response.DescribeTopicPartitionsResponsePartition] = ..., topic_authorized_operations: int = ...) -> None: ...
    class Cursor:
        topic_name: str
        partition_index: int
        def __init__(self, *, topic_name: str = ..., partition_index: int = ...) -> None: ...
    class DescribeTopicPartitionsResponse:
        throttle_time_ms: int
        topics: list[describe_topic_partitions_response.DescribeTopicPartitionsResponseTopic]
        next_cursor: describe_topic_partitions_response.Cursor | None
        def __init__(self, *, throttle_time_ms: int = ..., topics: list[describe_topic_partitions_response.DescribeTopicPartitionsResponseTopic] = ..., next_cursor: describe_topic_partitions_response.Cursor | None = ...) -> None: ...

class share_group_heartbeat_request:
    class ShareGroupHeartbeatRequest:
        group_id: str
        member_id: str
        member_epoch: int
        rack_id: str | None
        subscribed_topic_names: list[str] | None
        def __init__(self, *, group_id: str = ..., member_id: str = ..., member_epoch: int = ..., rack_id: str | None = ..., subscribed_topic_names: list[str] | None = ...) -> None: ...

class share_group_heartbeat_response:
    class TopicPartitions:
        topic_id: bytes
        partitions: list[int]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[int] = ...) -> None: ...
    class Assignment:
        topic_partitions: list[share_group_heartbeat_response.TopicPartitions]
        def __init__(self, *, topic_partitions: list[share_group_heartbeat_response.TopicPartitions] = ...) -> None: ...
    class ShareGroupHeartbeatResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        member_id: str | None
        member_epoch: int
        heartbeat_interval_ms: int
        assignment: share_group_heartbeat_response.Assignment | None
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., member_id: str | None = ..., member_epoch: int = ..., heartbeat_interval_ms: int = ..., assignment: share_group_heartbeat_response.Assignment | None = ...) -> None: ...

class share_group_describe_request:
    class ShareGroupDescribeRequest:
        group_ids: list[str]
        include_authorized_operations: bool
        def __init__(self, *, group_ids: list[str] = ..., include_authorized_operations: bool = ...) -> None: ...

class share_group_describe_response:
    class TopicPartitions:
        topic_id: bytes
        topic_name: str
        partitions: list[int]
        def __init__(self, *, topic_id: bytes = ..., topic_name: str = ..., partitions: list[int] = ...) -> None: ...
    class Assignment:
        topic_partitions: list[share_group_describe_response.TopicPartitions]
        def __init__(self, *, topic_partitions: list[share_group_describe_response.TopicPartitions] = ...) -> None: ...
    class Member:
        member_id: str
        rack_id: str | None
        member_epoch: int
        client_id: str
        client_host: str
        subscribed_topic_names: list[str]
        assignment: share_group_describe_response.Assignment
        def __init__(self, *, member_id: str = ..., rack_id: str | None = ..., member_epoch: int = ..., client_id: str = ..., client_host: str = ..., subscribed_topic_names: list[str] = ..., assignment: share_group_describe_response.Assignment = ...) -> None: ...
    class DescribedGroup:
        error_code: int
        error_message: str | None
        group_id: str
        group_state: str
        group_epoch: int
        assignment_epoch: int
        assignor_name: str
        members: list[share_group_describe_response.Member]
        authorized_operations: int
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., group_id: str = ..., group_state: str = ..., group_epoch: int = ..., assignment_epoch: int = ..., assignor_name: str = ..., members: list[share_group_describe_response.Member] = ..., authorized_operations: int = ...) -> None: ...
    class ShareGroupDescribeResponse:
        throttle_time_ms: int
        groups: list[share_group_describe_response.DescribedGroup]
        def __init__(self, *, throttle_time_ms: int = ..., groups: list[share_group_describe_response.DescribedGroup] = ...) -> None: ...

class share_fetch_request:
    class AcknowledgementBatch:
        first_offset: int
        last_offset: int
        acknowledge_types: list[int]
        def __init__(self, *, first_offset: int = ..., last_offset: int = ..., acknowledge_types: list[int] = ...) -> None: ...
    class FetchPartition:
        partition_index: int
        acknowledgement_batches: list[share_fetch_request.AcknowledgementBatch]
        def __init__(self, *, partition_index: int = ..., acknowledgement_batches: list[share_fetch_request.AcknowledgementBatch] = ...) -> None: ...
    class FetchTopic:
        topic_id: bytes
        partitions: list[share_fetch_request.FetchPartition]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[share_fetch_request.FetchPartition] = ...) -> None: ...
    class ForgottenTopic:
        topic_id: bytes
        partitions: list[int]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[int] = ...) -> None: ...
    class ShareFetchRequest:
        group_id: str | None
        member_id: str | None
        share_session_epoch: int
        max_wait_ms: int
        min_bytes: int
        max_bytes: int
        max_records: int
        batch_size: int
        share_acquire_mode: int
        is_renew_ack: bool
        topics: list[share_fetch_request.FetchTopic]
        forgotten_topics_data: list[share_fetch_request.ForgottenTopic]
        def __init__(self, *, group_id: str | None = ..., member_id: str | None = ..., share_session_epoch: int = ..., max_wait_ms: int = ..., min_bytes: int = ..., max_bytes: int = ..., max_records: int = ..., batch_size: int = ..., share_acquire_mode: int = ..., is_renew_ack: bool = ..., topics: list[share_fetch_request.FetchTopic] = ..., forgotten_topics_data: list[share_fetch_request.ForgottenTopic] = ...) -> None: ...

class share_fetch_response:
    class LeaderIdAndEpoch:
        leader_id: int
        leader_epoch: int
        def __init__(self, *, leader_id: int = ..., leader_epoch: int = ...) -> None: ...
    class AcquiredRecords:
        first_offset: int
        last_offset: int
        delivery_count: int
        def __init__(self, *, first_offset: int = ..., last_offset: int = ..., delivery_count: int = ...) -> None: ...
    class PartitionData:
        partition_index: int
        error_code: int
        error_message: str | None
        acknowledge_error_code: int
        acknowledge_error_message: str | None
        current_leader: share_fetch_response.LeaderIdAndEpoch
        records: memoryview | Sequence[Buffer] | None
        acquired_records: list[share_fetch_response.AcquiredRecords]
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., error_message: str | None = ..., acknowledge_error_code: int = ..., acknowledge_error_message: str | None = ..., current_leader: share_fetch_response.LeaderIdAndEpoch = ..., records: memoryview | Sequence[Buffer] | None = ..., acquired_records: list[share_fetch_response.AcquiredRecords] = ...) -> None: ...
    class ShareFetchableTopicResponse:
        topic_id: bytes
        partitions: list[share_fetch_response.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[share_fetch_response.PartitionData] = ...) -> None: ...
    class NodeEndpoint:
        node_id: int
        host: str
        port: int
        rack: str | None
        def __init__(self, *, node_id: int = ..., host: str = ..., port: int = ..., rack: str | None = ...) -> None: ...
    class ShareFetchResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        acquisition_lock_timeout_ms: int
        responses: list[share_fetch_response.ShareFetchableTopicResponse]
        node_endpoints: list[share_fetch_response.NodeEndpoint]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., acquisition_lock_timeout_ms: int = ..., responses: list[share_fetch_response.ShareFetchableTopicResponse] = ..., node_endpoints: list[share_fetch_response.NodeEndpoint] = ...) -> None: ...

class share_acknowledge_request:
    class AcknowledgementBatch:
        first_offset: int
        last_offset: int
        acknowledge_types: list[int]
        def __init__(self, *, first_offset: int = ..., last_offset: int = ..., acknowledge_types: list[int] = ...) -> None: ...
    class AcknowledgePartition:
        partition_index: int
        acknowledgement_batches: list[share_acknowledge_request.AcknowledgementBatch]
        def __init__(self, *, partition_index: int = ..., acknowledgement_batches: list[share_acknowledge_request.AcknowledgementBatch] = ...) -> None: ...
    class AcknowledgeTopic:
        topic_id: bytes
        partitions: list[share_acknowledge_request.AcknowledgePartition]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[share_acknowledge_request.AcknowledgePartition] = ...) -> None: ...
    class ShareAcknowledgeRequest:
        group_id: str | None
        member_id: str | None
        share_session_epoch: int
        is_renew_ack: bool
        topics: list[share_acknowledge_request.AcknowledgeTopic]
        def __init__(self, *, group_id: str | None = ..., member_id: str | None = ..., share_session_epoch: int = ..., is_renew_ack: bool = ..., topics: list[share_acknowledge_request.AcknowledgeTopic] = ...) -> None: ...

class share_acknowledge_response:
    class LeaderIdAndEpoch:
        leader_id: int
        leader_epoch: int
        def __init__(self, *, leader_id: int = ..., leader_epoch: int = ...) -> None: ...
    class PartitionData:
        partition_index: int
        error_code: int
        error_message: str | None
        current_leader: share_acknowledge_response.LeaderIdAndEpoch
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., error_message: str | None = ..., current_leader: share_acknowledge_response.LeaderIdAndEpoch = ...) -> None: ...
    class ShareAcknowledgeTopicResponse:
        topic_id: bytes
        partitions: list[share_acknowledge_response.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[share_acknowledge_response.PartitionData] = ...) -> None: ...
    class NodeEndpoint:
        node_id: int
        host: str
        port: int
        rack: str | None
        def __init__(self, *, node_id: int = ..., host: str = ..., port: int = ..., rack: str | None = ...) -> None: ...
    class ShareAcknowledgeResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        acquisition_lock_timeout_ms: int
        responses: list[share_acknowledge_response.ShareAcknowledgeTopicResponse]
        node_endpoints: list[share_acknowledge_response.NodeEndpoint]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., acquisition_lock_timeout_ms: int = ..., responses: list[share_acknowledge_response.ShareAcknowledgeTopicResponse] = ..., node_endpoints: list[share_acknowledge_response.NodeEndpoint] = ...) -> None: ...

class add_raft_voter_request:
    class Listener:
        name: str
        host: str
        port: int
        def __init__(self, *, name: str = ..., host: str = ..., port: int = ...) -> None: ...
    class AddRaftVoterRequest:
        cluster_id: str | None
        timeout_ms: int
        voter_id: int
        voter_directory_id: bytes
        listeners: list[add_raft_voter_request.Listener]
        ack_when_committed: bool
        def __init__(self, *, cluster_id: str | None = ..., timeout_ms: int = ..., voter_id: int = ..., voter_directory_id: bytes = ..., listeners: list[add_raft_voter_request.Listener] = ..., ack_when_committed: bool = ...) -> None: ...

class add_raft_voter_response:
    class AddRaftVoterResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...

class remove_raft_voter_request:
    class RemoveRaftVoterRequest:
        cluster_id: str | None
        voter_id: int
        voter_directory_id: bytes
        def __init__(self, *, cluster_id: str | None = ..., voter_id: int = ..., voter_directory_id: bytes = ...) -> None: ...

class remove_raft_voter_response:
    class RemoveRaftVoterResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...

class update_raft_voter_request:
    class Listener:
        name: str
        host: str
        port: int
        def __init__(self, *, name: str = ..., host: str = ..., port: int = ...) -> None: ...
    class KRaftVersionFeature:
        min_supported_version: int
        max_supported_version: int
        def __init__(self, *, min_supported_version: int = ..., max_supported_version: int = ...) -> None: ...
    class UpdateRaftVoterRequest:
        cluster_id: str | None
        current_leader_epoch: int
        voter_id: int
        voter_directory_id: bytes
        listeners: list[update_raft_voter_request.Listener]
        k_raft_version_feature: update_raft_voter_request.KRaftVersionFeature
        def __init__(self, *, cluster_id: str | None = ..., current_leader_epoch: int = ..., voter_id: int = ..., voter_directory_id: bytes = ..., listeners: list[update_raft_voter_request.Listener] = ..., k_raft_version_feature: update_raft_voter_request.KRaftVersionFeature = ...) -> None: ...

class update_raft_voter_response:
    class CurrentLeader:
        leader_id: int
        leader_epoch: int
        host: str
        port: int
        def __init__(self, *, leader_id: int = ..., leader_epoch: int = ..., host: str = ..., port: int = ...) -> None: ...
    class UpdateRaftVoterResponse:
        throttle_time_ms: int
        error_code: int
        current_leader: update_raft_voter_response.CurrentLeader
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., current_leader: update_raft_voter_response.CurrentLeader = ...) -> None: ...

class initialize_share_group_state_request:
    class PartitionData:
        partition: int
        state_epoch: int
        start_offset: int
        def __init__(self, *, partition: int = ..., state_epoch: int = ..., start_offset: int = ...) -> None: ...
    class InitializeStateData:
        topic_id: bytes
        partitions: list[initialize_share_group_state_request.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[initialize_share_group_state_request.PartitionData] = ...) -> None: ...
    class InitializeShareGroupStateRequest:
        group_id: str
        topics: list[initialize_share_group_state_request.InitializeStateData]
        def __init__(self, *, group_id: str = ..., topics: list[initialize_share_group_state_request.InitializeStateData] = ...) -> None: ...

class initialize_share_group_state_response:
    class PartitionResult:
        partition: int
        error_code: int
        error_message: str | None
        def __init__(self, *, partition: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class InitializeStateResult:
        topic_id: bytes
        partitions: list[initialize_share_group_state_response.PartitionResult]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[initialize_share_group_state_response.PartitionResult] = ...) -> None: ...
    class InitializeShareGroupStateResponse:
        results: list[initialize_share_group_state_response.InitializeStateResult]
        def __init__(self, *, results: list[initialize_share_group_state_response.InitializeStateResult] = ...) -> None: ...

class read_share_group_state_request:
    class PartitionData:
        partition: int
        leader_epoch: int
        def __init__(self, *, partition: int = ..., leader_epoch: int = ...) -> None: ...
    class ReadStateData:
        topic_id: bytes
        partitions: list[read_share_group_state_request.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[read_share_group_state_request.PartitionData] = ...) -> None: ...
    class ReadShareGroupStateRequest:
        group_id: str
        topics: list[read_share_group_state_request.ReadStateData]
        def __init__(self, *, group_id: str = ..., topics: list[read_share_group_state_request.ReadStateData] = ...) -> None: ...

class read_share_group_state_response:
    class StateBatch:
        first_offset: int
        last_offset: int
        delivery_state: int
        delivery_count: int
        def __init__(self, *, first_offset: int = ..., last_offset: int = ..., delivery_state: int = ..., delivery_count: int = ...) -> None: ...
    class PartitionResult:
        partition: int
        error_code: int
        error_message: str | None
        state_epoch: int
        start_offset: int
        state_batches: list[read_share_group_state_response.StateBatch]
        def __init__(self, *, partition: int = ..., error_code: int = ..., error_message: str | None = ..., state_epoch: int = ..., start_offset: int = ..., state_batches: list[read_share_group_state_response.StateBatch] = ...) -> None: ...
    class ReadStateResult:
        topic_id: bytes
        partitions: list[read_share_group_state_response.PartitionResult]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[read_share_group_state_response.PartitionResult] = ...) -> None: ...
    class ReadShareGroupStateResponse:
        results: list[read_share_group_state_response.ReadStateResult]
        def __init__(self, *, results: list[read_share_group_state_response.ReadStateResult] = ...) -> None: ...

class write_share_group_state_request:
    class StateBatch:
        first_offset: int
        last_offset: int
        delivery_state: int
        delivery_count: int
        def __init__(self, *, first_offset: int = ..., last_offset: int = ..., delivery_state: int = ..., delivery_count: int = ...) -> None: ...
    class PartitionData:
        partition: int
        state_epoch: int
        leader_epoch: int
        start_offset: int
        delivery_complete_count: int
        state_batches: list[write_share_group_state_request.StateBatch]
        def __init__(self, *, partition: int = ..., state_epoch: int = ..., leader_epoch: int = ..., start_offset: int = ..., delivery_complete_count: int = ..., state_batches: list[write_share_group_state_request.StateBatch] = ...) -> None: ...
    class WriteStateData:
        topic_id: bytes
        partitions: list[write_share_group_state_request.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[write_share_group_state_request.PartitionData] = ...) -> None: ...
    class WriteShareGroupStateRequest:
        group_id: str
        topics: list[write_share_group_state_request.WriteStateData]
        def __init__(self, *, group_id: str = ..., topics: list[write_share_group_state_request.WriteStateData] = ...) -> None: ...

class write_share_group_state_response:
    class PartitionResult:
        partition: int
        error_code: int
        error_message: str | None
        def __init__(self, *, partition: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class WriteStateResult:
        topic_id: bytes
        partitions: list[write_share_group_state_response.PartitionResult]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[write_share_group_state_response.PartitionResult] = ...) -> None: ...
    class WriteShareGroupStateResponse:
        results: list[write_share_group_state_response.WriteStateResult]
        def __init__(self, *, results: list[write_share_group_state_response.WriteStateResult] = ...) -> None: ...

class delete_share_group_state_request:
    class PartitionData:
        partition: int
        def __init__(self, *, partition: int = ...) -> None: ...
    class DeleteStateData:
        topic_id: bytes
        partitions: list[delete_share_group_state_request.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[delete_share_group_state_request.PartitionData] = ...) -> None: ...
    class DeleteShareGroupStateRequest:
        group_id: str
        topics: list[delete_share_group_state_request.DeleteStateData]
        def __init__(self, *, group_id: str = ..., topics: list[delete_share_group_state_request.DeleteStateData] = ...) -> None: ...

class delete_share_group_state_response:
    class PartitionResult:
        partition: int
        error_code: int
        error_message: str | None
        def __init__(self, *, partition: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class DeleteStateResult:
        topic_id: bytes
        partitions: list[delete_share_group_state_response.PartitionResult]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[delete_share_group_state_response.PartitionResult] = ...) -> None: ...
    class DeleteShareGroupStateResponse:
        results: list[delete_share_group_state_response.DeleteStateResult]
        def __init__(self, *, results: list[delete_share_group_state_response.DeleteStateResult] = ...) -> None: ...

class read_share_group_state_summary_request:
    class PartitionData:
        partition: int
        leader_epoch: int
        def __init__(self, *, partition: int = ..., leader_epoch: int = ...) -> None: ...
    class ReadStateSummaryData:
        topic_id: bytes
        partitions: list[read_share_group_state_summary_request.PartitionData]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[read_share_group_state_summary_request.PartitionData] = ...) -> None: ...
    class ReadShareGroupStateSummaryRequest:
        group_id: str
        topics: list[read_share_group_state_summary_request.ReadStateSummaryData]
        def __init__(self, *, group_id: str = ..., topics: list[read_share_group_state_summary_request.ReadStateSummaryData] = ...) -> None: ...

class read_share_group_state_summary_response:
    class PartitionResult:
        partition: int
        error_code: int
        error_message: str | None
        state_epoch: int
        leader_epoch: int
        start_offset: int
        delivery_complete_count: int
        def __init__(self, *, partition: int = ..., error_code: int = ..., error_message: str | None = ..., state_epoch: int = ..., leader_epoch: int = ..., start_offset: int = ..., delivery_complete_count: int = ...) -> None: ...
    class ReadStateSummaryResult:
        topic_id: bytes
        partitions: list[read_share_group_state_summary_response.PartitionResult]
        def __init__(self, *, topic_id: bytes = ..., partitions: list[read_share_group_state_summary_response.PartitionResult] = ...) -> None: ...
    class ReadShareGroupStateSummaryResponse:
        results: list[read_share_group_state_summary_response.ReadStateSummaryResult]
        def __init__(self, *, results: list[read_share_group_state_summary_response.ReadStateSummaryResult] = ...) -> None: ...

class streams_group_heartbeat_request:
    class KeyValue:
        key: str
        value: str
        def __init__(self, *, key: str = ..., value: str = ...) -> None: ...
    class TopicInfo:
        name: str
        partitions: int
        replication_factor: int
        topic_configs: list[streams_group_heartbeat_request.KeyValue]
        def __init__(self, *, name: str = ..., partitions: int = ..., replication_factor: int = ..., topic_configs: list[streams_group_heartbeat_request.KeyValue] = ...) -> None: ...
    class CopartitionGroup:
        source_topics: list[int]
        source_topic_regex: list[int]
        repartition_source_topics: list[int]
        def __init__(self, *, source_topics: list[int] = ..., source_topic_regex: list[int] = ..., repartition_source_topics: list[int] = ...) -> None: ...
    class Subtopology:
        subtopology_id: str
        source_topics: list[str]
        source_topic_regex: list[str]
        state_changelog_topics: list[streams_group_heartbeat_request.TopicInfo]
        repartition_sink_topics: list[str]
        repartition_source_topics: list[streams_group_heartbeat_request.TopicInfo]
        copartition_groups: list[streams_group_heartbeat_request.CopartitionGroup]
        def __init__(self, *, subtopology_id: str = ..., source_topics: list[str] = ..., source_topic_regex: list[str] = ..., state_changelog_topics: list[streams_group_heartbeat_request.TopicInfo] = ..., repartition_sink_topics: list[str] = ..., repartition_source_topics: list[streams_group_heartbeat_request.TopicInfo] = ..., copartition_groups: list[streams_group_heartbeat_request.CopartitionGroup] = ...) -> None: ...
    class Topology:
        epoch: int
        subtopologies: list[streams_group_heartbeat_request.Subtopology]
        def __init__(self, *, epoch: int = ..., subtopologies: list[streams_group_heartbeat_request.Subtopology] = ...) -> None: ...
    class TaskIds:
        subtopology_id: str
        partitions: list[int]
        def __init__(self, *, subtopology_id: str = ..., partitions: list[int] = ...) -> None: ...
    class Endpoint:
        host: str
        port: int
        def __init__(self, *, host: str = ..., port: int = ...) -> None: ...
    class TaskOffset:
        subtopology_id: str
        partition: int
        offset: int
        def __init__(self, *, subtopology_id: str = ..., partition: int = ..., offset: int = ...) -> None: ...
    class StreamsGroupHeartbeatRequest:
        group_id: str
        member_id: str
        member_epoch: int
        endpoint_information_epoch: int
        instance_id: str | None
        rack_id: str | None
        rebalance_timeout_ms: int
        topology: streams_group_heartbeat_request.Topology | None
        active_tasks: list[streams_group_heartbeat_request.TaskIds] | None
        standby_tasks: list[streams_group_heartbeat_request.TaskIds] | None
        warmup_tasks: list[streams_group_heartbeat_request.TaskIds] | None
        process_id: str | None
        user_endpoint: streams_group_heartbeat_request.Endpoint | None
        client_tags: list[streams_group_heartbeat_request.KeyValue] | None
        task_offsets: list[streams_group_heartbeat_request.TaskOffset] | None
        task_end_offsets: list[streams_group_heartbeat_request.TaskOffset] | None
        shutdown_application: bool
        def __init__(self, *, group_id: str = ..., member_id: str = ..., member_epoch: int = ..., endpoint_information_epoch: int = ..., instance_id: str | None = ..., rack_id: str | None = ..., rebalance_timeout_ms: int = ..., topology: streams_group_heartbeat_request.Topology | None = ..., active_tasks: list[streams_group_heartbeat_request.TaskIds] | None = ..., standby_tasks: list[streams_group_heartbeat_request.TaskIds] | None = ..., warmup_tasks: list[streams_group_heartbeat_request.TaskIds] | None = ..., process_id: str | None = ..., user_endpoint: streams_group_heartbeat_request.Endpoint | None = ..., client_tags: list[streams_group_heartbeat_request.KeyValue] | None = ..., task_offsets: list[streams_group_heartbeat_request.TaskOffset] | None = ..., task_end_offsets: list[streams_group_heartbeat_request.TaskOffset] | None = ..., shutdown_application: bool = ...) -> None: ...

class streams_group_heartbeat_response:
    class Status:
        status_code: int
        status_detail: str
        def __init__(self, *, status_code: int = ..., status_detail: str = ...) -> None: ...
    class TaskIds:
        subtopology_id: str
        partitions: list[int]
        def __init__(self, *, subtopology_id: str = ..., partitions: list[int] = ...) -> None: ...
    class Endpoint:
        host: str
        port: int
        def __init__(self, *, host: str = ..., port: int = ...) -> None: ...
    class TopicPartition:
        topic: str
        partitions: list[int]
        def __init__(self, *, topic: str = ..., partitions: list[int] = ...) -> None: ...
    class EndpointToPartitions:
        user_endpoint: streams_group_heartbeat_response.Endpoint
        active_partitions: list[streams_group_heartbeat_response.TopicPartition]
        standby_partitions: list[streams_group_heartbeat_response.TopicPartition]
        def __init__(self, *, user_endpoint: streams_group_heartbeat_response.Endpoint = ..., active_partitions: list[streams_group_heartbeat_response.TopicPartition] = ..., standby_partitions: list[streams_group_heartbeat_response.TopicPartition] = ...) -> None: ...
    class StreamsGroupHeartbeatResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        member_id: str
        member_epoch: int
        heartbeat_interval_ms: int
        acceptable_recovery_lag: int
        task_offset_interval_ms: int
        status: list[streams_group_heartbeat_response.Status] | None
        active_tasks: list[streams_group_heartbeat_response.TaskIds] | None
        standby_tasks: list[streams_group_heartbeat_response.TaskIds] | None
        warmup_tasks: list[streams_group_heartbeat_response.TaskIds] | None
        endpoint_information_epoch: int
        partitions_by_user_endpoint: list[streams_group_heartbeat_response.EndpointToPartitions] | None
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., member_id: str = ..., member_epoch: int = ..., heartbeat_interval_ms: int = ..., acceptable_recovery_lag: int = ..., task_offset_interval_ms: int = ..., status: list[streams_group_heartbeat_response.Status] | None = ..., active_tasks: list[streams_group_heartbeat_response.TaskIds] | None = ..., standby_tasks: list[streams_group_heartbeat_response.TaskIds] | None = ..., warmup_tasks: list[streams_group_heartbeat_response.TaskIds] | None = ..., endpoint_information_epoch: int = ..., partitions_by_user_endpoint: list[streams_group_heartbeat_response.EndpointToPartitions] | None = ...) -> None: ...

class streams_group_describe_request:
    class StreamsGroupDescribeRequest:
        group_ids: list[str]
        include_authorized_operations: bool
        def __init__(self, *, group_ids: list[str] = ..., include_authorized_operations: bool = ...) -> None: ...

class streams_group_describe_response:
    class KeyValue:
        key: str
        value: str
        def __init__(self, *, key: str = ..., value: str = ...) -> None: ...
    class TopicInfo:
        name: str
        partitions: int
        replication_factor: int
        topic_configs: list[streams_group_describe_response.KeyValue]
        def __init__(self, *, name: str = ..., partitions: int = ..., replication_factor: int = ..., topic_configs: list[streams_group_describe_response.KeyValue] = ...) -> None: ...
    class Subtopology:
        subtopology_id: str
        source_topics: list[str]
        repartition_sink_topics: list[str]
        state_changelog_topics: list[streams_group_describe_response.TopicInfo]
        repartition_source_topics: list[streams_group_describe_response.TopicInfo]
        def __init__(self, *, subtopology_id: str = ..., source_topics: list[str] = ..., repartition_sink_topics: list[str] = ..., state_changelog_topics: list[streams_group_describe_response.TopicInfo] = ..., repartition_source_topics: list[streams_group_describe_response.TopicInfo] = ...) -> None: ...
    class Topology:
        epoch: int
        subtopologies: list[streams_group_describe_response.Subtopology] | None
        def __init__(self, *, epoch: int = ..., subtopologies: list[streams_group_describe_response.Subtopology] | None = ...) -> None: ...
    class Endpoint:
        host: str
        port: int
        def __init__(self, *, host: str = ..., port: int = ...) -> None: ...
    class TaskOffset:
        subtopology_id: str
        partition: int
        offset: int
        def __init__(self, *, subtopology_id: str = ..., partition: int = ..., offset: int = ...) -> None: ...
    class TaskIds:
        subtopology_id: str
        partitions: list[int]
        def __init__(self, *, subtopology_id: str = ..., partitions: list[int] = ...) -> None: ...
    class Assignment:
        active_tasks: list[streams_group_describe_response.TaskIds]
        standby_tasks: list[streams_group_describe_response.TaskIds]
        warmup_tasks: list[streams_group_describe_response.TaskIds]
        def __init__(self, *, active_tasks: list[streams_group_describe_response.TaskIds] = ..., standby_tasks: list[streams_group_describe_response.TaskIds] = ..., warmup_tasks: list[streams_group_describe_response.TaskIds] = ...) -> None: ...
    class Member:
        member_id: str
        member_epoch: int
        instance_id: str | None
        rack_id: str | None
        client_id: str
        client_host: str
        topology_epoch: int
        process_id: str
        user_endpoint: streams_group_describe_response.Endpoint | None
        client_tags: list[streams_group_describe_response.KeyValue]
        task_offsets: list[streams_group_describe_response.TaskOffset]
        task_end_offsets: list[streams_group_describe_response.TaskOffset]
        assignment: streams_group_describe_response.Assignment
        target_assignment: streams_group_describe_response.Assignment
        is_classic: bool
        def __init__(self, *, member_id: str = ..., member_epoch: int = ..., instance_id: str | None = ..., rack_id: str | None = ..., client_id: str = ..., client_host: str = ..., topology_epoch: int = ..., process_id: str = ..., user_endpoint: streams_group_describe_response.Endpoint | None = ..., client_tags: list[streams_group_describe_response.KeyValue] = ..., task_offsets: list[streams_group_describe_response.TaskOffset] = ..., task_end_offsets: list[streams_group_describe_response.TaskOffset] = ..., assignment: streams_group_describe_response.Assignment = ..., target_assignment: streams_group_describe_response.Assignment = ..., is_classic: bool = ...) -> None: ...
    class DescribedGroup:
        error_code: int
        error_message: str | None
        group_id: str
        group_state: str
        group_epoch: int
        assignment_epoch: int
        topology: streams_group_describe_response.Topology | None
        members: list[streams_group_describe_response.Member]
        authorized_operations: int
        def __init__(self, *, error_code: int = ..., error_message: str | None = ..., group_id: str = ..., group_state: str = ..., group_epoch: int = ..., assignment_epoch: int = ..., topology: streams_group_describe_response.Topology | None = ..., members: list[streams_group_describe_response.Member] = ..., authorized_operations: int = ...) -> None: ...
    class StreamsGroupDescribeResponse:
        throttle_time_ms: int
        groups: list[streams_group_describe_response.DescribedGroup]
        def __init__(self, *, throttle_time_ms: int = ..., groups: list[streams_group_describe_response.DescribedGroup] = ...) -> None: ...

class describe_share_group_offsets_request:
    class DescribeShareGroupOffsetsRequestTopic:
        topic_name: str
        partitions: list[int]
        def __init__(self, *, topic_name: str = ..., partitions: list[int] = ...) -> None: ...
    class DescribeShareGroupOffsetsRequestGroup:
        group_id: str
        topics: list[describe_share_group_offsets_request.DescribeShareGroupOffsetsRequestTopic] | None
        def __init__(self, *, group_id: str = ..., topics: list[describe_share_group_offsets_request.DescribeShareGroupOffsetsRequestTopic] | None = ...) -> None: ...
    class DescribeShareGroupOffsetsRequest:
        groups: list[describe_share_group_offsets_request.DescribeShareGroupOffsetsRequestGroup]
        def __init__(self, *, groups: list[describe_share_group_offsets_request.DescribeShareGroupOffsetsRequestGroup] = ...) -> None: ...

class describe_share_group_offsets_response:
    class DescribeShareGroupOffsetsResponsePartition:
        partition_index: int
        start_offset: int
        leader_epoch: int
        lag: int
        error_code: int
        error_message: str | None
        def __init__(self, *, partition_index: int = ..., start_offset: int = ..., leader_epoch: int = ..., lag: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class DescribeShareGroupOffsetsResponseTopic:
        topic_name: str
        topic_id: bytes
        partitions: list[describe_share_group_offsets_response.DescribeShareGroupOffsetsResponsePartition]
        def __init__(self, *, topic_name: str = ..., topic_id: bytes = ..., partitions: list[describe_share_group_offsets_response.DescribeShareGroupOffsetsResponsePartition] = ...) -> None: ...
    class DescribeShareGroupOffsetsResponseGroup:
        group_id: str
        topics: list[describe_share_group_offsets_response.DescribeShareGroupOffsetsResponseTopic]
        error_code: int
        error_message: str | None
        def __init__(self, *, group_id: str = ..., topics: list[describe_share_group_offsets_response.DescribeShareGroupOffsetsResponseTopic] = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class DescribeShareGroupOffsetsResponse:
        throttle_time_ms: int
        groups: list[describe_share_group_offsets_response.DescribeShareGroupOffsetsResponseGroup]
        def __init__(self, *, throttle_time_ms: int = ..., groups: list[describe_share_group_offsets_response.DescribeShareGroupOffsetsResponseGroup] = ...) -> None: ...

class alter_share_group_offsets_request:
    class AlterShareGroupOffsetsRequestPartition:
        partition_index: int
        start_offset: int
        def __init__(self, *, partition_index: int = ..., start_offset: int = ...) -> None: ...
    class AlterShareGroupOffsetsRequestTopic:
        topic_name: str
        partitions: list[alter_share_group_offsets_request.AlterShareGroupOffsetsRequestPartition]
        def __init__(self, *, topic_name: str = ..., partitions: list[alter_share_group_offsets_request.AlterShareGroupOffsetsRequestPartition] = ...) -> None: ...
    class AlterShareGroupOffsetsRequest:
        group_id: str
        topics: list[alter_share_group_offsets_request.AlterShareGroupOffsetsRequestTopic]
        def __init__(self, *, group_id: str = ..., topics: list[alter_share_group_offsets_request.AlterShareGroupOffsetsRequestTopic] = ...) -> None: ...

class alter_share_group_offsets_response:
    class AlterShareGroupOffsetsResponsePartition:
        partition_index: int
        error_code: int
        error_message: str | None
        def __init__(self, *, partition_index: int = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class AlterShareGroupOffsetsResponseTopic:
        topic_name: str
        topic_id: bytes
        partitions: list[alter_share_group_offsets_response.AlterShareGroupOffsetsResponsePartition]
        def __init__(self, *, topic_name: str = ..., topic_id: bytes = ..., partitions: list[alter_share_group_offsets_response.AlterShareGroupOffsetsResponsePartition] = ...) -> None: ...
    class AlterShareGroupOffsetsResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        responses: list[alter_share_group_offsets_response.AlterShareGroupOffsetsResponseTopic]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., responses: list[alter_share_group_offsets_response.AlterShareGroupOffsetsResponseTopic] = ...) -> None: ...

class delete_share_group_offsets_request:
    class DeleteShareGroupOffsetsRequestTopic:
        topic_name: str
        def __init__(self, *, topic_name: str = ...) -> None: ...
    class DeleteShareGroupOffsetsRequest:
        group_id: str
        topics: list[delete_share_group_offsets_request.DeleteShareGroupOffsetsRequestTopic]
        def __init__(self, *, group_id: str = ..., topics: list[delete_share_group_offsets_request.DeleteShareGroupOffsetsRequestTopic] = ...) -> None: ...

class delete_share_group_offsets_response:
    class DeleteShareGroupOffsetsResponseTopic:
        topic_name: str
        topic_id: bytes
        error_code: int
        error_message: str | None
        def __init__(self, *, topic_name: str = ..., topic_id: bytes = ..., error_code: int = ..., error_message: str | None = ...) -> None: ...
    class DeleteShareGroupOffsetsResponse:
        throttle_time_ms: int
        error_code: int
        error_message: str | None
        responses: list[delete_share_group_offsets_response.DeleteShareGroupOffsetsResponseTopic]
        def __init__(self, *, throttle_time_ms: int = ..., error_code: int = ..., error_message: str | None = ..., responses: list[delete_share_group_offsets_response.DeleteShareGroupOffsetsResponseTopic] = ...) -> None: ...
