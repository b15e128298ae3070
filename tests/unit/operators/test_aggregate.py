"""Every aggregate against a few lines that read all values at once."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from math import inf, nan, sqrt
from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.codecs import tagged_hook
from streamflow.errors import ConfigError, EncodeError
from streamflow.operators.aggregate import (
    Fold,
    approx_distinct,
    collect,
    count,
    fold,
    max,
    mean,
    min,
    sum,
    top_k,
)
from streamflow.operators.base import OperatorFailed


class Payment(msgspec.Struct, frozen=True, order=True):
    amount: int
    card: str


def total(values):
    """Left to right, as the stream came."""
    result = None
    for value in values:
        result = value if result is None else result + value
    return result


def least(values, better):
    best = None
    for n, value in enumerate(values):
        if n == 0 or better(value, best):
            best = value
    return best


def average(values):
    return total(values) / len(values) if values else None


def greatest(values, k):
    return [v for v, _ in sorted(((v, n) for n, v in enumerate(values)), key=lambda p: (-p[0], p[1]))][:k]


def threefold(values):
    acc = 0
    for value in values:
        acc = acc * 3 + value
    return acc % 1_000_003


def at_once(values):
    distinct = approx_distinct()
    return distinct.value(distinct.add_many(b"", values) if values else b"")


CASES = {
    "count": (count("x"), len),
    "sum": (sum(), total),
    "min": (min(), lambda values: least(values, lambda a, b: a < b)),
    "max": (max(), lambda values: least(values, lambda a, b: a > b)),
    "mean": (mean(), average),
    "collect": (collect(limit=7), lambda values: values[:7]),
    "top_k": (top_k(3), lambda values: greatest(values, 3)),
    "approx_distinct": (approx_distinct(), at_once),  # how near that is, is a test of its own
    "fold": (fold(0, lambda acc, v: acc * 3 + v, result=lambda acc: acc % 1_000_003), threefold),
}

cuts = st.lists(st.integers(0, 40), max_size=6)
integers = st.lists(st.integers(-20, 20), max_size=40)
numbers = st.lists(st.one_of(st.integers(-20, 20), st.floats(-1e6, 1e6)), max_size=40)


def kept(aggregate, acc, kind: Any = Any):
    """The accumulator after it was written down and read back."""
    decoder = msgspec.msgpack.Decoder(aggregate.kept(kind), ext_hook=tagged_hook)
    return decoder.decode(msgspec.msgpack.encode(aggregate.plain(acc, kind)))


def folded(aggregate, values, positions, kind: Any = Any):
    """In pieces, with the state written down and read back between them."""
    acc = aggregate.initial()
    for a, b in pairwise([0, *sorted(p for p in positions if p < len(values)), len(values)]):
        if b > a:
            acc = kept(aggregate, aggregate.add_many(acc, column_of(aggregate, values[a:b])), kind)
    return acc


def column_of(aggregate, values):
    return [aggregate.field(v) for v in values] if callable(aggregate.field) else values


@pytest.mark.parametrize("name", CASES)
@given(integers, cuts)
def test_an_aggregate_is_that_of_the_whole_however_it_is_cut_and_restored(name, values, positions) -> None:
    aggregate, oracle = CASES[name]
    got, want = aggregate.value(folded(aggregate, values, positions)), oracle(values)
    assert got == want
    assert type(got) is type(want)


@pytest.mark.parametrize("name", ["sum", "mean", "min", "max"])
@given(st.lists(st.one_of(st.floats(), st.sampled_from([nan, inf, -inf, 0.1])), max_size=40), cuts)
def test_floats_come_to_the_same_last_digit_however_they_are_cut_nan_and_infinity_included(
    name, values, positions
) -> None:
    aggregate, oracle = CASES[name]
    got, want = aggregate.value(folded(aggregate, values, positions)), oracle(values)
    assert repr(got) == repr(want)


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"fold"}))
@given(integers, integers)
def test_merging_two_accumulators_is_adding_the_second_s_values_to_the_first(name, left, right) -> None:
    aggregate, _ = CASES[name]
    apart = aggregate.merge(folded(aggregate, left, []), folded(aggregate, right, []))
    assert aggregate.value(apart) == aggregate.value(folded(aggregate, left + right, []))


@pytest.mark.parametrize("name", CASES)
@given(st.lists(st.integers(), min_size=1, max_size=10), st.lists(st.integers(), min_size=1, max_size=10))
def test_adding_leaves_the_accumulator_it_was_given_alone(name, first, second) -> None:
    aggregate, _ = CASES[name]
    acc = aggregate.add_many(aggregate.initial(), column_of(aggregate, first))
    before = repr(acc)
    aggregate.add_many(acc, column_of(aggregate, second))
    aggregate.value(acc)
    assert repr(acc) == before
    assert repr(aggregate.initial()) == repr(CASES[name][0].initial())


@pytest.mark.parametrize(
    ("aggregate", "values"),
    [
        (sum(), [Decimal("0.10"), Decimal("0.20")]),
        (sum(), [timedelta(seconds=1), timedelta(hours=5)]),
        (sum(), [2**63, 2**63]),
        (sum(), [(1,), (2,)]),
        (mean(), [Decimal("0.10"), Decimal("0.20")]),
        (mean(), [timedelta(seconds=1), timedelta(hours=5)]),
        (min(), [date(2026, 1, 2), date(2026, 1, 1)]),
        (max(), [(1, "a"), (1, "b")]),
        (collect(), [(1, 2), {3}, Decimal("1.0"), {"a": (1,)}]),
        (top_k(1), [date(2026, 1, 2), date(2026, 1, 1)]),
        (fold(frozenset(), lambda acc, v: acc | {v}), ["a", "b", "a"]),
    ],
)
def test_values_that_messagepack_has_no_word_for_survive_a_restart(aggregate, values) -> None:
    restored = folded(aggregate, values, range(len(values)))
    assert aggregate.value(restored) == aggregate.value(folded(aggregate, values, []))
    assert repr(aggregate.value(restored)) == repr(
        aggregate.value(aggregate.add_many(aggregate.initial(), column_of(aggregate, values)))
    )


PAYMENTS = [Payment(5, "a"), Payment(9, "b"), Payment(1, "c")]


@pytest.mark.parametrize(
    ("aggregate", "want"),
    [
        (collect(), PAYMENTS),
        (max(), PAYMENTS[1]),
        (top_k(2), [PAYMENTS[1], PAYMENTS[0]]),
        (top_k(1, by="amount"), [PAYMENTS[1]]),
        (top_k(1, by=lambda p: date(2026, 1, p.amount)), [PAYMENTS[1]]),
    ],
)
def test_records_are_read_back_as_the_records_they_were(aggregate, want) -> None:
    for positions in ([], [1], [1, 2]):
        assert aggregate.value(folded(aggregate, PAYMENTS, positions, Payment)) == want


def test_a_fold_that_begins_with_a_record_keeps_records() -> None:
    aggregate = fold(Payment(0, ""), lambda acc, v: Payment(acc.amount + v, acc.card + str(v)))
    assert aggregate.value(folded(aggregate, [1, 2, 3], [1, 2])) == Payment(6, "123")


@pytest.mark.parametrize("aggregate", [collect(), max(), top_k(1)])
def test_records_of_an_unknown_type_are_refused_rather_than_read_back_as_dicts(aggregate) -> None:
    with pytest.raises(EncodeError, match="read back"):
        kept(aggregate, aggregate.add_many(aggregate.initial(), column_of(aggregate, PAYMENTS)))


@pytest.mark.parametrize("many", [10, 100, 1_000, 10_000, 100_000])
def test_distinct_values_are_counted_within_five_standard_errors_and_few_of_them_nearly_exactly(many) -> None:
    aggregate = approx_distinct()
    for kind in (lambda n: n, lambda n: f"user-{n}", lambda n: n * 4096, lambda n: (n, "x")):
        got = aggregate.value(aggregate.add_many(aggregate.initial(), [kind(n) for n in range(many)] * 2))
        assert abs(got - many) <= many * 5 * 1.04 / sqrt(4096) + 1
        if many <= 100:
            assert abs(got - many) <= 2


def test_values_whose_crc_32_is_the_same_are_told_apart() -> None:
    """A linear hash has 32 bits however often it is taken, and a set of a billion needs more."""
    assert crc32(b"plumless") == crc32(b"buckeroo")
    assert approx_distinct().add_many(b"", ["plumless"]) != approx_distinct().add_many(b"", ["buckeroo"])


def test_a_hash_does_not_depend_on_the_process() -> None:
    """State outlives the process: Python's own hash of text doesn't."""
    acc = approx_distinct().add_many(b"", ["a", "b", 5])
    assert [(at, rank) for at, rank in enumerate(acc) if rank] == [(653, 1), (1290, 1), (3489, 1)]


def test_equal_ranks_keep_the_first_come() -> None:
    aggregate = top_k(2, by=lambda pair: pair[0])
    assert aggregate.value(folded(aggregate, [(1, "a"), (2, "b"), (2, "c"), (2, "d")], [2, 3])) == [(2, "b"), (2, "c")]


def test_a_fold_s_initial_is_fresh_for_every_group_even_if_the_user_edits_it() -> None:
    aggregate = fold([], lambda acc, v: acc.append(v) or acc)
    assert aggregate.add_many(aggregate.initial(), [1]) == [1]
    assert aggregate.add_many(aggregate.initial(), [2]) == [2]


def test_a_fold_that_raises_says_at_which_value() -> None:
    aggregate = fold(0, lambda acc, v: acc + 1 // v)
    with pytest.raises(OperatorFailed) as failed:
        aggregate.add_many(0, [1, 1, 0, 1])
    assert failed.value.index == 2
    assert isinstance(failed.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("aggregate", "field", "result"),
    [
        (count(), Payment, int),
        (sum("x"), int, int | None),
        (sum("x"), bool, int | None),
        (sum("x"), Decimal, Decimal | None),
        (sum("x"), Any, Any),
        (min("x"), str, str | None),
        (mean("x"), int, float | None),
        (mean("x"), Decimal, Decimal | None),
        (mean("x"), Any, float | None),
        (collect("x"), str, list[str]),
        (top_k(2, "x"), Payment, list[Payment]),
        (approx_distinct("x"), Any, int),
        (fold(0, lambda a, v: a, type=int), Any, int),
    ],
)
def test_a_result_has_the_type_its_field_gives_it(aggregate, field, result) -> None:
    assert aggregate.result_of(field) == result


@pytest.mark.parametrize("wrong", [lambda: collect(limit=0), lambda: top_k(0), lambda: top_k(-1)])
def test_a_limit_that_keeps_nothing_is_refused(wrong) -> None:
    with pytest.raises(ConfigError, match="give 1 or more"):
        wrong()


def test_a_fold_is_what_a_user_makes_of_it() -> None:
    assert isinstance(fold(0, lambda a, v: a), Fold)
