"""Waiting for what a broker does after it has answered: Apache Kafka publishes new metadata and writes transactions'
markers in its own time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 20
PAUSE_SECONDS = 0.02

T = TypeVar("T")


def eventually(ask: Callable[[], T], wanted: T) -> None:
    """Ask until the answer is what is wanted. Raises: AssertionError with the last answer."""
    end = time.monotonic() + SECONDS
    while (got := ask()) != wanted:
        assert time.monotonic() < end, f"{got!r} is still not {wanted!r}"
        time.sleep(PAUSE_SECONDS)
