"""From a frame to the handler of its API, and from its answer to a frame."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from importlib import import_module
from typing import cast

from streamflow.log.protocol.codec import Buffer
from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.frames import RequestHeader, frame_response
from streamflow.log.protocol.messages import api_versions_response, read_request, write_response
from streamflow.log.protocol.versions import APIS
from streamflow.log.server.broker import Answer, Broker, Context

Handler = Callable[[Context, object], Awaitable[Answer]]


@cache
def handler_of(api: str) -> Handler:
    """The handler's module is loaded when its API is first asked for."""
    return cast(Handler, import_module(f"streamflow.log.server.handlers.{api}").handle)


async def dispatch(broker: Broker, header: RequestHeader, frame: memoryview, client_host: str) -> Answer:
    """Raises: MalformedError, CloseConnectionError; what else is raised is our error."""
    if not header.api.serves(header.version):
        return unsupported_version()
    request = read_request(header.api.name, header.version, frame, header.body_at)
    context = Context(broker=broker, version=header.version, client_id=header.client_id, client_host=client_host)
    return await handler_of(header.api.name)(context, request)


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
