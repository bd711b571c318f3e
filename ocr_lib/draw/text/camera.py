"""What cameras and scanners make of an image: unsharp, coarse, noisy, black and white, compressed."""

import math
from functools import lru_cache
from typing import Tuple

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.recipe.rendering import CameraRecipe

NUM_DRAWS = 10
_QUALITIES = 20, 90
_GRAIN = 2**20
_SUBPIXELS = 4  # bits


def take(image: np.ndarray, recipe: CameraRecipe, draws: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Take an image.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W) or (H, W, 3) float32.
    recipe : CameraRecipe
    draws : numpy.ndarray
        (NUM_DRAWS,) in [0, 1).
    random : numpy.random.Generator
        For noise and dirt.

    Returns
    -------
    numpy.ndarray
        (H, W) or (H, W, 3) uint8.
    """
    blur, motion, angle, coarseness, noise, dirt, is_binary, cut, has_jpeg, quality = draws.tolist()
    unit = len(image) / 32
    if recipe.speckle:
        image = _speckled(image, recipe.speckle * dirt * image.shape[0] * image.shape[1] / 1000, random)
    if recipe.low_resolution > 1:
        image = _coarsened(image, 1 + (recipe.low_resolution - 1) * coarseness)
    if recipe.blur:
        sigma = recipe.blur * blur * unit
        image = cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.2 else image
    if recipe.motion_blur:
        image = _moved(image, recipe.motion_blur * motion**2 * unit, math.pi * angle)
    if recipe.noise:
        image = image + _grain(image.shape, random) * np.float32(recipe.noise * noise**2)
    if is_binary < recipe.threshold:
        image = _binary(image, 0.35 + 0.3 * cut)
    taken = np.clip(image, 0, 255).astype(np.uint8)
    if has_jpeg < recipe.jpeg:
        least, most = _QUALITIES
        _, data = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, int(least + (most - least) * quality)])
        taken = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    return taken


@lru_cache(1)
def _normal() -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=0)).standard_normal(_GRAIN, np.float32)


def _grain(shape: Tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Return normally distributed numbers, cut at random out of many: making them anew takes longer than all else."""
    count = math.prod(shape)
    if count > _GRAIN:
        return random.standard_normal(shape, np.float32)
    start = int(random.integers(_GRAIN - count + 1))
    return _normal()[start : start + count].reshape(shape)


def _speckled(image: np.ndarray, count: float, random: np.random.Generator) -> np.ndarray:
    places = random.random((int(count), 3))
    if len(places):
        image = image.copy()
        rows, columns = image.shape[:2]
        for y, x, kind in places.tolist():
            top, left = int(y * rows), int(x * columns)
            image[top : top + 1 + (kind > 0.7), left : left + 1 + (kind > 0.85)] = 255 * (kind < 0.3)
    return image


def _binary(image: np.ndarray, cut: float) -> np.ndarray:
    """Return an image in black and white, parted at a share of the way from its ink's grey to its ground's.

    Ink is found as Otsu (1979) does: the darkest and the lightest pixels may be dirt, and thin strokes are grey.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    bytes_ = np.clip(grey, 0, 255).astype(np.uint8)
    _, is_light = cv2.threshold(bytes_, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    ground = cv2.mean(bytes_, is_light)[0]
    ink = cv2.mean(bytes_, cv2.bitwise_not(is_light))[0]
    _, binary = cv2.threshold(bytes_, ink + (ground - ink) * cut, 255, cv2.THRESH_BINARY)
    return binary if image.ndim == 2 else cv2.cvtColor(binary, cv2.COLOR_GRAY2BGR)


def _coarsened(image: np.ndarray, times: float) -> np.ndarray:
    rows, columns = image.shape[:2]
    small = cv2.resize(image, (max(1, round(columns / times)), round(rows / times)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)


def _moved(image: np.ndarray, length: float, angle: float) -> np.ndarray:
    """Blur along a line, of a length in pixels."""
    if length < 1:
        return image
    half = math.ceil(length / 2)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    x, y = math.cos(angle) * length / 2, math.sin(angle) * length / 2
    start, end = ([round((half + sign * by) * (1 << _SUBPIXELS)) for by in (x, y)] for sign in (-1, 1))
    cv2.line(kernel, start, end, [1.0], 1, cv2.LINE_AA, _SUBPIXELS)
    total = kernel.sum()
    return cv2.filter2D(image, -1, kernel / total) if total else image
