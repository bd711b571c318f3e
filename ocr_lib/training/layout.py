"""All arrays of a network in one vector, so that they are shared, summed and updated at one go. No MXNet needed."""

import math
from itertools import groupby
from typing import Dict, Sequence, Tuple

import numpy as np

from ocr_lib.net.weights import Weights, packed_names, weight_shapes
from ocr_lib.recipe.recipe import Recipe

_AVERAGES = ("moving_mean", "moving_var")
_DECAYED = ("_weight", "_gamma")


class Layout:
    """Where each array of a recipe's network lies in a vector (S,).

    First come the parameters; those that a fused operator takes as one vector lie side by side. Last come the running
    averages of batch normalisation, which have no gradient.

    Attributes
    ----------
    trained, size : int
        How many numbers have a gradient, and S.
    starts : numpy.ndarray
        (A,) int, where each array of parameters begins.
    runs : list of (slice, bool)
        What lies side by side of the parameters, and whether weight decay shrinks it, which it does to weights and
        scales, as MXNet has it.
    """

    def __init__(self, recipe: Recipe) -> None:
        shapes = weight_shapes(recipe)
        self._packed = packed_names(recipe)
        inside = [name for names in self._packed.values() for name in names]
        single = sorted(
            shapes.keys() - {*inside, *filter(is_average, shapes)}, key=lambda name: (not _decays(name), name)
        )
        averages = list(filter(is_average, shapes))
        self._places: Dict[str, Tuple[slice, Tuple[int, ...]]] = {}
        start = 0
        for name in [*single, *inside, *averages]:
            stop = start + math.prod(shapes[name])
            self._places[name] = slice(start, stop), shapes[name]
            start = stop
        self.size = start
        self.trained = start - sum(math.prod(shapes[name]) for name in averages)
        self.starts = np.array([self._places[name][0].start for name in [*single, *inside]])
        self.runs = [(self._run(list(names)), decays) for decays, names in groupby([*single, *inside], _decays)]

    def views(self, vector: np.ndarray) -> Weights:
        """Return the arrays that lie in a vector, by name; of one that ends with the parameters, these alone."""
        return {
            name: vector[place].reshape(shape)
            for name, (place, shape) in self._places.items()
            if place.stop <= len(vector)
        }

    def packed_views(self, vector: np.ndarray) -> Weights:
        """Return the arrays of a vector as a packed training symbol names them; see `training_symbol`."""
        views = self.views(vector)
        for packed, names in self._packed.items():
            views[packed] = vector[self._run(names)]
            for name in names:
                del views[name]
        return views

    def _run(self, names: Sequence[str]) -> slice:
        return slice(self._places[names[0]][0].start, self._places[names[-1]][0].stop)


def is_average(name: str) -> bool:
    """Tell whether an array is a running average of batch normalisation, which MXNet calls auxiliary."""
    return name.endswith(_AVERAGES)


def _decays(name: str) -> bool:
    return name.endswith(_DECAYED)
