"""All arrays of a network in one vector, so that they are shared, summed and updated at one go. No MXNet needed."""

import math
from typing import Dict, Tuple

import numpy as np

from ocr_lib.net.weights import Weights, weight_shapes
from ocr_lib.recipe.recipe import Recipe

_AVERAGES = ("moving_mean", "moving_var")
_DECAYED = ("_weight", "_gamma")


class Layout:
    """Where each array of a recipe's network lies in a vector (S,).

    First come the parameters that weight decay shrinks, which are weights and scales, as MXNet has it; then those that
    it leaves; and last the running averages of batch normalisation, which have no gradient.

    Attributes
    ----------
    decayed, trained, size : int
        How many numbers are decayed, how many have a gradient, and S.
    """

    def __init__(self, recipe: Recipe) -> None:
        shapes = weight_shapes(recipe)
        self._places: Dict[str, Tuple[slice, Tuple[int, ...]]] = {}
        ends, start = [], 0
        for kind in range(3):
            for name, shape in shapes.items():
                if _kind(name) == kind:
                    stop = start + math.prod(shape)
                    self._places[name] = slice(start, stop), shape
                    start = stop
            ends.append(start)
        self.decayed, self.trained, self.size = ends

    def views(self, vector: np.ndarray) -> Weights:
        """Return the arrays that lie in a vector, by name; of one that ends with the parameters, these alone."""
        return {
            name: vector[place].reshape(shape)
            for name, (place, shape) in self._places.items()
            if place.stop <= len(vector)
        }


def is_average(name: str) -> bool:
    """Tell whether an array is a running average of batch normalisation, which MXNet calls auxiliary."""
    return name.endswith(_AVERAGES)


def _kind(name: str) -> int:
    return 2 if is_average(name) else not name.endswith(_DECAYED)
