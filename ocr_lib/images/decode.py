"""Image files and bytes to grey arrays of the size that a network reads."""

from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Tuple

import numpy as np

from ocr_lib.cv import MAX_PIXELS, cv2
from ocr_lib.errors import OCRError, naming
from ocr_lib.images.c_stderr import silent_c_stderr
from ocr_lib.images.file import IMAGE_SUFFIXES, ImageFile, examine
from ocr_lib.images.orientation import upright
from ocr_lib.images.pillow import open_gif, pixels_of

if TYPE_CHECKING:
    from PIL.Image import Image

PAPER = 255


def image_files(folder: Path) -> List[Path]:
    """Return the files of a folder that are images by their names, sorted."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an image file as grey.

    Parameters
    ----------
    path : pathlib.Path
    max_pixels : int
        As `decode_image` takes it.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black.

    Raises
    ------
    OCRError
        Naming the file, if it can't be read, and as `decode_image` does.
    """
    with naming(path):
        return decode_image(path.read_bytes(), max_pixels)


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode the bytes of an image file to grey, turned as its EXIF data asks; transparent pixels show white paper.

    Parameters
    ----------
    data : bytes
    max_pixels : int
        Images with more are refused before they are decoded, and so are those with more than `MAX_PIXELS`.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black.

    Raises
    ------
    OCRError
        If it is empty, of a format that is not accepted, cut off or damaged, an animation, or too large.
    """
    file = examine(data)
    max_pixels = min(max_pixels, MAX_PIXELS)
    check_size(file.width * file.height, max_pixels)
    if file.format == "GIF":
        return grey_of_pillow(open_gif(data), max_pixels)
    grey = _transparent(data, file) if file.may_be_transparent else None
    if grey is None:
        grey = _decode(data, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise OCRError("no image that OpenCV can read, or a damaged one")
    check_size(grey.size, max_pixels)
    return upright(grey, file.orientation)


def check_size(pixels: int, max_pixels: int) -> None:
    """Raise an `OCRError` if an image has more pixels than it may have."""
    if pixels > max_pixels:
        raise OCRError(f"the image is larger than {max_pixels:,} pixels")


def grey_of(image: np.ndarray, is_premultiplied: bool = False) -> np.ndarray:
    """Make grey out of colours and opacity; transparent pixels show white paper.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W), (H, W, 1), or in OpenCV's order of colours (H, W, 3) or with opacity (H, W, 4); uint8 or uint16.
    is_premultiplied : bool
        Whether colours are multiplied by their opacity already.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black.
    """
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 257)
    channels = image.shape[2] if image.ndim == 3 else 1
    if channels == 1:
        return image.reshape(image.shape[:2])
    if channels == 3:
        return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    ink, opacity = cv2.cvtColor(image, cv2.COLOR_BGRA2GRAY), cv2.extractChannel(image, 3)
    if is_premultiplied:
        return cv2.add(ink, cv2.bitwise_not(opacity))
    return cv2.bitwise_not(cv2.multiply(cv2.bitwise_not(ink), opacity, scale=1 / 255))


def grey_of_pillow(image: "Image", max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Make an image of Pillow grey, as the file that it was opened from would be.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode.
    max_pixels : int
        Images with more are refused.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black.

    Raises
    ------
    OCRError
        As `decode_image` does.
    """
    check_size(image.width * image.height, max_pixels)
    return grey_of(pixels_of(image))


def fit(image: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Bring a grey image to a size, by area if that is smaller, else linearly.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W) uint8 of any size.
    size : (int, int)
        Width and height.

    Returns
    -------
    numpy.ndarray
        (height, width) uint8.
    """
    shrinks = image.shape[1] >= size[0] and image.shape[0] >= size[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def dark_on_light(image: np.ndarray) -> np.ndarray:
    """Return the image with dark text on light paper: inverted if most of it is dark."""
    return 255 - image if 2 * np.count_nonzero(image < 128) > image.size else image


def normalise(images: np.ndarray, mean: float, scale: float, widths: Optional[np.ndarray] = None) -> np.ndarray:
    """Turn grey images into the network's input: grey values become ``(grey - mean) / scale``.

    Parameters
    ----------
    images : numpy.ndarray
        (N, H, W) uint8.
    widths : numpy.ndarray, optional
        (N,) int: what lies behind becomes 0.

    Returns
    -------
    numpy.ndarray
        (N, T, F) float32: the columns as time steps.
    """
    columns = images.transpose(0, 2, 1).astype(np.float32)  # (N, T, F)
    columns -= np.float32(mean)
    columns /= np.float32(scale)
    for sample, width in zip(columns, () if widths is None else widths):
        sample[width:] = 0
    return columns


def _transparent(data: bytes, file: ImageFile) -> Optional[np.ndarray]:
    """Decode an image that has opacity; None if it has none after all."""
    colour = _decode(data, cv2.IMREAD_UNCHANGED)
    if colour is None or colour.shape[2:] != (4,) or colour.dtype not in (np.uint8, np.uint16):
        return None
    return grey_of(colour, is_premultiplied=file.format == "TIFF" and colour.dtype == np.uint8)  # by libtiff


def _decode(data: bytes, flags: int) -> Optional[np.ndarray]:
    try:
        with silent_c_stderr:
            return cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise OCRError(f"the image is larger than {MAX_PIXELS:,} pixels") from None
        return None
