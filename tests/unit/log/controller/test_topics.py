from __future__ import annotations

import pytest

from streamflow.errors import UnknownTopicError
from streamflow.log.controller.image import MetadataImage
from streamflow.log.controller.records import ProducerIds, RegisterBroker, decode, encode
from streamflow.log.controller.topics import NewTopic, create_topic, delete_topic, validate_name
from streamflow.log.errors import InvalidTopicError, TopicExistsError

ID = bytes(range(16))
OTHER = bytes(16)


def image_with(*topics: NewTopic) -> MetadataImage:
    image = MetadataImage()
    for number, topic in enumerate(topics):
        for record in create_topic(image, topic, bytes([number + 1]) * 16, (1,)):
            image.apply(decode(encode(record)))
    image.check()
    return image


def test_a_created_topic_is_in_the_image_with_its_partitions_and_config() -> None:
    image = image_with(NewTopic(name="payments", partitions=3, config={"retention.ms": "5"}))
    topic = image.topics["payments"]
    assert [p.leader for p in topic.partitions] == [1, 1, 1]
    assert topic.config == {"retention.ms": "5"}


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "a\n", "x" * 250, "a\0b", "../etc"])
def test_a_name_kafka_refuses_is_refused(name: str) -> None:
    with pytest.raises(InvalidTopicError):
        validate_name(name)


@pytest.mark.parametrize("name", ["a", "x" * 249, "A.b_c-9", "...", "__internal"])
def test_a_name_kafka_takes_is_taken(name: str) -> None:
    validate_name(name)


def test_a_topic_exists_once() -> None:
    image = image_with(NewTopic(name="a"))
    with pytest.raises(TopicExistsError, match="'a'"):
        create_topic(image, NewTopic(name="a"), ID, (1,))


def test_names_that_differ_only_by_dot_and_underscore_collide() -> None:
    with pytest.raises(InvalidTopicError, match=r"collides with 'a\.b'"):
        create_topic(image_with(NewTopic(name="a.b")), NewTopic(name="a_b"), ID, (1,))


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (NewTopic(name="a", partitions=0), "0 partitions"),
        (NewTopic(name="a", partitions=-1), "-1 partitions"),
        (NewTopic(name="a", replication_factor=3), "1 broker"),
        (NewTopic(name="a", config={"retention.mss": "1"}), r"did you mean 'retention\.ms'"),
        (NewTopic(name="a", config={"retention.ms": "soon"}), "whole number of ms"),
        (NewTopic(name="a", config={"retention.ms": "-2"}), "between -1 and"),
        (NewTopic(name="a", config={"cleanup.policy": "burn"}), "some of: delete, compact"),
    ],
)
def test_an_impossible_topic_is_refused_with_what_is_wrong(new: NewTopic, said: str) -> None:
    with pytest.raises(InvalidTopicError, match=said):
        create_topic(MetadataImage(), new, ID, (1,))


def test_replicas_take_turns_over_brokers() -> None:
    records = create_topic(MetadataImage(), NewTopic(name="a", partitions=3, replication_factor=2), ID, (1, 2, 3))
    assert [r.replicas for r in records if hasattr(r, "replicas")] == [(1, 2), (2, 3), (3, 1)]


def test_a_removed_topic_leaves_its_id_behind_and_its_name_free() -> None:
    image = image_with(NewTopic(name="a"))
    gone = image.topics["a"].topic_id
    for record in delete_topic(image, "a"):
        image.apply(record)
    image.check()
    assert image.removed == {gone}
    assert create_topic(image, NewTopic(name="a"), ID, (1,))


def test_an_unknown_topic_cannot_be_deleted() -> None:
    with pytest.raises(UnknownTopicError, match="did you mean 'payments'"):
        delete_topic(image_with(NewTopic(name="payments")), "paymentz")


def test_the_topic_of_offsets_cannot_be_deleted() -> None:
    with pytest.raises(InvalidTopicError, match="offsets"):
        delete_topic(image_with(NewTopic(name="__consumer_offsets")), "__consumer_offsets")


def test_a_broker_that_starts_again_leads_each_partition_one_epoch_higher() -> None:
    image = image_with(NewTopic(name="a", partitions=2))
    image.apply(RegisterBroker(broker_id=1, broker_epoch=9))
    image.apply(RegisterBroker(broker_id=2, broker_epoch=10))
    assert [p.leader_epoch for p in image.topics["a"].partitions] == [1, 1]
    assert {b.broker_id: b.broker_epoch for b in image.brokers.values()} == {1: 9, 2: 10}


def test_producer_ids_are_never_given_twice() -> None:
    image = MetadataImage()
    image.apply(ProducerIds(broker_id=1, next_producer_id=1000))
    assert image.next_producer_id == 1000
