"""Samples as pure functions of (recipe, split, seed, index)."""

from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

from ocr_lib.data.captcha import CaptchaRenderer
from ocr_lib.image import fit
from ocr_lib.recipe import Recipe, TextRecipe

Task = Tuple[str, range]

SPLITS = ("train", "validation", "test", "files")


class Batch(NamedTuple):
    """Consecutive samples of a split.

    Attributes
    ----------
    images : numpy.ndarray
        (N, H, W) uint8, dark text on light paper.
    texts : list of str
        What the images say.
    """

    images: np.ndarray
    texts: List[str]


def sample_generator(split: str, seed: int, index: int) -> np.random.Generator:
    """Return the random generator of one sample.

    Philox is counter-based (Salmon et al. 2011): each (seed, split, index) has a stream of 2**128 numbers of its own,
    so that samples can be made in any order by any number of processes.
    """
    return np.random.Generator(np.random.Philox(key=[seed, SPLITS.index(split)], counter=[0, 0, index, 0]))


def draw_text(recipe: TextRecipe, rng: np.random.Generator) -> str:
    """Draw a text: its length uniform, then each character."""
    length = rng.integers(recipe.min_length, recipe.max_length, endpoint=True)
    return "".join(recipe.alphabet[i] for i in rng.integers(len(recipe.alphabet), size=length))


class CaptchaSource:
    """Endless captchas of a recipe, by split and index.

    Parameters
    ----------
    recipe : Recipe
    fonts : sequence of pathlib.Path
    """

    def __init__(self, recipe: Recipe, fonts: Sequence[Path]) -> None:
        self._recipe = recipe
        self._renderer = CaptchaRenderer(recipe.captcha, fonts)

    def sample(self, split: str, index: int) -> Tuple[np.ndarray, str]:
        """Return the image, (H, W) uint8 at the network's size, and its text."""
        rng = sample_generator(split, self._recipe.seed, index)
        text = draw_text(self._recipe.text, rng)
        return fit(self._renderer.grey(text, rng), self._recipe.image), text

    def __call__(self, task: Task) -> Batch:
        """Return the samples of a split with these indices."""
        split, indices = task
        samples = [self.sample(split, index) for index in indices]
        return Batch(np.stack([image for image, _ in samples]), [text for _, text in samples])
