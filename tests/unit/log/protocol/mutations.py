"""Requests that are nearly right: valid ones that get deep into a broker, and what becomes of them when bytes change.

Everything is drawn from a `Random`: a seed is a stream of frames.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from crc32c import crc32c

from streamflow.log.protocol.messages import codec_of
from streamflow.log.protocol.schema import Field
from streamflow.log.protocol.versions import APIS, CLIENT_APIS, Api
from streamflow.log.records import Producer, build_batch

sys.path.insert(0, str(Path(__file__).parent))
from samples import NO_ID, any_value, message

TOPICS = ("events", "compacted", "nope", "__consumer_offsets", "")
GROUPS = ("group", "other", "", "tx")
MEMBERS = ("", "member", "member-1")
SMALL = (0, 0, 0, 1, 2, -1, 3, 100, 1000)
CRC_AT, CHECKED_AT = 17, 21


def served(apis: Iterable[Api]) -> tuple[tuple[Api, int], ...]:
    """Every version of each."""
    return tuple((api, version) for api in apis for version in range(api.lowest, api.highest + 1))


TO_CLIENTS = served(CLIENT_APIS.values())
SERVED = served(APIS.values())


class Requests:
    """Args:
    topic_ids: of topics that are there.
    apis: what is asked, and in which versions.
    cluster_id: of the cluster that is asked.
    """

    def __init__(
        self,
        random: Random,
        topic_ids: tuple[bytes, ...] = (),
        apis: tuple[tuple[Api, int], ...] = TO_CLIENTS,
        cluster_id: str = "",
    ) -> None:
        self._random = random
        self._apis = apis
        self._cluster_ids = ("", "other", cluster_id)
        self._topic_ids = (NO_ID, *topic_ids)
        self._before = b"\0" * 16
        self._batches = [_batch(random) for _ in range(20)]

    def valid(self, api: Api, version: int) -> bytes:
        """A request with its header, without its length."""
        random = self._random
        out: list[Any] = []
        codec_of(api.name, version, "request").write(out, message(random, api.name, version, "request", self._draw))
        client = random.choice((b"", b"fuzz"))
        head = struct.pack(">hhih", api.key, version, random.randrange(2**31), len(client)) + client
        return b"".join((head, b"\0" if version >= api.flexible else b"", *out))

    def mutated(self) -> bytes:
        """Of any API and version; one in ten is as it should be."""
        random = self._random
        frame = bytearray(self.valid(*random.choice(self._apis)))
        if random.random() < 0.9:
            for _ in range(random.choice((1, 1, 1, 2, 5))):
                random.choice(MUTATIONS)(random, frame, self._before)
        self._before = bytes(frame)
        return self._before

    def _draw(self, random: Random, field: Field) -> Any:
        """Values that mean something to a broker, where a field's name says what would."""
        name, kind = field.name, field.kind
        if random.random() < 0.05:
            return any_value(random, field)
        if kind == "string":
            if name == "cluster_id":
                return random.choice(self._cluster_ids)
            if "group" in name or "transactional" in name or name == "key":
                return random.choice(GROUPS)
            return random.choice(MEMBERS if "member" in name else TOPICS)
        if name == "request_data":
            return self.valid(*random.choice(TO_CLIENTS))
        if kind == "uuid":
            return random.choice(self._topic_ids)
        if kind == "records":
            return [self._records()]
        if kind.startswith(("int", "uint")) or kind.endswith(("_i32", "_i64")):
            small = min(random.choice(SMALL), 127 if kind.endswith("int8") else 1000)
            return abs(small) if kind.startswith("uint") else small
        return any_value(random, field)

    def _records(self) -> bytes:
        """A batch; every second one with a header that says something else, under the right checksum."""
        random = self._random
        batch = bytearray(random.choice(self._batches))
        if random.random() < 0.5:
            _flip(random, batch, b"")
            struct.pack_into(">I", batch, CRC_AT, crc32c(bytes(batch[CHECKED_AT:])))
        return bytes(batch)


def _batch(random: Random) -> bytes:
    count = random.choice((1, 2, 50))
    producer = random.choice((Producer(), Producer(random.randrange(4), 0, random.randrange(3), random.random() < 0.5)))
    keys = [random.choice((None, b"k")) for _ in range(count)]
    return bytes(
        build_batch(keys, [b"v" * random.randrange(40)] * count, [1000 + n for n in range(count)], producer=producer)
    )


def _flip(random: Random, frame: bytearray, before: bytes) -> None:
    if frame:
        frame[random.randrange(len(frame))] ^= 1 << random.randrange(8)


def _overwrite(random: Random, frame: bytearray, before: bytes) -> None:
    at = random.randrange(len(frame) + 1)
    value = random.choice(
        (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\x80\x80\x80\x08", b"\x3b\x9a\xca\0")
    )
    frame[at : at + len(value)] = value


def _truncate(random: Random, frame: bytearray, before: bytes) -> None:
    del frame[random.randrange(len(frame) + 1) :]


def _cut(random: Random, frame: bytearray, before: bytes) -> None:
    at = random.randrange(len(frame) + 1)
    del frame[at : at + random.choice((1, 2, 4, 30))]


def _repeat(random: Random, frame: bytearray, before: bytes) -> None:
    at = random.randrange(len(frame) + 1)
    frame[at:at] = frame[at : at + random.choice((1, 4, 40))] * random.choice((1, 2, 20))


def _splice(random: Random, frame: bytearray, before: bytes) -> None:
    """The end of another request."""
    at = random.randrange(len(frame) + 1)
    frame[at:] = before[random.randrange(len(before) + 1) :]


def _noise(random: Random, frame: bytearray, before: bytes) -> None:
    at = random.randrange(len(frame) + 1)
    frame[at:] = random.randbytes(random.choice((1, 8, 100)))


def _length(random: Random, frame: bytearray, before: bytes) -> None:
    """A number of two or four bytes, or of one, becomes another."""
    at = random.randrange(len(frame) + 1)
    size = random.choice((1, 2, 4))
    if at + size <= len(frame):
        number = int.from_bytes(frame[at : at + size], "big") + random.choice((-1, 1, 2, 16, 255))
        frame[at : at + size] = (number % 256**size).to_bytes(size, "big")


def _other_version(random: Random, frame: bytearray, before: bytes) -> None:
    """What was written for one version is read by another's rules."""
    api, version = random.choice(SERVED)
    if len(frame) >= 4:
        key = struct.unpack_from(">h", frame)[0] if random.random() < 0.8 else api.key
        struct.pack_into(">hh", frame, 0, key, version)


MUTATIONS: tuple[Callable[[Random, bytearray, bytes], None], ...] = (
    _flip,
    _flip,
    _overwrite,
    _truncate,
    _cut,
    _repeat,
    _splice,
    _noise,
    _length,
    _length,
    _other_version,
)
