"""Envelope 0 (KIP-590): a client's request that another node sends on, answered by the active controller."""

from __future__ import annotations

import ipaddress

from streamflow.log.errors import MalformedError
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.frames import LENGTH_BYTES, parse_header
from streamflow.log.protocol.messages import envelope_request, envelope_response
from streamflow.log.protocol.versions import APIS
from streamflow.log.server.broker import Context, Later
from streamflow.log.server.dispatch import dispatch, encode
from streamflow.log.server.figures import error_codes

HEAD_BYTES_MIN = 10


async def handle(context: Context, request: envelope_request.EnvelopeRequest) -> envelope_response.EnvelopeResponse:
    """Raises: MalformedError for an envelope with something else in it than what is sent on."""
    forwarding = context.broker.forwarding
    if forwarding is None or not forwarding.here:
        return _refused(ErrorCode.not_controller)
    frame = memoryview(request.request_data)
    key = int.from_bytes(frame[:2], "big") if len(frame) >= HEAD_BYTES_MIN else -1
    if key not in APIS or not APIS[key].of_controller:
        raise MalformedError(f"an envelope with a request of API {key}, which isn't sent on")
    header = parse_header(frame)
    if not header.api.serves(header.version):
        return _refused(ErrorCode.unsupported_version)
    answer = await dispatch(context.broker, header, frame, _host(request.client_host_address))
    if isinstance(answer, Later):
        answer = await answer.make()
    if ErrorCode.not_controller in error_codes(header.api.name)(answer):
        return _refused(ErrorCode.not_controller)
    return envelope_response.EnvelopeResponse(response_data=b"".join(encode(header, answer))[LENGTH_BYTES:])


def _refused(error: ErrorCode) -> envelope_response.EnvelopeResponse:
    return envelope_response.EnvelopeResponse(error_code=error)


def _host(packed: bytes) -> str:
    return str(ipaddress.ip_address(bytes(packed))) if len(packed) in (4, 16) else ""
