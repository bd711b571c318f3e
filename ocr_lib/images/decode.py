"""Image files and bytes to arrays, of the size that a network reads."""

from pathlib import Path
from typing import TYPE_CHECKING, FrozenSet, List, Optional, Tuple

import numpy as np

from ocr_lib.cv import MAX_PIXELS, cv2
from ocr_lib.errors import OCRError, naming
from ocr_lib.images.c_stderr import silent_c_stderr
from ocr_lib.images.file import IMAGE_SUFFIXES, ImageFile, examine
from ocr_lib.images.orientation import upright
from ocr_lib.images.pillow import frames_of, pixels_of
from ocr_lib.images.pixels import GREY, Rendition, render

if TYPE_CHECKING:
    from PIL.Image import Image

PAPER = 255
_MOST_IN_FRAMES = 20_000_000  # pixels: each frame takes the time of an image


def image_files(folder: Path, suffixes: FrozenSet[str] = IMAGE_SUFFIXES) -> List[Path]:
    """Return the files of a folder that are images by how their names end, sorted; names with a dot first are not."""
    files = (path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    return sorted((path for path in files if not path.name.startswith(".")), key=lambda path: path.name)


def read_image(path: Path, rendition: Rendition = GREY) -> np.ndarray:
    """Read an image file.

    Parameters
    ----------
    path : pathlib.Path
    rendition : Rendition

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black; or with three channels (H, W, 3).

    Raises
    ------
    OCRError
        Naming the file, if it can't be read, and as `decode_image` does.
    """
    with naming(path):
        return decode_image(path.read_bytes(), rendition)


def decode_image(data: bytes, rendition: Rendition = GREY, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode the bytes of an image file, turned as its EXIF data asks, and as `render` does.

    Parameters
    ----------
    data : bytes
    rendition : Rendition
    max_pixels : int
        Images with more are refused before they are decoded, and so are those with more than `MAX_PIXELS`.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black; or with three channels (H, W, 3).

    Raises
    ------
    OCRError
        If it is empty, of a format that is not accepted, cut off or damaged, or too large.
    """
    file = examine(data)
    max_pixels = min(max_pixels, MAX_PIXELS)
    check_size(file.width * file.height, max_pixels)
    if file.frames is not None:
        return _frame(data, file, rendition)
    image = _decode(data, file, rendition.channels)
    check_size(image.shape[0] * image.shape[1], max_pixels)
    is_premultiplied = file.format == "TIFF" and image.dtype == np.uint8  # by libtiff
    return upright(render(image, rendition.channels, file.white, is_premultiplied), file.orientation)


def check_size(pixels: int, max_pixels: int) -> None:
    """Raise an `OCRError` if an image has more pixels than it may have."""
    if pixels > max_pixels:
        raise OCRError(f"the image is larger than {max_pixels:,} pixels")


def render_pillow(image: "Image", rendition: Rendition = GREY, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Make an image of Pillow an array, as the file that it was opened from would be; of an animation, as it stands.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode.
    rendition : Rendition
    max_pixels : int
        Images with more are refused.

    Returns
    -------
    numpy.ndarray
        (H, W) uint8, 0 black; or with three channels (H, W, 3).

    Raises
    ------
    OCRError
        As `decode_image` does.
    """
    check_size(image.width * image.height, max_pixels)
    return render(pixels_of(image), rendition.channels)


def fit(image: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Bring an image to a size, by area if that is smaller, else linearly.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W) or (H, W, 3) uint8 of any size.
    size : (int, int)
        Width and height.

    Returns
    -------
    numpy.ndarray
        (height, width) or (height, width, 3) uint8.
    """
    shrinks = image.shape[1] >= size[0] and image.shape[0] >= size[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def normalise(images: np.ndarray, mean: float, scale: float, widths: Optional[np.ndarray] = None) -> np.ndarray:
    """Turn images into the network's input: values become ``(value - mean) / scale``.

    Parameters
    ----------
    images : numpy.ndarray
        (N, H, W) uint8, or (N, 3 H, W), as `ocr_lib.preparation.pad` gives them.
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


def _frame(data: bytes, file: ImageFile, rendition: Rendition) -> np.ndarray:
    """Return a frame of an animation, or the mean of all."""
    if file.frames and file.frames > 1 and file.width * file.height * file.frames > _MOST_IN_FRAMES:
        raise OCRError(f"its {file.frames} frames have more than {_MOST_IN_FRAMES:,} pixels together")
    frames = (render(pixels, rendition.channels) for pixels in frames_of(data, file.format, rendition.frame))
    if rendition.frame != "blend":
        return next(frames)
    total, count = next(frames).astype(np.uint32), 1
    for frame in frames:
        total, count = total + frame, count + 1
    return ((total + count // 2) // count).astype(np.uint8)


def _decode(data: bytes, file: ImageFile, channels: int) -> np.ndarray:
    """Decode an image of any depth: with opacity if it has some, and otherwise grey or in colour."""
    image = _decoded(data, cv2.IMREAD_UNCHANGED) if file.may_be_transparent else None
    if image is None or image.shape[2:] != (4,):
        colours = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
        image = _decoded(data, colours | cv2.IMREAD_ANYDEPTH)
    if image is None:
        raise OCRError("no image that OpenCV can read, or a damaged one")
    if image.dtype not in (np.uint8, np.uint16):
        raise OCRError(f"its pixels are {image.dtype}: save it as PNG, of 8 or 16 bits")
    return image


def _decoded(data: bytes, flags: int) -> Optional[np.ndarray]:
    try:
        with silent_c_stderr:
            return cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise OCRError(f"the image is larger than {MAX_PIXELS:,} pixels") from None
        return None
