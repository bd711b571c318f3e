"""Patterns as automata, against `re` itself on every short text."""

import contextlib
import itertools
import re
import sys
import time
import warnings

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.recognize.beam import prefix_beam_search
from ocr_lib.recognize.pattern import compile_pattern
from tests.recognize.enumeration import least_steps, random_log_probs
from tests.recognize.patterns import PATTERNS

ATOMS = ["a", "b", "1", "B", "x", ".", r"\d", r"\w", r"\W", "[ab]", "[^a]", "[a-z1]", r"[^\d]", "(?i:b)", ""]
REPEATS = ["*", "+", "?", "{2}", "{0,2}", "{1,}", "{0}", "{2,3}", "*?", "+?", "??", "{1,2}?"]


def _compose(inner):
    groups = inner.map("({})".format) | inner.map("(?:{})".format)
    return (
        st.lists(inner, min_size=2, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})")
        | st.tuples(groups, st.sampled_from(REPEATS)).map("".join)
    )


ANY_PATTERNS = st.recursive(st.sampled_from(ATOMS), _compose, max_leaves=8)


def texts_of(alphabet, length):
    for size in range(length + 1):
        yield from map("".join, itertools.product(alphabet.characters, repeat=size))


def compile_or_none(pattern, alphabet):
    with contextlib.suppress(OCRError):
        return compile_pattern(pattern, alphabet)
    with pytest.raises(OCRError, match="matches no text"):
        compile_pattern(pattern, alphabet)
    return None


def check(pattern, alphabet, length):
    """Return the automaton, after asking `re` about all texts of up to so many characters; None if there is no text."""
    expected = [text for text in texts_of(alphabet, length) if re.fullmatch(pattern, text)]
    automaton = compile_or_none(pattern, alphabet)
    if automaton is None:
        assert not expected
        return None
    assert [text for text in texts_of(alphabet, length) if automaton.accepts(alphabet.encode(text))] == expected
    if expected:
        assert automaton.required_steps <= min(map(least_steps, expected))
    return automaton


@pytest.mark.parametrize(
    "pattern",
    [*PATTERNS, "(?i)b", "(?i:b)b?|B", "(?i)a(?-i:B)", r"(?a:\w)", "(?x) a  # one\n B", "(?s)."],
)
def test_accepts_what_re_matches(pattern):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of [[
        assert check(pattern, Alphabet("a-01Bé"), 5) is not None


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_PATTERNS)
def test_accepts_what_re_matches_of_any_pattern(pattern):
    check(pattern, Alphabet("ab1B-"), 4)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_PATTERNS, st.integers(0, 2**32 - 1), st.integers(0, 10), st.integers(1, 4))
def test_a_beam_held_to_it_reads_nothing_else(pattern, seed, steps, width):
    alphabet = Alphabet("ab1B-")
    automaton = compile_or_none(pattern, alphabet)
    assume(automaton)
    log_probs = random_log_probs(seed, steps, 3, alphabet.num_classes)
    for ids, _ in prefix_beam_search(log_probs, automaton, width):
        assert (ids is None) == (automaton.required_steps > steps)
        assert ids is None or re.fullmatch(pattern, alphabet.decode(ids))


@pytest.mark.parametrize(
    "characters, pattern",
    [
        ("жзи", "[а-я]{2}"),
        ("жЖ", "(?i)ж+"),
        ("٣4四", r"\d"),
        ("\U0001f600a", "\U0001f600a?"),
        (".+*", r"\.[+*]"),
        ("ſsS", "(?i)s"),
    ],
)
def test_other_alphabets(characters, pattern):
    assert check(pattern, Alphabet(characters), 4) is not None


def test_empty_repetitions_take_no_time():
    automaton = compile_pattern("((((){1000}){1000}){1000}){1000}", Alphabet("a"))
    assert automaton.accepts([])
    assert not automaton.accepts([1])


def test_is_brought_to_nfc():
    assert compile_pattern("e\u0301", Alphabet("é")).accepts([1])


def test_a_text_for_each_class_of_a_large_alphabet():
    alphabet = Alphabet("".join(map(chr, range(0x4E00, 0x4E00 + 5000))))
    automaton = compile_pattern("[\u4e00-\u5fff]{1,20}", alphabet)
    assert len(automaton.steps_after_blank) == 21
    assert automaton.accepts(alphabet.encode("\u4e00" * 20))
    assert not automaton.accepts(alphabet.encode("\u4e00" * 21))


class TestErrors:
    def refused(self, pattern, characters="ab1"):
        with pytest.raises(OCRError) as caught:
            compile_pattern(pattern, Alphabet(characters))
        begin, said = f"the pattern {pattern!r} ", str(caught.value)
        assert said.startswith(begin)
        assert "\n" not in said
        return said[len(begin) :]

    @pytest.mark.parametrize(
        "pattern, construct",
        [
            ("(?=a)a", "a lookahead or lookbehind"),
            ("a(?<=a)", "a lookahead or lookbehind"),
            ("(?!b)a", "a negative lookahead or lookbehind"),
            ("(?!)|a", "a negative lookahead or lookbehind"),
            ("a(?<!b)", "a negative lookahead or lookbehind"),
            (r"(a)\1", "a backreference"),
            ("(?P<n>a)(?P=n)", "a backreference"),
            ("(a)?(?(1)a|b)", "a conditional group"),
            (r"\ba", "a word boundary"),
            (r"a\B", "a word boundary"),
            ("a^b", "an anchor elsewhere than at its ends"),
            ("a$b", "an anchor elsewhere than at its ends"),
            ("(^a)", "an anchor elsewhere than at its ends"),
            (r"a|b\Z", "an anchor elsewhere than at its ends"),
        ],
    )
    def test_what_no_automaton_can_follow(self, pattern, construct):
        assert self.refused(pattern) == f"has {construct}, which is not supported"

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="new in Python 3.11")
    @pytest.mark.parametrize(
        "pattern, construct", [("a*+a", "a possessive repetition"), ("(?>a|ab)b", "an atomic group")]
    )
    def test_what_newer_pythons_have(self, pattern, construct):
        assert self.refused(pattern) == f"has {construct}, which is not supported"

    @pytest.mark.parametrize("pattern", ["[", "(", "a**", "a{99999999999}", "(?L)a", "[b-a]", r"\q", "(?P<n>a"])
    def test_what_is_no_regular_expression(self, pattern):
        assert self.refused(pattern).startswith("is no regular expression: ")

    def test_groups_too_deep(self):
        assert self.refused("(" * 5000 + ")" * 5000) == "has too many groups within groups"

    @pytest.mark.parametrize(
        "pattern",
        [
            r"\d{0,100000}",
            r"\d{100000}",
            "(a|b)*a(a|b){30}",
            ".*a.{3990}",
            "((((a?){1000}){1000}){1000}){1000}",
            "(|a){1000000000}",
            "(a?){3900}(b?){3900}",
        ],
    )
    def test_automata_too_large(self, pattern):
        start = time.perf_counter()
        assert self.refused(pattern).startswith("has an automaton of more than 4,000 states or 2,000,000 edges; let")
        assert time.perf_counter() - start < 20

    def test_too_many_edges(self):
        characters = "".join(map(chr, range(0x4E00, 0x4E00 + 5000)))
        assert self.refused(".{1000}", characters).startswith("has an automaton of more than 4,000 states")

    @pytest.mark.parametrize("pattern", ["x", "[A-Z]+", "a{2}x", r"[^\w]", r"\s", "[^ab1]"])
    def test_no_text_matches(self, pattern):
        assert self.refused(pattern) == "matches no text over the alphabet 'ab1'"
