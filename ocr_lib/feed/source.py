"""Samples as pure functions of (recipe, split, seed, index)."""

from typing import List, NamedTuple, Protocol, Sequence, Tuple

import numpy as np

from ocr_lib.draw.captcha import CaptchaRenderer, num_draws
from ocr_lib.draw.fonts import Font
from ocr_lib.feed.texts import SPLITS, SourcedTexts, draw_texts
from ocr_lib.preparation import Preparation, pad
from ocr_lib.recipe.captcha import CaptchaRecipe
from ocr_lib.recipe.recipe import Recipe

Task = Tuple[str, range]

_DRAWS_PER_COUNT = 4


class Batch(NamedTuple):
    """Consecutive samples of a split.

    Attributes
    ----------
    images : numpy.ndarray
        (N, H, W) uint8, as the network reads them; or (N, 3 H, W), see `ocr_lib.preparation.pad`.
    texts : list of str
        What the images say.
    widths : numpy.ndarray
        (N,) int, without padding.
    """

    images: np.ndarray
    texts: List[str]
    widths: np.ndarray


class Renderer(Protocol):
    """What draws captchas of a recipe."""

    def render(self, texts: Sequence[str], draws: np.ndarray) -> np.ndarray:
        """Draw captchas in grey; the same draws give the same images.

        Parameters
        ----------
        texts : sequence of str
            N texts, not empty.
        draws : numpy.ndarray
            (N, D) float64 in [0, 1), D at least `ocr_lib.draw.captcha.num_draws` of the longest text.

        Returns
        -------
        numpy.ndarray
            (N, recipe.height, recipe.width) uint8.
        """


class Draws(NamedTuple):
    """The random numbers of consecutive samples, uniform in [0, 1).

    Attributes
    ----------
    text : numpy.ndarray
        (N, 1 + max_length), for the length of a text and for each character.
    image : numpy.ndarray
        (N, D), for the renderer.
    """

    text: np.ndarray
    image: np.ndarray


def sample_draws(split: str, seed: int, indices: range, max_length: int) -> Draws:
    """Return the random numbers of samples of a split.

    They come from Philox, which is counter-based (Salmon et al. 2011): its key is (seed, split), and each index has
    counts of its own, as many as the longest text may take. So samples can be made in any order by any number of
    processes, and a range of them from one block of numbers.
    """
    for_text = 1 + max_length
    counts = -(-(for_text + num_draws(max_length)) // _DRAWS_PER_COUNT)
    philox = np.random.Philox(key=[seed, SPLITS.index(split)], counter=indices.start * counts)
    draws = np.random.Generator(philox).random((len(indices), counts * _DRAWS_PER_COUNT))
    return Draws(draws[:, :for_text], draws[:, for_text:])


def renderer_modules(recipe: CaptchaRecipe) -> List[str]:
    """Return the modules that drawing takes, for processes to import beforehand."""
    return [__name__, "ocr_lib.draw.fast"] if recipe.renderer == "fast" else [__name__]


def make_renderer(recipe: CaptchaRecipe, fonts: Sequence[Font], characters: str) -> Renderer:
    """Return the renderer that a recipe names, for texts of these characters."""
    if recipe.renderer == "captcha":
        return CaptchaRenderer(recipe, fonts)
    from ocr_lib.draw.fast import FastRenderer  # loads compiled code, for those that draw

    return FastRenderer(recipe, fonts, characters)


def captcha_width(recipe: Recipe) -> int:
    """Return how wide the network reads the captchas of a recipe."""
    drawn = np.empty((recipe.captcha.height, recipe.captcha.width), np.uint8)
    return Preparation.of(recipe).width_of(drawn)


class CaptchaSource:
    """Endless captchas of a recipe, by split and index.

    Parameters
    ----------
    recipe : Recipe
    fonts : sequence of Font
    """

    def __init__(self, recipe: Recipe, fonts: Sequence[Font]) -> None:
        self._recipe = recipe
        self._renderer = make_renderer(recipe.captcha, fonts, recipe.text.alphabet)
        self._preparation = Preparation.of(recipe)
        self._texts = SourcedTexts(recipe.text, recipe.seed) if recipe.text.sources else None

    def __call__(self, task: Task) -> Batch:
        """Return the samples of a split with these indices."""
        split, indices = task
        recipe = self._recipe
        draws = sample_draws(split, recipe.seed, indices, recipe.text.max_length)
        texts = self._texts(split, indices) if self._texts else draw_texts(recipe.text, draws.text)
        drawn = self._renderer.render(texts, draws.image)
        images, widths = pad([self._preparation.prepare(image) for image in drawn])
        return Batch(images, texts, widths)
