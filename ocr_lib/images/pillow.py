"""Pillow's images as arrays. Pillow itself is imported where a GIF is read, and not before."""

import io
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.images.orientation import orientation_of, upright

if TYPE_CHECKING:
    from PIL.Image import Image

_WITH_OPACITY = ("LA", "PA", "RGBA", "RGBa")


def is_pillow(image: Any) -> bool:
    """Tell whether something is an image of Pillow."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def open_gif(data: bytes) -> "Image":
    """Open a GIF.

    Raises
    ------
    OCRError
        If it is damaged, or there is no Pillow.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise OCRError("GIF is read with Pillow: pip install Pillow, or save it as PNG") from error
    try:
        return Image.open(io.BytesIO(data), formats=["GIF"])
    except Exception as error:  # Pillow has an exception for each of the ways to be damaged
        raise OCRError("the image is cut off or damaged") from error


def pixels_of(image: "Image") -> np.ndarray:
    """Return the pixels of an image of any mode, turned as its EXIF data asks.

    Values of mode I are taken for 16 bits, as which Pillow opens files of 16 bits, and those of mode F for 0 to 255.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8 or uint16, or in OpenCV's order of colours (H, W, 3) or with opacity (H, W, 4) uint8.

    Raises
    ------
    OCRError
        If it comes from a file that is damaged, or is of a mode that Pillow can't convert.
    """
    try:
        image.load()
    except Exception as error:
        raise OCRError("the image is cut off or damaged") from error
    return upright(_pixels(image), orientation_of(image.info.get("exif", b"")))


def _pixels(image: "Image") -> np.ndarray:
    if image.mode.startswith("I"):
        return np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
    if image.mode == "F":
        return np.rint(np.clip(np.nan_to_num(np.asarray(image)), 0, 255)).astype(np.uint8)
    if image.mode == "La":  # which Pillow converts to nothing else
        image = image.convert("LA")
    mode = "RGBA" if image.mode in _WITH_OPACITY or "transparency" in image.info else "RGB"
    try:
        pixels = np.asarray(image.convert(mode))
    except ValueError as error:
        raise OCRError(f"Pillow can't convert mode {image.mode} to {mode}") from error
    return cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA if mode == "RGBA" else cv2.COLOR_RGB2BGR)
