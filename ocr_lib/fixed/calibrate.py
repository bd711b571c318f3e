"""Finding the steps of tensors: from parameters themselves, and from what a network in floating point computes.

A step is a power of two, so there are few to choose from, and each is tried.
"""

import math
from typing import Dict, Iterable, List, Mapping

import numpy as np

from ocr_lib.fixed.arithmetic import Levels
from ocr_lib.fixed.build import grey_values, levels_of
from ocr_lib.fixed.steps import LOG2_STEP, stepped_tensors
from ocr_lib.net.exact import ExactNetwork
from ocr_lib.net.weights import Weights
from ocr_lib.recipe.recipe import Recipe

RANGES = ("extremes", "percentile", "mse", "kl")
_PERCENTILE = 99.99
_FINER = 7  # exponents below the one of the extremes that are tried
_CELL_PEAK = 15.9  # of cell states, where none were observed
_MOST_VALUES = 2**20  # that are kept of a tensor, and as many again of the next images' before they are thinned out
_BINS = 2048
_NEXT_TO_NOTHING = 1e-9


def fitted_steps(recipe: Recipe, weights: Weights, observed: Mapping[str, np.ndarray], choice: str = "mse") -> Weights:
    """Return the steps of a recipe's network, as parameters.

    Parameters
    ----------
    recipe : Recipe
    weights : dict of str to numpy.ndarray
        All other parameters.
    observed : mapping of str to numpy.ndarray
        Values (M,) of activations, by their names, as `observe` finds them. Those of the input follow from the recipe;
        of cell states without any it is known that they seldom leave [-16, 16).
    choice : {"extremes", "percentile", "mse", "kl"}
        The finest step with which nothing is cut off, or but one value in 10,000; or that with the least mean squared
        error; or with the least Kullback-Leibler divergence of the values from what they become (Migacz, "8-bit
        inference with TensorRT", 2017).
    """
    values = {**_known(recipe), **observed, **weights}
    steps = {}
    for name, tensor in stepped_tensors(recipe).items():
        if tensor.has_steps:
            by_group = np.asarray(values[name], np.float64).reshape(tensor.groups, -1)
            levels = levels_of(recipe, name)
            exponents = [best_exponent(each, levels, choice) for each in by_group]
            steps[name + LOG2_STEP] = np.array(exponents, np.float32)
    return steps


def best_exponent(values: np.ndarray, levels: Levels, choice: str) -> int:
    """Return the exponent of the step that suits values (M,) best; see `fitted_steps`."""
    magnitudes = np.abs(values)
    peak = float(np.percentile(magnitudes, _PERCENTILE) if choice == "percentile" else magnitudes.max(initial=0.0))
    if peak == 0:
        return 0
    largest = math.ceil(math.log2(peak / (levels.high + 0.5)))
    if choice in ("extremes", "percentile"):
        return largest
    loss = _squared_error if choice == "mse" else _divergence
    return min(range(largest, largest - _FINER, -1), key=lambda exponent: loss(values, levels, exponent))


class Observer:
    """Keeps values that activations of a network take: ``conv{i}_output`` and ``l{layer}_[r_]cell``; of many, some."""

    def __init__(self) -> None:
        self._found: Dict[str, List[np.ndarray]] = {}
        self._strides: Dict[str, int] = {}

    def __call__(self, name: str, values: np.ndarray) -> None:
        """Take values of an activation, any shape."""
        kept = self._found.setdefault(name, [])
        stride = self._strides.setdefault(name, 1)
        kept.append(values.astype(np.float32).ravel()[::stride])
        if sum(each.size for each in kept) > _MOST_VALUES:
            self._found[name] = [np.concatenate(kept)[::2]]
            self._strides[name] = 2 * stride

    def values(self) -> Dict[str, np.ndarray]:
        """Return them by name, (M,) float32 each."""
        return {name: np.concatenate(kept) for name, kept in self._found.items()}


def observe(recipe: Recipe, weights: Weights, images: Iterable[np.ndarray]) -> Dict[str, np.ndarray]:
    """Return values that activations of a network in floating point take.

    Parameters
    ----------
    recipe : Recipe
    weights : dict of str to numpy.ndarray
        Without steps.
    images : iterable of numpy.ndarray
        Each (H, W) uint8, prepared.
    """
    network, observer = ExactNetwork(recipe, weights), Observer()
    for image in images:
        network.probabilities(image, observer)
    return observer.values()


def _known(recipe: Recipe) -> Dict[str, np.ndarray]:
    """Return values of activations that follow from the recipe alone."""
    known = {"data": grey_values(recipe)}
    cells = (name for name in stepped_tensors(recipe) if name.endswith("cell"))
    known.update((name, np.array([_CELL_PEAK])) for name in cells)
    return known


def _quantized(values: np.ndarray, levels: Levels, exponent: int) -> np.ndarray:
    return levels.nearest(values * 2.0**-exponent) * 2.0**exponent


def _squared_error(values: np.ndarray, levels: Levels, exponent: int) -> float:
    return float(np.square(_quantized(values, levels, exponent) - values).sum())


def _divergence(values: np.ndarray, levels: Levels, exponent: int) -> float:
    """Return the Kullback-Leibler divergence of a histogram of magnitudes from that of what they become.

    What is cut off is in the last bin that is not, before; and nowhere, after.
    """
    magnitudes = np.abs(values)
    edges = np.linspace(0, magnitudes.max(), _BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    counts = np.histogram(magnitudes, edges)[0]
    inside = centres <= (levels.high + 0.5) * 2.0**exponent
    if not counts[inside].sum():
        return math.inf
    before = counts[inside].astype(np.float64)
    _, places = np.unique(levels.nearest(centres[inside] * 2.0**-exponent), return_inverse=True)
    filled = before > 0  # bins that become one number share what it has
    after = np.where(filled, (np.bincount(places, before) / np.maximum(np.bincount(places, filled), 1))[places], 0)
    before[-1] += counts[~inside].sum()
    before, after = before / before.sum(), np.maximum(after / after.sum(), _NEXT_TO_NOTHING)
    filled = before > 0
    return float(np.sum(before[filled] * np.log(before[filled] / after[filled])))
