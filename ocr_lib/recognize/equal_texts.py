"""When two texts count as the same: if all their characters are, or, as the field of scene text has it, fewer."""

import unicodedata
from functools import lru_cache
from typing import Callable, Dict, NamedTuple, Tuple


class Equality(NamedTuple):
    """A rule by which texts are compared.

    Attributes
    ----------
    key : callable
        Returns what of a text counts: texts that have it in common are the same.
    spellings : callable
        Returns the ways in which a network may have learned to write a word of a lexicon; all have one key.
    """

    key: Callable[[str], str]
    spellings: Callable[[str], Tuple[str, ...]]


@lru_cache(maxsize=2**16)
def alphanumeric(text: str) -> str:
    """Return the letters of a text, with the marks on them, and its digits, without their case."""
    return "".join(character for character in text if unicodedata.category(character)[0] in "LMN").casefold()


@lru_cache(maxsize=2**16)
def _spellings(word: str) -> Tuple[str, ...]:
    """Return a word as it is, in small letters, in capitals and with one in front; and the same without signs."""
    plain = "".join(character for character in word if unicodedata.category(character)[0] in "LMN")
    cases = (case(form) for form in (word, plain) for case in (str, str.lower, str.upper, str.capitalize))
    # Some letters have the capital of another: that of Turkish ı is I.
    return tuple(dict.fromkeys(each for each in cases if each and alphanumeric(each) == alphanumeric(word)))


EQUALITIES: Dict[str, Equality] = {
    "exact": Equality(str, lambda word: (word,)),
    "alphanumeric": Equality(alphanumeric, _spellings),
}
"""As `--compare` calls them."""
