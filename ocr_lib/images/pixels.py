"""Pixels as networks read them: of 8 bits, grey or in colour, without opacity."""

from typing import NamedTuple

import numpy as np

from ocr_lib.cv import cv2


class Rendition(NamedTuple):
    """As what pixels images are wanted.

    Attributes
    ----------
    channels : {1, 3}
        Grey, or in OpenCV's order blue, green and red.
    """

    channels: int = 1


GREY = Rendition()


def render(image: np.ndarray, channels: int = 1, is_premultiplied: bool = False) -> np.ndarray:
    """Make grey or colours out of pixels of any depth; transparent ones show white paper.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W), (H, W, 1), or in OpenCV's order of colours (H, W, 3) or with opacity (H, W, 4); uint8 or uint16.
    channels : {1, 3}
        Of the result.
    is_premultiplied : bool
        Whether colours are multiplied by their opacity already.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black; or with three channels (H, W, 3).
    """
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 257)
    if image.shape[2:] != (4,):
        return with_channels(image, channels)
    ink, opacity = with_channels(image, channels), with_channels(cv2.extractChannel(image, 3), channels)
    if is_premultiplied:
        return cv2.add(ink, cv2.bitwise_not(opacity))
    return cv2.bitwise_not(cv2.multiply(cv2.bitwise_not(ink), opacity, scale=1 / 255))


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Make an image (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) grey, (H, W), or colour, (H, W, 3), without opacity."""
    given = image.shape[2] if image.ndim == 3 else 1
    if given == 1:
        grey = image.reshape(image.shape[:2])
        return grey if channels == 1 else cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    if channels == 1:
        return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY if given == 3 else cv2.COLOR_BGRA2GRAY)
    return image if given == 3 else cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
