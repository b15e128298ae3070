"""DescribeConfigs 1–4: the settings of topics and of this broker, with where each value comes from (KIP-226).

All of Kafka's settings of topics are shown; of a broker's, those that this one has. None is sensitive.
"""

from __future__ import annotations

from streamflow.errors import StreamflowError
from streamflow.log.controller.effective import Effective, documentation, kind_of
from streamflow.log.protocol.errors import code_of
from streamflow.log.protocol.messages import describe_configs_request, describe_configs_response
from streamflow.log.server.broker import Context
from streamflow.log.server.config_resources import Resource, describe

Request = describe_configs_request.DescribeConfigsRequest
Result = describe_configs_response.DescribeConfigsResult


async def handle(
    context: Context, request: describe_configs_request.DescribeConfigsRequest
) -> describe_configs_response.DescribeConfigsResponse:
    return describe_configs_response.DescribeConfigsResponse(
        results=[_describe(context, request, wanted) for wanted in request.resources]
    )


def _describe(
    context: Context,
    request: describe_configs_request.DescribeConfigsRequest,
    wanted: describe_configs_request.DescribeConfigsResource,
) -> describe_configs_response.DescribeConfigsResult:
    result = Result(resource_type=wanted.resource_type, resource_name=wanted.resource_name, error_message=None)
    try:
        found = describe(context.broker, Resource(wanted.resource_type, wanted.resource_name))
    except StreamflowError as error:
        result.error_code, result.error_message = code_of(error), str(error)
        return result
    keys = wanted.configuration_keys
    result.configs = [_entry(one, request) for one in found if not keys or one.setting.name in keys]
    return result


def _entry(
    found: Effective, request: describe_configs_request.DescribeConfigsRequest
) -> describe_configs_response.DescribeConfigsResourceResult:
    synonyms = found.synonyms if request.include_synonyms else ()
    return describe_configs_response.DescribeConfigsResourceResult(
        name=found.setting.name,
        value=found.value,
        read_only=found.read_only,
        config_source=found.source,
        config_type=kind_of(found.setting),
        synonyms=[
            describe_configs_response.DescribeConfigsSynonym(name=s.name, value=s.value, source=s.source)
            for s in synonyms
        ],
        documentation=documentation(found.setting) if request.include_documentation else None,
    )
