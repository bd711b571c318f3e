"""Image files and bytes to grey arrays of the size that a network reads."""

from pathlib import Path
from typing import Optional

import numpy as np

from ocr_lib.cv import MAX_PIXELS, cv2
from ocr_lib.errors import OCRError
from ocr_lib.recipe import ImageRecipe

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"


def read_image(path: Path) -> np.ndarray:
    """Read an image file as grey.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black.

    Raises
    ------
    OCRError
        Naming the file, if it is missing, empty, cut off, larger than `MAX_PIXELS` or no image.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OCRError(f"{path}: {error.strerror or error}") from error
    try:
        return decode_image(data)
    except OCRError as error:
        raise OCRError(f"{path}: {error}") from error


def decode_image(data: bytes) -> np.ndarray:
    """Decode the bytes of an image file to grey; transparent pixels show white paper.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black.
    """
    if not data:
        raise OCRError("the file is empty")
    if _is_cut_off(data):
        raise OCRError("the image is cut off")
    grey = _decode(data, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise OCRError("not an image that OpenCV can read")
    if data.startswith(_JPEG_START):
        return grey
    colour = _decode(data, cv2.IMREAD_UNCHANGED)
    if colour is None or colour.ndim != 3 or colour.shape[2] != 4:
        return grey
    opacity = colour[..., 3].astype(np.float32) / np.iinfo(colour.dtype).max
    if not np.issubdtype(colour.dtype, np.integer) or opacity.shape != grey.shape:
        return grey
    return np.rint(grey * opacity + 255 * (1 - opacity)).astype(np.uint8)


def fit(image: np.ndarray, recipe: ImageRecipe) -> np.ndarray:
    """Bring a grey image to the network's size.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W) uint8 of any size.

    Returns
    -------
    numpy.ndarray
        (recipe.height, recipe.width) uint8.
    """
    shrinks = image.shape[0] >= recipe.height and image.shape[1] >= recipe.width
    return cv2.resize(
        image, (recipe.width, recipe.height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )


def dark_on_light(image: np.ndarray) -> np.ndarray:
    """Return the image with dark text on light paper: inverted if most of it is dark."""
    return 255 - image if np.median(image) < 128 else image


def normalise(images: np.ndarray, recipe: ImageRecipe) -> np.ndarray:
    """Turn grey images into the network's input.

    Parameters
    ----------
    images : numpy.ndarray
        (N, H, W) uint8.

    Returns
    -------
    numpy.ndarray
        (N, T, F) float32: the columns as time steps.
    """
    columns = images.transpose(0, 2, 1).astype(np.float32)  # (N, T, F)
    columns -= np.float32(recipe.mean)
    columns /= np.float32(recipe.scale)
    return columns


def _decode(data: bytes, flags: int) -> Optional[np.ndarray]:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if "OPENCV_IO_MAX_IMAGE" in str(error):
            raise OCRError(f"the image is larger than {MAX_PIXELS:,} pixels") from error
        return None


def _is_cut_off(data: bytes) -> bool:
    # OpenCV fills what a cut-off JPEG or PNG lacks with grey and says nothing.
    if data.startswith(_JPEG_START):
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return data.startswith(_PNG_START) and b"IEND" not in data
