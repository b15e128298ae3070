"""What is counted while requests are served: how many, how long, what they were refused with. PURE.

Kept as plain numbers: a request's share is some hundred nanoseconds. `metrics` says what they are called outside.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from operator import attrgetter
from typing import Any

from streamflow.log.protocol.schema import Schema, merged_schema

BOUNDS_SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""From what a page cache takes to what clients wait for at most."""

Codes = Callable[[object], Iterator[int]]


class Histogram:
    """`counts` are those up to each bound, and those beyond the last."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_SECONDS) + 1)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.seconds += seconds


class Figures:
    """Of requests, by their API's name."""

    def __init__(self) -> None:
        self.requests: dict[str, Histogram] = {}
        self.errors: Counter[tuple[str, int]] = Counter()
        """By API and error code; an answer may have many."""

    def answered(self, api: str, seconds: float) -> None:
        """From when the request was there to when its answer was sent."""
        found = self.requests.get(api)
        if found is None:
            found = self.requests[api] = Histogram()
        found.observe(seconds)

    def count_errors(self, api: str, answer: object) -> None:
        for code in error_codes(api)(answer):
            if code:
                self.errors[api, code] += 1


@cache
def error_codes(api: str) -> Codes:
    """What gives the error codes in an API's answer, 0 among them."""
    return _codes(merged_schema(api, "response")) or (lambda answer: iter(()))


def _codes(schema: Schema) -> Codes | None:
    own = [attrgetter(f.name) for f in schema.fields if f.kind == "error_code" and not f.array]
    inner: list[tuple[Callable[[object], Any], bool, Codes]] = []
    for field in schema.fields:
        below = _codes(field.struct) if field.struct is not None else None
        if below is not None:
            inner.append((attrgetter(field.name), field.array, below))
    if not own and not inner:
        return None

    def codes(message: object) -> Iterator[int]:
        for get in own:
            yield get(message)
        for child, array, below in inner:
            found = child(message)
            if array:
                for element in found or ():
                    yield from below(element)
            elif found is not None:
                yield from below(found)

    return codes
