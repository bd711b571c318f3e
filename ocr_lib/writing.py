"""How texts are written before an alphabet meets them: normal form, case, invisible characters, direction."""

import unicodedata
from typing import NamedTuple

from ocr_lib.direction import as_read, logical, visual


class Writing(NamedTuple):
    """One way to write texts.

    Attributes
    ----------
    case : {"keep", "lower", "upper"}
    invisible : {"keep", "drop"}
        What becomes of format characters (category Cf), which have no shape of their own: joiners, soft hyphens, marks
        of direction and of byte order. Some scripts need joiners.
    direction : {"ltr", "rtl"}
        From left to right, or from right to left, with numbers and words of other scripts from left to right in it.
    """

    case: str = "keep"
    invisible: str = "keep"
    direction: str = "ltr"

    def __call__(self, text: str) -> str:
        """Return a text written so, in NFC and in the order in which it is read."""
        if self.invisible == "drop" and not text.isascii():
            text = "".join(character for character in text if not is_invisible(character))
        if self.case != "keep":
            text = text.lower() if self.case == "lower" else text.upper()
        text = unicodedata.normalize("NFC", text)
        return as_read(text) if self.direction == "rtl" else text

    def visual(self, text: str) -> str:
        """Return a text written so, in the order in which it stands from left to right."""
        return visual(self(text)) if self.direction == "rtl" else self(text)

    def logical(self, text: str) -> str:
        """Return what stands from left to right, in NFC and in the order in which it is read."""
        return unicodedata.normalize("NFC", logical(text) if self.direction == "rtl" else text)

    def alphabet(self, characters: str) -> str:
        """Return the characters that texts over an alphabet have when they are written so, in its order."""
        return "".join(dict.fromkeys("".join(self(character) for character in characters)))


def is_invisible(character: str) -> bool:
    """Whether a character has no shape of its own."""
    return unicodedata.category(character) == "Cf"


def name_of(character: str) -> str:
    """Return how messages name a character: ZERO WIDTH SPACE (U+200B)."""
    return f"{unicodedata.name(character, 'a character')} (U+{ord(character):04X})"
