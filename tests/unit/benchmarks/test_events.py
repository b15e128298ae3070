"""The benchmarks' events and answers."""

import json

from benchmarks.events import (
    DISTINCT,
    JOBS,
    KEYS,
    START_MS,
    WINDOW_MS,
    answer,
    digest,
    payloads,
    timestamp_ms,
    whole_windows,
)


def test_payloads_are_the_same_each_time():
    assert payloads() == payloads()


def test_a_payload_holds_its_fields_as_some_fifty_bytes_of_json():
    made = payloads()
    assert len(made) == DISTINCT
    assert len({p.user for p in made}) == KEYS
    for p in made:
        assert json.loads(p.value) == {"user": p.user, "amount": p.amount, "kind": p.kind}
        assert p.key == p.user.encode()
        assert 45 <= len(p.value) <= 60


def test_event_time_starts_a_minute_and_moves_by_a_millisecond():
    assert START_MS % WINDOW_MS == 0
    assert [timestamp_ms(i) - START_MS for i in range(3)] == [0, 1, 2]


def test_a_digest_depends_on_the_rows_and_not_on_their_order():
    assert digest([("a", 1), ("b", 2)]) == digest([("b", 2), ("a", 1)])
    assert digest([("a", 1)]) != digest([("a", 2)])
    assert digest([]).startswith("0:")


def test_only_windows_that_every_engine_has_closed_are_compared():
    rows = [("a", START_MS, 5), ("a", START_MS + WINDOW_MS, 3)]
    assert whole_windows(rows, WINDOW_MS) == []
    assert whole_windows(rows, WINDOW_MS + 1) == rows[:1]


def test_answers_of_a_small_run():
    answers = {job: answer(job, 30) for job in JOBS}
    first = payloads()[:30]
    by_user = {p.user: sum(q.user == p.user and q.amount > 25 for q in first) for p in first if p.amount > 25}
    assert answers == {"produce": "30", "consume": "30", "agent": digest(by_user.items()), "window": digest([])}


def test_the_window_answer_counts_every_event_of_a_whole_minute():
    made = payloads()
    counts: dict[str, int] = {}
    for i in range(WINDOW_MS):
        user = made[i % DISTINCT].user
        counts[user] = counts.get(user, 0) + 1
    assert answer("window", WINDOW_MS + 1) == digest((user, START_MS, n) for user, n in counts.items())
