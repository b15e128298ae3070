"""Which batches were aborted, and which markers have nothing left to end."""

from __future__ import annotations

from streamflow.log.model import Aborted
from streamflow.log.records import Producer, build_batch, build_marker, parse_header, stamp
from streamflow.log.storage.passed_transactions import PassedTransactions


def data(pid: int, offset: int, *, transactional: bool = True):
    batch = build_batch([b"k", b"k"], [b"v", b"v"], [0, 0], producer=Producer(pid, 0, 0, transactional))
    stamp(batch, offset, 0)
    return parse_header(batch)


def marker(pid: int, offset: int):
    batch = build_marker(commit=False, timestamp=0, producer=Producer(pid, 0, -1, True))
    stamp(batch, offset, 0)
    return parse_header(batch)


def test_batches_from_an_aborted_transactions_first_to_its_marker_were_aborted() -> None:
    passed = PassedTransactions([Aborted(1, 10, 15), Aborted(1, 30, 33), Aborted(2, 11, 20)])
    assert [passed.data(data(1, offset)) for offset in (0, 8, 10, 13)] == [False, False, True, True]
    assert not passed.marker(marker(1, 15))
    assert [passed.data(data(1, offset)) for offset in (16, 30)] == [False, True]
    assert [passed.data(data(2, offset)) for offset in (11, 21)] == [True, False]
    assert [passed.data(data(3, offset)) for offset in (11, 30)] == [False, False]
    assert not passed.data(data(1, 31, transactional=False))


def test_a_marker_has_nothing_to_end_when_no_batch_of_its_producer_came_since_the_last() -> None:
    passed = PassedTransactions([Aborted(1, 10, 15), Aborted(2, 0, 3)])
    assert passed.marker(marker(2, 3))
    passed.data(data(1, 10))
    assert passed.marker(marker(2, 14))
    assert not passed.marker(marker(1, 15))
    assert passed.marker(marker(1, 16))
    passed.data(data(1, 17, transactional=False))
    assert passed.marker(marker(1, 19))
    assert passed.over == [Aborted(2, 0, 3)], "of the other a batch was there"


def test_behind_what_cannot_be_read_every_marker_may_have_something_to_end() -> None:
    passed = PassedTransactions([Aborted(1, 10, 15), Aborted(1, 16, 18)])
    assert passed.marker(marker(1, 15))
    passed.lose_sight()
    assert not passed.marker(marker(1, 18))
    assert not passed.marker(marker(2, 19))
    assert passed.over == [Aborted(1, 10, 15)]
