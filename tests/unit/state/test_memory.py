"""The store in memory against a plain dict."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.state.memory import MISSING, MemoryStore


class Frozen(msgspec.Struct, frozen=True):
    n: int


class Loose(msgspec.Struct):
    n: int


commands = st.lists(
    st.tuples(
        st.sampled_from(["set", "delete", "get", "edit", "commit", "mark", "rollback"]),
        st.integers(0, 3),
        st.integers(),
    ),
    max_size=40,
)


@given(commands)
def test_changes_folded_over_time_are_the_state_edits_in_place_included(commands) -> None:
    store, model, log = MemoryStore("t"), {}, {}

    def commit():
        for key, value in store.changes():
            if value is MISSING:
                log.pop(key, None)
            else:
                log[key] = list(value)

    for what, key, n in commands:
        if what == "set":
            store.set(key, [n])
            model[key] = [n]
        elif what == "delete":
            store.delete(key)
            model.pop(key, None)
        elif what == "edit" and (held := store.get(key)) is not None:
            held.append(n)
            model[key].append(n)
        elif what == "commit":
            commit()
            assert log == model
        assert store.get(key) == model.get(key)
        assert (key in store, len(store)) == (key in model, len(model))
    commit()
    assert log == model
    assert store.changes() == []
    again = MemoryStore("t")
    again.load(log.items())
    assert dict(again.items()) == model


@given(commands)
def test_what_the_event_in_hand_changed_is_put_back_and_nothing_else(commands) -> None:
    store, model, journal, marked = MemoryStore("t"), {}, [], {}
    for what, key, n in commands:
        if what == "set":
            store.set(key, n, journal)
            model[key] = n
        elif what == "delete":
            store.delete(key, journal)
            model.pop(key, None)
        elif what == "mark":
            journal.clear()
            marked = dict(model)
        elif what == "rollback":
            while journal:
                owner, changed, before = journal.pop()
                owner.put_back(changed, before)
            model = dict(marked)
        assert dict(store.items()) == model
    state: dict[Any, Any] = {}
    for key, value in store.changes():
        state |= {key: value} if value is not MISSING else {}
    assert state == model


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, bytearray(b"x"), Loose(1)])
def test_a_value_that_can_be_edited_counts_as_changed_once_it_was_handed_out(value) -> None:
    store = MemoryStore("t")
    store.load([("k", value)])
    assert store.changes() == []
    store.get("k")
    assert store.changes() == [("k", value)]
    dict(store.items())
    assert store.changes() == [("k", value)]
    assert store.changes() == []


@pytest.mark.parametrize("value", [1, "a", 1.5, True, b"x", (1, 2), frozenset({1}), Frozen(1)])
def test_looking_at_a_value_that_cannot_be_edited_changes_nothing(value) -> None:
    store = MemoryStore("t")
    store.load([("k", value)])
    assert store.get("k") is value
    assert list(store.items()) == [("k", value)]
    assert store.changes() == []


def test_changes_come_once_a_key_in_the_order_it_first_changed_with_the_value_it_has_now() -> None:
    store = MemoryStore("t")
    for key, value in (("b", 1), ("a", 2), ("b", 3), ("c", 4)):
        store.set(key, value)
    store.delete("c")
    assert store.changes() == [("b", 3), ("a", 2), ("c", MISSING)]


def test_a_value_set_twice_and_then_deleted_is_put_back_step_by_step() -> None:
    store, journal = MemoryStore("t"), []
    store.load([("k", 1)])
    store.set("k", 2, journal)
    store.set("k", 3, journal)
    store.delete("k", journal)
    seen = []
    while journal:
        owner, key, before = journal.pop()
        owner.put_back(key, before)
        seen.append(store.get("k"))
    assert seen == [3, 2, 1]


def test_deleting_what_is_not_there_is_no_change() -> None:
    store, journal = MemoryStore("t"), []
    store.delete("k", journal)
    assert (store.changes(), journal) == ([], [])


def test_a_default_is_kept_if_it_can_be_edited_and_is_taken_back_with_its_event() -> None:
    store, journal = MemoryStore("t"), []
    fresh: list[int] = []
    store.offer("k", fresh, journal)
    fresh.append(1)
    assert store.get("k") == [1]
    assert journal == [(store, "k", MISSING)]
    store.put_back("k", MISSING)
    assert "k" not in store
    store.offer("n", 0, journal)
    assert "n" not in store


def test_with_a_journal_an_edit_in_place_can_be_put_back_too() -> None:
    store, journal = MemoryStore("t"), []
    store.load([("k", [1]), ("other", 5)])
    store.get("k", None, journal).append(2)
    for _, value in store.items(journal):
        if isinstance(value, list):
            value.append(3)
    assert store.get("k") == [1, 2, 3]
    while journal:
        owner, key, before = journal.pop()
        owner.put_back(key, before)
    assert dict(store.items()) == {"k": [1], "other": 5}
