"""In which order an epoch shows the samples of a data set on disk, and how it cuts them into batches and their parts.

Where images have any width, those of a part are alike in width, so that padding costs little, and all parts have about
one area, so that they take the same time and memory: many short lines are a batch, or a few long ones.
"""

import math
from typing import NamedTuple

import numpy as np

from ocr_lib.feed.batches import even_bounds
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.training import TrainingRecipe

_LEAST_BATCHES = 100
# Random numbers are Philox's, whose keys are (seed, what for): 1 + epoch here.
_MIXING = 0.02  # share of its width by which an image may come earlier or later, so that batches are never the same


class Epoch(NamedTuple):
    """An epoch of N samples.

    Attributes
    ----------
    order : numpy.ndarray
        (N,) int, the samples one after the other.
    stretches : numpy.ndarray
        (N,) float64, by how much each sample is stretched along the line, in the order of the samples themselves.
    bounds : numpy.ndarray
        (B, P + 1) int: where in `order` the parts of each batch begin and end.
    """

    order: np.ndarray
    stretches: np.ndarray
    bounds: np.ndarray


class EpochOrder:
    """Says how each epoch goes through a training set, a function of recipe and widths.

    Parameters
    ----------
    recipe : Recipe
    widths : numpy.ndarray
        (N,) int, of the images as the network reads them, in pixels.
    """

    def __init__(self, recipe: Recipe, widths: np.ndarray) -> None:
        self._recipe = recipe
        self._widths = widths
        self._number = -1
        self._epoch: Epoch

    def __call__(self, number: int) -> Epoch:
        """Return an epoch."""
        if number != self._number:
            self._number, self._epoch = number, self._make(number)
        return self._epoch

    def _make(self, number: int) -> Epoch:
        recipe, count = self._recipe, len(self._widths)
        training = recipe.training
        random = np.random.Generator(np.random.Philox(key=[recipe.seed, 1 + number]))
        order = random.permutation(count)
        stretches = 1 + recipe.augmentation.scale * (2 * random.random(count) - 1)
        if recipe.image.width is not None:
            return Epoch(order, stretches, even_bounds(count, training.batch_size, training.parts))
        widths = self._widths * stretches
        if number < training.sorted_epochs:
            order = np.argsort(self._widths, kind="stable")
            return Epoch(
                order, stretches, area_bounds(widths[order], batch_count(recipe.training, self._widths), training.parts)
            )
        order = np.argsort(widths * (1 + _MIXING * (2 * random.random(count) - 1)), kind="stable")
        bounds = area_bounds(widths[order], batch_count(recipe.training, self._widths), training.parts)
        return _shuffled(Epoch(order, stretches, bounds), random.permutation(len(bounds)))


def validation_order(widths: np.ndarray) -> np.ndarray:
    """Return the order in which samples are validated on, from narrow to wide."""
    return np.argsort(widths, kind="stable")


def validation_bounds(recipe: Recipe, widths: np.ndarray) -> np.ndarray:
    """Cut samples of these widths, in `validation_order`, into what is as large as a part of a training batch.

    Returns
    -------
    numpy.ndarray
        (B, 2) int: where each begins and ends.
    """
    training = recipe.training
    if recipe.image.width is not None:
        return even_bounds(len(widths), -(-training.batch_size // training.parts), 1)
    batches = min(len(widths), training.parts * batch_count(training, widths))
    return area_bounds(widths[validation_order(widths)], batches, 1)


def batch_count(training: TrainingRecipe, widths: np.ndarray) -> int:
    """Return how many batches of the recipe's area images of these widths make."""
    batches = -(-len(widths) // training.batch_size)
    if training.batch_width:  # few samples make small batches, as a network learns from each
        whole = math.ceil(widths.sum() / (training.batch_size * training.batch_width))
        batches = max(whole, min(batches, _LEAST_BATCHES))
    return min(len(widths), batches)


def area_bounds(widths: np.ndarray, batches: int, parts: int) -> np.ndarray:
    """Cut images into batches of about one area, none of them empty, and these into parts of about one area.

    Parameters
    ----------
    widths : numpy.ndarray
        (N,), of images in their order.
    batches, parts : int
        N at least `batches`.

    Returns
    -------
    numpy.ndarray
        (batches, parts + 1) int; a part is empty where an image before it or behind it is large.
    """
    middles = np.cumsum(widths) - widths / 2
    numbers = np.arange(batches + 1)
    cuts = np.searchsorted(middles, numbers * (widths.sum() / batches))
    # Each batch leaves an image for each of those behind it, and has one that those before it left.
    cuts = np.minimum(np.maximum.accumulate(cuts - numbers) + numbers, len(widths) - batches + numbers)
    cuts[0], cuts[-1] = 0, len(widths)
    return np.stack([start + _even_cuts(widths[start:stop], parts) for start, stop in zip(cuts, cuts[1:])])


def _even_cuts(widths: np.ndarray, parts: int) -> np.ndarray:
    middles = np.cumsum(widths) - widths / 2
    cuts = np.searchsorted(middles, np.arange(parts + 1) * (widths.sum() / parts))
    cuts[0], cuts[-1] = 0, len(widths)
    return cuts


def _shuffled(epoch: Epoch, batches: np.ndarray) -> Epoch:
    """Bring the batches of an epoch into another order."""
    sizes = np.diff(epoch.bounds, axis=1)[batches]  # (B, P)
    ends = np.cumsum(sizes).reshape(sizes.shape)
    bounds = np.concatenate([ends[:, :1] - sizes[:, :1], ends], axis=1)
    samples = [epoch.order[start:stop] for start, stop in epoch.bounds[batches][:, [0, -1]].tolist()]
    return Epoch(np.concatenate(samples), epoch.stretches, bounds)
