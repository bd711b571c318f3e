"""Rendered words and lines as pure functions of (recipe, split, seed, index)."""

from pathlib import Path
from typing import List, Sequence

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
    run : int
        As for `ocr_lib.feed.texts.SourcedTexts`.
    """

    def __init__(self, recipe: Recipe, coverage: Coverage, pictures: Sequence[Path] = (), run: int = 1) -> None:
        assert recipe.rendering is not None
        self._seed = recipe.seed
        self._coverage = coverage
        self._texts = drawn_texts(recipe, coverage, run)
        self._renderer = TextRenderer(recipe.rendering, coverage, pictures, Preparation.of(recipe).rendition.channels)

    def texts(self, split: str, indices: Sequence[int]) -> List[str]:
        """Return what samples of a split say."""
        return [self._coverage.drawable(text) for text in self._texts(split, indices)]

    def draw(self, split: str, index: int, text: str) -> np.ndarray:
        """Return the image of a sample that says this, (H, W) or (H, W, 3) uint8."""
        philox = np.random.Philox(key=[self._seed, _RENDERING + SPLITS.index(split)], counter=[0, index, 0, 0])
        return self._renderer.draw(text, np.random.Generator(philox))


def drawn_texts(recipe: Recipe, coverage: Coverage, run: int = 1) -> SourcedTexts:
    """Return the texts of a recipe that some font can draw; without sources they are of the alphabet.

    Raises
    ------
    OCRError
        If there are none; see `SourcedTexts`.
    """
    text, image = recipe.text, recipe.image
    if not text.sources:
        text = msgspec.structs.replace(text, sources=(Uniform(),))

    def can_draw(drawn: str) -> bool:
        has_room = image.width is None or required_steps(text.writing(drawn)) <= recipe.time_steps
        return has_room and len(coverage.able(drawn)) > 0

    return SourcedTexts(text, recipe.seed, can_draw, run)


class TextSource:
    """Rendered words and lines, as a network reads them.

    Parameters
    ----------
    recipe, coverage, pictures
        As for `RenderedTexts`.
    """

    def __init__(self, recipe: Recipe, coverage: Coverage, pictures: Sequence[Path] = ()) -> None:
        self._recipe = recipe
        # What is computed together shall need little padding, and all parts of a batch shall take one time.
        run = recipe.training.batch_size if recipe.image.width is None else 1
        self._rendered = RenderedTexts(recipe, coverage, pictures, run)
        self._preparation = Preparation.of(recipe)

    def __call__(self, task: Task) -> Batch:
        """Return the samples of a split with these indices."""
        split, indices = task
        drawn = self._rendered.texts(split, indices)
        texts = [self._recipe.text.writing(text) for text in drawn]
        rendered = [self._rendered.draw(split, index, text) for index, text in zip(indices, drawn)]
        images, widths = pad([self._prepared(*each) for each in zip(rendered, texts)])
        return Batch(images, texts, widths)

    def _prepared(self, image: np.ndarray, text: str) -> np.ndarray:
        image = self._preparation.prepare(image)
        needed = required_steps(text)
        if self._preparation.steps(image.shape[1]) < needed:  # letters may be too narrow for the network
            image = cv2.resize(image, (least_size(self._preparation.shrinkage, needed), image.shape[0]))
        return image
