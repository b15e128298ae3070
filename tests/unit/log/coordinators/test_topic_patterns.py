"""RE2's syntax (https://github.com/google/re2/wiki/Syntax) and its promise, over topic names."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.log.coordinators.topic_patterns import compile_pattern
from streamflow.log.errors import InvalidPatternError

names = st.text("abcAB01._-", max_size=8)


def patterns() -> st.SearchStrategy[str]:
    """Expressions that mean the same to Python."""
    atoms = st.sampled_from(
        ["a", "b", "B", "0", r"\.", "-", "_", ".", r"\d", r"\W", r"\w", "[ab]", "[^a]", "[a-c0]", r"[\d_-]", "^", "$"]
    )

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.lists(inner, max_size=3).map("".join),
            st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format),
            inner.map("(?:{})".format),
            st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{0,2}", "{1,}", "{,2}"])),
        )

    return st.recursive(atoms, larger, max_leaves=8)


@given(pattern=patterns(), name=names)
def test_a_name_matches_as_a_whole_where_python_says_so(pattern: str, name: str) -> None:
    # Of Python's syntax, `{,2}` alone means something else to RE2: itself.
    theirs = re.compile(pattern.replace("{,2}", r"\{,2\}"))
    assert compile_pattern(pattern)(name) == bool(theirs.fullmatch(name))


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("orders", "orders", True),
        ("orders", "orders-eu", False),
        ("ders", "orders", False),
        ("orders-(eu|us)", "orders-us", True),
        (r"\Qa.b\E.*", "a.b.c", True),
        (r"\Qa.b", "axb", False),
        ("(?i)ORDERS", "orders", True),
        ("(?i:O)RDERS", "oRDERS", True),
        ("(?i:O)RDERS", "orders", False),
        ("((?i)a)b|B", "AB", False),
        ("((?i)a)b|B", "Ab", True),
        ("(?i-s)a", "A", True),
        ("(?P<region>eu)", "eu", True),
        ("(?<region>eu)", "eu", True),
        ("[[:alpha:]]+", "abc", True),
        ("[[:^alpha:]]+", "12-", True),
        ("[]a]", "a", True),
        ("[a-]", "-", True),
        (r"\pL+\p{Nd}\PL", "ab1_", True),
        (r"\p{^Lu}", "A", False),
        (r"\x61\x{62}\141", "aba", True),
        (r"\bab\b-\Ba\b", "ab-a", False),
        (r"\bab\b-\ba\b", "ab-a", True),
        (r"\Aa\z", "a", True),
        ("a^b", "ab", False),
        ("a{2", "a{2", False),
        ("a{2,3}", "aaa", True),
        ("a{2,3}", "aaaa", False),
        ("", "", True),
        ("a||b", "", True),
        (r"\s", "a", False),
        ("é", "e", False),
    ],
)
def test_a_name_matches_as_re2_says(pattern: str, name: str, matches: bool) -> None:
    assert compile_pattern(pattern)(name) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        *("(", ")", "a)", "(a", "[", "[a", "[z-a]", "[[:letters:]]", "*", "a**", "a*{2}", "a{1001}", "a{3,2}"),
        *("(?=a)", "(?<!a)", "(?>a)", "(?x)", "(?P<1>a)", "(?P<a"),
        *(r"(a)\1", r"\y", "\\", r"\p{Greek}", r"\xzz", r"\x{110000}"),
    ],
)
def test_what_re2_refuses_is_refused_here_too(pattern: str) -> None:
    with pytest.raises(InvalidPatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["(a{100}){100}", "((){1000}){1000}", "(((){1000}){1000}){1000}", "(" * 500 + ")" * 500, "a" * 20_000],
    ids=["states", "nothing", "nothing in nothing", "depth", "length"],
)
def test_what_would_be_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|a)*", "(a|aa)+", "(.*)*(.*)*(.*)*", "(a?){200}a{200}"])
def test_no_expression_makes_a_match_slow(pattern: str) -> None:
    """Each of these takes a backtracking engine longer than any test may."""
    assert compile_pattern(pattern)("a" * 248 + "!") is False


@given(pattern=st.text("ab01\\()[]{}|*+?.^$-:,PpQEdwx<>i#é", max_size=12), name=names)
def test_any_text_is_an_expression_or_refused(pattern: str, name: str) -> None:
    with suppress(InvalidPatternError):
        compile_pattern(pattern)(name)
