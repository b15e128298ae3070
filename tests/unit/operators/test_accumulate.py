"""Several aggregates at once: groups, failures that leave no trace, and state that knows whose it is."""

from __future__ import annotations

import builtins
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.errors import ConfigError, DecodeError, EncodeError
from streamflow.operators.accumulate import Accumulators, row_type
from streamflow.operators.aggregate import collect, count, fold, max, sum
from streamflow.operators.base import OperatorFailed


class Sale(msgspec.Struct, frozen=True):
    shop: str
    price: int | None = None


sales = st.lists(
    st.builds(Sale, st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 9))), min_size=1, max_size=30
)
AGGREGATES = {
    "n": count(),
    "priced": count("price"),
    "total": sum("price"),
    "top": max(lambda s: s.price),
    "all": collect(),
}


def added(accs, state, values):
    keys = [v.shop for v in values]
    return accs.add(state, accs.group(keys), accs.columns(values))


@given(sales, sales)
def test_each_group_gets_its_own_values_and_nulls_are_skipped(first, second) -> None:
    accs = Accumulators(AGGREGATES)
    state: dict[str, list[Any]] = {}
    state.update(added(accs, state, first))
    state.update(added(accs, state, second))
    for shop, kept in state.items():
        here = [s for s in first + second if s.shop == shop]
        prices = [s.price for s in here if s.price is not None]
        want = [len(here), len(prices), None if not prices else builtins.sum(prices)]
        assert accs.values(kept)[:3] == want
        assert accs.values(kept)[3:] == [sorted(prices)[-1] if prices else None, here]


@given(sales)
def test_positions_choose_the_events_that_count(values) -> None:
    accs, at = Accumulators({"n": count(), "total": sum("price")}), list(range(0, len(values), 2))
    keys = [v.shop for v in values]
    some = accs.add({}, accs.group(keys, at), accs.columns(values))
    assert some == added(accs, {}, [values[n] for n in at])
    counts = Accumulators({"n": count(), "m": count()})
    assert counts.only_counts
    assert {k: v[:1] * 2 for k, v in some.items()} == counts.add({}, counts.group(keys, at), counts.columns(values))


def test_keys_come_in_the_order_they_first_came() -> None:
    for aggregates in ({"n": count()}, {"n": sum("price")}):
        accs = Accumulators(aggregates)
        assert list(accs.group(["b", "a", "b", "c"])) == ["b", "a", "c"]


def fails_on(price):
    def add(acc, sale):
        if sale.price == price:
            raise ValueError(price)
        return acc + 1

    return fold(0, add)


@pytest.mark.parametrize(
    "aggregates",
    [
        {"n": count(), "bad": fails_on(13)},
        {"n": count(), "bad": sum(lambda s: "x" if s.price == 13 else s.price)},
        {"n": count(), "bad": max(lambda s: "x" if s.price == 13 else s.price)},
        {"n": count(), "bad": sum(lambda s: 1 // (s.price - 13))},
    ],
)
def test_the_event_an_aggregate_fails_on_is_named_by_its_place_in_the_batch_and_the_state_is_whole(aggregates) -> None:
    accs = Accumulators(aggregates)
    values = [Sale("a", 1), Sale("b", 2), Sale("a", 3), Sale("b", 13), Sale("a", 4)]
    state = added(accs, {}, [Sale("a", 1), Sale("b", 1)])
    before = repr(state)
    with pytest.raises(OperatorFailed) as failed:
        added(accs, state, values)
    assert values[failed.value.index].price == 13
    assert repr(state) == before
    added(accs, state, [v for v in values if v.price != 13])


def test_nulls_do_not_shift_the_place_of_a_failure() -> None:
    accs = Accumulators({"bad": sum("price")})
    values = [Sale("a", None), Sale("a", 1), Sale("b", None), Sale("a", "x"), Sale("a", 2)]
    with pytest.raises(OperatorFailed) as failed:
        added(accs, {}, values)
    assert failed.value.index == 3


@given(sales)
def test_state_is_read_back_as_it_was(values) -> None:
    accs = Accumulators(AGGREGATES, Sale)
    for kept in added(accs, {}, values).values():
        assert accs.values(accs.unpack(accs.pack(kept))) == accs.values(kept)


def test_state_goes_by_name_so_that_changing_the_order_of_aggregates_mixes_nothing_up() -> None:
    one = Accumulators({"low": count(), "high": sum("price")})
    other = Accumulators({"high": sum("price"), "low": count()})
    assert other.unpack(one.pack([1, 9])) == [9, 1]


@pytest.mark.parametrize("aggregates", [{"n": count(), "more": sum("price")}, {"other": count()}])
def test_state_of_other_aggregates_is_refused_and_says_what_to_do(aggregates) -> None:
    data = Accumulators({"n": count()}).pack([5])
    with pytest.raises(DecodeError, match="name= to start anew"):
        Accumulators(aggregates).unpack(data)


def test_state_that_cannot_be_kept_names_its_aggregate() -> None:
    accs = Accumulators({"n": count(), "all": collect()})
    with pytest.raises(EncodeError, match="aggregate 'all' can't keep its state"):
        accs.pack([1, [Sale("a")]])


def test_a_result_has_the_fields_and_types_of_its_aggregates() -> None:
    row = row_type("Row", [("key", Any)], {"n": count(), "total": sum("price"), "d": fold(0, max, type=Decimal)}, Sale)
    assert {f.name: f.type for f in msgspec.structs.fields(row)} == {
        "key": Any,
        "n": int,
        "total": int | None,
        "d": Decimal,
    }
    assert row("a", 1, 2, 3).total == 2
    with pytest.raises(AttributeError):
        row("a", 1, 2, 3).n = 5


def test_an_aggregate_of_a_field_that_is_not_there_is_refused_when_it_is_declared() -> None:
    with pytest.raises(ConfigError, match="no field 'prize'; did you mean 'price'"):
        row_type("Row", [], {"x": sum("prize")}, Sale)
