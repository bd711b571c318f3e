"""How much contrast an image has in grey, how much in colour, and how much of that grey does not show."""

import math
from typing import NamedTuple

import numpy as np

_MOST_PIXELS = 4096  # looked at, of larger images those of a grid
_LUMINANCE = np.array([0.114, 0.587, 0.299])
_ROUNDING = 1.0  # of a grey level: what differs by less is lost in grey


class Contrast(NamedTuple):
    """Standard deviations of an image's pixels, in grey levels.

    Attributes
    ----------
    grey : float
        Of their luminance.
    colour : float
        Along the axis of colours on which it is largest, divided by its length in grey: of a grey image, as `grey`.
    hidden : float
        Likewise of what luminance does not tell: about 1 at most if all colours are mixtures of two that differ in
        luminance, say of an ink and a paper; as `colour` if these do not differ.
    """

    grey: float
    colour: float
    hidden: float


def contrast(image: np.ndarray) -> Contrast:
    """Measure the contrast of an image.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W), or in OpenCV's order of colours (H, W, 3), uint8.
    """
    height, width = image.shape[:2]
    step = math.ceil(math.sqrt(height * width / _MOST_PIXELS))
    found = _contrast(image[::step, ::step])
    # The grid may miss what little ink there is.
    return _contrast(image) if step > 1 and found.colour < _ROUNDING else found


def _contrast(pixels: np.ndarray) -> Contrast:
    if pixels.ndim == 2:
        grey = float(pixels.std())
        return Contrast(grey, grey, 0.0)
    colours = pixels.transpose(2, 0, 1).reshape(3, -1).astype(np.float32)  # (3, P)
    colours -= colours.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    covariance = (colours @ colours.T / colours.shape[1]).astype(np.float64)  # (3, 3)
    with_grey = covariance @ _LUMINANCE  # (3,)
    variance = max(0.0, float(_LUMINANCE @ with_grey))
    rest = covariance - np.outer(with_grey, with_grey) / (variance + _ROUNDING)
    return Contrast(variance**0.5, _largest(covariance), _largest(rest))


def _largest(covariance: np.ndarray) -> float:
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(covariance)[-1] / 3)))
