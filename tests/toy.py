"""A toy task that trains within seconds: captchas of one or two characters out of two, in one font."""

import json
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np

from ocr_lib.draw.fonts import Font
from ocr_lib.feed.source import Batch, CaptchaSource
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override

FONT = Path(__file__).parents[1] / "font" / "Ubuntu-M.ttf"

SETTINGS: List[Tuple[str, object]] = [
    ("image.width", 40),
    ("image.height", 16),
    ("text.alphabet", "07"),
    ("text.min_length", 1),
    ("text.max_length", 2),
    ("captcha.width", 80),
    ("network.convolutions", [{"filters": 8}, {"filters": 16}]),
    ("network.layers", 1),
    ("network.hidden", 12),
    ("training.batch_size", 8),
    ("training.epoch_size", 204),  # 25 batches of 8, and one of 4
    ("training.validation_size", 40),
    ("training.epochs", 3),
    ("training.learning_rate", 0.02),
    ("training.schedule", "constant"),
    ("training.warmup", 0.0),
]


def toy_recipe(*settings: Tuple[str, object]) -> Recipe:
    """Return the toy task's recipe with some keys changed."""
    return override(load_preset("captcha"), [*SETTINGS, *settings])


def toy_arguments(*settings: Tuple[str, object]) -> List[str]:
    """Return the toy task as arguments of lstm_ocr_train.py."""
    as_text = ((key, value if isinstance(value, str) else json.dumps(value)) for key, value in [*SETTINGS, *settings])
    return [f"--set={key}={value}" for key, value in as_text]


def toy_batches(recipe: Recipe, split: str, ranges: List[range]) -> List[Batch]:
    """Render batches of the toy task."""
    source = CaptchaSource(recipe, [Font(FONT)])
    return [source((split, indices)) for indices in ranges]


def png(shape, seed=0):
    """Return an image file of noise; another seed makes another."""
    image = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()
