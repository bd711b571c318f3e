"""Which of an image's pixels are ink and which are paper."""

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.images.pixels import with_channels

_LEAST_CONTRAST = 8.0  # grey levels: between less there is no ink
_CLEARLY_FEWER = 0.4  # of all pixels
_MIDDLE = 128


def dark_on_light(image: np.ndarray) -> np.ndarray:
    """Return an image, (H, W) or (H, W, 3) uint8, with dark text on light paper: inverted if it has light ink."""
    return cv2.bitwise_not(image) if is_light_on_dark(with_channels(image, 1)) else image


def is_light_on_dark(grey: np.ndarray) -> bool:
    """Tell whether the ink of an image, (H, W) uint8, is lighter than its paper.

    Otsu's threshold (1979) parts the pixels into dark and light ones, and the fewer are ink. Where these are about as
    many, as of bold letters cut out closely, those that are fewer along the image's edge are. An image without contrast
    is paper: dark, if it is darker than the middle.
    """
    light: np.ndarray = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
    share = cv2.countNonZero(light) / grey.size
    mean = cv2.mean(grey)[0]
    of_light = cv2.mean(grey, light)[0]
    if of_light - mean <= _LEAST_CONTRAST * (1 - share):  # of which the dark ones have the rest
        return mean < _MIDDLE
    if abs(share - 0.5) > 0.5 - _CLEARLY_FEWER:
        return share < 0.5
    edge = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    return 2 * cv2.countNonZero(edge) < edge.size
