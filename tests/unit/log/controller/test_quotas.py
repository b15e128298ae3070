from __future__ import annotations

import pytest

from streamflow.log.controller.image import MetadataImage
from streamflow.log.controller.quotas import Component, Match, QuotaChange, alter_quotas, find_quotas
from streamflow.log.controller.records import decode, encode
from streamflow.log.errors import InvalidRequestError

EXACT, DEFAULT, SPECIFIED = Match


def set_quota(image: MetadataImage, key: str, value: float | None, **entity: str | None) -> None:
    named = {kind.replace("_", "-"): name for kind, name in entity.items()}
    for record in alter_quotas(image, named, [QuotaChange(key, value)]):
        image.apply(decode(encode(record)))
    image.check()


@pytest.fixture
def image() -> MetadataImage:
    image = MetadataImage()
    set_quota(image, "producer_byte_rate", 10, user="u")
    set_quota(image, "producer_byte_rate", 20, user="u", client_id="c")
    set_quota(image, "consumer_byte_rate", 30, user=None)
    set_quota(image, "request_percentage", 40.5, client_id=None)
    set_quota(image, "connection_creation_rate", 50, ip="10.0.0.1")
    return image


def found(image: MetadataImage, *components: Component, strict: bool = False) -> list[float]:
    return sorted(v for _, values in find_quotas(image, components, strict=strict) for v in values.values())


def test_a_quota_that_is_taken_away_leaves_nothing_behind(image: MetadataImage) -> None:
    set_quota(image, "request_percentage", 1, user="u")
    set_quota(image, "producer_byte_rate", None, user="u")
    assert image.quotas[(("user", "u"),)] == {"request_percentage": 1}
    set_quota(image, "request_percentage", None, user="u")
    assert (("user", "u"),) not in image.quotas


def test_what_is_so_already_writes_no_record(image: MetadataImage) -> None:
    assert alter_quotas(image, {"user": "u"}, [QuotaChange("producer_byte_rate", 10)]) == []
    assert alter_quotas(image, {"user": "nobody"}, [QuotaChange("nope", None)]) == []


@pytest.mark.parametrize(
    ("components", "strict", "values"),
    [
        ((), False, [10, 20, 30, 40.5, 50]),
        ((), True, []),
        ((Component("user", SPECIFIED, None),), False, [10, 20, 30]),
        ((Component("user", SPECIFIED, None),), True, [10, 30]),
        ((Component("user", EXACT, "u"),), False, [10, 20]),
        ((Component("user", EXACT, "u"),), True, [10]),
        ((Component("user", DEFAULT, None),), False, [30]),
        ((Component("client-id", DEFAULT, None),), True, [40.5]),
        ((Component("user", EXACT, "u"), Component("client-id", SPECIFIED, None)), True, [20]),
        ((Component("ip", SPECIFIED, None),), False, [50]),
    ],
)
def test_a_filter_finds_what_all_its_conditions_match(
    image: MetadataImage, components: tuple[Component, ...], strict: bool, values: list[float]
) -> None:
    assert found(image, *components, strict=strict) == values


@pytest.mark.parametrize(
    "components",
    [
        (Component("user", 5, None),),
        (Component("user", EXACT, None),),
        (Component("user", DEFAULT, "x"),),
        (Component("user", SPECIFIED, "x"),),
        (Component("user", SPECIFIED, None), Component("user", EXACT, "u")),
        (Component("ip", SPECIFIED, None), Component("user", SPECIFIED, None)),
    ],
)
def test_a_filter_that_contradicts_itself_is_refused(image: MetadataImage, components: tuple[Component, ...]) -> None:
    with pytest.raises(InvalidRequestError):
        find_quotas(image, components, strict=False)


@pytest.mark.parametrize(
    ("entity", "key", "value"),
    [
        ({}, "producer_byte_rate", 1),
        ({"group": "g"}, "producer_byte_rate", 1),
        ({"user": ""}, "producer_byte_rate", 1),
        ({"user": "u"}, "nope", 1),
        ({"user": "u"}, "connection_creation_rate", 1),
        ({"ip": "10.0.0.1"}, "producer_byte_rate", 1),
        ({"ip": "10.0.0.1", "user": "u"}, "connection_creation_rate", 1),
        ({"ip": "not an ip!"}, "connection_creation_rate", 1),
        ({"user": "u"}, "producer_byte_rate", 0),
        ({"user": "u"}, "producer_byte_rate", -1),
        ({"user": "u"}, "producer_byte_rate", 0.5),
        ({"user": "u"}, "producer_byte_rate", float("nan")),
        ({"user": "u"}, "request_percentage", float("inf")),
    ],
)
def test_a_quota_kafka_refuses_is_refused(entity: dict[str, str], key: str, value: float) -> None:
    with pytest.raises(InvalidRequestError):
        alter_quotas(MetadataImage(), entity, [QuotaChange(key, value)])


def test_a_quota_is_changed_once_in_a_request() -> None:
    with pytest.raises(InvalidRequestError, match="once"):
        alter_quotas(MetadataImage(), {"user": "u"}, [QuotaChange("producer_byte_rate", n) for n in (1, 2)])
