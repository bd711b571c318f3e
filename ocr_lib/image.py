"""Image files and bytes to grey arrays of the size that a network reads."""

import re
import zlib
from pathlib import Path
from typing import List, Optional, Tuple

import numpy as np

from ocr_lib.cv import MAX_PIXELS, cv2
from ocr_lib.errors import OCRError, naming

# What OpenCV reads, by the names that such files usually have.
_TYPES = "avif bmp dib exr gif hdr jfif jp2 jpe jpeg jpg pbm pgm pic png pnm ppm ras sr tif tiff webp"
IMAGE_SUFFIXES = frozenset(f".{name}" for name in _TYPES.split())
PAPER = 255
_TOO_LARGE = f"the image is larger than {MAX_PIXELS:,} pixels"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_COLOURS = 25  # where the type is: 0 grey, 2 red, green and blue, 3 a palette, 4 and 6 with opacity
_JPEG_START = b"\xff\xd8\xff"
_JPEG_END = b"\xd9"
# A marker and the length of its segment; in between, compressed data has no 0xff but before 0 and restart markers.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])(..)?", re.DOTALL)


def image_files(folder: Path) -> List[Path]:
    """Return the files of a folder that are images by their names, sorted."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


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
    with naming(path):
        return decode_image(path.read_bytes())


def decode_image(data: bytes) -> np.ndarray:
    """Decode the bytes of an image file to grey; transparent pixels show white paper.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black.
    """
    if not data:
        raise OCRError("the file is empty")
    if _is_damaged(data):
        raise OCRError("the image is cut off or damaged")
    grey = _decode(data, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise OCRError("no image that OpenCV can read, or a damaged one")
    if grey.size > MAX_PIXELS:  # where OpenCV was loaded before it was told
        raise OCRError(_TOO_LARGE)
    if data.startswith(_JPEG_START) or _is_opaque_png(data):
        return grey
    colour = _decode(data, cv2.IMREAD_UNCHANGED)
    if colour is None or colour.shape[2:] != (4,) or colour.dtype not in (np.uint8, np.uint16):
        return grey
    # Both from the one array: OpenCV may turn a grey image upright as its metadata asks, and never one with opacity.
    peak = np.iinfo(colour.dtype).max
    opacity = colour[..., 3] / np.float32(peak)
    ink = cv2.cvtColor(colour, cv2.COLOR_BGRA2GRAY) * np.float32(255 / peak)
    return np.rint(ink * opacity + 255 * (1 - opacity)).astype(np.uint8)


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


def _decode(data: bytes, flags: int) -> Optional[np.ndarray]:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise OCRError(_TOO_LARGE) from None
        return None


def _is_opaque_png(data: bytes) -> bool:
    """Tell a PNG that can't be transparent, by its type of colours, in less time than decoding it again takes."""
    return data.startswith(_PNG_START) and data[_PNG_COLOURS] in (0, 2) and b"tRNS" not in data


def _is_damaged(data: bytes) -> bool:
    # Some releases of OpenCV fill what a cut-off JPEG or PNG lacks with grey and say nothing.
    if data.startswith(_JPEG_START):
        return not _has_jpeg_end(data)
    return data.startswith(_PNG_START) and not _has_whole_png_chunks(data)


def _has_whole_png_chunks(data: bytes) -> bool:
    # A chunk is its length, name, content and checksum; a wrong checksum would make libpng print lines of its own.
    position, name = len(_PNG_START), b""
    while name != b"IEND":
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        name = data[position + 4 : position + 8]
        if end > len(data) or zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        position = end
    return True


def _has_jpeg_end(data: bytes) -> bool:
    # Walked from the front: thumbnails inside and videos behind the image have ends of their own.
    position = len(_JPEG_START) - 1
    while True:
        marker = _JPEG_MARKER.search(data, position)
        if marker is None or marker[1] == _JPEG_END:
            return marker is not None
        position = marker.end(1) + int.from_bytes(marker[2] or b"", "big")
