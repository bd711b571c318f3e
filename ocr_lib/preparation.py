"""Images as a network wants them."""

from typing import TYPE_CHECKING, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.geometry import N, Shrinkage, least_size, shrunk
from ocr_lib.images.decode import PAPER, fit
from ocr_lib.images.ground import subtract_ground
from ocr_lib.images.pixels import Rendition, with_channels
from ocr_lib.images.polarity import dark_on_light

if TYPE_CHECKING:
    from ocr_lib.recipe.recipe import Recipe

_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}

MAX_WIDTH = 8192
"""In pixels, of images whose width is not fixed, at the network's height."""


class Preparation(NamedTuple):
    """What a network wants of an image.

    Attributes
    ----------
    size : (int or None, int)
        Width and height in pixels. Without a width, images keep their aspect ratio.
    shrinkage : tuple of Shrinkage
        What the network does to columns.
    resize, invert, rotate, channels, frame, crop, ground
        As in a recipe's `image`.
    """

    size: Tuple[Optional[int], int]
    shrinkage: Tuple[Shrinkage, ...] = ()
    resize: str = "area"
    invert: str = "auto"
    rotate: int = 0
    channels: int = 1
    frame: str = "last"
    crop: Tuple[float, float] = (0.0, 0.0)
    ground: str = "keep"

    @classmethod
    def of(cls, recipe: "Recipe") -> "Preparation":
        """Return what the network of a recipe wants."""
        image = recipe.image
        return cls(
            image.size,
            recipe.network.shrinkage(0),
            image.resize,
            image.invert,
            image.rotate,
            image.channels,
            image.frame,
            image.crop,
            image.ground,
        )

    @property
    def rendition(self) -> Rendition:
        """As what pixels images are to be read."""
        return Rendition(3 if self.ground == "subtract" else self.channels, self.frame)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Bring an image to what the network reads.

        Parameters
        ----------
        image : numpy.ndarray
            (H, W), or in OpenCV's order of colours (H, W, 3), uint8 of any size.

        Returns
        -------
        numpy.ndarray
            (height, width) uint8, or with three channels (height, width, 3).

        Raises
        ------
        OCRError
            If it is so wide that it can't be a line of text.
        """
        image = self.turned(image)
        image = with_channels(image[slice(*self._kept(len(image)))], self.rendition.channels)
        if self.ground == "subtract":
            return subtract_ground(self.resized(image))
        if self.invert != "never":
            image = cv2.bitwise_not(image) if self.invert == "always" else dark_on_light(image)
        return self.resized(image)

    def turned(self, image: np.ndarray) -> np.ndarray:
        """Turn an image such that its text is a line."""
        return cv2.rotate(image, _TURNS[self.rotate]) if self.rotate else image

    def resized(self, image: np.ndarray) -> np.ndarray:
        """Bring an image that is turned and cut to the network's size and leave it at that; see `prepare`."""
        size = self._width(*image.shape[:2]), self.size[1]
        return cv2.resize(image, size) if self.resize == "bilinear" else fit(image, size)

    def line_shape(self, rows: int, columns: int) -> Tuple[int, int]:
        """Return how high and how long the line of an image of so many rows and columns is, in its own pixels."""
        return (columns, rows) if self.rotate in (90, 270) else (rows, columns)

    def width_of(self, image: np.ndarray) -> int:
        """Return how wide an image will be.

        Raises
        ------
        OCRError
            As `prepare` does.
        """
        return self.width_at(*image.shape[:2])

    def width_at(self, rows: int, columns: int) -> int:
        """Return how wide an image of so many rows and columns will be; see `width_of`."""
        height, length = self.line_shape(rows, columns)
        top, bottom = self._kept(height)
        return self._width(bottom - top, length)

    def _kept(self, height: int) -> Tuple[int, int]:
        """Return between which rows of a line the text is."""
        top, bottom = self.crop
        return int(height * top), height - int(height * bottom)

    def _width(self, line_height: int, line_length: int) -> int:
        width, height = self.size
        if width is not None:
            return width
        width = round(line_length * height / line_height)
        if width > MAX_WIDTH:
            shape = f"{line_length} by {line_height}"
            raise OCRError(f"{shape} pixels are no line of text: at most {MAX_WIDTH // height} times as wide as high")
        return max(width, least_size(self.shrinkage))

    def steps(self, width: N) -> N:
        """Return how many time steps of the network's output belong to prepared images of a width, or of several."""
        return shrunk(width, self.shrinkage)


def pad(images: Sequence[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Put images as `Preparation.prepare` gives them into one array.

    Parameters
    ----------
    images : sequence of numpy.ndarray
        (H, W) or (H, W, 3) uint8 each, of one height.

    Returns
    -------
    padded : numpy.ndarray
        (N, H, W) uint8 with the widest one's W, paper behind the others; or (N, 3 H, W), where each image is three one
        below the other, blue, green and red.
    widths : numpy.ndarray
        (N,) int64.
    """
    widths = np.array([image.shape[1] for image in images])
    height, _, *channels = images[0].shape
    padded = np.full((len(images), *channels, height, widths.max()), PAPER, np.uint8)
    for row, image in zip(padded, images):
        row[..., : image.shape[1]] = image.transpose(2, 0, 1) if channels else image
    padded = padded.reshape(len(images), -1, widths.max())
    return padded, widths


def parts_of_like_width(widths: Sequence[int], size: int) -> List[List[int]]:
    """Part images such that padding costs little.

    Parameters
    ----------
    widths : sequence of int
    size : int
        Most images in a part.

    Returns
    -------
    list of list of int
        Indices. The largest width of a part is at most a quarter above the smallest.
    """
    parts: List[List[int]] = []
    for index in sorted(range(len(widths)), key=widths.__getitem__):
        if not parts or len(parts[-1]) == size or widths[index] > 1.25 * widths[parts[-1][0]]:
            parts.append([])
        parts[-1].append(index)
    return parts
