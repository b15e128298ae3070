"""The events of every benchmark, and the answers the jobs must come to.

The same count gives the same events in every process: payloads are drawn once from a fixed seed and repeat after
`DISTINCT`, so that a run of any length holds 20,000 of them in memory and no more; event time goes on. Only the
standard library is used, because peers import this in environments of their own.
"""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

TOPIC = "events"
JOBS = ("produce", "consume", "agent", "window")

KEYS = 1_000
DISTINCT = 20_000
SEED = 20_240_229
START_MS = 1_700_000_040_000  # starts a minute, so the first window is a whole one
EVERY_MS = 1
WINDOW_MS = 60_000
AMOUNT_MIN = 25.0
"""The agent's filter passes amounts above this: three events in four."""

_KINDS = ("click", "view", "purchase", "refund")


class Payload(NamedTuple):
    """One event: its fields, and the bytes a log holds of it."""

    user: str
    amount: float
    kind: str
    key: bytes
    value: bytes


def timestamp_ms(i: int) -> int:
    """Event time of event `i`, in ms since the epoch."""
    return START_MS + i * EVERY_MS


def payloads() -> list[Payload]:
    """The distinct events; event `i` of a run is number `i % DISTINCT`, at `timestamp_ms(i)`."""
    draw = random.Random(SEED)
    made = []
    for _ in range(DISTINCT):
        user = f"user{draw.randrange(KEYS)}"
        amount = round(draw.uniform(0, 100), 2)
        kind = draw.choice(_KINDS)
        value = json.dumps({"user": user, "amount": amount, "kind": kind}).encode()
        made.append(Payload(user, amount, kind, user.encode(), value))
    return made


def digest(rows: Iterable[tuple[object, ...]]) -> str:
    """A set of rows as `COUNT:CRC`, whatever their order."""
    lines = sorted("\t".join(map(str, row)) for row in rows)
    body = "\n".join(lines)
    return f"{len(lines)}:{zlib.crc32(body.encode()):08x}"


def whole_windows(counts: Iterable[tuple[str, int, int]], events: int) -> list[tuple[str, int, int]]:
    """Rows `(key, start_ms, n)` of windows that end at or before the last event: the ones any engine has closed."""
    last_ms = timestamp_ms(events - 1)
    return [row for row in counts if row[1] + WINDOW_MS <= last_ms]


def answer(job: str, events: int) -> str:
    """What a correct engine reports for `job` over `events` events.

    `produce` and `consume` count events; `agent` counts those above AMOUNT_MIN by user; `window` counts all by user
    and minute, of which the whole windows are compared.
    """
    if job in ("produce", "consume"):
        return str(events)
    made = payloads()
    if job == "agent":
        by_user: Counter[str] = Counter()
        for i in range(events):
            payload = made[i % DISTINCT]
            if payload.amount > AMOUNT_MIN:
                by_user[payload.user] += 1
        return digest(by_user.items())
    windows: Counter[tuple[str, int]] = Counter()
    for i in range(events):
        when = timestamp_ms(i)
        windows[made[i % DISTINCT].user, when - when % WINDOW_MS] += 1
    return digest(whole_windows(((user, start, n) for (user, start), n in windows.items()), events))
