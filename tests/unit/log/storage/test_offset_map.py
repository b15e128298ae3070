"""The newest offset of each key, in bounded memory."""

from __future__ import annotations

import tracemalloc
from hashlib import blake2b
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.storage.offset_map import OffsetMap

keys = st.one_of(st.none(), st.binary(max_size=3), st.integers(28, 34).map(bytes), st.just(b"x" * 1_000))


@given(st.lists(st.lists(keys, max_size=8), max_size=8))
def test_it_is_a_dictionary_of_what_was_put_in_last(batches: list[list[bytes | None]]) -> None:
    found, wanted, offset = OffsetMap(1 << 20), dict[bytes | None, int](), 0
    for batch in batches:
        offsets = range(offset, offset + len(batch))
        found.put(batch, offsets)
        wanted.update(zip(batch, offsets, strict=True))
        offset += len(batch)
    asked = [*wanted, b"never", b"never" * 20]
    assert found.newest(asked) == [wanted.get(key) for key in asked]
    assert len(found) == len(wanted)


def test_a_key_that_is_a_longer_ones_hash_is_another_key() -> None:
    long = b"x" * 100
    found = OffsetMap(1 << 20)
    found.put([long, blake2b(long, digest_size=32).digest()], [1, 2])
    assert found.newest([long]) == [1]


def test_what_it_says_it_holds_is_about_what_it_holds() -> None:
    for length in (8, 100):
        tracemalloc.start()
        found = OffsetMap(1 << 30)
        for first in range(0, 50_000, 500):
            found.put([b"%0*d" % (length, n) for n in range(first, first + 500)], range(first, first + 500))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert 0.7 < found.size_bytes / held < 1.8, length


def test_it_is_full_once_it_holds_as_much_as_it_may() -> None:
    found = OffsetMap(1_000)
    found.put([b"a", b"a"], [0, 1])
    assert not found.full
    found.put([b"%d" % n for n in range(10)], range(2, 12))
    assert found.full


def test_its_memory_is_given_back_a_part_at_a_time() -> None:
    tracemalloc.start()
    found = OffsetMap(1 << 30)
    found.put([b"%d" % n for n in range(50_000)], range(50_000))
    whole, _ = tracemalloc.get_traced_memory()
    parts = [whole]
    while found.forget_some():
        parts.append(tracemalloc.get_traced_memory()[0])
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    given_back = [before - after for before, after in pairwise([*parts, left])]
    assert max(given_back) < whole / 20 and left < whole / 20
    assert not found.forget_some(), "there is no more"
