"""Pillow's images as arrays. Pillow itself is imported where a GIF or an animation is read, and not before."""

import contextlib
import io
import sys
from typing import TYPE_CHECKING, Any, Iterator

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


def frames_of(data: bytes, image_format: str, frame: str) -> Iterator[np.ndarray]:
    """Yield frames of an animation, or the image of a GIF that is none.

    Parameters
    ----------
    data : bytes
    image_format : {"GIF", "PNG", "WebP"}
    frame : {"first", "last", "blend"}
        Which: one of them, or all.

    Yields
    ------
    numpy.ndarray
        As `pixels_of` returns it.

    Raises
    ------
    OCRError
        If it is damaged, or there is no Pillow.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise OCRError("GIF and animations are read with Pillow: pip install Pillow, or save it as PNG") from error
    with _whole():
        image = Image.open(io.BytesIO(data), formats=[image_format.upper()])
        # What programs show that know no animations is not one of the frames.
        first, last = int(bool(image.info.get("default_image"))), getattr(image, "n_frames", 1) - 1
    for number in {"first": [first], "last": [last], "blend": range(first, last + 1)}[frame]:
        with _whole():
            image.seek(number)
        yield pixels_of(image)


@contextlib.contextmanager
def _whole() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # Pillow has an exception for each of the ways to be damaged
        raise OCRError("the image is cut off or damaged") from error


def pixels_of(image: "Image") -> np.ndarray:
    """Return the pixels of an image of any mode, of an animation its present frame, turned as its EXIF data asks.

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
    with _whole():
        image.load()
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
