"""What letters stand on, and ink and ground put together."""

from functools import lru_cache
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.draw.text.ink import Layers
from ocr_lib.errors import OCRError
from ocr_lib.images.decode import image_files, read_image
from ocr_lib.images.pixels import Rendition
from ocr_lib.recipe.rendering import GroundRecipe, InkRecipe

NUM_DRAWS = 14
_DARK_INK = 0.0, 90.0
_LIGHT_GROUND = 150.0, 255.0
_SPOT_ROWS = 3, 12  # of the grid of spots
_PICTURED = 0.8  # of the images, where there are pictures
_TINTS = {"dark": 15.0, "any": 60.0}  # grey values by which a colour's parts differ from its grey
_REMEMBERED = 256  # pictures
_LARGEST_PICTURE = 640  # pixels along its longer side

_GREY_SHARES = np.array([0.114, 0.587, 0.299], np.float32)  # of blue, green and red in grey


def paint(
    layers: Layers,
    neighbour: np.ndarray,
    ink: InkRecipe,
    ground: GroundRecipe,
    pictures: Sequence[Path],
    channels: int,
    draws: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Put letters on a ground.

    Parameters
    ----------
    layers : Layers
    neighbour : numpy.ndarray
        (H, W) uint8, more ink.
    ink : InkRecipe
    ground : GroundRecipe
    pictures : sequence of pathlib.Path
        To stand on; none makes grounds of light and spots.
    channels : {1, 3}
    draws : numpy.ndarray
        (NUM_DRAWS,) in [0, 1).
    random : numpy.random.Generator
        For spots, and for places in pictures.

    Returns
    -------
    numpy.ndarray
        (H, W) or (H, W, 3) float32, in grey values that may lie beyond 0 and 255.
    """
    values = draws.tolist()
    ink_grey, ground_grey = _greys(ink, values)
    ink_colour, ground_colour, under_colour = (
        _coloured(grey, _TINTS[ink.colours], channels, random)
        for grey in (ink_grey, ground_grey, 255.0 * (values[3] > 0.5))
    )
    relief = _relief(layers.ink.shape, ground, pictures, channels, values, abs(ink_grey - ground_grey), random)
    image = relief + ground_colour
    if ground.bleed_through:
        back = cv2.blur(np.ascontiguousarray(layers.ink[:, ::-1]), (3, 3))
        image = _covered(image, back, ink_colour, ground.bleed_through * values[4])
    for cover, colour in ((neighbour, ink_colour), (layers.under, under_colour), (layers.ink, ink_colour)):
        if cover is not None:
            image = _covered(image, cover, colour, 1.0)
    return image


def _greys(recipe: InkRecipe, draws: List[float]) -> Tuple[float, float]:
    """Return the grey values of ink and ground."""
    if recipe.colours == "dark":
        least, most = _DARK_INK
        ink = least + (most - least) * draws[0]
        lightest = _LIGHT_GROUND[1]
        least = min(max(_LIGHT_GROUND[0], ink + recipe.contrast), lightest)
        return ink, least + (lightest - least) * draws[1]
    contrast = min(recipe.contrast, 255.0)
    difference = contrast + (255.0 - contrast) * draws[0]
    darker = (255.0 - difference) * draws[1]
    greys = darker, darker + difference
    return greys if draws[2] < 0.5 else greys[::-1]


def _coloured(grey: float, most: float, channels: int, random: np.random.Generator) -> np.ndarray:
    """Return a colour that has this grey, () or (3,) float32."""
    if channels == 1:
        return np.array(grey, np.float32)
    tint = (2 * random.random(3, np.float32) - 1) * np.float32(most)
    return np.clip(np.float32(grey) + tint - tint @ _GREY_SHARES, 0, 255)


def _relief(
    shape: Tuple[int, ...],
    recipe: GroundRecipe,
    pictures: Sequence[Path],
    channels: int,
    draws: List[float],
    contrast: float,
    random: np.random.Generator,
) -> np.ndarray:
    """Return by how much each pixel of the ground differs from its colour, (H, W) or (H, W, 3) float32."""
    rows, columns = shape
    light, across, down, spots, fineness, has_picture, strength = draws[5:12]
    relief = np.zeros(shape, np.float32)
    if recipe.gradient:
        step = recipe.gradient * light
        relief += _ramp(columns, step * (across - 0.5)) + _ramp(rows, step * (down - 0.5))[:, None]
    if recipe.texture:
        least, most = _SPOT_ROWS
        grid_rows = least + int(fineness * (most - least))
        grid = random.random((grid_rows, max(2, columns * grid_rows // rows)), np.float32) - np.float32(0.5)
        height = 2 * min(recipe.texture, contrast / 3) * spots
        relief += cv2.resize(grid * np.float32(height), (columns, rows), interpolation=cv2.INTER_CUBIC)
    relief = relief if channels == 1 else relief[..., None]
    if pictures and has_picture < _PICTURED:
        picture = _cut(pictures[int(random.integers(len(pictures)))], shape, channels, random)
        relief = relief + picture * np.float32(min(1.0, strength * contrast / 100))
    return np.asarray(relief)


def _ramp(count: int, most: float) -> np.ndarray:
    """Return numbers from -most to most, (count,) float32."""
    return np.arange(count, dtype=np.float32) * np.float32(2 * most / max(1, count - 1)) - np.float32(most)


def _covered(image: np.ndarray, cover: np.ndarray, colour: np.ndarray, opacity: float) -> np.ndarray:
    share = cover * np.float32(opacity / 255)
    return np.asarray(image + (share if image.ndim == 2 else share[..., None]) * (colour - image))


def find_pictures(folder: Path) -> List[Path]:
    """Return the pictures in a folder that letters are to stand on.

    Raises
    ------
    OCRError
        If there is none, or one can't be read.
    """
    if not folder.is_dir():
        raise OCRError(f"{folder}: no such folder; rendering.ground.pictures takes one that has pictures")
    pictures = image_files(folder)
    if not pictures:
        raise OCRError(f"{folder}: no picture in this folder")
    for picture in pictures:
        read_image(picture, Rendition())
    return pictures


@lru_cache(_REMEMBERED)
def _picture(path: Path, channels: int) -> np.ndarray:
    """Return a picture, made small, its mean subtracted: (H, W) or (H, W, 3) float32."""
    picture = read_image(path, Rendition(channels))
    scale = min(1.0, _LARGEST_PICTURE / max(picture.shape[:2]))
    size = [max(1, round(scale * side)) for side in picture.shape[1::-1]]
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(small - small.mean(axis=(0, 1)))


def _cut(path: Path, shape: Tuple[int, ...], channels: int, random: np.random.Generator) -> np.ndarray:
    """Cut a place of this shape out of a picture, at any scale, (H, W) or (H, W, 3) float32."""
    picture = _picture(path, channels)
    rows, columns = shape
    largest = min(picture.shape[0] / rows, picture.shape[1] / columns)
    scale = min(1.0, largest) + random.random() * max(0.0, largest - 1)
    height, width = max(1, int(rows * scale)), max(1, int(columns * scale))
    top = int(random.integers(picture.shape[0] - height + 1))
    left = int(random.integers(picture.shape[1] - width + 1))
    cut = picture[top : top + height, left : left + width]
    return np.asarray(cv2.resize(cut, (columns, rows), interpolation=cv2.INTER_AREA))
