"""From a frame to the handler of its API, and from its answer to a frame."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from importlib import import_module
from typing import Any, cast

from streamflow.log.errors import RequestTimedOutError
from streamflow.log.protocol.codec import Buffer
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.frames import RequestHeader, frame_response
from streamflow.log.protocol.messages import api_versions_response, read_request, write_response
from streamflow.log.protocol.versions import APIS
from streamflow.log.server.broker import Answer, Broker, CloseConnectionError, Context

FETCH = 1

Handler = Callable[[Context, object], Awaitable[Answer]]


@cache
def handler_of(api: str) -> Handler:
    """The handler's module is loaded when its API is first asked for."""
    return cast(Handler, import_module(f"streamflow.log.server.handlers.{api}").handle)


async def dispatch(
    broker: Broker, header: RequestHeader, frame: memoryview, client_host: str, *, from_peer: bool = False
) -> Answer:
    """Raises: MalformedError, CloseConnectionError; what else is raised is our error."""
    if not header.api.serves(header.version):
        return unsupported_version()
    request = read_request(header.api.name, header.version, frame, header.body_at)
    if not from_peer and header.api.key == FETCH and (replica := _replica(request)) >= 0:
        raise CloseConnectionError(f"it fetches as the replica of node {replica}, and isn't a node (CVE-2018-1288)")
    forwarding = broker.forwarding
    if header.api.of_controller and forwarding is not None and not (from_peer or forwarding.here):
        try:
            answer = await forwarding.ask(header, request, frame, client_host)
        except RequestTimedOutError as error:
            raise CloseConnectionError(str(error)) from error
        if answer is not None:
            return answer
    context = Context(
        broker=broker,
        version=header.version,
        client_id=header.client_id,
        client_host=client_host,
        from_peer=from_peer,
    )
    return await handler_of(header.api.name)(context, request)


def _replica(request: Any) -> int:
    """The node a fetch says it comes from; negative for a consumer's."""
    return int(max(request.replica_id, request.replica_state.replica_id))


def unsupported_version() -> api_versions_response.ApiVersionsResponse:
    """To an ApiVersions request of a version we don't have (KIP-511): in version 0, and with what we have of it."""
    api = APIS[18]
    lowest, highest = api.advertised
    return api_versions_response.ApiVersionsResponse(
        error_code=ErrorCode.unsupported_version,
        api_keys=[api_versions_response.ApiVersion(api_key=api.key, min_version=lowest, max_version=highest)],
    )


def encode(header: RequestHeader, message: object) -> list[Buffer]:
    """The frame that answers, in parts."""
    version = header.version if header.api.serves(header.version) else 0
    return frame_response(header, write_response(header.api.name, version, message))
