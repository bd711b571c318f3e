"""The ground that the ink of an image stands on: how uneven it is, where nothing stands on it, and without it."""

import math
from typing import NamedTuple

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.images.pixels import with_channels

_WINDOW = 0.625  # of the image's height: much wider than strokes
_ROWS = 16  # looked at, or up to twice as many
_MOST_COLUMNS = 256
_SAME = 8  # grey levels
_ROUNDING = 1.0  # of a grey level


class Ground(NamedTuple):
    """What is seen of the ground of an image.

    Attributes
    ----------
    unevenness : float
        Standard deviation of the ground over the root mean square of what stands out of it: about 0.1 where ink is on
        paper, 1 and more where it is on tiles of many colours.
    top, bottom : float
        Shares of the image's height, from the edge on, in which nothing is on it.
    """

    unevenness: float
    top: float
    bottom: float


def subtract_ground(image: np.ndarray) -> np.ndarray:
    """Return how far each pixel is from the ground around it.

    That is the median of a square of 0.625 times the image's height (Tukey 1977), and the distance that of the channel
    in which it is largest: whatever the colours of ink and ground, even where they change within the image.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W) or (H, W, 3) uint8.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 255 where there is nothing but ground.
    """
    window = max(3, int(_WINDOW * len(image)) | 1)
    return cv2.bitwise_not(_largest(cv2.absdiff(image, cv2.medianBlur(image, window))))


def look_at_ground(image: np.ndarray) -> Ground:
    """See what the ground of an image is like, by the medians of squares as high as its ink.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W) or (H, W, 3) uint8.
    """
    step = max(1, len(image) // _ROWS)
    rows = with_channels(np.ascontiguousarray(image[:, ::step][:, :_MOST_COLUMNS]), 3)
    top, bottom = _empty(rows), _empty(rows[::-1])
    squares = _squares(rows[top : len(rows) - bottom : step])
    middle = squares.shape[1] // 2
    medians = np.partition(squares, middle, axis=1)[:, middle].astype(np.float32)  # (N, 3)
    _, deviations = cv2.meanStdDev(medians[:, None])  # in half the time of numpy's
    spread, contrast = _root_mean_square(deviations), _root_mean_square(squares - medians[:, None])
    return Ground(spread / (contrast + _ROUNDING), top / len(rows), bottom / len(rows))


def _squares(image: np.ndarray) -> np.ndarray:
    """Cut squares as high as it is out of an image (H, W, 3), and return the pixels of each, (N, P, 3)."""
    height, width, _ = image.shape
    size = min(height, width)
    rows, columns = height // size, width // size
    squares = image[: rows * size, : columns * size].reshape(rows, size, columns, size, 3)
    return squares.swapaxes(1, 2).reshape(rows * columns, size * size, 3)


def _empty(rows: np.ndarray) -> int:
    """Return how many rows of (H, W, 3), from the first one on, have the colour of its first pixel; 0 if all have."""
    colour = rows[0, 0].astype(int)
    is_same = cv2.inRange(rows, colour - _SAME, colour + _SAME)
    return int((is_same.min(axis=1) == 0).argmax())


def _root_mean_square(values: np.ndarray) -> float:
    flat = values.ravel()
    return math.sqrt(flat @ flat / flat.size)


def _largest(image: np.ndarray) -> np.ndarray:
    if image.ndim == 2:
        return image
    blue, green, red = cv2.split(image)
    return cv2.max(cv2.max(blue, green), red)
