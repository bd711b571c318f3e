"""The part of a recipe that says which texts there are: those that are drawn, and how labels are written."""

from typing import Literal, Optional

from ocr_lib.alphabet import DIGITS, Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.recipe.part import Count, Part
from ocr_lib.writing import Writing


class TextRecipe(Part, frozen=True):
    """Which texts there are. Those that are drawn have uniformly many characters, each uniform over the alphabet.

    White space in the alphabet is drawn between other characters alone.

    Attributes
    ----------
    alphabet : str
        Characters in the order of the classes.
    min_length, max_length : int
        Of texts, in characters.
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
