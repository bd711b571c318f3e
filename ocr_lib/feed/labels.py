"""What the labels of a data set say about how texts are written."""

import logging
from collections import Counter

from ocr_lib.direction import has_right_to_left
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
from ocr_lib.sets.dataset import tell_problems
from ocr_lib.sets.labelled import Dataset, rewritten
from ocr_lib.writing import is_invisible, name_of

logger = logging.getLogger(__name__)


def with_direction(recipe: Recipe, dataset: Dataset) -> Recipe:
    """Let labels say whether texts are written from right to left, if the recipe does not."""
    texts = (dataset.item(index).text for index in range(len(dataset)))
    if recipe.text.direction is None and any(map(has_right_to_left, texts)):
        logger.info("Labels are written from right to left: text.direction is rtl; ltr takes them as they are")
        return override(recipe, {"text.direction": "rtl"})
    return recipe


def as_written(dataset: Dataset, recipe: Recipe) -> Dataset:
    """Write labels as a recipe says, and tell if that keeps characters without a shape."""
    found = Counter(filter(is_invisible, "".join(dataset.item(index).text for index in range(len(dataset)))))
    told = ", ".join(f"{name_of(character)} {found[character]} times" for character in sorted(found))
    if told and recipe.text.invisible == "keep":
        logger.warning("Labels have characters without a shape: %s; text.invisible=drop leaves them out", told)
    written = rewritten(dataset, recipe.text.writing)
    tell_problems("Left out", written.problems[len(dataset.problems) :])
    return written
