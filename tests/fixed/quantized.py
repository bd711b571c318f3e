"""Quantized networks with random parameters, whose numbers are neither all 0 nor all cut off."""

import numpy as np

from ocr_lib.fixed.steps import step_shapes
from ocr_lib.net.weights import weight_shapes
from ocr_lib.recipe.settings import override
from tests.small_network import mark_recipe

WIDTH, HEIGHT = 12, 9
CONVOLUTIONS = [
    {"filters": 3, "pool": [2, 2], "batch_norm": False},
    {"filters": 4, "pool": [1, 2], "kernel": [2, 3], "padding": False, "batch_norm": False},
]


def quantized_recipe(quantization="W4A4", convolutions=(), width=WIDTH, **network):
    settings = {
        "image.width": width,
        "image.height": HEIGHT,
        "text.min_length": 1,
        "text.max_length": 2,
        "network.convolutions": list(convolutions),
        "network.hidden": 5,
        **{f"network.{key}": value for key, value in network.items()},
    }
    recipe = override(mark_recipe(), settings)
    return override(recipe, {"quantization": quantization} if isinstance(quantization, str) else quantization)


def random_weights(recipe, seed=0):
    """Return random parameters of a quantized network, with steps that let most of them be."""
    rng = np.random.default_rng(seed)
    shapes, steps = weight_shapes(recipe), step_shapes(recipe)
    weights = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    for name, shape in steps.items():
        bits = {"cell": 10, "bias": 6, "data": 3}
        around = next((each for key, each in bits.items() if key in name), 2)
        weights[name] = (rng.integers(-around - 1, -around + 1, shape) + rng.uniform(-0.4, 0.4, shape)).astype("f4")
    return weights


def random_images(count, width=WIDTH, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, HEIGHT, width)).astype(np.uint8)
