"""Pixels as networks read them: of 8 bits, grey or in colour, without opacity."""

from typing import NamedTuple, Optional

import numpy as np

from ocr_lib.cv import cv2


class Rendition(NamedTuple):
    """As what pixels images are wanted.

    Attributes
    ----------
    channels : {1, 3}
        Grey, or in OpenCV's order blue, green and red.
    frame : {"first", "last", "blend"}
        Of an animation: one of its frames, or the mean of all.
    """

    channels: int = 1
    frame: str = "last"


GREY = Rendition()

_DEPTHS = (8, 10, 12, 14, 16)  # bits, as cameras and scanners have them
_BARELY_VISIBLE = 32  # grey levels below white


def render(
    image: np.ndarray, channels: int = 1, white: Optional[int] = None, is_premultiplied: bool = False
) -> np.ndarray:
    """Make grey or colours out of pixels of any depth; transparent ones show paper that the ink can be seen on.

    That is white, unless visible pixels would be lost on it: then black.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W), (H, W, 1), or in OpenCV's order of colours (H, W, 3) or with opacity (H, W, 4); uint8 or uint16.
    channels : {1, 3}
        Of the result.
    white : int, optional
        The value that means white. When left out it is 255, and of uint16 the largest number of 8, 10, 12, 14 or 16
        bits, the fewest that hold all values: many write images of 12 bits into files of 16.
    is_premultiplied : bool
        Whether colours are multiplied by their opacity already.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black; or with three channels (H, W, 3).
    """
    if image.shape[2:] != (4,):
        return with_channels(_of_8_bits(image, white), channels)
    ink = with_channels(_of_8_bits(cv2.cvtColor(image, cv2.COLOR_BGRA2BGR), white), channels)
    opacity = _of_8_bits(cv2.extractChannel(image, 3), white)
    by_channel = with_channels(opacity, channels)
    on_black = ink if is_premultiplied else cv2.multiply(ink, by_channel, scale=1 / 255)
    on_white = cv2.add(on_black, cv2.bitwise_not(by_channel))
    return on_black if _is_lost_on_white(with_channels(on_white, 1), opacity) else on_white


def _of_8_bits(image: np.ndarray, white: Optional[int]) -> np.ndarray:
    if image.dtype == np.uint8 and white is None:
        return image
    largest = int(image.max())
    if white is None or white < largest:  # OpenCV scales some files by what they state itself
        white = next((1 << bits) - 1 for bits in _DEPTHS if largest < 1 << bits)
    return cv2.convertScaleAbs(image, alpha=255 / white)


def _is_lost_on_white(on_white: np.ndarray, opacity: np.ndarray) -> bool:
    """Tell whether visible pixels are light ink on transparent paper, from grey (H, W) uint8 and opacity (H, W).

    Where less than half of an image is visible that is the ink, and it is light or dark as a whole. Otherwise there is
    paper among it, and it is lost if all of it is nearly white.
    """
    visible = cv2.mean(opacity)[0] / 255
    if visible in (0, 1):
        return False
    if visible >= 0.5:
        return cv2.minMaxLoc(on_white)[0] > 255 - _BARELY_VISIBLE
    ink = (cv2.mean(on_white)[0] - 255 * (1 - visible)) / visible
    return ink > 127.5


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """Make an image (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) grey, (H, W), or colour, (H, W, 3), without opacity."""
    given = image.shape[2] if image.ndim == 3 else 1
    if given == 1:
        grey = image.reshape(image.shape[:2])
        return grey if channels == 1 else cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    if channels == 1:
        return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY if given == 3 else cv2.COLOR_BGRA2GRAY)
    return image if given == 3 else cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
