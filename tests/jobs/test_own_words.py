"""Words that single images may say, as an alphabet writes them."""

import logging

import pytest

from ocr_lib.alphabet import Alphabet
from ocr_lib.jobs.own_words import OwnWords
from ocr_lib.recognize.equal_texts import EQUALITIES
from ocr_lib.writing import Writing


@pytest.fixture(autouse=True)
def told(monkeypatch, caplog):
    monkeypatch.setattr(logging.getLogger("ocr_lib"), "propagate", True)
    return caplog


@pytest.mark.parametrize(
    "characters, writing, compare, words",
    [
        ("abAB'", Writing(), "exact", ["Ab", "a'b"]),
        ("abAB'", Writing(), "alphanumeric", ["Ab", "ab", "AB", "a'b", "A'B", "A'b"]),
        ("ab", Writing(), "alphanumeric", ["ab"]),
        ("ab", Writing(case="lower"), "exact", ["ab"]),
        ("AB'", Writing(case="upper"), "alphanumeric", ["AB", "A'B"]),
    ],
)
def test_spellings(told, characters, writing, compare, words):
    own = OwnWords(Alphabet(characters, writing), EQUALITIES[compare])
    assert own.of(writing("Ab"), ["Ab", "a'b"]) == words
    own.tell()
    lacks_the_sign = characters == "ab" and compare == "exact"
    assert [record.getMessage()[:7] for record in told.records] == ["1 words"] * lacks_the_sign


def test_what_is_wrong_is_told(told):
    own = OwnWords(Alphabet("ab"), EQUALITIES["exact"])
    assert [own.of(text, ["ba", "bx", "\u00e9"]) for text in ("ab", "ba", "aa")] == [["ba"]] * 3
    own.tell()
    assert [record.getMessage() for record in told.records] == [
        "2 images say what their lexicons do not have: these count as errors",
        "2 words of the lexicons have characters that the alphabet lacks, as 'bx': these are never read",
    ]
