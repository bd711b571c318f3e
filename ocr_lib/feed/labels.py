"""What the labels of a data set say about how texts are written."""

import logging

from ocr_lib.direction import has_right_to_left
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
from ocr_lib.sets.labelled import Dataset, rewritten

logger = logging.getLogger(__name__)


def with_direction(recipe: Recipe, dataset: Dataset) -> Recipe:
    """Let labels say whether texts are written from right to left, if the recipe does not."""
    texts = (dataset.item(index).text for index in range(len(dataset)))
    if recipe.text.direction is None and any(map(has_right_to_left, texts)):
        logger.info("Labels are written from right to left: text.direction is rtl; ltr takes them as they are")
        return override(recipe, {"text.direction": "rtl"})
    return recipe


def as_written(dataset: Dataset, recipe: Recipe) -> Dataset:
    """Write labels as a recipe says."""
    return rewritten(dataset, recipe.text.writing)
