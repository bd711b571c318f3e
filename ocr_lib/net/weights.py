"""Parameters of a network as numpy arrays, in the form that inference wants. No MXNet needed."""

import re
from typing import Dict, List, Sequence, Tuple

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.fixed.steps import step_shapes
from ocr_lib.recipe.network import NetworkRecipe, direction_names
from ocr_lib.recipe.recipe import Recipe

BATCH_NORM_EPSILON = 1e-5
NEVER = -1e4
"""The logit of classes that have no probability."""

_NORM = ("gamma", "beta", "moving_mean", "moving_var")
Weights = Dict[str, np.ndarray]


def check_weights(weights: Weights, recipe: Recipe) -> None:
    """Refuse parameters that are not those of a recipe's network as training leaves them.

    Raises
    ------
    OCRError
        Naming one that is missing, has another shape, or is too many.
    """
    misfit = "the parameters don't fit the recipe's network"
    shapes = weight_shapes(recipe)
    for name, shape in shapes.items():
        found = weights[name].shape if name in weights else "missing"
        if found != shape:
            raise OCRError(f"{misfit}: {name} is {found}, not {shape}")
    if set(weights) - set(shapes):
        raise OCRError(f"{misfit}, which has no {min(set(weights) - set(shapes))}")


def weight_shapes(recipe: Recipe) -> Dict[str, Tuple[int, ...]]:
    """Return the names and shapes of all parameters of a recipe's network, batch normalisation and steps included."""
    network = recipe.network
    shapes: Dict[str, Tuple[int, ...]] = {}
    channels: int = recipe.image.channels
    features = recipe.features
    for i, convolution in enumerate(network.convolutions):
        filters = convolution.filters
        shapes[f"conv{i}_weight"] = (filters, channels, *convolution.kernel)
        names = [f"bn{i}_{kind}" for kind in _NORM] if convolution.batch_norm else [f"conv{i}_bias"]
        shapes.update((name, (filters,)) for name in names)
        channels = filters
    gates = 4 * network.hidden
    for directions in direction_names(network):
        for prefix in directions:
            shapes.update({f"{prefix}i2h_weight": (gates, features), f"{prefix}h2h_weight": (gates, network.hidden)})
            shapes.update({f"{prefix}i2h_bias": (gates,), f"{prefix}h2h_bias": (gates,)})
        features = network.width
    if network.output_norm:
        shapes.update((f"pred_bn_{kind}", (features,)) for kind in _NORM)
    classes = recipe.alphabet.num_classes
    return {**shapes, "pred_fc_weight": (classes, features), "pred_fc_bias": (classes,), **step_shapes(recipe)}


def from_original(weights: Weights) -> Weights:
    """Bring the gates of the original example's LSTM layers, in the order i, c, f, o, to ours, i, f, c, o."""
    return {
        name: array.reshape(4, -1)[[0, 2, 1, 3]].reshape(array.shape) if re.match(r"l\d+_[ih]2h_", name) else array
        for name, array in weights.items()
    }


def fold_batch_norms(weights: Weights) -> Weights:
    """Give layers the scales and shifts of the batch normalisation behind convolutions and before the classifier.

    Parameters
    ----------
    weights : dict of str to numpy.ndarray
        ``conv{i}_weight`` (K, C, rows, columns) and ``bn{i}_{gamma,beta,moving_mean,moving_var}`` (K,), ``pred_fc_*``
        and ``pred_bn_*`` among others.

    Returns
    -------
    dict of str to numpy.ndarray
        The same without those of batch normalisation, and with a ``conv{i}_bias`` (K,) for every convolution.
    """
    folded = {name: array for name, array in weights.items() if not re.match(r"bn\d|pred_bn", name)}
    for i in (name[2:-6] for name in weights if re.match(r"bn\d+_gamma", name)):
        scale, shift = _affine(weights, f"bn{i}")
        folded[f"conv{i}_weight"] = weights[f"conv{i}_weight"] * scale[:, None, None, None]
        folded[f"conv{i}_bias"] = shift
    if "pred_bn_gamma" in weights:
        scale, shift = _affine(weights, "pred_bn")
        folded["pred_fc_bias"] = weights["pred_fc_bias"] + weights["pred_fc_weight"] @ shift
        folded["pred_fc_weight"] = weights["pred_fc_weight"] * scale
    return folded


def _affine(weights: Weights, name: str) -> Tuple[np.ndarray, np.ndarray]:
    """Return what a batch normalisation multiplies by, and what it adds then."""
    gamma, beta, mean, variance = (weights[f"{name}_{kind}"] for kind in _NORM)
    scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
    return scale, beta - mean * scale


def pack_lstm(weights: Weights, recipe: NetworkRecipe) -> Weights:
    """Put the parameters of each LSTM layer into one vector, ``l{layer}_parameters``, as the fused operator wants them.

    That is the weights of both directions, then the biases in the same order.
    """
    packed = dict(weights)
    for layer, prefixes in enumerate(direction_names(recipe)):
        names = _packed_order(prefixes)
        packed[f"l{layer}_parameters"] = np.concatenate([packed.pop(name).ravel() for name in names])
    return packed


def packed_names(recipe: Recipe) -> Dict[str, List[str]]:
    """Return which parameters a network for training has in vectors, by the vectors' names, if it has fused operators.

    Where lines have ends of their own, each direction has an operator to itself.
    """
    network = recipe.network
    if network.cell == "unrolled" or recipe.quantization:
        return {}
    operators: List[List[str]] = []
    for prefixes in direction_names(network):
        operators += [[prefix] for prefix in prefixes] if recipe.image.width is None else [prefixes]
    return {f"{prefixes[0]}parameters": _packed_order(prefixes) for prefixes in operators}


def _packed_order(prefixes: Sequence[str]) -> List[str]:
    return [f"{p}{gate}_{kind}" for kind in ("weight", "bias") for p in prefixes for gate in ("i2h", "h2h")]
