from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.protocol.messages import (
    api_versions_response,
    fetch_response,
    find_coordinator_response,
    metadata_response,
    produce_response,
)
from streamflow.log.protocol.versions import APIS
from streamflow.log.server.figures import BOUNDS_SECONDS, Figures, Histogram, error_codes


@given(st.lists(st.floats(0, 100), max_size=50))
def test_a_histogram_counts_each_up_to_its_bound(seconds: list[float]) -> None:
    found = Histogram()
    for each in seconds:
        found.observe(each)
    assert sum(found.counts) == len(seconds)
    assert found.seconds == pytest.approx(sum(seconds))
    for number, bound in enumerate(BOUNDS_SECONDS):
        assert sum(found.counts[: number + 1]) == sum(each <= bound for each in seconds)


def test_every_error_in_an_answer_is_counted_and_success_is_not() -> None:
    figures = Figures()
    partition, topic = produce_response.PartitionProduceResponse, produce_response.TopicProduceResponse
    answer = produce_response.ProduceResponse(
        responses=[
            topic(partition_responses=[partition(error_code=3), partition(error_code=0)]),
            topic(partition_responses=[partition(error_code=3), partition(error_code=2)]),
        ]
    )
    figures.count_errors("produce", answer)
    assert figures.errors == {("produce", 3): 2, ("produce", 2): 1}


def test_errors_at_the_top_and_in_lists_that_are_null_are_found() -> None:
    assert list(error_codes("api_versions")(api_versions_response.ApiVersionsResponse(error_code=35))) == [35]
    topics = metadata_response.MetadataResponseTopic(error_code=3)
    assert list(error_codes("metadata")(metadata_response.MetadataResponse(topics=[topics]))) == [0, 3]
    assert list(error_codes("fetch")(fetch_response.FetchResponse(error_code=70, responses=[]))) == [70]
    coordinators = [find_coordinator_response.Coordinator(error_code=15)]
    found = error_codes("find_coordinator")(
        find_coordinator_response.FindCoordinatorResponse(coordinators=coordinators)
    )
    assert list(found) == [0, 15]


def test_the_errors_of_every_api_that_is_served_can_be_counted() -> None:
    without = {api.name for api in APIS.values() if _none(api.name)}
    assert without == set(), "every answer has an error code somewhere"


def _none(api: str) -> bool:
    return error_codes(api).__name__ == "<lambda>"
