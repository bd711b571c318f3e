"""Ink brought into an image: turned, slanted, seen from aside, with its margins."""

import math
from typing import List, Tuple

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.recipe.rendering import LettersRecipe

NUM_DRAWS = 19
_LINE_GAP = 0.15  # of the letters' height, at the least
_REACH = 0.25  # of the letters' height, by which a neighbour is seen at most


def place(ink: np.ndarray, height: int, recipe: LettersRecipe, draws: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Bring ink into an image.

    Parameters
    ----------
    ink : numpy.ndarray
        (H, W) uint8.
    height : int
        Of the image, in pixels.
    recipe : LettersRecipe
    draws : numpy.ndarray
        (NUM_DRAWS,) in [0, 1).

    Returns
    -------
    ink, neighbour : numpy.ndarray
        (height, W') uint8: that of the text, and that of a line beside it, which may have none.
    """
    has_neighbour, along, above, nearness, stretch, *of_margins = draws[:9].tolist()
    rows, columns = ink.shape
    box = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    corners = _corners(box, recipe, draws[9:].tolist())
    least, most = recipe.margin
    left, top, right, bottom = (rows * (least + (most - least) * draw) for draw in of_margins)
    low = corners.min(axis=0) - np.array([left, top])
    high = corners.max(axis=0) + np.array([right, bottom])
    scale = height / float(high[1] - low[1])
    width = max(1, round(float(high[0] - low[0]) * scale * (1 + _either_way(recipe.stretch, stretch))))
    to = (corners - low) * ((width, height) / (high - low))
    matrix = cv2.getPerspectiveTransform(box, to.astype(np.float32))
    placed = cv2.warpPerspective(ink, matrix, (width, height))
    if has_neighbour >= recipe.neighbours:
        return placed, np.zeros_like(placed)
    # The same letters, elsewhere: little is seen of them.
    others = np.roll(ink, round(along * columns), axis=1)
    away = rows * (1 + _LINE_GAP - _REACH * nearness)
    move = np.array([[1, 0, 0], [0, 1, away if above < 0.5 else -away], [0, 0, 1]])
    return placed, cv2.warpPerspective(others, matrix @ move, (width, height))


def _either_way(limit: float, draw: float) -> float:
    return limit * (2 * draw - 1)


def _corners(box: np.ndarray, recipe: LettersRecipe, draws: List[float]) -> np.ndarray:
    """Return where the corners of the ink come to stand, (4, 2) as (x, y), from the upper left one on."""
    slant, rotation, *displacements = draws
    angle = math.radians(_either_way(recipe.rotation, rotation))
    farthest = recipe.perspective * float(box[2, 1])
    corners = box + np.reshape([_either_way(farthest, draw) for draw in displacements], (4, 2))
    corners[:, 0] -= _either_way(recipe.slant, slant) * corners[:, 1]
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.asarray(corners @ turn)
