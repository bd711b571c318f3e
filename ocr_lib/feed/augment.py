"""Training images changed at random, as other scans of the same text would differ."""

from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.recipe.augmentation import AugmentationRecipe

_PAPER_QUANTILE = 0.75  # the median of the lighter half: paper even where bold ink covers most of a narrow image
_GRID_ROWS = 4  # cells of 8 pixels in 32: as smooth as Simard's fields, relative to the letters
_STROKE_EDGE = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_STROKE_SHARES = 0.2, 0.6  # the cross takes or adds a pixel on both sides: as a whole it would efface hairlines
_POINTS = 16  # of a curve
_THICKEST = 16  # times as high as the thickest curve is the image
_SUBPIXELS = 4  # bits
_ELASTIC, _NOISE, _CURVES = range(3)


class _Draws(NamedTuple):
    """Numbers uniform in [0, 1), one for each choice."""

    scale: float
    shear: float
    shift: float
    elastic: float
    stroke: float
    stroke_share: float
    blur: float
    contrast: float
    grey: float
    noise: float


def augment(
    image: np.ndarray, recipe: AugmentationRecipe, generator: np.random.Generator, stretch: Optional[float] = None
) -> np.ndarray:
    """Change a training image at random: geometry, curves across it, stroke width, sharpness, contrast, noise.

    From `generator` comes one number for each choice, whatever the recipe says, and a key. Displacements, curves and
    noise take as many numbers as the image's size asks for, from generators of their own that have this key. So another
    value of one entry changes its own effect alone, and never the images that follow.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W) or (H, W, 3) uint8, dark text on light paper, of the network's height. It is not written to.
    recipe : AugmentationRecipe
        Each image gets a share of what it allows: uniform in [0, 1), or in [-1, 1) for scale, shear and shift. Erosion
        and dilation say how many images get thinner or thicker strokes.
    generator : numpy.random.Generator
        The same state gives the same image.
    stretch : float, optional
        By how much it is stretched along the line, in place of a number within the recipe's scale.

    Returns
    -------
    numpy.ndarray
        (H, W') or (H, W', 3) uint8; W' differs from W by the scale alone. It is `image` itself where nothing changes.
    """
    draws = _Draws(*generator.random(len(_Draws._fields)).tolist())
    key = int(generator.integers(1 << 63))
    if stretch is None:
        stretch = 1 + _either_way(recipe.scale, draws.scale)
    if stretch != 1 or recipe.shear or recipe.shift or recipe.elastic:
        image = _warp(image, recipe, stretch, draws, key)
    if recipe.curves:
        image = _draw_curves(image, recipe.curves, _own_numbers(key, _CURVES))
    if draws.stroke < recipe.erosion:
        image = _blend(image, cv2.dilate(image, _STROKE_EDGE), draws.stroke_share)
    elif draws.stroke >= 1 - recipe.dilation:
        image = _blend(image, cv2.erode(image, _STROKE_EDGE), draws.stroke_share)
    sigma = recipe.blur * draws.blur
    if sigma:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if recipe.contrast:
        image = _fade(image, recipe.contrast * draws.contrast, draws.grey)
    if recipe.noise:
        field = _own_numbers(key, _NOISE).standard_normal(image.shape, np.float32)
        field *= np.float32(recipe.noise * draws.noise)
        image = cv2.add(image, field, dtype=cv2.CV_8U)  # rounds and clips
    return image


def _own_numbers(key: int, effect: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[key, effect]))


def _either_way(limit: float, draw: float) -> float:
    return limit * (2 * draw - 1)


def _warp(image: np.ndarray, recipe: AugmentationRecipe, stretch: float, draws: _Draws, key: int) -> np.ndarray:
    # Once for all: each interpolation blurs. Where a pixel comes from is found backwards, from the image to be.
    height, width = image.shape[:2]
    new_width = max(1, round(width * stretch))
    slant = _either_way(recipe.shear, draws.shear)
    rows = np.arange(height, dtype=np.float32)[:, None]
    x: np.ndarray = np.arange(new_width, dtype=np.float32) + np.float32(slant) * (rows - np.float32((height - 1) / 2))
    y = np.broadcast_to(rows - np.float32(_either_way(recipe.shift, draws.shift)), x.shape)
    if recipe.elastic:
        dx, dy = _displacements((height, width), new_width, _own_numbers(key, _ELASTIC))
        largest = np.float32(recipe.elastic * draws.elastic)
        x, y = x + largest * dx, y + largest * dy
    step = np.float32(width / new_width)
    x = (x + np.float32(0.5)) * step - np.float32(0.5)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=_paper(image))


def _displacements(shape: Tuple[int, int], new_width: int, generator: np.random.Generator) -> Tuple[np.ndarray, ...]:
    # A coarse grid, interpolated, instead of a number for each pixel and a wide Gaussian: as smooth, and much cheaper.
    height, width = shape
    columns = -(-width * _GRID_ROWS // height)
    grid = 2 * generator.random((_GRID_ROWS, columns, 2), np.float32) - 1
    field = cv2.resize(grid, (new_width, height), interpolation=cv2.INTER_CUBIC)
    dx, dy = cv2.split(field)
    largest = cv2.magnitude(dx, dy).max()
    return dx / largest, dy / largest


def _paper(image: np.ndarray) -> List[int]:
    height, width = image.shape[:2]
    place = int(_PAPER_QUANTILE * height * width)
    paper: List[int] = np.partition(image.reshape(height * width, -1), place, axis=0)[place].tolist()
    return paper


def _draw_curves(image: np.ndarray, most: int, generator: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    pixels = image.reshape(height * width, -1)
    ink: List[int] = pixels[pixels.sum(axis=1).argmin()].tolist()
    along = np.linspace(0, 1, _POINTS)[:, None]
    weights = np.hstack([(1 - along) ** 2, 2 * along * (1 - along), along**2])  # Bernstein's, of quadratic curves
    image = image.copy()
    for _ in range(int(generator.integers(most + 1))):
        places = np.sort(generator.random((3, 2)), axis=0)  # from left to right
        places[:, 1] = generator.random(3)
        curve = np.rint(weights @ places * (width, height) * (1 << _SUBPIXELS)).astype(np.int32)
        thickness = 1 + int(generator.integers(max(1, height // _THICKEST)))
        cv2.polylines(image, [curve], False, ink, thickness, cv2.LINE_AA, _SUBPIXELS)
    return image


def _blend(image: np.ndarray, other: np.ndarray, draw: float) -> np.ndarray:
    least, most = _STROKE_SHARES
    share = least + (most - least) * draw
    return cv2.addWeighted(image, 1 - share, other, share, 0)


def _fade(image: np.ndarray, share: float, draw: float) -> np.ndarray:
    # Towards any grey between ink and paper: ink pales, or paper darkens, or both.
    darkest, lightest, _, _ = cv2.minMaxLoc(image.reshape(len(image), -1))
    grey = darkest + draw * (lightest - darkest)
    return cv2.convertScaleAbs(image, alpha=1 - share, beta=share * grey)
