r"""Regular expressions over topic names, with RE2's syntax and RE2's promise. PURE.

Promises: a match takes time in proportion to the name's length, whatever the expression: there is no backtracking
(`pattern_states`), and an expression that would need more than `STATES_MAX` states is refused.

Topic names are made of 65 characters, so every class is a set of those, and what no name can hold matches nothing.
Of RE2 (https://github.com/google/re2/wiki/Syntax) this lacks scripts (`\p{Greek}`); general categories (`\pL`) are
there. What RE2 doesn't have (look-around, back-references, possessive repeats) is refused here too.

Rule for whoever edits this: no recursion that grows with the expression but for its parentheses, which are counted.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable, Iterable

from streamflow.log.coordinators.pattern_states import WORD, Assertion, Chars, Concat, Either, Node, Program, Repeat
from streamflow.log.errors import InvalidPatternError

REPEAT_MAX = 1000
"""As RE2."""
DEPTH_MAX = 100
"""Parentheses in parentheses. RE2: 1000; Python's own stack is smaller."""
LENGTH_MAX = 10_000

ALPHABET = frozenset(string.ascii_letters + string.digits + "._-")
PERL = {"d": frozenset(string.digits), "w": WORD, "s": frozenset[str]()}
POSIX = {
    "alnum": frozenset(string.ascii_letters + string.digits),
    "alpha": frozenset(string.ascii_letters),
    "ascii": ALPHABET,
    "blank": frozenset[str](),
    "cntrl": frozenset[str](),
    "digit": frozenset(string.digits),
    "graph": ALPHABET,
    "lower": frozenset(string.ascii_lowercase),
    "print": ALPHABET,
    "punct": frozenset("._-"),
    "space": frozenset[str](),
    "upper": frozenset(string.ascii_uppercase),
    "word": WORD,
    "xdigit": frozenset(string.hexdigits),
}
CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
ASSERTIONS = {"A": "start", "z": "end", "b": "boundary", "B": "inside"}
MINOR = {"C": "cfos", "L": "lmotu", "M": "cen", "N": "dlo", "P": "cdefios", "S": "ckmo", "Z": "lps"}
CATEGORIES = frozenset(major + minor for major, minors in MINOR.items() for minor in ("", *minors))


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """What tells whether a topic's whole name matches, as Kafka asks (KIP-848: SubscribedTopicRegex).

    Raises: InvalidPatternError.
    """
    if len(pattern) > LENGTH_MAX:
        raise InvalidPatternError(
            f"a regular expression of {len(pattern)} characters is too long: at most {LENGTH_MAX}"
        )
    return Program(_Parser(pattern).parse(), pattern).matches


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0
        self._fold = False

    def parse(self) -> Node:
        node = self._either()
        if self._at < len(self._pattern):
            raise self._invalid("a closing ')' that nothing opens")
        return node

    def _invalid(self, why: str) -> InvalidPatternError:
        return InvalidPatternError(f"'{self._pattern}' isn't a regular expression of RE2: {why} at {self._at}")

    def _peek(self, text: str) -> bool:
        return self._pattern.startswith(text, self._at)

    def _accept(self, text: str) -> bool:
        found = self._peek(text)
        self._at += found * len(text)
        return found

    def _next(self) -> str:
        if self._at >= len(self._pattern):
            raise self._invalid("it ends too early")
        self._at += 1
        return self._pattern[self._at - 1]

    def _until(self, end: str) -> str:
        stop = self._pattern.find(end, self._at)
        if stop < 0:
            raise self._invalid(f"'{end}' is missing")
        text, self._at = self._pattern[self._at : stop], stop + len(end)
        return text

    def _either(self) -> Node:
        fold = self._fold
        parts = [self._concat()]
        while self._accept("|"):
            parts.append(self._concat())
        self._fold = fold
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _concat(self) -> Node:
        parts: list[Node] = []
        while self._at < len(self._pattern) and not self._peek("|") and not self._peek(")"):
            if self._accept(r"\Q"):
                quoted = self._until(r"\E") if r"\E" in self._pattern[self._at :] else self._rest()
                parts += (self._literal(char) for char in quoted)
                continue
            atom = self._atom()
            if atom is not None:
                parts.append(self._repeated(atom))
        return Concat(tuple(parts))

    def _rest(self) -> str:
        text, self._at = self._pattern[self._at :], len(self._pattern)
        return text

    def _atom(self) -> Node | None:
        """None for flags, which only change what follows."""
        char = self._next()
        match char:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case ".":
                return Chars(ALPHABET)
            case "^":
                return Assertion("start")
            case "$":
                return Assertion("end")
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise self._invalid(f"'{char}' has nothing to repeat")
            case _:
                return self._literal(char)

    def _literal(self, char: str) -> Chars:
        return Chars(self._folded({char}))

    def _folded(self, chars: Iterable[str]) -> frozenset[str]:
        found = set(chars)
        if self._fold:
            found |= {c.lower() for c in found} | {c.upper() for c in found}
        return ALPHABET & found

    def _group(self) -> Node | None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._invalid(f"more than {DEPTH_MAX} parentheses in each other")
        fold = self._fold
        if self._accept("?P<") or self._accept("?<"):
            if not self._until(">").isidentifier():
                raise self._invalid("a group's name isn't one (and there is no look-behind)")
        elif self._accept("?") and self._flags():
            self._depth -= 1
            return None
        node = self._either()
        if not self._accept(")"):
            raise self._invalid("')' is missing")
        self._depth -= 1
        self._fold = fold
        return node

    def _flags(self) -> bool:
        """True where the flags are for what follows the parenthesis, not for what is in it."""
        on = True
        while True:
            match self._next():
                case "i":
                    self._fold = on
                case "m" | "s" | "U":
                    pass  # There are no line breaks in names, and no preference among matches.
                case "-" if on:
                    on = False
                case ":":
                    return False
                case ")":
                    return True
                case other:
                    raise self._invalid(f"'(?{other}' isn't known")

    def _repeated(self, atom: Node) -> Node:
        bounds = self._bounds()
        if bounds is None:
            return atom
        self._accept("?")  # Lazy: the same for a whole name.
        if self._bounds() is not None:
            raise self._invalid("a repeat is repeated")
        return Repeat(atom, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._accept(sign):
                return bounds
        stop = self._pattern.find("}", self._at)
        if not self._peek("{") or stop < 0:
            return None
        low, comma, high = self._pattern[self._at + 1 : stop].partition(",")
        if not (low.isascii() and low.isdigit()) or (high and not (high.isascii() and high.isdigit())):
            return None  # A literal brace.
        self._at = stop + 1
        least, most = int(low[:9]), int(high[:9]) if high else None if comma else int(low[:9])
        if max(least, most or 0) > REPEAT_MAX or (most is not None and most < least):
            raise self._invalid(f"repeats from {low} to {high or 'no end'} (at most {REPEAT_MAX})")
        return least, most

    def _escape(self) -> Node:
        if self._pattern[self._at : self._at + 1] in ASSERTIONS:
            return Assertion(ASSERTIONS[self._next()])
        return Chars(self._folded(self._escaped()))

    def _escaped(self) -> frozenset[str]:
        """The set an escape stands for, after its backslash."""
        char = self._next()
        if char.lower() in PERL:
            return PERL[char] if char in PERL else ALPHABET - PERL[char.lower()]
        if char in "pP":
            name = self._until("}") if self._accept("{") else self._next()
            negated = name.startswith("^") != (char == "P")
            if name.lstrip("^") not in CATEGORIES:
                raise self._invalid(f"'{name}' isn't a general category of Unicode")
            found = frozenset(c for c in ALPHABET if unicodedata.category(c).startswith(name.lstrip("^")))
            return ALPHABET - found if negated else found
        if char == "x":
            digits = self._until("}") if self._accept("{") else self._next() + self._next()
            return frozenset((self._code(digits, 16),))
        if char == "0" or (char in "1234567" and self._pattern[self._at : self._at + 1] in set("01234567")):
            digits = char
            while len(digits) < 3 and self._pattern[self._at : self._at + 1] in set("01234567"):
                digits += self._next()
            return frozenset((self._code(digits, 8),))
        if char in CONTROLS:
            return frozenset((CONTROLS[char],))
        if char.isascii() and not char.isalnum():
            return frozenset((char,))
        raise self._invalid(f"'\\{char}' isn't an escape (there are no back-references)")

    def _code(self, digits: str, base: int) -> str:
        try:
            return chr(int(digits, base))
        except (ValueError, OverflowError):
            raise self._invalid(f"'{digits}' isn't the number of a character") from None

    def _class(self) -> Chars:
        negated = self._accept("^")
        found: set[str] = set()
        first = True
        while first or not self._accept("]"):
            first = False
            if self._accept("[:"):
                name = self._until(":]")
                if name.lstrip("^") not in POSIX:
                    raise self._invalid(f"'[:{name}:]' isn't a class")
                posix = POSIX[name.lstrip("^")]
                found |= ALPHABET - posix if name.startswith("^") else posix
                continue
            low = self._member()
            if self._peek("-") and not self._peek("-]"):
                self._next()
                high = self._member()
                if len(low) != 1 or len(high) != 1 or min(low) > min(high):
                    raise self._invalid("a range of characters that isn't one")
                found |= {c for c in ALPHABET if min(low) <= c <= min(high)}
            else:
                found |= low
        folded = self._folded(found)
        return Chars(ALPHABET - folded if negated else folded)

    def _member(self) -> frozenset[str]:
        char = self._next()
        return self._escaped() if char == "\\" else frozenset((char,))
