"""A known mistake, as a change of the text of one file: whoever tests the tests applies it and sees them fail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`find` is in `file`, a path from the project's root, exactly once. `why`: what goes wrong with it."""

    name: str
    file: str
    find: str
    replace: str
    why: str
