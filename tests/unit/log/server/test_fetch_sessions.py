"""Against the table of KIP-227, "Full fetch requests" and "Incremental fetch requests"."""

from __future__ import annotations

import pytest

from streamflow.log.protocol.errors import ErrorCode
from streamflow.log.protocol.messages import fetch_request, fetch_response
from streamflow.log.server import fetch_sessions as fetch_sessions_module
from streamflow.log.server.fetch_sessions import SESSIONS_MAX, FetchSessions, Session


def request(session_id: int, epoch: int, offsets: dict[str, int], forget: str = "") -> fetch_request.FetchRequest:
    """Of partition 0 of each topic."""
    topics = [
        fetch_request.FetchTopic(topic=t, partitions=[fetch_request.FetchPartition(fetch_offset=o)])
        for t, o in offsets.items()
    ]
    forgotten = [fetch_request.ForgottenTopic(topic=t, partitions=[0]) for t in forget]
    return fetch_request.FetchRequest(
        session_id=session_id, session_epoch=epoch, topics=topics, forgotten_topics_data=forgotten
    )


def begun(sessions: FetchSessions, **offsets: int) -> Session:
    session = sessions.begin(request(0, 0, offsets))
    assert isinstance(session, Session)
    return session


def wanted(session: Session | ErrorCode) -> dict[str, int]:
    assert isinstance(session, Session)
    return {key[0]: w.offset for key, w in session.wanted.items()}


def test_a_full_fetch_begins_a_session_unless_it_says_that_it_wants_none() -> None:
    sessions = FetchSessions()
    assert begun(sessions, a=1).id > 0
    alone = sessions.begin(request(0, -1, {"a": 1}))
    assert isinstance(alone, Session)
    assert (alone.id, len(sessions)) == (0, 1)


def test_a_session_remembers_changes_and_forgets() -> None:
    sessions = FetchSessions()
    session = begun(sessions, a=1, b=2)
    assert wanted(sessions.begin(request(session.id, 1, {}))) == {"a": 1, "b": 2}
    assert list(wanted(sessions.begin(request(session.id, 2, {"a": 5})))) == ["b", "a"], (
        "named again, it goes to the end"
    )
    assert wanted(sessions.begin(request(session.id, 3, {"c": 0}, forget="b"))) == {"a": 5, "c": 0}


def test_epochs_count_the_requests_and_wrap_to_one() -> None:
    sessions = FetchSessions()
    session = begun(sessions, a=1)
    assert sessions.begin(request(session.id, 2, {})) == ErrorCode.invalid_fetch_session_epoch
    session.epoch = 2**31 - 1
    assert isinstance(sessions.begin(request(session.id, 2**31 - 1, {})), Session)
    assert isinstance(sessions.begin(request(session.id, 1, {})), Session)


def test_a_session_ends_when_its_client_says_so() -> None:
    sessions = FetchSessions()
    session = begun(sessions, a=1)
    assert wanted(sessions.begin(request(session.id, -1, {"a": 1}))) == {"a": 1}
    assert sessions.begin(request(session.id, 1, {})) == ErrorCode.fetch_session_id_not_found


def test_a_session_is_replaced_by_another_when_its_client_begins_anew() -> None:
    sessions = FetchSessions()
    session = begun(sessions, a=1)
    other = sessions.begin(request(session.id, 0, {"b": 2}))
    assert isinstance(other, Session) and other.id not in (0, session.id)
    assert wanted(other) == {"b": 2}
    assert sessions.begin(request(session.id, 1, {})) == ErrorCode.fetch_session_id_not_found
    assert isinstance(sessions.begin(request(other.id, 1, {})), Session)


def test_a_new_session_replaces_the_one_used_longest_ago_when_all_places_are_taken() -> None:
    sessions = FetchSessions()
    first, second = begun(sessions, a=1), begun(sessions, a=1)
    for _ in range(SESSIONS_MAX - 2):
        begun(sessions, a=1)
    assert isinstance(sessions.begin(request(first.id, 1, {})), Session)
    begun(sessions, a=1)
    assert len(sessions) == SESSIONS_MAX
    assert isinstance(sessions.begin(request(first.id, 2, {})), Session)
    assert sessions.begin(request(second.id, 1, {})) == ErrorCode.fetch_session_id_not_found


def test_records_errors_and_moved_watermarks_are_news_and_each_is_told_once() -> None:
    session = Session(1)
    key = ("a", b"", 0)

    def data(**given: object) -> fetch_response.PartitionData:
        return fetch_response.PartitionData(**{"records": [], "high_watermark": 5, **given})

    assert session.has_news(key, data())
    assert not session.has_news(key, data())
    assert session.has_news(key, data(high_watermark=6))
    assert session.has_news(key, data(high_watermark=6, records=[b"x"]))
    assert session.has_news(key, data(high_watermark=6, error_code=1))
    assert session.has_news(key, data(high_watermark=6)), "after an error all is told again"


def test_sessions_hold_no_more_partitions_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_sessions_module, "PARTITIONS_MAX", 5)
    sessions = FetchSessions()
    first, second = begun(sessions, a=0, b=0), begun(sessions, a=0, b=0)
    assert wanted(sessions.begin(request(first.id, 1, {}))) == {"a": 0, "b": 0}
    third = begun(sessions, a=0, b=0)
    assert sessions.begin(request(second.id, 1, {})) == ErrorCode.fetch_session_id_not_found, "used longest ago"
    assert isinstance(sessions.begin(request(first.id, 2, {}, forget="a")), Session)
    assert isinstance(sessions.begin(request(third.id, 1, {"c": 0, "d": 0})), Session), "what is forgotten makes room"
    assert len(sessions) == 2


def test_a_session_that_is_too_large_by_itself_is_served_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_sessions_module, "PARTITIONS_MAX", 3)
    sessions = FetchSessions()
    assert begun(sessions, a=0, b=0, c=0, d=0).id == 0
    grown = begun(sessions, a=0)
    answered = sessions.begin(request(grown.id, 1, {"b": 0, "c": 0, "d": 0}))
    assert list(wanted(answered)) == ["a", "b", "c", "d"]
    assert isinstance(answered, Session) and answered.id == 0, "the client is told that its session has ended"
    assert len(sessions) == 0
    assert begun(sessions, a=0, b=0, c=0).id > 0, "nothing of them is counted any more"
