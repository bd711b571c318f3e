"""The part of a recipe that says which texts there are: those that are drawn, and how labels are written."""

from typing import Literal, Optional, Tuple

from ocr_lib.alphabet import DIGITS, Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.recipe.part import Count, Fraction, Part
from ocr_lib.recipe.sources import Source
from ocr_lib.writing import Writing


class TextRecipe(Part, frozen=True):
    """Which texts there are, and how labels are written.

    White space in the alphabet is drawn between other characters alone.

    Attributes
    ----------
    alphabet : str
        Characters in the order of the classes.
    min_length, max_length : int
        Of texts, in characters.
    sources : tuple of Source
        Where texts that are drawn come from; without any (the default), each has uniformly many characters of the
        alphabet, all as likely.
    casing, punctuation : float
        Shares of the texts from words or a corpus that are brought to another case (all large, all small, or the first
        of each word large), and that get a mark behind a word or a pair around it, as far as the alphabet has those.
    rare : float
        Share of the texts from words or a corpus that are looked up by one of their characters, all as likely, so that
        rare ones are seen more often.
    direction : {"ltr", "rtl"}, optional
        How texts are written: from left to right, or from right to left. Left out (null), training labels say it: it
        becomes "rtl" where they have letters that are written so.
    case : {"keep", "lower", "upper"}
        What becomes of the case of labels, in training and in evaluation.
    invisible : {"keep", "drop"}
        What becomes of labels' characters without a shape, as zero width spaces and soft hyphens.
    """

    alphabet: str = DIGITS
    min_length: Count = 3
    max_length: Count = 4
    sources: Tuple[Source, ...] = ()
    casing: Fraction = 0.0
    punctuation: Fraction = 0.0
    rare: Fraction = 0.0
    direction: Optional[Literal["ltr", "rtl"]] = None
    case: Literal["keep", "lower", "upper"] = "keep"
    invisible: Literal["keep", "drop"] = "keep"

    def __post_init__(self) -> None:
        try:
            Alphabet(self.alphabet, self.writing)
        except OCRError as error:
            raise ValueError(str(error)) from error
        if self.alphabet.isspace():
            raise ValueError("the alphabet has nothing but white space; give it characters that can be seen")
        if self.min_length > self.max_length:
            raise ValueError(f"min_length {self.min_length} is more than max_length {self.max_length}")

    @property
    def writing(self) -> Writing:
        """How labels are written."""
        return Writing(self.case, self.invisible, self.direction or "ltr")
