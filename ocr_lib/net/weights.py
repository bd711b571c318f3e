"""Parameters of a network as numpy arrays, in the form that inference wants. No MXNet needed."""

from typing import Dict, List

import numpy as np

from ocr_lib.recipe import NetworkRecipe

BATCH_NORM_EPSILON = 1e-5
Weights = Dict[str, np.ndarray]


def fold_batch_norms(weights: Weights) -> Weights:
    """Give each convolution the scale and shift of the batch normalisation behind it.

    Parameters
    ----------
    weights : dict of str to numpy.ndarray
        ``conv{i}_weight`` (K, C, 3, 3) and ``bn{i}_{gamma,beta,moving_mean,moving_var}`` (K,) among others.

    Returns
    -------
    dict of str to numpy.ndarray
        The same without ``bn{i}_*``, and with ``conv{i}_bias`` (K,).
    """
    folded = {name: array for name, array in weights.items() if not name.startswith("bn")}
    for i in range(sum(name.endswith("_gamma") for name in weights)):
        gamma, beta, mean, variance = (weights[f"bn{i}_{k}"] for k in ("gamma", "beta", "moving_mean", "moving_var"))
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        folded[f"conv{i}_weight"] = weights[f"conv{i}_weight"] * scale[:, None, None, None]
        folded[f"conv{i}_bias"] = beta - mean * scale
    return folded


def pack_lstm(weights: Weights, recipe: NetworkRecipe) -> Weights:
    """Put all LSTM parameters into one vector, ``lstm_parameters``, as the fused operator wants them.

    That is all weights by layer and direction, then all biases in the same order.
    """
    prefixes = [prefix for directions in direction_names(recipe) for prefix in directions]
    names = [f"{prefix}{gate}_{kind}" for kind in ("weight", "bias") for prefix in prefixes for gate in ("i2h", "h2h")]
    packed = {name: array for name, array in weights.items() if name not in names}
    packed["lstm_parameters"] = np.concatenate([weights[name].ravel() for name in names])
    return packed


def direction_names(recipe: NetworkRecipe) -> List[List[str]]:
    """Return what the names of LSTM parameters begin with, by layer and direction, the forward one first."""
    return [[f"l{layer}_", f"l{layer}_r_"][: 1 + recipe.bidirectional] for layer in range(recipe.layers)]
