"""What brokers ask of a controller, through the door, in each version."""

from __future__ import annotations

from typing import Any

import pytest

from streamflow.log.node.controller import CLIENT_LISTENER
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import (
    allocate_producer_ids_request,
    alter_partition_request,
    broker_heartbeat_request,
    broker_registration_request,
    unregister_broker_request,
)
from tests.unit.log.node.quorum_of_one import CLUSTER, QuorumOfOne

pytestmark = pytest.mark.anyio


def registration() -> broker_registration_request.BrokerRegistrationRequest:
    listener = broker_registration_request.Listener(name=CLIENT_LISTENER, host="h", port=1)
    return broker_registration_request.BrokerRegistrationRequest(
        broker_id=7, cluster_id=CLUSTER, incarnation_id=b"7" * 16, rack=None, listeners=[listener]
    )


async def test_a_broker_lives_by_what_the_controller_answers(door: Any) -> None:
    quorum = await QuorumOfOne().named()
    door.node.controller = quorum.controller()
    epoch = (await door.ask(registration())).broker_epoch
    beat = broker_heartbeat_request.BrokerHeartbeatRequest(
        broker_id=7, broker_epoch=epoch, current_metadata_offset=epoch
    )
    assert not (await door.ask(beat)).is_fenced
    wanted = alter_partition_request.AlterPartitionRequest(broker_id=7, broker_epoch=epoch)
    for version in (2, 3):
        assert (await door.ask(wanted, version)).error_code == ErrorCode.none
    ids = allocate_producer_ids_request.AllocateProducerIdsRequest(broker_id=7, broker_epoch=epoch)
    assert (await door.ask(ids)).producer_id_len == 1000
    assert (await door.ask(unregister_broker_request.UnregisterBrokerRequest(broker_id=7))).error_code != ErrorCode.none


async def test_a_node_that_is_no_controller_says_so(door: Any) -> None:
    door.node.controller = None
    for request in (
        registration(),
        broker_heartbeat_request.BrokerHeartbeatRequest(),
        alter_partition_request.AlterPartitionRequest(),
        allocate_producer_ids_request.AllocateProducerIdsRequest(),
        unregister_broker_request.UnregisterBrokerRequest(),
    ):
        assert (await door.ask(request)).error_code == ErrorCode.not_controller
