"""Lines of many widths, and small networks that take them."""

import numpy as np

from ocr_lib.recipe.settings import override
from tests.small_network import mark_recipe, smooth_params

HEIGHT = 13
WIDTHS = [31, 57, 14, 40, 32, 19, 57, 33]
_TWO = [{"filters": 2, "pool": [2, 2]}, {"filters": 3, "pool": [1, 2]}]
NETWORKS = {
    "raw": {"convolutions": []},
    "two-conv": {"convolutions": _TWO},
    "one-way": {"convolutions": _TWO, "bidirectional": False},
    "sum": {"convolutions": _TWO, "merge": "sum"},
    "norm": {"convolutions": _TWO, "merge": "sum", "output_norm": True},
    "remainder": {"convolutions": [{"filters": 2, "pool": [3, 2]}, {"filters": 3, "pool": [2, 3]}]},
    "valid": {"convolutions": [{"filters": 2, "padding": False}, {"filters": 3, "padding": False, "pool": [1, 2]}]},
    "even": {"convolutions": [{"filters": 2, "kernel": [4, 2], "padding": False, "pool": [2, 3]}, {"filters": 3}]},
    "long": {"convolutions": [{"filters": 2, "kernel": [7, 1]}, {"filters": 3, "kernel": [1, 5], "pool": [3, 1]}]},
    "bias": {"convolutions": [{"filters": 2, "batch_norm": False}, {"filters": 3, "kernel": [5, 3], "pool": [1, 1]}]},
    "biases": {"convolutions": [{**layer, "batch_norm": False} for layer in _TWO]},
}


def line_recipe(*settings, width=None, **network):
    """Return the recipe of a network for lines of any width, or of one."""
    grey = [("image.mean", 127.5), ("image.scale", 40.0)]  # paper is other than the zeros behind it
    sizes = [("image.width", width), ("image.height", HEIGHT), *grey, *settings]
    network = {"layers": 2, "hidden": 5, "bidirectional": True, **network}
    return override(mark_recipe(), [*sizes, *((f"network.{key}", value) for key, value in network.items())])


def line_params(recipe):
    """Return parameters of which many different texts come out, as numpy arrays by name."""
    return smooth_params(recipe, seed=4)


def random_lines(widths=WIDTHS, height=HEIGHT, seed=0):
    """Return images of squares, which differ more from each other than those of single pixels do."""
    rng = np.random.default_rng(seed)
    squares = [rng.integers(0, 256, (-(-height // 4), -(-width // 4)), np.uint8) for width in widths]
    return [each.repeat(4, 0).repeat(4, 1)[:height, :width] for each, width in zip(squares, widths)]


def pad_with_noise(lines, more=0, seed=1):
    """Put lines into one array, noise behind them; return it and their widths."""
    widths = np.array([line.shape[1] for line in lines])
    shape = len(lines), lines[0].shape[0], widths.max() + more
    padded = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    for row, line in zip(padded, lines):
        row[:, : line.shape[1]] = line
    return padded, widths


def assert_as_alone(recognizer, padded, widths, alone, atol=1e-5):
    """Check what a recognizer says of padded lines against the probabilities (T', C) of each alone."""
    found = recognizer.probabilities(padded, widths)
    assert found.dtype == np.float32
    assert len(found) == recognizer.preparation.steps(padded.shape[2])
    assert recognizer.preparation.steps(widths).tolist() == [len(each) for each in alone]
    for sample, expected in zip(found.swapaxes(0, 1), alone):
        np.testing.assert_allclose(sample[: len(expected)], expected, atol=atol)
        behind = sample[len(expected) :]
        np.testing.assert_array_equal(behind, np.eye(sample.shape[1])[np.zeros(len(behind), int)])
