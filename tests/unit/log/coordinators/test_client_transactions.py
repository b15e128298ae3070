"""Transactions of clients over the wire. Titles cite KIP-98, KIP-360 (producers that open again as themselves),
KIP-664 and KIP-890 (V2 and verification)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamflow.event import TopicPartition
from streamflow.log.coordinators.events import (
    AddPartitions,
    Effect,
    End,
    Event,
    Expire,
    Flush,
    Forget,
    Forgotten,
    Initialise,
    MarkersWritten,
    Opened,
    Persist,
    Persisted,
    PersistFailed,
    ProducerSession,
    Retire,
    WriteMarkers,
)
from streamflow.log.coordinators.transaction import EPOCH_MAX
from streamflow.log.coordinators.transaction_records import (
    TransactionStatus,
    TransactionVersion,
    encode_transaction_key,
    encode_transaction_value,
)
from streamflow.log.coordinators.transactions import TransactionCoordinator, TransactionFilter
from streamflow.log.errors import (
    ConcurrentTransactionsError,
    InvalidProducerEpochError,
    InvalidProducerIdMappingError,
    PartitionNotAddedError,
    ProducerFencedError,
    TransactionalIdNotFoundError,
    TransactionError,
)

A, B = TopicPartition("a", 0), TopicPartition("b", 1)
S, V1, V2 = TransactionStatus, TransactionVersion.V1, TransactionVersion.V2
BOTH = pytest.mark.parametrize("version", [V1, V2])
Open = dict[TopicPartition, list[tuple[int, int]]]


class Journal:
    """Does what is ordered, in memory: `log` is `__transaction_state`."""

    def __init__(self) -> None:
        self.machine = TransactionCoordinator()
        self.log: list[tuple[bytes, bytes | None]] = []
        self.done: list[Effect] = []
        self.spare = 100

    def send(self, event: Event, now_ms: int = 0) -> ProducerSession | None:
        self.done.clear()
        todo, opened = list(self.machine.step(event, now_ms)), None
        while todo:
            effect = todo.pop(0)
            self.done.append(effect)
            match effect:
                case Persist():
                    key = encode_transaction_key(effect.transactional_id)
                    self.log.append((key, encode_transaction_value(effect.value)))
                    todo += self.machine.step(Persisted(transactional_id=effect.transactional_id), now_ms)
                case WriteMarkers():
                    todo += self.machine.step(MarkersWritten(transactional_id=effect.transactional_id), now_ms)
                case Forget():
                    self.log.append((encode_transaction_key(effect.transactional_id), None))
                    todo += self.machine.step(Forgotten(transactional_id=effect.transactional_id), now_ms)
                case Opened():
                    opened = effect.session
            self.machine.check()
        return opened

    def open(self, expected: tuple[int, int] | None = None, name: str = "t", now_ms: int = 0) -> ProducerSession:
        self.spare += 1
        event = Initialise(
            transactional_id=name, timeout_ms=60, spare_producer_id=self.spare, version=V1, expected=expected
        )
        session = self.send(event, now_ms)
        assert session is not None
        return session

    def add(self, session: ProducerSession, *partitions: TopicPartition, version: TransactionVersion = V1) -> None:
        self.send(AddPartitions(session=session, partitions=frozenset(partitions), version=version))

    def end(
        self, session: ProducerSession, version: TransactionVersion, *, commit: bool = True, now_ms: int = 0
    ) -> ProducerSession:
        self.spare += 1
        following = self.send(
            End(session=session, commit=commit, spare_producer_id=self.spare, version=version), now_ms
        )
        assert following is not None
        return following

    def restart(self, open_transactions: Open) -> list[Effect]:
        """Returns: what is ordered first."""
        self.machine = TransactionCoordinator()
        self.machine.load(self.log)
        effects = self.machine.recover(open_transactions)
        for effect in effects:
            if isinstance(effect, Persist):
                key = encode_transaction_key(effect.transactional_id)
                self.log.append((key, encode_transaction_value(effect.value)))
        self.machine.check()
        return effects

    @property
    def status(self) -> TransactionStatus:
        return self.machine.describe("t").status


def names(effects: list[Effect]) -> list[str]:
    return [e.value.status.name if isinstance(e, Persist) else type(e).__name__ for e in effects]


def bumped(session: ProducerSession, by: int = 1) -> ProducerSession:
    return replace(session, producer_epoch=session.producer_epoch + by)


# A transaction, as it should go


@BOTH
def test_a_transaction_is_durable_before_the_client_is_told_that_it_has_a_partition(
    version: TransactionVersion,
) -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, version=version)
    (persist,) = j.done
    assert isinstance(persist, Persist) and persist.durable and persist.value.partitions == {A}
    j.add(session, B, version=version)
    (persist,) = j.done
    assert isinstance(persist, Persist) and persist.value.partitions == {A, B}
    j.add(session, A, B, version=version)
    assert j.done == []


def test_kip_98_v1_keeps_the_epoch() -> None:
    j = Journal()
    session = j.open()
    for commit in (True, False):
        j.add(session, A)
        assert j.end(session, V1, commit=commit) == session
        markers = next(e for e in j.done if isinstance(e, WriteMarkers))
        assert (markers.producer_epoch, markers.commit) == (session.producer_epoch, commit)


def test_kip_890_v2_bumps_the_epoch_with_each_end_and_its_markers_fence_the_one_before() -> None:
    j = Journal()
    session = j.open()
    for commit in (True, False):
        j.add(session, A, version=V2)
        following = j.end(session, V2, commit=commit)
        assert following == bumped(session)
        markers = next(e for e in j.done if isinstance(e, WriteMarkers))
        assert (markers.producer_epoch, markers.commit) == (following.producer_epoch, commit)
        session = following


@BOTH
@pytest.mark.parametrize("commit", [True, False])
def test_the_next_transaction_begins_when_the_markers_of_the_one_before_are_durable(
    version: TransactionVersion, commit: bool
) -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, version=version)
    session = j.end(session, version, commit=commit)
    j.add(session, B, version=version)
    assert names(j.done) == ["Flush", "ONGOING"]
    assert isinstance(j.done[0], Flush) and j.done[0].partitions == {A}


@BOTH
def test_both_outcomes_are_durable_before_a_marker_is_written(version: TransactionVersion) -> None:
    for commit in (True, False):
        j = Journal()
        session = j.open()
        j.add(session, A, version=version)
        j.end(session, version, commit=commit)
        persist = next(e for e in j.done if isinstance(e, Persist))
        assert persist.durable and j.done.index(persist) < next(
            n for n, e in enumerate(j.done) if isinstance(e, WriteMarkers)
        )


# Ends that come twice, late, or to nothing


def test_a_repeated_end_of_v1_succeeds_where_the_outcome_is_the_same() -> None:
    for commit in (True, False):
        j = Journal()
        session = j.open()
        j.add(session, A)
        j.end(session, V1, commit=commit)
        assert j.end(session, V1, commit=commit) == session
        assert names(j.done) == ["Opened"]
        with pytest.raises(TransactionError, match="no transaction to"):
            j.end(session, V1, commit=not commit)


def test_v1_has_nothing_to_end_before_its_first_transaction() -> None:
    j = Journal()
    session = j.open()
    for commit in (True, False):
        with pytest.raises(TransactionError, match="in state Empty"):
            j.end(session, V1, commit=commit)


def test_kip_890_table_of_v2_ends() -> None:
    """Kafka's `TransactionCoordinator.endTransaction`: rows are states, columns abort and commit, each asked again with
    the epoch before and asked with the current one."""
    refused: dict[str, type[Exception]] = {"PF": ProducerFencedError, "ITS": TransactionError}
    table = {
        "Empty": ("PF", "bump", "PF", "ITS"),
        "CompleteAbort": ("same", "bump", "ITS", "ITS"),
        "CompleteCommit": ("ITS", "bump", "same", "ITS"),
    }
    for state, answers in table.items():
        for (commit, again), answer in zip(
            [(False, True), (False, False), (True, True), (True, False)], answers, strict=True
        ):
            j = Journal()
            session = j.open()
            if state != "Empty":
                j.add(session, A, version=V2)
                session = j.end(session, V2, commit=state == "CompleteCommit")
            assert j.status.title == state
            asking = bumped(session, -1) if again else session
            if answer in refused:
                with pytest.raises(refused[answer]) as raised:
                    j.end(asking, V2, commit=commit)
                assert isinstance(raised.value, TransactionError) == (answer == "ITS")
                assert j.machine.describe("t").producer_epoch == session.producer_epoch
            else:
                assert j.end(asking, V2, commit=commit) == bumped(session, answer == "bump")


def test_kafka_17754_a_late_end_of_v2_does_not_decide_the_transaction_that_follows() -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, version=V2)
    following = j.end(session, V2)
    j.add(following, A, version=V2)
    for commit in (True, False):
        with pytest.raises(ProducerFencedError):
            j.end(session, V2, commit=commit)
    assert j.status is S.ONGOING


def test_a_late_end_of_v1_ends_the_transaction_that_follows_since_nothing_tells_the_two_apart() -> None:
    j = Journal()
    session = j.open()
    j.add(session, A)
    j.end(session, V1)
    j.add(session, B)
    j.end(session, V1)
    assert j.status is S.COMPLETE_COMMIT


def test_an_end_that_is_being_carried_out_is_not_overtaken() -> None:
    j = Journal()
    session = j.open()
    j.add(session, A)
    j.machine.step(End(session=session, commit=True, spare_producer_id=9, version=V1), 0)
    for version in (V1, V2):
        with pytest.raises(ConcurrentTransactionsError):
            j.end(session, version)
        with pytest.raises(ConcurrentTransactionsError):
            j.add(session, B, version=version)


@BOTH
def test_markers_that_could_not_be_written_are_written_when_the_clock_asks(version: TransactionVersion) -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, version=version)
    j.machine.step(End(session=session, commit=True, spare_producer_id=9, version=version), 0)
    j.machine.step(Persisted(transactional_id="t"), 0)
    assert j.machine.expired(0) == ["t"]
    j.send(Expire(transactional_id="t"))
    assert "WriteMarkers" in names(j.done) and j.status is S.COMPLETE_COMMIT
    assert j.machine.expired(0) == []


@BOTH
def test_what_could_not_be_made_durable_has_not_happened(version: TransactionVersion) -> None:
    j = Journal()
    session = j.open()

    def fail(event: Event) -> None:
        j.machine.step(event, 0)
        j.machine.step(PersistFailed(transactional_id="t"), 0)

    fail(AddPartitions(session=session, partitions=frozenset((A,)), version=version))
    with pytest.raises(PartitionNotAddedError):
        j.machine.verify(session, A)
    j.add(session, A, version=version)
    before = j.machine.describe("t")
    fail(End(session=session, commit=True, spare_producer_id=9, version=version))
    fail(Expire(transactional_id="t"))
    fail(Initialise(transactional_id="t", timeout_ms=60, spare_producer_id=9, version=V1))
    assert j.machine.describe("t") == before
    j.machine.verify(session, A)
    j.end(session, version)


def test_an_id_whose_first_record_could_not_be_written_is_not_known() -> None:
    j = Journal()
    j.machine.step(Initialise(transactional_id="t", timeout_ms=60, spare_producer_id=9, version=V1), 0)
    j.machine.step(PersistFailed(transactional_id="t"), 0)
    with pytest.raises(TransactionalIdNotFoundError):
        j.machine.describe("t")


# Who may go on


@BOTH
def test_another_producers_requests_are_refused(version: TransactionVersion) -> None:
    j = Journal()
    session = j.open()
    other = replace(session, producer_id=999)
    unknown = replace(session, transactional_id="u")
    for wrong in (other, unknown):
        for call in (lambda s: j.add(s, A, version=version), lambda s: j.end(s, version)):
            with pytest.raises(InvalidProducerIdMappingError):
                call(wrong)
        with pytest.raises(InvalidProducerIdMappingError):
            j.machine.verify(wrong, A)
    for wrong in (bumped(session), bumped(session, -1)):
        with pytest.raises(ProducerFencedError):
            j.add(wrong, A, version=version)
        with pytest.raises(InvalidProducerEpochError):
            j.machine.verify(wrong, A)


def test_kip_890_only_partitions_of_the_ongoing_transaction_are_verified() -> None:
    j = Journal()
    session = j.open()
    with pytest.raises(PartitionNotAddedError):
        j.machine.verify(session, A)
    j.add(session, A)
    j.machine.verify(session, A)
    with pytest.raises(PartitionNotAddedError):
        j.machine.verify(session, B)
    j.machine.step(End(session=session, commit=True, spare_producer_id=9, version=V1), 0)
    with pytest.raises(ConcurrentTransactionsError):
        j.machine.verify(session, A)
    j.machine.step(Persisted(transactional_id="t"), 0)
    with pytest.raises(ConcurrentTransactionsError):
        j.machine.verify(session, A)
    j.machine.step(MarkersWritten(transactional_id="t"), 0)
    with pytest.raises(PartitionNotAddedError):
        j.machine.verify(session, A)


@BOTH
def test_opening_again_aborts_what_was_left_open_and_fences(version: TransactionVersion) -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, version=version)
    new = j.open()
    assert names(j.done) == ["PREPARE_ABORT", "WriteMarkers", "Flush", "EMPTY", "Opened"]
    assert new == bumped(session, 2)
    for call in (lambda: j.add(session, A, version=version), lambda: j.end(session, version, commit=False)):
        with pytest.raises(ProducerFencedError):
            call()


def test_kip_360_a_producer_opens_again_as_itself_and_its_request_may_come_twice() -> None:
    j = Journal()
    session = j.open()
    again = j.open((session.producer_id, session.producer_epoch))
    assert again == bumped(session)
    assert j.open((session.producer_id, session.producer_epoch)) == again
    assert j.open((again.producer_id, again.producer_epoch)) == bumped(again)


def test_kip_360_a_producer_that_was_replaced_does_not_open_as_itself_or_disturb_who_replaced_it() -> None:
    j = Journal()
    old = j.open()
    new = j.open()
    j.add(new, A)
    for expected in ((old.producer_id, old.producer_epoch), (77, 0)):
        with pytest.raises(ProducerFencedError, match="was replaced"):
            j.open(expected)
    j.machine.verify(new, A)


def test_kip_360_a_request_that_comes_again_does_not_abort_what_its_producer_has_begun() -> None:
    j = Journal()
    old = j.open()
    new = j.open((old.producer_id, old.producer_epoch))
    j.add(new, A)
    with pytest.raises(ProducerFencedError):
        j.open((old.producer_id, old.producer_epoch))
    j.machine.verify(new, A)


def test_kip_360_an_id_that_was_forgotten_gets_a_new_producer() -> None:
    assert Journal().open((77, 5)).producer_epoch == 0


@BOTH
def test_a_transaction_that_outlives_its_time_is_aborted_and_its_producer_fenced(version: TransactionVersion) -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, version=version)
    j.send(Expire(transactional_id="t"), 60)
    persist, markers, *_ = j.done
    assert isinstance(persist, Persist) and persist.durable
    assert isinstance(markers, WriteMarkers) and not markers.commit
    assert markers.producer_epoch == session.producer_epoch + 1
    with pytest.raises(InvalidProducerEpochError):
        j.machine.verify(session, A)
    with pytest.raises((ProducerFencedError, TransactionError)):
        j.end(session, version, commit=True)
    if version is V1:
        with pytest.raises(ProducerFencedError):
            j.end(session, version, commit=False)
    else:
        assert j.end(session, version, commit=False) == bumped(session), "as Kafka: it may abort, and go on"


@BOTH
def test_kip_588_a_producer_whose_time_ran_out_opens_again_as_itself_unless_another_has_opened(
    version: TransactionVersion,
) -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, version=version)
    j.send(Expire(transactional_id="t"), 60)
    expected = (session.producer_id, session.producer_epoch)
    assert j.open(expected) == bumped(session)
    j.open()
    with pytest.raises(ProducerFencedError):
        j.open(expected)


@BOTH
def test_kip_360_opening_as_itself_aborts_what_it_has_open_and_may_come_twice_across_a_restart(
    version: TransactionVersion,
) -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, version=version)
    expected = (session.producer_id, session.producer_epoch)
    rows = len(j.log)
    new = j.open(expected)
    assert names(j.done) == ["PREPARE_ABORT", "WriteMarkers", "Flush", "EMPTY", "Opened"]
    assert new == bumped(session)
    assert j.open(expected) == new
    for written in (2, 1):
        del j.log[rows + written :]
        j.restart({})
        assert j.open(expected) == new
    j.add(new, A)


def test_an_exhausted_producer_that_another_replaced_does_not_get_what_that_one_has() -> None:
    j = Journal()
    session = exhausted(j)
    j.open()
    with pytest.raises(ProducerFencedError):
        j.open((session.producer_id, session.producer_epoch))


# Epochs that are used up


def exhausted(j: Journal) -> ProducerSession:
    session = j.open()
    while session.producer_epoch < EPOCH_MAX:
        session = j.open()
    return session


def test_kip_360_opening_with_the_last_epoch_gives_another_producer_id_and_may_come_twice() -> None:
    j = Journal()
    session = exhausted(j)
    expected = (session.producer_id, session.producer_epoch)
    new = j.open(expected)
    assert new.producer_id != session.producer_id and new.producer_epoch == 0
    assert j.open(expected) == new
    j.add(new, A)
    with pytest.raises(ProducerFencedError):
        j.open(expected)


@pytest.mark.parametrize("commit", [True, False])
def test_kip_890_ending_with_the_last_epoch_gives_another_producer_id_and_may_come_twice(commit: bool) -> None:
    j = Journal()
    session = exhausted(j)
    j.add(session, A, version=V2)
    new = j.end(session, V2, commit=commit)
    markers = next(e for e in j.done if isinstance(e, WriteMarkers))
    assert (markers.producer_id, markers.producer_epoch) == (session.producer_id, EPOCH_MAX + 1)
    assert new.producer_id != session.producer_id and new.producer_epoch == 0
    assert j.end(session, V2, commit=commit) == new
    j.restart({})
    assert j.end(session, V2, commit=commit) == new, "after a restart too"
    j.add(new, A, version=V2)
    with pytest.raises(ProducerFencedError):
        j.end(session, V2, commit=commit)


def test_a_producer_that_is_fenced_with_its_last_epoch_never_gets_the_one_kept_for_that() -> None:
    j = Journal()
    session = exhausted(j)
    j.add(session, A, version=V2)
    j.send(Expire(transactional_id="t"), 60)
    assert j.machine.describe("t").producer_epoch == EPOCH_MAX + 1
    with pytest.raises(ProducerFencedError):
        j.end(session, V2, commit=False)
    assert j.open().producer_epoch == 0


# Restarts


@BOTH
def test_an_ongoing_transaction_goes_on_after_a_restart(version: TransactionVersion) -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, B, version=version)
    assert j.restart({A: [(session.producer_id, session.producer_epoch)]}) == []
    j.machine.verify(session, A)
    j.machine.verify(session, B)
    assert j.machine.deadline_ms() == 60
    j.end(session, version)
    markers = next(e for e in j.done if isinstance(e, WriteMarkers))
    assert markers.partitions == {A, B} and markers.commit


@BOTH
@pytest.mark.parametrize("commit", [True, False])
def test_a_decided_transaction_gets_its_markers_after_a_restart_and_its_client_the_same_answer(
    version: TransactionVersion, commit: bool
) -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, B, version=version)
    following = j.end(session, version, commit=commit)
    markers, flush, persist = j.restart({B: [(session.producer_id, session.producer_epoch)]})
    assert isinstance(markers, WriteMarkers) and markers.partitions == {B} and markers.commit is commit
    assert markers.producer_epoch == following.producer_epoch
    assert isinstance(flush, Flush) and flush.partitions == {A, B}
    assert isinstance(persist, Persist) and persist.durable and not persist.value.partitions
    assert j.end(session, version, commit=commit) == following
    j.add(following, A, version=version)


@BOTH
def test_a_transaction_that_journal_and_partitions_disagree_about_is_aborted_whole_and_its_client_fenced(
    version: TransactionVersion,
) -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, version=version)
    mine = (session.producer_id, session.producer_epoch)
    effects = j.restart({A: [mine], B: [mine]})
    marked = {w: e.commit for e in effects if isinstance(e, WriteMarkers) for w in e.partitions}
    assert marked == {A: False, B: False}
    with pytest.raises(ProducerFencedError):
        j.add(session, A, version=version)
    assert j.open().producer_epoch > session.producer_epoch + 1


def test_a_client_whose_transaction_the_journal_lost_is_fenced() -> None:
    j = Journal()
    session = j.open()
    effects = j.restart({A: [(session.producer_id, session.producer_epoch)]})
    assert names(effects) == ["WriteMarkers", "Flush", "COMPLETE_ABORT"]
    with pytest.raises(ProducerFencedError):
        j.add(session, B)


def test_kip_890_v2_what_was_written_after_a_decided_transaction_is_not_committed_with_it() -> None:
    j = Journal()
    session = j.open()
    j.add(session, A, version=V2)
    following = j.end(session, V2)
    effects = j.restart({A: [(following.producer_id, following.producer_epoch)]})
    assert [e.commit for e in effects if isinstance(e, WriteMarkers)] == [False]


def test_a_snapshot_keeps_what_clients_have_ongoing() -> None:
    j = Journal()
    session, other = j.open(), j.open(name="u")
    j.add(session, A)
    j.add(other, B, version=V2)
    following = j.end(other, V2)
    rows = j.machine.snapshot()
    assert j.machine.unsettled == {B}
    j.log = [(k, v) for k, v in rows]
    assert j.restart({A: [(session.producer_id, session.producer_epoch)]}) == []
    j.machine.verify(session, A)
    assert j.end(other, V2) == following


def test_an_embedded_producer_takes_an_id_over_and_gives_it_back() -> None:
    j = Journal()
    session = j.open()
    j.add(session, A)
    embedded = j.send(Initialise(transactional_id="t", timeout_ms=60, spare_producer_id=7))
    assert embedded is not None and embedded.producer_epoch > session.producer_epoch
    j.send(AddPartitions(session=embedded, partitions=frozenset((B,))))
    assert j.done == []
    effects = j.restart({B: [(embedded.producer_id, embedded.producer_epoch)]})
    assert [e.commit for e in effects if isinstance(e, WriteMarkers)] == [False]
    assert j.open().producer_epoch > embedded.producer_epoch


# Ids that nobody uses, and what administrators ask


def test_ids_that_clients_do_not_use_are_forgotten_but_none_that_is_open_or_embedded() -> None:
    j = Journal()
    idle, ongoing = j.open(name="idle"), j.open(name="ongoing")
    j.send(Initialise(transactional_id="embedded", timeout_ms=60, spare_producer_id=7))
    j.add(idle, A)
    j.end(idle, V1)
    j.add(ongoing, B)
    j.open(name="later", now_ms=11)
    assert j.machine.idle_since(10) == ["idle"]
    for name in ("idle", "ongoing", "embedded", "later", "unknown"):
        j.send(Retire(transactional_id=name, before_ms=10))
        assert names(j.done) == (["Flush", "Forget"] if name == "idle" else [])
    with pytest.raises(InvalidProducerIdMappingError):
        j.add(idle, A)
    j.restart({})
    with pytest.raises(TransactionalIdNotFoundError):
        j.machine.describe("idle")


def test_kip_664_transactions_are_listed_by_state_producer_time_and_name() -> None:
    j = Journal()
    first, second = j.open(name="first"), j.open(name="second")
    j.add(first, A)

    def found(now_ms: int = 50, **wanted: object) -> list[str]:
        return [name for name, _ in j.machine.find(TransactionFilter(**wanted), now_ms)]  # type: ignore[arg-type]

    assert found() == ["first", "second"]
    assert found(statuses=frozenset({S.ONGOING})) == ["first"]
    assert found(statuses=frozenset()) == [], "a filter of unknown states takes none"
    assert found(producer_ids=frozenset({second.producer_id})) == ["second"]
    assert found(running_longer_ms=50) == ["second"], "as Kafka: one that hasn't begun has no time"
    assert found(running_longer_ms=49) == ["first", "second"]
    assert found(matches=lambda name: name < "g") == ["first"]
