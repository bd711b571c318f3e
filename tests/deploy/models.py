"""Exported models of small networks."""

import numpy as np

from ocr_lib.deploy.export import export_onnx
from ocr_lib.recipe.settings import override
from tests.small_network import mark_params, mark_recipe, random_params, smooth_params

WIDTH, HEIGHT = 31, 13
TWO_CONVOLUTIONS = [{"filters": 3, "pool": [2, 2]}, {"filters": 5, "pool": [1, 2]}]


def weights_of(params):
    """Return parameters under their names without ``arg:`` and ``aux:``."""
    return {name.rpartition(":")[2]: array for name, array in params.items()}


def small_recipe(*settings, **network):
    """Return the recipe of a network whose sizes are all different, and odd."""
    sizes = [("image.width", WIDTH), ("image.height", HEIGHT), ("network.hidden", 7)]
    return override(mark_recipe(), [*sizes, *settings, *((f"network.{key}", value) for key, value in network.items())])


def smooth_weights(recipe, seed=1):
    return weights_of(smooth_params(recipe, seed))


def random_model(recipe, calibration=None, seed=3, scale=0.5):
    return export_onnx(recipe, weights_of(random_params(recipe, seed, scale)), calibration=calibration)


def mark_model(alphabet="0123456789", **options):
    """Return the network that reads marks, exported."""
    return export_onnx(mark_recipe(alphabet), mark_params(), **options)


def random_images(count, width=WIDTH, height=HEIGHT, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width), np.uint8)
