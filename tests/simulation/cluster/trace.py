"""All that happened, in order, as one hash: two runs of a seed are the same run if it is equal."""

from __future__ import annotations

from hashlib import blake2b

from tests.simulation.cluster.loop import SimulatedLoop


class Trace:
    """`kept` holds the lines, if they are to be read."""

    def __init__(self, loop: SimulatedLoop, *, keep: bool = False) -> None:
        self._loop = loop
        self._hash = blake2b(digest_size=16)
        self.kept: list[str] | None = [] if keep else None

    def add(self, what: str, data: bytes = b"") -> None:
        """Something happened now; `data` is hashed, and told as its hash."""
        self._hash.update(f"{self._loop.time():.6f} {what}\n".encode() + data)
        if self.kept is not None:
            shown = f" {len(data)} B {blake2b(data, digest_size=4).hexdigest()}" if data else ""
            self.kept.append(f"{self._loop.time():12.6f} {what}{shown}")

    @property
    def digest(self) -> str:
        """Of all until now."""
        return self._hash.hexdigest()
