"""Patterns in the page that reads without a server: against `re`, and against the beam search of the package."""

import itertools
import random
import re
import unicodedata
import warnings

import numpy as np
import pytest

from ocr_lib.alphabet import Alphabet
from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.recognize.alternatives import alternatives
from ocr_lib.recognize.pattern import compile_pattern
from tests.chromium import DROP, drop, needs_chromium, playwright
from tests.deploy.c_programs import CASES, make_network, make_recipe
from tests.recognize.enumeration import random_log_probs
from tests.recognize.patterns import PATTERNS

pytestmark = needs_chromium

CHARACTERS = "ab1B-é"
TOO_LARGE = "has an automaton of more than 4,000 states or 2,000,000 edges; let it repeat less often"
ACCEPTED = """([patterns, texts, alphabet]) => patterns.map((pattern) => {
    let automaton;
    try {
        automaton = compilePattern(pattern, alphabet);
    } catch (error) {
        return error.message;
    }
    const accepts = (ids) => {
        let state = 0;
        for (const id of ids) {
            const edge = automaton.edges[state].find(({ label }) => label === id);
            if (!edge) return false;
            state = edge.target;
        }
        return automaton.afterBlank[state] === 0;
    };
    return [automaton.afterBlank[0], texts.map(accepts)];
})"""
FOUND = """([patterns, steps, alphabet]) => patterns.map((pattern) => {
    const automaton = compilePattern(pattern, alphabet);
    return steps.map((each) => nBest(each, 5, 16, automaton));
})"""
ATOMS = ["a", "b", "1", "B", "x", ".", r"\d", r"\w", r"\W", r"\-", r"\x61", "[ab]", "[^a]", "[a-z1]", r"[^\d]", "", "é"]
REPEATS = ["*", "+", "?", "{2}", "{0,2}", "{,1}", "{1,}", "{0}", "{2,3}", "*?", "+?", "??", "{1,2}?"]
OTHERS = [
    r"[a-z]{2}-\d+",
    r"\A(1|b)\Z",
    "e\u0301|a+?",
    "[]a]",
    "[^]a]",
    "a{",
    "a{}",
    "{a}",
    "a{1,b}|B",
    r"[\x61-b\u0031]+",
    r"[\b\-]",
    r"\.|\t|\\",
]
REFUSED = [
    ("(?=a)a", "has a lookahead or lookbehind, which is not supported"),
    ("a(?<=a)", "has a lookahead or lookbehind, which is not supported"),
    ("(?!b)a", "has a negative lookahead or lookbehind, which is not supported"),
    ("a(?<!b)", "has a negative lookahead or lookbehind, which is not supported"),
    (r"(a)\1", "has a backreference or an octal number, which is not supported"),
    ("(?P<n>a)(?P=n)", "has a backreference, which is not supported"),
    ("(a)?(?(1)a|b)", "has a conditional group, which is not supported"),
    ("(?>a)b", "has an atomic group, which is not supported"),
    ("(?i)a", "has a comment or a flag, which is not supported"),
    (r"\ba", "has a word boundary, which is not supported"),
    ("a*+", "has a possessive repetition, which is not supported"),
    ("a^b", "has an anchor elsewhere than at its ends, which is not supported"),
    (r"a|b\Z", "has an anchor elsewhere than at its ends, which is not supported"),
    ("[", "is no regular expression: a [ without its ]"),
    ("[a", "is no regular expression: a [ without its ]"),
    ("[\\", "is no regular expression: a [ without its ]"),
    ("(", "is no regular expression: a group without its )"),
    ("a)", "is no regular expression: a ) without its ("),
    ("a**", "is no regular expression: a repetition of a repetition"),
    ("*a", "is no regular expression: nothing to repeat before *"),
    ("^*", "is no regular expression: an anchor that is repeated"),
    ("a{3,2}", "is no regular expression: 3 to 2 times"),
    ("[b-a]", "is no regular expression: a bad range of characters"),
    (r"[a-\d]", "is no regular expression: a bad range of characters"),
    (r"\q", r"is no regular expression: a bad escape \q"),
    (r"\xg1", r"is no regular expression: a bad \x"),
    ("a\\", "is no regular expression: a \\ at its end"),
    ("x", f"matches no text over the alphabet '{CHARACTERS}'"),
    (r"(\w{99}){99}", TOO_LARGE),
    ("(a|b)*a(a|b){13}", TOO_LARGE),
    ("(" * 50_000 + ")" * 50_000, "has too many groups within groups"),
]


def pattern_of(choose, depth=3):
    """Return some pattern."""
    if not depth or choose.random() < 0.2:
        return choose.choice(ATOMS)
    parts = [pattern_of(choose, depth - 1) for _ in range(choose.randint(1, 3))]
    kind = choose.randrange(3)
    if kind == 0:
        return "".join(parts)
    if kind == 1:
        return f"(?:{'|'.join(parts)})"
    return f"({''.join(parts)}){choose.choice(REPEATS)}"


def said_of(pattern, refusal):
    return str(refusal)[len(f"the pattern {pattern!r}") :]


@pytest.fixture
def page(open_page):
    return open_page(make_recipe("none", text__alphabet=CHARACTERS))


def test_accepts_what_re_matches(page):
    choose = random.Random(2)
    patterns = PATTERNS + OTHERS + [pattern_of(choose) for _ in range(400)]
    alphabet = Alphabet(CHARACTERS)
    texts = ["".join(each) for size in range(4) for each in itertools.product(CHARACTERS, repeat=size)]
    ids = [alphabet.encode(text) for text in texts]
    found = page.evaluate(ACCEPTED, [patterns, ids, list(CHARACTERS)])
    num_texts = 0
    for pattern, mine in zip(patterns, found):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of [[
            matches = re.compile(unicodedata.normalize("NFC", pattern)).fullmatch
            expected = [bool(matches(text)) for text in texts]
        if isinstance(mine, str):
            with pytest.raises(OCRError) as refusal:
                compile_pattern(pattern, alphabet)
            assert mine.removeprefix(f"the pattern '{pattern}'") == said_of(pattern, refusal.value)
            continue
        assert mine == [compile_pattern(pattern, alphabet).required_steps, expected], pattern
        num_texts += sum(expected)
    assert num_texts > 1000


def test_empty_repetitions_take_no_time(page):
    (found,) = page.evaluate(ACCEPTED, [["((((){1000}){1000}){1000}){1000}"], [[], [1]], list(CHARACTERS)])
    assert found == [0, [True, False]]


def test_classes_have_the_characters_that_python_says(page):
    assigned = (chr(code) for code in range(0x20, 0x3100) if unicodedata.category(chr(code)) not in ("Cn", "Cs"))
    characters = [each for each in assigned if unicodedata.normalize("NFC", each) == each]
    patterns = [r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", ".", r"[^\d\s]", "[α-ω\u0400-\u04ff]"]
    found = page.evaluate(ACCEPTED, [patterns, [[index] for index in range(1, len(characters) + 1)], characters])
    for pattern, (_, accepted) in zip(patterns, found):
        expected = [bool(re.fullmatch(pattern, each)) for each in characters]
        differing = [each for each, mine, other in zip(characters, accepted, expected) if mine != other]
        assert not differing, pattern


def test_finds_the_texts_that_the_package_finds(page):
    choose = random.Random(3)
    alphabet = Alphabet(CHARACTERS)
    patterns = [r"[ab1]{2,3}", r"\w+-\d", "(ab|ba)*", "aa|bb|1", "é{3}", ".*", "(a|b){5}", "(aa)+"]
    for pattern in (pattern_of(choose) for _ in range(200)):
        try:
            compile_pattern(pattern, alphabet)
        except OCRError:
            continue
        patterns.append(pattern)
    log_probs = [random_log_probs(seed, num_steps, 7) for seed, num_steps in enumerate([1, 2, 5, 8, 9])]
    found = page.evaluate(FOUND, [patterns, [steps.tolist() for steps in log_probs], list(CHARACTERS)])
    num_texts = 0
    for pattern, of_pattern in zip(patterns, found):
        for steps, mine in zip(log_probs, of_pattern):
            expected = alternatives(np.exp(steps), alphabet, 5, compile_pattern(pattern, alphabet))
            assert [alphabet.decode(each["label"]) for each in mine] == [each.text for each in expected], pattern
            shares = [np.exp(each["likelihood"]) for each in mine]
            np.testing.assert_allclose(shares, [each.confidence for each in expected], rtol=1e-9)
            num_texts += len(mine)
    assert num_texts > 1000


def test_what_can_not_be_followed_is_refused(page):
    found = page.evaluate(ACCEPTED, [[pattern for pattern, _ in REFUSED], [], list(CHARACTERS)])
    assert found == [f"the pattern '{pattern}' {message}" for pattern, message in REFUSED]


def test_the_page_reads_texts_of_a_pattern_alone(open_page):
    recipe = CASES[7]
    image = np.random.default_rng(1).integers(0, 256, (26, 72), np.uint8)
    file = cv2.imencode(".png", image)[1].tobytes()
    page = open_page(recipe, make_network(recipe))
    wanted = f"{recipe.text.alphabet[0]}{recipe.text.alphabet[1]}"
    page.fill("#pattern", f"({wanted}){{1,2}}")
    drop(page, file)
    assert page.inner_text("#text") in (wanted, 2 * wanted)
    page.fill("#pattern", f"{wanted}{{9000}}")
    page.evaluate(DROP, [list(file), "x.png"])
    playwright.expect(page.locator("#message")).to_contain_text("let it repeat less often")
    page.fill("#pattern", "(")
    page.evaluate(DROP, [list(file), "x.png"])
    playwright.expect(page.locator("#message")).to_contain_text("no regular expression")
