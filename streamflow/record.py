"""What events are made of, if their topic says so: a typed record."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct):
    """A typed value: declare fields as in a dataclass.

    A `msgspec.Struct` and nothing else, so it is validated when decoded, compares by value, and takes msgspec's
    class options (`class Alert(Record, frozen=True)`). Fields that a reader doesn't know are ignored, and a field
    with a default may be missing: records can grow both ways.
    """
