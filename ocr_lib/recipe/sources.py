"""Where texts that are drawn come from: the parts of a recipe's ``text.sources``."""

from typing import Union

from ocr_lib.recipe.part import Part, Positive


class Uniform(Part, frozen=True, tag_field="kind", tag="uniform"):
    """Characters of the alphabet, each as likely as the others, in texts of uniformly many.

    Attributes
    ----------
    weight : float
        How often a text is from this source, relative to the others.
    """

    weight: Positive = 1.0


class Words(Part, frozen=True, tag_field="kind", tag="words"):
    """A file with a text on each line, each as likely as the others.

    Attributes
    ----------
    file : str
    weight : float
        As in `Uniform`.
    """

    file: str
    weight: Positive = 1.0


class Corpus(Part, frozen=True, tag_field="kind", tag="corpus"):
    """A file of running text, out of which lines are cut at the ends of words.

    Attributes
    ----------
    file : str
    weight : float
        As in `Uniform`.
    """

    file: str
    weight: Positive = 1.0


class Pattern(Part, frozen=True, tag_field="kind", tag="pattern"):
    r"""A regular expression: each length that it allows is as likely as the others, and so is each text of a length.

    Attributes
    ----------
    pattern : str
        As `ocr_lib.recognize.pattern.compile_pattern` takes it, such as ``[A-Z]{2}-\d{3,4}``.
    weight : float
        As in `Uniform`.
    """

    pattern: str
    weight: Positive = 1.0


Source = Union[Uniform, Words, Corpus, Pattern]
