"""What becomes of ink on paper: strokes grow and shrink, break, have outlines and shadows."""

from typing import NamedTuple, Optional

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.recipe.rendering import InkRecipe

NUM_DRAWS = 8
_DISC = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
_GAP_ROWS = 10  # of the grid that gaps are cut by
_GAPS = 0.25  # of its cells, at most
_FARTHEST = 1 / 12  # of the height, that a shadow falls


class Layers(NamedTuple):
    """What is seen of letters, each (H, W) uint8, 255 where all is covered by it.

    Attributes
    ----------
    ink : numpy.ndarray
    under : numpy.ndarray, optional
        What lies below the ink: an outline or a shadow.
    """

    ink: np.ndarray
    under: Optional[np.ndarray]


def spill(ink: np.ndarray, recipe: InkRecipe, draws: np.ndarray, random: np.random.Generator) -> Layers:
    """Change ink as printing and painting do.

    Parameters
    ----------
    ink : numpy.ndarray
        (H, W) uint8.
    recipe : InkRecipe
    draws : numpy.ndarray
        (NUM_DRAWS,) in [0, 1).
    random : numpy.random.Generator
        For gaps.
    """
    width, has_gaps, gaps, has_outline, has_shadow, x, y, thickness = draws.tolist()
    rows = len(ink)
    grown = (width * (recipe.spread + recipe.thinning) - recipe.thinning) * rows / 32
    ink = grow(ink, grown)
    if has_gaps < recipe.broken:
        ink = _broken(ink, _GAPS * gaps, random)
    under = None
    if has_outline < recipe.outline:
        under = grow(ink, max(1.0, thickness * rows / 16))
    elif has_shadow < recipe.shadow:
        away = rows * _FARTHEST
        move = np.array([[1, 0, (2 * x - 1) * away], [0, 1, (2 * y - 1) * away]])
        under = cv2.warpAffine(ink, move, ink.shape[::-1])
        if thickness > 0.5:
            under = cv2.blur(under, (3, 3))
    return Layers(ink, under)


def grow(ink: np.ndarray, pixels: float) -> np.ndarray:
    """Make strokes thicker on all sides by a number of pixels, or thinner by a negative one; parts of pixels count."""
    change = cv2.dilate if pixels > 0 else cv2.erode
    whole, share = divmod(abs(pixels), 1)
    if whole:
        ink = change(ink, _DISC, iterations=int(whole))
    return cv2.addWeighted(ink, 1 - share, change(ink, _DISC), share, 0) if share else ink


def _broken(ink: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    rows, columns = ink.shape
    grid = random.random((_GAP_ROWS, -(-columns * _GAP_ROWS // rows)), np.float32)
    field = cv2.resize(grid, (columns, rows), interpolation=cv2.INTER_LINEAR)
    # From none to all of the ink within a twentieth, so that the edges of gaps are no steps.
    kept = np.clip((field - np.float32(share)) * 20, 0, 1, dtype=np.float32)
    return cv2.multiply(ink, kept, dtype=cv2.CV_8U)
