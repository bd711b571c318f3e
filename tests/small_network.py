"""Checkpoints of small networks, and a network made by hand that reads marks.

A mark is a black pixel in an otherwise white column: its row tells the character. The network's gates are all but
fixed, so each hidden unit copies its row and the classifier names the one that is dark.
"""

from pathlib import Path

import numpy as np

from ocr_lib.mx import mx
from ocr_lib.net.build import training_symbol
from ocr_lib.recipe.settings import load_preset, override
from ocr_lib.training.progress import Progress
from ocr_lib.training.store import Store

WIDTH, ROWS = 16, 10
LETTERS = "абвгдежзик"


def mark_recipe(alphabet="0123456789", **network):
    return override(
        load_preset("captcha"),
        [
            ("image.width", WIDTH),
            ("image.height", ROWS),
            ("text.alphabet", alphabet),
            ("network.convolutions", []),
            ("network.layers", 1),
            ("network.hidden", ROWS),
            ("network.bidirectional", False),
            *((f"network.{key}", value) for key, value in network.items()),
        ],
    )


def mark_params():
    """Return the parameters of the network that reads marks, as numpy arrays by name."""
    i2h_weight = np.zeros((4, ROWS, ROWS), np.float32)
    i2h_weight[2] = 2 * np.eye(ROWS)
    i2h_bias = np.repeat(np.array([5, -5, 0, 5], np.float32), ROWS)  # gates i and o open, f shut
    pred_fc_weight = np.vstack([np.zeros(ROWS), 12 * np.eye(ROWS)]).astype(np.float32)
    pred_fc_bias = np.zeros(ROWS + 1, np.float32)
    pred_fc_bias[0] = 5
    return {
        "l0_i2h_weight": i2h_weight.reshape(4 * ROWS, ROWS),
        "l0_i2h_bias": i2h_bias,
        "l0_h2h_weight": np.zeros((4 * ROWS, ROWS), np.float32),
        "l0_h2h_bias": np.zeros(4 * ROWS, np.float32),
        "pred_fc_weight": pred_fc_weight,
        "pred_fc_bias": pred_fc_bias,
    }


def draw_marks(rows, zoom=1):
    """Return the image (H, W) uint8 of marks in these rows, every other column, at a multiple of the network's size."""
    image = np.full((ROWS, WIDTH), 255, np.uint8)
    for i, row in enumerate(rows):
        image[row, 1 + 2 * i] = 0
    return image.repeat(zoom, axis=0).repeat(zoom, axis=1)


def random_params(recipe, seed=0, scale=0.5):
    """Return random ``arg:`` and ``aux:`` parameters of a recipe's network, as numpy arrays by name."""
    rng = np.random.default_rng(seed)
    symbol = training_symbol(recipe)
    shapes = {"data": (1, recipe.image.width or 64, recipe.image.column_size), "label": (1, recipe.text.max_length)}
    if recipe.image.width is None:
        shapes["widths"] = (1,)
    arg_shapes, _, aux_shapes = symbol.infer_shape(**shapes)
    params = {
        f"arg:{name}": rng.normal(0, scale, shape).astype(np.float32)
        for name, shape in zip(symbol.list_arguments(), arg_shapes)
        if name not in shapes
    }
    for name, shape in zip(symbol.list_auxiliary_states(), aux_shapes):
        params[f"aux:{name}"] = rng.uniform(0.1, 1, shape).astype(np.float32)  # a variance is positive
    return params


def smooth_params(recipe, seed=1):
    """Return parameters of the sizes that training leaves: units are neither idle nor saturated, and classes clear."""
    params = random_params(recipe, seed, scale=1.0)
    for name, array in params.items():
        if name.endswith("_weight"):
            array *= (8 if name == "arg:pred_fc_weight" else 1.5) / np.sqrt(array[0].size)
        elif name.endswith(("_bias", "_beta")):
            array *= 0.1
        elif name.endswith("_gamma"):
            array[:] = 1
    return params


def save(prefix, recipe, params, epochs=(1,), accuracies=None, symbol=None):
    """Write a checkpoint as training does, one epoch after another, and return its prefix.

    Parameters
    ----------
    params : dict or callable
        numpy arrays by name (``arg:`` may be left out), or what gives them for an epoch.
    accuracies : sequence of float, optional
        Of each epoch's validation; there was none when left out.
    """
    store = Store(str(prefix))
    symbol = training_symbol(recipe) if symbol is None else symbol
    best = -1.0
    for i, epoch in enumerate(epochs):
        arrays = params(epoch) if callable(params) else params
        named = {key if ":" in key else f"arg:{key}": mx.nd.array(array) for key, array in arrays.items()}
        metrics = {} if accuracies is None else {"accuracy": accuracies[i], "cer": 0.5}
        is_best = bool(metrics) and metrics["accuracy"] > best
        best = max(best, metrics.get("accuracy", best))
        states = {"updates": mx.nd.array([epoch])}
        kinds = {"params": named, "states": states}
        store.commit(recipe, symbol, kinds, Progress(epoch=epoch), metrics, is_best)
    return str(prefix)


def files_of(prefix):
    """Return the files whose names begin with the prefix."""
    path = Path(prefix)
    return sorted(found for found in path.parent.iterdir() if found.name.startswith(f"{path.name}-"))
