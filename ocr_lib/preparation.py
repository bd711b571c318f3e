"""Images as a network wants them."""

from typing import TYPE_CHECKING, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError
from ocr_lib.geometry import N, Shrinkage, least_size, shrunk
from ocr_lib.images.decode import PAPER, dark_on_light, fit

if TYPE_CHECKING:
    from ocr_lib.recipe.recipe import Recipe

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
    resize : {"area", "bilinear"}
    invert : {"auto", "never"}
        Both as in a recipe's `image`.
    """

    size: Tuple[Optional[int], int]
    shrinkage: Tuple[Shrinkage, ...] = ()
    resize: str = "area"
    invert: str = "auto"

    @classmethod
    def of(cls, recipe: "Recipe") -> "Preparation":
        """Return what the network of a recipe wants."""
        return cls(recipe.image.size, recipe.network.shrinkage(0), recipe.image.resize, recipe.image.invert)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Bring a grey image, (H, W) uint8 of any size, to what the network reads.

        Raises
        ------
        OCRError
            If it is so wide that it can't be a line of text.
        """
        return self.resized(image if self.invert == "never" else dark_on_light(image))

    def resized(self, image: np.ndarray) -> np.ndarray:
        """Bring an image to the network's size and leave it at that; see `prepare`."""
        size = self.width_at(*image.shape), self.size[1]
        return cv2.resize(image, size) if self.resize == "bilinear" else fit(image, size)

    def width_of(self, image: np.ndarray) -> int:
        """Return how wide an image will be.

        Raises
        ------
        OCRError
            As `prepare` does.
        """
        return self.width_at(*image.shape)

    def width_at(self, rows: int, columns: int) -> int:
        """Return how wide an image of so many rows and columns will be; see `width_of`."""
        width, height = self.size
        if width is not None:
            return width
        width = round(columns * height / rows)
        if width > MAX_WIDTH:
            shape = f"{columns} by {rows}"
            raise OCRError(f"{shape} pixels are no line of text: at most {MAX_WIDTH // height} times as wide as high")
        return max(width, least_size(self.shrinkage))

    def steps(self, width: N) -> N:
        """Return how many time steps of the network's output belong to prepared images of a width, or of several."""
        return shrunk(width, self.shrinkage)


def pad(images: Sequence[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Put images of one height, (H, W) uint8 each, into one array.

    Returns
    -------
    padded : numpy.ndarray
        (N, H, W) uint8 with the widest one's W, paper behind the others.
    widths : numpy.ndarray
        (N,) int64.
    """
    widths = np.array([image.shape[1] for image in images])
    padded = np.full((len(images), images[0].shape[0], widths.max()), PAPER, np.uint8)
    for row, image in zip(padded, images):
        row[:, : image.shape[1]] = image
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
