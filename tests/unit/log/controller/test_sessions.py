from streamflow.log.controller.image import BrokerImage
from streamflow.log.controller.sessions import Sessions

ONE, TWO = (BrokerImage(broker_id=n, broker_epoch=n * 10) for n in (1, 2))
FENCED = BrokerImage(broker_id=3, broker_epoch=30, fenced=True)


def test_a_broker_is_silent_after_its_session() -> None:
    sessions = Sessions(9_000)
    sessions.hear(1, 10, now_ms=0)
    assert sessions.silent([ONE], 8_999) == []
    assert sessions.silent([ONE], 9_000) == [1]


def test_a_new_controller_gives_everybody_a_session() -> None:
    sessions = Sessions(9_000)
    sessions.begin([ONE, TWO, FENCED], 50_000)
    assert sessions.silent([ONE, TWO, FENCED], 58_999) == []
    assert sessions.silent([ONE, TWO, FENCED], 59_000) == [1, 2], "who is fenced can't be fenced again"
    assert not sessions.alive(3, 50_000)


def test_who_has_said_nothing_to_this_controller_is_silent() -> None:
    assert Sessions(9_000).silent([ONE], 0) == [1]


def test_another_life_is_another_session() -> None:
    sessions = Sessions(9_000)
    sessions.hear(1, 10, 0, applied=100).stopping_at = 5
    again = sessions.hear(1, 11, 0, applied=3)
    assert (again.applied, again.stopping_at) == (3, None)
    sessions.end(1)
    assert not sessions.alive(1, 0)


def test_others_know_what_they_have_applied() -> None:
    sessions = Sessions(9_000)
    sessions.hear(1, 10, 0, applied=1)
    sessions.hear(2, 20, 0, applied=7)
    assert sessions.known_to_others(1, 7, 0)
    assert not sessions.known_to_others(1, 8, 0)
    assert sessions.known_to_others(1, 8, 9_000), "the dead needn't know"
