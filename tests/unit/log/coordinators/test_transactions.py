"""Titles cite KIP-98 (transactions), KIP-360 (epoch bumps) and KIP-890 (an epoch a transaction)."""

from __future__ import annotations

import pytest

from streamflow.event import TopicPartition
from streamflow.log.coordinators.events import (
    AddPartitions,
    Effect,
    End,
    Event,
    Expire,
    Flush,
    Initialise,
    MarkersWritten,
    Opened,
    Persist,
    Persisted,
    PersistFailed,
    ProducerSession,
    WriteMarkers,
)
from streamflow.log.coordinators.transaction import EPOCH_MAX
from streamflow.log.coordinators.transaction_records import (
    TransactionStatus,
    decode_transaction_value,
    encode_transaction_key,
    encode_transaction_value,
)
from streamflow.log.coordinators.transactions import TransactionCoordinator
from streamflow.log.errors import ProducerFencedError, TransactionError

A, B = TopicPartition("a", 0), TopicPartition("b", 1)
S = TransactionStatus


class Harness:
    """Does what is ordered, in memory: `log` is `__transaction_state`."""

    def __init__(self) -> None:
        self.machine = TransactionCoordinator()
        self.log: list[tuple[bytes | None, bytes | None]] = []
        self.done: list[Effect] = []
        self.spare = 100

    def send(self, event: Event, now_ms: int = 0) -> ProducerSession | None:
        todo = list(self.machine.step(event, now_ms))
        opened = None
        while todo:
            effect = todo.pop(0)
            self.done.append(effect)
            match effect:
                case Persist():
                    row = (encode_transaction_key(effect.transactional_id), encode_transaction_value(effect.value))
                    self.log.append(row)
                    todo += self.machine.step(Persisted(transactional_id=effect.transactional_id), now_ms)
                case WriteMarkers():
                    todo += self.machine.step(MarkersWritten(transactional_id=effect.transactional_id), now_ms)
                case Opened():
                    opened = effect.session
            self.machine.check()
        return opened

    def open(self, name: str = "t", now_ms: int = 0) -> ProducerSession:
        self.spare += 1
        session = self.send(Initialise(transactional_id=name, timeout_ms=60, spare_producer_id=self.spare), now_ms)
        assert session is not None
        return session

    def add(self, session: ProducerSession, *partitions: TopicPartition, now_ms: int = 0) -> None:
        self.send(AddPartitions(session=session, partitions=frozenset(partitions)), now_ms)

    def end(self, session: ProducerSession, *, commit: bool = True, now_ms: int = 0) -> ProducerSession:
        self.done.clear()
        following = self.send(End(session=session, commit=commit, spare_producer_id=self.spare + 1), now_ms)
        return following or session

    def restart(self) -> Harness:
        other = Harness()
        other.log, other.spare = list(self.log), self.spare + 1000
        other.machine.load(other.log)
        return other


def statuses(effects: list[Effect]) -> list[str]:
    return [e.value.status.name if isinstance(e, Persist) else type(e).__name__ for e in effects]


def test_a_commit_flushes_decides_durably_and_then_marks() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    h.add(session, B)
    h.end(session)
    assert statuses(h.done) == ["Flush", "PREPARE_COMMIT", "WriteMarkers", "Opened"]
    flush, persist, markers, _ = h.done
    assert isinstance(flush, Flush) and flush.partitions == {A, B}
    assert isinstance(persist, Persist) and persist.durable and persist.value.partitions == {A, B}
    assert isinstance(markers, WriteMarkers) and markers.commit and markers.partitions == {A, B}
    assert markers.producer_epoch == session.producer_epoch


def test_an_abort_needs_nothing_durable() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    assert h.end(session, commit=False) == session
    assert statuses(h.done) == ["PREPARE_ABORT", "WriteMarkers"]
    assert isinstance(h.done[0], Persist) and not h.done[0].durable


def test_an_empty_transaction_costs_nothing() -> None:
    h = Harness()
    session = h.open()
    h.end(session)
    assert h.done == []


def test_kip_890_each_commit_bumps_the_epoch() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    following = h.end(session)
    assert (following.producer_id, following.producer_epoch) == (session.producer_id, session.producer_epoch + 1)
    with pytest.raises(ProducerFencedError):
        h.end(session)


def test_kip_98_opening_again_fences_the_producer_before() -> None:
    h = Harness()
    old, new = h.open(), h.open()
    assert new.producer_id == old.producer_id and new.producer_epoch > old.producer_epoch
    with pytest.raises(ProducerFencedError, match="'t' was taken over"):
        h.add(old, A)
    h.add(new, A)


def test_kip_98_opening_again_aborts_what_the_producer_before_left_open() -> None:
    h = Harness()
    old = h.open()
    h.add(old, A)
    h.done.clear()
    h.open()
    assert statuses(h.done) == ["PREPARE_ABORT", "WriteMarkers", "EMPTY", "Opened"]
    with pytest.raises(ProducerFencedError):
        h.end(old)


def test_a_record_that_replaces_a_decision_waits_until_its_markers_are_durable() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    session = h.end(session)
    h.add(session, B)
    h.end(session)
    assert isinstance(h.done[0], Flush) and h.done[0].partitions == {A, B}
    h = Harness()
    session = h.open()
    h.add(session, A)
    session = h.end(session)
    h.add(session, B)
    h.end(session, commit=False)
    assert isinstance(h.done[0], Flush) and h.done[0].partitions == {A}


def test_a_transaction_that_outlives_its_time_is_aborted_and_its_producer_fenced() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A, now_ms=1000)
    assert h.machine.deadline_ms() == 1060
    assert h.machine.expired(1059) == []
    assert h.machine.expired(1060) == ["t"]
    h.done.clear()
    h.send(Expire(transactional_id="t"), 1060)
    assert statuses(h.done) == ["PREPARE_ABORT", "WriteMarkers"]
    assert h.machine.deadline_ms() is None
    with pytest.raises(ProducerFencedError):
        h.end(session)


def test_expiry_of_a_transaction_that_has_ended_does_nothing() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    h.end(session)
    h.done.clear()
    h.send(Expire(transactional_id="t"), 10_000)
    assert h.done == []


def test_a_decision_that_could_not_be_written_leaves_the_transaction_open() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    h.machine.step(End(session=session, commit=True, spare_producer_id=9), 0)
    h.machine.step(PersistFailed(transactional_id="t"), 0)
    h.end(session, commit=False)
    assert statuses(h.done) == ["PREPARE_ABORT", "WriteMarkers"]


def test_markers_that_could_not_be_written_are_written_by_the_next_call() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    h.machine.step(End(session=session, commit=True, spare_producer_id=9), 0)
    h.machine.step(Persisted(transactional_id="t"), 0)
    with pytest.raises(TransactionError, match="the other way"):
        h.end(session, commit=False)
    h.end(session)
    assert statuses(h.done) == ["WriteMarkers", "Opened"]


def test_writing_to_a_transaction_that_is_being_ended_is_refused() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    h.machine.step(End(session=session, commit=True, spare_producer_id=9), 0)
    with pytest.raises(TransactionError, match="being ended"):
        h.add(session, B)


def test_recovery_finishes_a_decided_transaction_where_markers_are_missing() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A, B)
    h.end(session)
    again = h.restart()
    effects = again.machine.recover({B: [(session.producer_id, session.producer_epoch)]})
    markers, flush, persist = effects
    assert isinstance(markers, WriteMarkers) and markers.commit and markers.partitions == {B}
    assert isinstance(flush, Flush) and flush.partitions == {A, B}
    assert isinstance(persist, Persist) and persist.value.status is S.COMPLETE_COMMIT


def test_recovery_aborts_what_was_not_decided() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    effects = h.restart().machine.recover({A: [(session.producer_id, session.producer_epoch)], B: [(999, 0)]})
    assert all(isinstance(e, Flush) or (isinstance(e, WriteMarkers) and not e.commit) for e in effects)
    assert {w for e in effects if isinstance(e, WriteMarkers) for w in e.partitions} == {A, B}


def test_kip_890_recovery_does_not_commit_the_transaction_after_the_decided_one() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    following = h.end(session)
    h.add(following, A)
    effects = h.restart().machine.recover({A: [(following.producer_id, following.producer_epoch)]})
    assert isinstance(effects[0], WriteMarkers) and not effects[0].commit


def test_an_epoch_is_never_given_out_twice_whatever_record_is_the_last() -> None:
    h = Harness()
    session = h.open()
    used = {session.producer_epoch}
    for commit in (True, False, False, True, True):
        h.add(session, A)
        session = h.end(session, commit=commit)
        used.add(session.producer_epoch)
        again = h.restart()
        again.machine.recover({})
        assert again.open().producer_epoch not in used


def test_kip_360_an_exhausted_epoch_gets_another_producer_id() -> None:
    h = Harness()
    session = h.open()
    for _ in range(EPOCH_MAX + 1):
        h.add(session, A)
        following = h.end(session)
        assert following != session
        session = following
    assert session.producer_id == 102 and session.producer_epoch == 0


def test_a_value_is_kafkas_transaction_log_value_version_0() -> None:
    h = Harness()
    session = h.open()
    h.add(session, B, A, now_ms=5)
    h.end(session, now_ms=6)
    data = h.log[-1][1]
    assert data == (
        b"\x00\x00" + (101).to_bytes(8) + (0).to_bytes(2) + (60).to_bytes(4) + b"\x02"
        b"\x00\x00\x00\x02"
        b"\x00\x01a\x00\x00\x00\x01\x00\x00\x00\x00"
        b"\x00\x01b\x00\x00\x00\x01\x00\x00\x00\x01" + (6).to_bytes(8) + (5).to_bytes(8)
    )
    assert decode_transaction_value(data).partitions == {A, B}


def test_a_snapshot_replaces_all_records() -> None:
    h = Harness()
    session = h.open()
    h.add(session, A)
    session = h.end(session)
    h.add(session, B)
    assert h.machine.unsettled == {A}
    other = Harness()
    other.spare = 500
    other.log = list(h.machine.snapshot())
    other.machine.load(other.log)
    other.machine.recover({B: [(session.producer_id, session.producer_epoch)]})
    assert other.open().producer_epoch > session.producer_epoch
