"""What events are made of, if their topic says so: a typed record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

__all__ = ["Record"]

if (
    TYPE_CHECKING
):  # A checker takes a subclass of a Struct for unfrozen, and refuses `class Alert(Record, frozen=True)`.
    from msgspec import Struct as Record
else:

    class Record(msgspec.Struct):
        """A typed value: declare fields as in a dataclass.

        A `msgspec.Struct` and nothing else, so it is validated when decoded, compares by value, and takes msgspec's
        class options (`class Alert(Record, frozen=True)`). Fields that a reader doesn't know are ignored, and a field
        with a default may be missing: records can grow both ways.
        """
