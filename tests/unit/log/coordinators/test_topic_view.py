"""What subscriptions come to (KIP-848), and when topics count as changed (KIP-1101)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streamflow.log.coordinators import topic_view

sys.path.insert(0, str(Path(__file__).parent))

from consumer_driver import topic_id, view


def test_a_subscription_comes_to_names_and_matches_that_are_there() -> None:
    now = view({"a": 1, "b-1": 1, "b-2": 1})
    assert now.subscribed(("a", "gone"), "") == {"a"}
    assert now.subscribed(("a",), "b-.*") == {"a", "b-1", "b-2"}
    assert now.ids(["a", "gone"]) == {topic_id("a")}


def test_what_is_remembered_of_subscriptions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_view, "RESOLVED_MAX", 2)
    now = view({"a": 1})
    for n in range(9):
        assert now.subscribed(("a", str(n)), "") == {"a"}
    assert len(now._resolved) <= 2


def test_a_fingerprint_changes_with_each_change_of_the_topics_and_with_no_other() -> None:
    one = view({"a": 1, "b": 1, "c": 1})
    known = one.fingerprint(["a", "b"])
    assert known == one.fingerprint(["b", "a", "gone"])
    assert known == view({"b": 1, "a": 1}).fingerprint(["a", "b"])
    others = [
        view({"a": 2, "b": 1}),
        view({"a": 1}),
        view({"a": 1, "b": 1}, {"a": 1}),
    ]
    assert known not in [other.fingerprint(["a", "b"]) for other in others]
    assert one.fingerprint([]) == 0
