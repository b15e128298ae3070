from __future__ import annotations

import pytest

from streamflow.errors import ConfigError
from streamflow.log.controller.alter import Alterable, Change, Operation, changed, replaced
from streamflow.log.controller.inert import ALL_TOPIC_SETTINGS
from streamflow.log.errors import InvalidRequestError

TOPIC = Alterable(settings=ALL_TOPIC_SETTINGS)
SET, DELETE, APPEND, SUBTRACT = Operation


def test_a_change_sets_and_deletes_and_leaves_the_rest() -> None:
    before = {"retention.ms": "1", "segment.ms": "2"}
    after = changed(TOPIC, before, [Change(SET, "retention.bytes", "3"), Change(DELETE, "segment.ms", None)])
    assert after == {"retention.ms": "1", "retention.bytes": "3"}
    assert before == {"retention.ms": "1", "segment.ms": "2"}


def test_what_is_not_set_may_be_deleted() -> None:
    assert changed(TOPIC, {}, [Change(DELETE, "retention.ms", "")]) == {}


@pytest.mark.parametrize(
    ("before", "operation", "value", "after"),
    [
        (None, APPEND, "compact", "delete,compact"),
        ("compact", APPEND, "compact", "compact"),
        ("compact", APPEND, "delete, compact", "compact,delete"),
        ("delete,compact", SUBTRACT, "delete", "compact"),
        ("compact", SUBTRACT, "delete", "compact"),
        ("compact", SUBTRACT, "compact", ""),
        (None, SUBTRACT, "compact", "delete"),
        (None, SET, " compact ,delete", "compact,delete"),
    ],
)
def test_a_list_is_added_to_and_taken_from_beginning_with_its_default(
    before: str | None, operation: Operation, value: str, after: str
) -> None:
    config = {} if before is None else {"cleanup.policy": before}
    assert changed(TOPIC, config, [Change(operation, "cleanup.policy", value)]) == {"cleanup.policy": after}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (Change(SET, "nope", "1"), ConfigError, "unknown setting"),
        (Change(SET, "retention.ms", "x"), ConfigError, "whole number"),
        (Change(SET, "retention.ms", None), InvalidRequestError, "null"),
        (Change(APPEND, "retention.ms", "1"), ConfigError, "isn't a list"),
        (Change(APPEND, "nope", "1"), ConfigError, "isn't a list"),
        (Change(APPEND, "cleanup.policy", "burn"), ConfigError, "some of: delete, compact"),
        (Change(APPEND, "cleanup.policy", None), InvalidRequestError, "null"),
        (Change(7, "retention.ms", "1"), InvalidRequestError, "isn't an operation"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_all_others(change: Change, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        changed(TOPIC, {}, [Change(SET, "segment.ms", "5"), change])


def test_a_setting_is_altered_once_in_a_request() -> None:
    twice = [Change(SET, "retention.ms", "1"), Change(DELETE, "retention.ms", None)]
    with pytest.raises(InvalidRequestError, match="once"):
        changed(TOPIC, {}, twice)
    with pytest.raises(InvalidRequestError, match="once"):
        replaced(TOPIC, {}, [("retention.ms", "1"), ("retention.ms", "2")])


def test_a_replacement_forgets_what_it_does_not_name() -> None:
    assert replaced(TOPIC, {"retention.ms": "1"}, [("segment.ms", "2")]) == {"segment.ms": "2"}
    assert replaced(TOPIC, {"retention.ms": "1"}, []) == {}
    with pytest.raises(InvalidRequestError, match="null"):
        replaced(TOPIC, {}, [("retention.ms", None)])
    with pytest.raises(ConfigError):
        replaced(TOPIC, {}, [("retention.ms", "x")])


def test_what_is_read_only_is_neither_set_nor_deleted() -> None:
    table = Alterable(settings=ALL_TOPIC_SETTINGS, read_only={"retention.ms"})
    for change in (Change(SET, "retention.ms", "1"), Change(DELETE, "retention.ms", None)):
        with pytest.raises(InvalidRequestError, match=r"retention\.ms can't be altered while the node runs"):
            changed(table, {}, [change])
    assert replaced(table, {"retention.ms": "1"}, [("retention.ms", "1")]) == {"retention.ms": "1"}


def test_what_was_set_before_is_not_held_against_a_change() -> None:
    """A setting an older version took mustn't keep the others from being altered."""
    after = changed(TOPIC, {"gone.by.now": "1"}, [Change(SET, "retention.ms", "1")])
    assert after == {"gone.by.now": "1", "retention.ms": "1"}


def test_a_setting_may_be_bounded_by_another() -> None:
    table = Alterable(settings=ALL_TOPIC_SETTINGS, ordered=[("segment.jitter.ms", "segment.ms")])
    below, above = [Change(SET, "segment.jitter.ms", value) for value in ("5", "6")]
    assert changed(table, {"segment.ms": "5"}, [below])
    with pytest.raises(ConfigError, match=r"segment\.jitter\.ms is 6, above segment\.ms, which is 5"):
        changed(table, {"segment.ms": "5"}, [above])
    assert changed(table, {"segment.ms": "5"}, [above, Change(SET, "segment.ms", "6")])
