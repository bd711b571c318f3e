"""Whatever Python programs have images as, made arrays."""

import io
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, AbstractSet, Any, Iterable, Mapping, Union

import numpy as np

from ocr_lib.cv import MAX_PIXELS
from ocr_lib.errors import OCRError
from ocr_lib.images.decode import check_size, decode_image, render_pillow
from ocr_lib.images.pillow import is_pillow
from ocr_lib.images.pixels import GREY, Rendition, render

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from typing_extensions import TypeGuard

ImageInput = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, IO[bytes], "PillowImage", np.ndarray]
_FILE_BYTES = (bytes, bytearray, memoryview)
_SHAPES = "(H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"


def is_image(given: object) -> bool:
    """Tell whether something is an image as `load_image` takes it, whatever it may hold."""
    kinds = (str, os.PathLike, np.ndarray, *_FILE_BYTES)
    return isinstance(given, kinds) or hasattr(given, "read") or is_pillow(given)


def is_several(given: object) -> "TypeGuard[Iterable[Any]]":
    """Tell whether something is to be taken for images one after the other, and not for one, be it none."""
    return not is_image(given) and isinstance(given, Iterable) and not isinstance(given, (AbstractSet, Mapping))


def name_of(given: object, otherwise: str) -> str:
    """Return what to call an image in messages: the name of its file, if it is known."""
    if isinstance(given, (str, os.PathLike)):
        return os.fsdecode(given)
    name = getattr(given, "filename" if is_pillow(given) else "name", None)
    return name if isinstance(name, str) and name else otherwise


def load_image(given: ImageInput, rendition: Rendition = GREY, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Make an image an array.

    Parameters
    ----------
    given : str, os.PathLike, bytes, bytearray, memoryview, binary file, PIL.Image.Image or numpy.ndarray
        The path of a file, what it holds, or the open file; or an array of uint8 or uint16: grey (H, W) or (H, W, 1),
        or in OpenCV's order of colours (H, W, 3), or with opacity (H, W, 4).
    rendition : Rendition
    max_pixels : int
        Images with more are refused, and so are files of more than `MAX_PIXELS`.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black; or with three channels (H, W, 3). As `ocr_lib.images.pixels.render` makes it.

    Raises
    ------
    OCRError
        If it can't be read, is too large or no image.
    """
    if isinstance(given, np.ndarray):
        return _rendered_array(given, rendition, max_pixels)
    if is_pillow(given):
        return render_pillow(given, rendition, max_pixels)
    return decode_image(file_bytes(given), rendition, max_pixels)


def _rendered_array(array: np.ndarray, rendition: Rendition, max_pixels: int) -> np.ndarray:
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.dtype not in (np.uint8, np.uint16) or array.size == 0 or not fits:
        raise OCRError(f"an array of {array.dtype} of the shape {array.shape}; it takes uint8 or uint16 of {_SHAPES}")
    check_size(array.shape[0] * array.shape[1], max_pixels)
    return render(array, rendition.channels)


def file_bytes(given: object) -> bytes:
    """Return what the file of an image holds, given as `load_image` takes it.

    Raises
    ------
    OCRError
        If it can't be read, or is no file.
    """
    try:
        if isinstance(given, (str, os.PathLike)):
            return Path(os.fsdecode(given)).read_bytes()
        if isinstance(given, io.TextIOBase):
            raise OCRError("a file opened as text: open it with mode 'rb'")
        content = given.read() if hasattr(given, "read") else given
    except ValueError as error:  # a file that is closed, a path with a zero byte
        raise OCRError(str(error)) from error
    if not isinstance(content, _FILE_BYTES):
        raise OCRError(
            f"{type(content).__name__} is no image: it takes a path, bytes, a binary file, a Pillow image, an array, "
            "or several of these"
        )
    return bytes(content)
