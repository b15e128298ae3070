"""Random walks of the transaction coordinator with clients of both generations.

The coordinator dies before any of its effects, with or without the power: of what wasn't flushed, each file keeps any
beginning. Clients send requests again whose answers they never got, and the network delivers old ones once more.
Instances of one id replace each other. What must hold, whatever happens:

- a transaction is visible whole or not at all; whole, if its client was told that it is committed; not at all, if it
  was told that it is aborted, or never asked to commit;
- what a client was told that it has ongoing can be gone on with, until another instance or the time ends it;
- nothing hangs: what no client can end any more is ended by the clock.

Of V1, ends that come so late that they meet the next transaction are left out: nobody can tell them apart.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

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
    ProducerSession,
    WriteMarkers,
)
from streamflow.log.coordinators.transaction_records import (
    TransactionVersion,
    encode_transaction_key,
    encode_transaction_value,
)
from streamflow.log.coordinators.transactions import TransactionCoordinator
from streamflow.log.errors import ConcurrentTransactionsError, LogError, ProducerFencedError
from streamflow.log.records import TRANSACTIONAL, BatchHeader, Marker, Producer, build_marker, parse_header
from streamflow.log.storage.producers import Producers

PARTITIONS = [TopicPartition("a", 0), TopicPartition("b", 0)]
V = TransactionVersion
TIMEOUT_MS = 10


class CrashedError(Exception):
    pass


@dataclass
class File:
    """`rows` up to `flushed` survive a power cut; of the others, a beginning."""

    rows: list[tuple[BatchHeader, str, bool | None]] = field(default_factory=list)
    flushed: int = 0


@dataclass
class Txn:
    """`tried` and `told` are outcomes: True is a commit."""

    name: str
    records: list[str] = field(default_factory=list)
    tried: set[bool] = field(default_factory=set)
    told: bool | None = None


@dataclass
class Instance:
    session: ProducerSession
    version: TransactionVersion
    sequences: dict[TopicPartition, int] = field(default_factory=dict)
    txn: Txn | None = None
    fenced: bool = False


def header(session: ProducerSession, sequence: int) -> BatchHeader:
    return BatchHeader(0, 61, 0, 0, TRANSACTIONAL, 0, 0, 0, session.producer_id, session.producer_epoch, sequence, 1)


class World:
    def __init__(self) -> None:
        self.now = 0
        self.journal: list[tuple[bytes, bytes | None]] = []
        self.journal_flushed = 0
        self.files = {w: File() for w in PARTITIONS}
        self.spare = 0
        self.crash_in: int | None = None
        self.crash_again_in: int | None = None
        self.keep = 0
        self.number = 0
        self.txns: list[Txn] = []
        self.late: list[End] = []
        self.delayed: list[tuple[Instance, ProducerSession, TopicPartition, int, str]] = []
        self.instances: dict[str, list[Instance]] = {"x": [], "y": []}
        self.start()

    # The coordinator's process

    def start(self) -> None:
        self.machine = TransactionCoordinator()
        self.machine.load(self.journal)
        self.known = {w: Producers() for w in PARTITIONS}
        for where, file in self.files.items():
            for offset, (batch, _, commit) in enumerate(file.rows):
                marker = None if commit is None else Marker(commit, 0)
                self.known[where].appended(batch, offset, marker=marker)
        found = {w: k.open_transactions() for w, k in self.known.items()}
        for effect in self.machine.recover({w: f for w, f in found.items() if f}):
            self.do(effect)
        self.machine.check()

    def crash(self) -> None:
        """`keep` says how much is kept of what wasn't flushed, all of it in every fourth; and when to die again."""
        self.crash_in, self.crash_again_in = self.crash_again_in, None
        if self.keep % 4:
            lost = [self.keep % 3, self.keep % 5, self.keep % 7]
            self.journal = self.journal[: max(self.journal_flushed, len(self.journal) - lost[0])]
            for file, n in zip(self.files.values(), lost[1:], strict=True):
                file.rows = file.rows[: max(file.flushed, len(file.rows) - n)]
        self.journal_flushed = len(self.journal)
        for file in self.files.values():
            file.flushed = len(file.rows)
        self.start()

    def do(self, effect: Effect) -> None:
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                raise CrashedError
        match effect:
            case Flush():
                for where in effect.partitions:
                    self.flush(where)
            case Persist():
                row = (encode_transaction_key(effect.transactional_id), encode_transaction_value(effect.value))
                self.journal.append(row)
                if effect.durable:
                    self.journal_flushed = len(self.journal)
            case Forget():
                self.journal.append((encode_transaction_key(effect.transactional_id), None))
            case WriteMarkers():
                self.mark(effect)

    def mark(self, effect: WriteMarkers) -> None:
        for where in effect.partitions:
            if self.known[where].open_since(effect.producer_id) is not None:
                producer = Producer(effect.producer_id, effect.producer_epoch)
                batch = parse_header(build_marker(commit=effect.commit, timestamp=0, producer=producer))
                self.append(where, batch, "", effect.commit)

    def append(self, where: TopicPartition, batch: BatchHeader, value: str, commit: bool | None = None) -> None:
        file = self.files[where]
        self.known[where].appended(batch, len(file.rows), marker=None if commit is None else Marker(commit, 0))
        file.rows.append((batch, value, commit))

    def flush(self, where: TopicPartition) -> None:
        self.files[where].flushed = len(self.files[where].rows)

    def send(self, event: Event, name: str) -> ProducerSession | None:
        opened, todo = None, list(self.machine.step(event, self.now))
        while todo:
            effect = todo.pop(0)
            self.do(effect)
            match effect:
                case Persist():
                    todo += self.machine.step(Persisted(transactional_id=name), self.now)
                case WriteMarkers():
                    todo += self.machine.step(MarkersWritten(transactional_id=name), self.now)
                case Forget():
                    todo += self.machine.step(Forgotten(transactional_id=name), self.now)
                case Opened():
                    opened = effect.session
            self.machine.check()
        return opened

    def ask(self, event: Event, name: str) -> ProducerSession | None:
        """As clients do: again, until there is an answer."""
        while True:
            try:
                return self.send(event, name)
            except CrashedError:
                self.restart()
            except ConcurrentTransactionsError:
                self.send(Expire(transactional_id=name), name)

    def restart(self) -> None:
        while True:
            try:
                self.crash()
            except CrashedError:
                continue
            return

    # Clients

    def open(self, name: str, version: TransactionVersion) -> None:
        self.spare += 1
        event = Initialise(transactional_id=name, timeout_ms=TIMEOUT_MS, spare_producer_id=self.spare, version=V.V1)
        session = self.ask(event, name)
        assert session is not None
        self.instances[name].append(Instance(session, version))

    def produce(self, instance: Instance, where: TopicPartition) -> None:
        name = instance.session.transactional_id
        if instance.txn is None:
            instance.txn = Txn(f"{name}{len(self.txns)}")
            self.txns.append(instance.txn)
        self.number += 1
        value = f"{instance.txn.name}.{self.number}"
        sequence = instance.sequences.get(where, 0)
        try:
            event = AddPartitions(session=instance.session, partitions=frozenset((where,)), version=instance.version)
            self.ask(event, name)
            self.receive(instance.session, where, sequence, value)
            instance.txn.records.append(value)
        except ProducerFencedError:
            self.fence(instance)
        instance.sequences[where] = sequence + 1

    def receive(self, session: ProducerSession, where: TopicPartition, sequence: int, value: str) -> None:
        self.machine.verify(session, where)
        batch = header(session, sequence)
        if self.known[where].check(batch) is None:
            self.append(where, batch, value)
        self.flush(where)

    def produce_and_give_up(self, instance: Instance, where: TopicPartition) -> None:
        """The batch is under way for so long that the client aborts, and goes on with another epoch (KIP-360)."""
        if instance.txn is None or instance.fenced:
            return
        self.number += 1
        value = f"{instance.txn.name}.{self.number}"
        self.delayed.append((instance, instance.session, where, instance.sequences.get(where, 0), value))
        instance.txn.records.append(value)
        self.end(instance, commit=False)
        if instance.fenced or instance.version is V.V2:
            return
        self.deliver_delayed(0)
        session = instance.session
        expected = (session.producer_id, session.producer_epoch)
        event = Initialise(
            transactional_id=session.transactional_id,
            timeout_ms=TIMEOUT_MS,
            spare_producer_id=0,
            version=V.V1,
            expected=expected,
        )
        try:
            opened = self.ask(event, session.transactional_id)
        except ProducerFencedError:
            self.fence(instance)
            return
        assert opened is not None
        instance.session, instance.sequences = opened, {}

    def deliver_delayed(self, number: int) -> None:
        if self.delayed:
            instance, session, where, sequence, value = self.delayed[-1 - number % len(self.delayed)]
            with suppress(LogError):
                if instance.version is V.V2:
                    event = AddPartitions(session=session, partitions=frozenset((where,)), version=V.V2)
                    self.ask(event, session.transactional_id)
                self.receive(session, where, sequence, value)

    def fence(self, instance: Instance) -> None:
        """Only another instance's opening, or the time, may have done this."""
        newest = self.instances[instance.session.transactional_id][-1]
        started = self.now >= TIMEOUT_MS
        assert instance is not newest or started or instance.fenced, f"{instance} was fenced for nothing"
        instance.fenced, instance.txn = True, None

    def end(self, instance: Instance, *, commit: bool) -> None:
        txn = instance.txn
        if txn is None or not txn.records:
            return
        name = instance.session.transactional_id
        self.spare += 1
        event = End(session=instance.session, commit=commit, spare_producer_id=self.spare, version=instance.version)
        txn.tried.add(commit)
        try:
            following = self.ask(event, name)
            assert following is not None
            txn.told = commit
        except ProducerFencedError:
            self.fence(instance)
            return
        except LogError:
            assert instance.version is V.V2 and commit, "its time ran out, and it may abort"
            following = self.ask(replace(event, commit=False), name)
            assert following is not None
            txn.told = False
        if instance.version is V.V2:
            assert following.producer_epoch == instance.session.producer_epoch + 1
            instance.sequences = {}
            self.late.append(event)
        instance.session, instance.txn = following, None

    def deliver_late(self, number: int) -> None:
        """An end of V2, of any transaction before."""
        if self.late:
            event = self.late[number % len(self.late)]
            name = event.session.transactional_id
            for commit in (event.commit, not event.commit):
                before = self.machine.describe(name)
                with suppress(LogError):
                    self.ask(replace(event, commit=commit), name)
                after = self.machine.describe(name)
                assert after == before, "it decided what it wasn't about"

    def advance(self) -> None:
        self.now += TIMEOUT_MS
        for name in self.machine.expired(self.now):
            self.ask(Expire(transactional_id=name), name)

    # What is visible

    def visible(self) -> set[str]:
        seen: set[str] = set()
        for file in self.files.values():
            pending: dict[int, list[str]] = {}
            for batch, value, commit in file.rows:
                if commit is None:
                    pending.setdefault(batch.producer_id, []).append(value)
                else:
                    ended = pending.pop(batch.producer_id, [])
                    assert not seen & set(ended), "nothing is there twice"
                    seen |= set(ended) if commit else set()
        return seen

    def check(self) -> None:
        seen = self.visible()
        for txn in self.txns:
            there = {value in seen for value in txn.records}
            assert len(there) <= 1, f"{txn} is torn"
            if txn.told is not None:
                assert there == {txn.told}, f"{txn} was told otherwise"
            assert True in txn.tried or there != {True}, f"{txn} was never to be committed"

    def finish(self) -> None:
        self.advance()
        self.check()
        assert all(k.first_open() is None for k in self.known.values()), "something hangs"


steps = st.tuples(
    st.sampled_from(
        ["produce"] * 5 + ["commit"] * 3 + ["abort"] * 2 + ["crash"] * 3 + ["open", "zombie", "late", "give up", "time"]
    ),
    st.sampled_from(["x", "y"]),
    st.integers(0, 3),
    st.none() | st.integers(0, 6),
    st.integers(0, 300),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, min_size=15, max_size=50), st.sampled_from([(V.V1, V.V2), (V.V2, V.V2), (V.V1, V.V1)]))
def test_whatever_happens_transactions_are_whole(
    walk: list[tuple[str, str, int, int | None, int]], versions: tuple[TransactionVersion, TransactionVersion]
) -> None:
    world = World()
    speak = dict(zip("xy", versions, strict=True))
    for action, name, number, crash_in, keep in walk:
        world.crash_in, world.keep = crash_in, keep
        world.crash_again_in = keep % 6 if keep > 200 else None
        instances = world.instances[name]
        if action == "open" or not instances:
            world.open(name, speak[name])
            continue
        instance = instances[number % len(instances)] if action == "zombie" else instances[-1]
        match action:
            case "produce":
                world.produce(instance, PARTITIONS[number % 2])
            case "commit" | "abort":
                world.end(instance, commit=action == "commit")
            case "zombie":
                world.produce(instance, PARTITIONS[number % 2])
                world.end(instance, commit=bool(number % 2))
            case "give up":
                world.produce_and_give_up(instance, PARTITIONS[number % 2])
            case "late":
                world.deliver_late(number)
                world.deliver_delayed(number)
            case "crash":
                world.restart()
            case "time":
                world.advance()
        world.check()
    world.crash_in = None
    world.finish()
