"""What a regular expression over topic names becomes: states that are all in at once, instead of a search. PURE.

Promises: a match looks at each character of a name once, and at no more than `STATES_MAX` states for each (Thompson's
construction, as RE2).
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from streamflow.log.errors import InvalidPatternError

STATES_MAX = 1000
"""RE2 bounds a program by its memory (8 MiB); 1000 states bound the worst match of a name to 249,000 steps."""
PARTS_MAX = 100 * STATES_MAX
"""Parts put together, counting each as often as it is repeated: repeats of nothing need no states."""

WORD = frozenset(string.ascii_letters + string.digits + "_")


@dataclass(frozen=True, slots=True)
class Chars:
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Assertion:
    kind: str


@dataclass(frozen=True, slots=True)
class Concat:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    part: Node
    least: int
    most: int | None


Node = Chars | Assertion | Concat | Either | Repeat


class Program:
    """States that take characters, and steps between them that cost nothing.

    Invariant: `_steps[state]` is what to go to, and under which assertion ('' for none); `_chars[state]` what the state
    takes to go to the next, state + 1.
    """

    def __init__(self, node: Node, pattern: str) -> None:
        self._pattern = pattern
        self._parts = 0
        self._chars: list[frozenset[str]] = []
        self._steps: list[list[tuple[int, str]]] = []
        self._state()
        self._build(node)
        self._final = len(self._steps) - 1

    def matches(self, name: str) -> bool:
        states = self._reach({0}, "", name[:1])
        for at, char in enumerate(name):
            after = {state + 1 for state in states if char in self._chars[state]}
            if not after:
                return False
            states = self._reach(after, char, name[at + 1 : at + 2])
        return self._final in states

    def _reach(self, states: set[int], before: str, after: str) -> set[int]:
        todo = list(states)
        while todo:
            for target, assertion in self._steps[todo.pop()]:
                if target not in states and _holds(assertion, before, after):
                    states.add(target)
                    todo.append(target)
        return states

    def _state(self, chars: frozenset[str] = frozenset()) -> int:
        """A new last state. `chars` are what the one before it takes to come here."""
        if len(self._steps) >= STATES_MAX:
            raise self._too_large()
        if self._chars:
            self._chars[-1] = chars
        self._chars.append(frozenset())
        self._steps.append([])
        return len(self._steps) - 1

    def _step(self, source: int, target: int, assertion: str = "") -> None:
        self._steps[source].append((target, assertion))

    def _too_large(self) -> InvalidPatternError:
        return InvalidPatternError(
            f"'{self._pattern[:80]}' needs more than {STATES_MAX} states: write it with fewer or smaller repeats"
        )

    def _build(self, node: Node) -> None:
        """From the last state to a new last one, or nowhere for what is empty."""
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise self._too_large()
        match node:
            case Chars():
                self._state(node.allowed)
            case Assertion():
                source = len(self._steps) - 1
                self._step(source, self._state(), node.kind)
            case Concat():
                for part in node.parts:
                    self._build(part)
            case Either():
                source = len(self._steps) - 1
                ends = []
                for part in node.parts:
                    self._step(source, self._state())
                    self._build(part)
                    ends.append(len(self._steps) - 1)
                final = self._state()
                for end in ends:
                    self._step(end, final)
            case Repeat():
                self._repeat(node)

    def _repeat(self, node: Repeat) -> None:
        for _ in range(node.least):
            self._build(node.part)
        if node.most is None:
            source = len(self._steps) - 1
            start = self._state()
            self._step(source, start)
            self._build(node.part)
            end = len(self._steps) - 1
            final = self._state()
            self._step(end, start)
            self._step(start, final)
            return
        skips = []
        for _ in range(node.most - node.least):
            source = len(self._steps) - 1
            skips.append(source)
            self._step(source, self._state())
            self._build(node.part)
        end = len(self._steps) - 1
        final = self._state()
        self._step(end, final)
        for source in skips:
            self._step(source, final)


def _holds(assertion: str, before: str, after: str) -> bool:
    match assertion:
        case "":
            return True
        case "start":
            return not before
        case "end":
            return not after
    return (assertion == "boundary") == ((before in WORD) != (after in WORD))
