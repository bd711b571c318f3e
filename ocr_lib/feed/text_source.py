"""Rendered words and lines as pure functions of (recipe, split, seed, index)."""

from pathlib import Path
from typing import List, Sequence, Tuple

import msgspec
import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.draw.text.coverage import Coverage
from ocr_lib.draw.text.renderer import TextRenderer
from ocr_lib.feed.source import Batch, Task
from ocr_lib.feed.texts import SPLITS, SourcedTexts
from ocr_lib.geometry import least_size
from ocr_lib.preparation import Preparation, pad
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.sources import Uniform
from ocr_lib.recognize.ctc import required_steps

# Random numbers are Philox's, whose keys are (seed, what for).
_RENDERING = 2**60


class RenderedTexts:
    """Endless words and lines of a recipe, by split and index, as they are drawn.

    Parameters
    ----------
    recipe : Recipe
        With `rendering`.
    coverage : Coverage
        The fonts.
    pictures : sequence of pathlib.Path
        To stand on.
    """

    def __init__(self, recipe: Recipe, coverage: Coverage, pictures: Sequence[Path] = ()) -> None:
        assert recipe.rendering is not None
        self._seed = recipe.seed
        self._coverage = coverage
        self.texts = drawn_texts(recipe, coverage)
        self._renderer = TextRenderer(recipe.rendering, coverage, pictures, recipe.image.channels)

    def __call__(self, task: Task) -> Tuple[List[np.ndarray], List[str]]:
        """Return images, (H, W) or (H, W, 3) uint8 each, and what they say."""
        split, indices = task
        texts = [self._drawable(text) for text in self.texts(split, indices)]
        return [self._draw(split, *each) for each in zip(indices, texts)], texts

    def _drawable(self, text: str) -> str:
        """Return a text without words at its end until one font has all of its characters."""
        while not len(self._coverage.able(text)):
            text = text.rpartition(" ")[0]
        return text

    def _draw(self, split: str, index: int, text: str) -> np.ndarray:
        philox = np.random.Philox(key=[self._seed, _RENDERING + SPLITS.index(split)], counter=[0, index, 0, 0])
        return self._renderer.draw(text, np.random.Generator(philox))


def drawn_texts(recipe: Recipe, coverage: Coverage) -> SourcedTexts:
    """Return the texts of a recipe that some font can draw; without sources they are of the alphabet.

    Raises
    ------
    OCRError
        If there are none; see `SourcedTexts`.
    """
    text, image, training = recipe.text, recipe.image, recipe.training
    if not text.sources:
        text = msgspec.structs.replace(text, sources=(Uniform(),))

    def can_draw(drawn: str) -> bool:
        has_room = image.width is None or required_steps(text.writing(drawn)) <= recipe.time_steps
        return has_room and len(coverage.able(drawn)) > 0

    part = max(1, training.batch_size // training.parts)
    return SourcedTexts(text, recipe.seed, can_draw, part if image.width is None else 1)


class TextSource:
    """Rendered words and lines, as a network reads them.

    Parameters
    ----------
    recipe, coverage, pictures
        As for `RenderedTexts`.
    """

    def __init__(self, recipe: Recipe, coverage: Coverage, pictures: Sequence[Path] = ()) -> None:
        self._recipe = recipe
        self._rendered = RenderedTexts(recipe, coverage, pictures)
        self._preparation = Preparation.of(recipe)

    def __call__(self, task: Task) -> Batch:
        """Return the samples of a split with these indices."""
        drawn, texts = self._rendered(task)
        writing = self._recipe.text.writing
        texts = [writing(text) for text in texts]
        images, widths = pad([self._prepared(*each) for each in zip(drawn, texts)])
        return Batch(images, texts, widths)

    def _prepared(self, image: np.ndarray, text: str) -> np.ndarray:
        image = self._preparation.prepare(image)
        needed = required_steps(text)
        if self._preparation.steps(image.shape[1]) < needed:  # letters may be too narrow for the network
            image = cv2.resize(image, (least_size(self._preparation.shrinkage, needed), image.shape[0]))
        return image
