"""A network in double precision, from its equations: what rounding in single precision is measured against.

It is slow, and there for comparisons alone. No MXNet needed.
"""

from typing import Callable, List, Sequence

import numpy as np

from ocr_lib.images.decode import normalise
from ocr_lib.net.weights import Weights, fold_batch_norms
from ocr_lib.recipe.network import Convolution, NetworkRecipe, direction_names
from ocr_lib.recipe.recipe import Recipe

Watch = Callable[[str, np.ndarray], object]
"""Is told activations by name: ``conv{i}_output`` (K, T, F) and ``l{layer}_[r_]cell`` (T, H)."""

_LAST_BIT = 2.0**-24
_JITTERED = 4


def _unwatched(name: str, values: np.ndarray) -> None:
    pass


class ExactNetwork:
    """The network of a recipe.

    Parameters
    ----------
    recipe : Recipe
    weights : dict of str to numpy.ndarray
        As training leaves them, with moving means and variances.
    """

    def __init__(self, recipe: Recipe, weights: Weights) -> None:
        self._recipe = recipe
        self._weights = fold_batch_norms({name: array.astype(np.float64) for name, array in weights.items()})

    def probabilities(self, image: np.ndarray, watch: Watch = _unwatched) -> np.ndarray:
        """Put a prepared image, (H, W) uint8 or (3 H, W) in colour, through the network; returns (T', C) float64."""
        recipe, weights = self._recipe, self._weights
        network = recipe.network
        x = normalise(image[None], recipe.image.mean, recipe.image.scale).astype(np.float64)  # (1, T, F)
        x = x.reshape(x.shape[1], recipe.image.channels, -1).swapaxes(0, 1)  # (C, T, H)
        for i, convolution in enumerate(network.convolutions):
            x = _convolved(x, weights[f"conv{i}_weight"], weights[f"conv{i}_bias"], convolution)  # (K, T, F)
            watch(f"conv{i}_output", x)
        sequence = x.transpose(1, 0, 2).reshape(x.shape[1], -1)  # (T', K F')
        for prefixes in direction_names(network):
            sequence = _lstm(sequence, weights, prefixes, network, watch)
        logits = sequence @ weights["pred_fc_weight"].T + weights["pred_fc_bias"]  # (T', C)
        scores = np.exp(logits - logits.max(axis=1, keepdims=True))
        found: np.ndarray = scores / scores.sum(axis=1, keepdims=True)
        return found


def rounding(recipe: Recipe, weights: Weights, images: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> float:
    """Return by how much rounding in single precision moves a probability of some images.

    Parameters
    ----------
    recipe : Recipe
    weights : dict of str to numpy.ndarray
    images : sequence of numpy.ndarray
        (H, W) uint8, prepared.
    found : sequence of numpy.ndarray
        (T', C), what was computed of each in single precision. That is one example of rounding; weights that are off in
        their last bit give others.
    """
    exact = ExactNetwork(recipe, weights)
    others = [ExactNetwork(recipe, _jittered(weights, seed)) for seed in range(_JITTERED)]
    moved = []
    for image, computed in zip(images, found):
        expected = exact.probabilities(image)
        near = [computed, *(other.probabilities(image) for other in others)]
        moved += [np.abs(probabilities - expected).max() for probabilities in near]
    return float(np.max(moved))


def _jittered(weights: Weights, seed: int) -> Weights:
    generator = np.random.default_rng(seed)
    return {name: array * (1 + _LAST_BIT * generator.uniform(-1, 1, array.shape)) for name, array in weights.items()}


def _convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, convolution: Convolution) -> np.ndarray:
    """Put a convolution, ReLU and max pooling on features (C, T, F)."""
    (length, height), margins = convolution.kernel, [size // 2 * convolution.padding for size in convolution.kernel]
    framed = np.pad(x, [(0, 0), *((margin, margin) for margin in margins)])
    shape = framed.shape[1] - length + 1, framed.shape[2] - height + 1
    x = np.zeros((len(weight), *shape)) + bias[:, None, None]  # (K, T, F)
    for a, b in np.ndindex(length, height):
        x += np.tensordot(weight[:, :, a, b], framed[:, a : a + shape[0], b : b + shape[1]], 1)
    steps, rows = convolution.pool
    length, height = shape[0] // steps, shape[1] // rows
    windows = x[:, : length * steps, : height * rows].reshape(len(x), length, steps, height, rows)
    return np.maximum(windows.max(axis=(2, 4)), 0)


def _lstm(
    sequence: np.ndarray, weights: Weights, prefixes: List[str], network: NetworkRecipe, watch: Watch
) -> np.ndarray:
    """Put an LSTM layer on a sequence (T, F)."""
    forward = _direction(sequence, weights, prefixes[0], watch)  # (T, H)
    if not network.bidirectional:
        return forward
    backward = _direction(sequence[::-1], weights, prefixes[1], watch)[::-1]
    return np.concatenate([forward, backward], axis=1) if network.merge == "concat" else forward + backward


def _direction(sequence: np.ndarray, weights: Weights, prefix: str, watch: Watch) -> np.ndarray:
    bias = weights[f"{prefix}i2h_bias"] + weights[f"{prefix}h2h_bias"]
    from_input = sequence @ weights[f"{prefix}i2h_weight"].T + bias  # (T, 4 H)
    recurrent = weights[f"{prefix}h2h_weight"].T  # (H, 4 H)
    hidden = cell = np.zeros(len(recurrent))
    outputs, cells = [], []
    for gates in from_input:
        i, f, c, o = np.split(gates + hidden @ recurrent, 4)
        cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(c)
        hidden = _sigmoid(o) * np.tanh(cell)
        outputs.append(hidden)
        cells.append(cell)
    watch(f"{prefix}cell", np.stack(cells))
    return np.stack(outputs)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)
