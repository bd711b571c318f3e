"""Lines to change, and what there is to see of them then."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from ocr_lib.feed.augment import augment
from ocr_lib.recipe.augmentation import AugmentationRecipe

UW3 = Path(__file__).parents[2] / ".." / "shared" / "data" / "uw3-500"
INK, PAPER = 40, 210
ALL = {
    "scale": 0.1,
    "shear": 0.15,
    "shift": 1.5,
    "elastic": 1.2,
    "blur": 0.8,
    "erosion": 0.4,
    "dilation": 0.4,
    "contrast": 0.4,
    "noise": 8.0,
}
NOT_ACROSS = [name for name in ALL if name != "scale"]


def augmented(image, seed, **entries):
    return augment(image, AugmentationRecipe(**entries), np.random.default_rng(seed))


def blank(height=32, width=100):
    return np.full((height, width), PAPER, np.uint8)


def printed(text="Quirky line, 1234", height=32):
    image = blank(height, 18 * len(text))
    cv2.putText(image, text, (6, height * 3 // 4), cv2.FONT_HERSHEY_DUPLEX, 0.8, INK, 1, cv2.LINE_AA)
    return image


def scanned():
    """Return lines of print, 32 high, on grey paper; none where the data is not beside this checkout."""
    for path in islice(sorted(UW3.glob("imgs/*/*.png")), 0, 200, 25):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        image = cv2.resize(image, (round(image.shape[1] * 32 / image.shape[0]), 32), interpolation=cv2.INTER_AREA)
        yield np.rint(INK + image * ((PAPER - INK) / 255)).astype(np.uint8)


def ink(image):
    return PAPER - image.astype(float)


def centroid(image):
    """Return x and y of the middle of the ink."""
    mass = ink(image)
    rows, columns = np.indices(image.shape)
    return np.array([(mass * columns).sum(), (mass * rows).sum()]) / mass.sum()


def block():
    image = blank()
    image[12:20, 45:55] = INK
    return image


def bar_slant(image):
    """Return the tangent of the slant of the one bar in an image, and where its middle stands."""
    rows = np.arange(6, image.shape[0] - 6)
    mass = ink(image)[rows]
    columns = (mass * np.arange(image.shape[1])).sum(1) / mass.sum(1)
    slope, middle = np.polyfit(rows - (image.shape[0] - 1) / 2, columns, 1)
    return -slope, middle


def bar(height=32, width=101):
    image = blank(height, width)
    image[:, width // 2 - 2 : width // 2 + 3] = INK
    return image


def displacement(seed, **entries):
    """Return how far each pixel came along x and y: grey values tell the place that they are from."""
    columns = np.tile(np.arange(250, dtype=np.uint8), (32, 1))
    rows = np.repeat(np.arange(0, 250, 8, dtype=np.uint8)[:, None], 250, axis=1)
    inner = np.s_[4:-4, 4:-4]
    dx = augmented(columns, seed, **entries)[inner].astype(float) - columns[inner]
    dy = augmented(rows, seed, **entries)[inner].astype(float) - rows[inner]
    return np.stack([dx, dy / 8])
