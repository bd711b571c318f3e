"""The part of a recipe that says which texts are drawn."""

from ocr_lib.alphabet import DIGITS, Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.recipe.part import Count, Part


class TextRecipe(Part, frozen=True):
    """Which texts are drawn: uniformly many characters, each uniform over the alphabet."""

    alphabet: str = DIGITS
    min_length: Count = 3
    max_length: Count = 4

    def __post_init__(self) -> None:
        try:
            Alphabet(self.alphabet)
        except OCRError as error:
            raise ValueError(str(error)) from error
        if self.min_length > self.max_length:
            raise ValueError(f"min_length {self.min_length} is more than max_length {self.max_length}")
