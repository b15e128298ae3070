"""An offset holds one value, and a value is at one offset."""

from __future__ import annotations

from tests.simulation.checkers.operations import Evidence, Found


def check(evidence: Evidence) -> Found:
    """`inconsistent-offsets` as partition, offset, values; `duplicate` as partition, value."""
    return {
        "inconsistent-offsets": [
            (partition, offset, sorted(values))
            for partition, offsets in evidence.at.items()
            for offset, values in offsets.items()
            if len(values) > 1
        ],
        "duplicate": [
            (partition, value)
            for partition, places in evidence.places.items()
            for value, where in places.items()
            if len(where) > 1
        ],
    }
