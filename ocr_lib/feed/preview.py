"""Pictures of what augmentation makes of training images."""

from typing import List, Sequence

import numpy as np

from ocr_lib.cv import cv2
from ocr_lib.feed.disk import DiskSource, Subset
from ocr_lib.recipe.recipe import Recipe

SAMPLES, EPOCHS = 12, 3
_GAP = 6  # pixels
_GROUND = 160  # darker than paper, so that it shows where images end


def augmentation_sheet(recipe: Recipe, train: Subset) -> np.ndarray:
    """Return a picture of what networks read of a dozen samples: as they are, then as in each of a few epochs.

    Parameters
    ----------
    recipe : Recipe
    train : Subset
        To choose from, from the first to the last.

    Returns
    -------
    numpy.ndarray
        (H, W, 3) uint8, a row for each sample.
    """
    source = DiskSource(recipe, train, train)
    places = np.unique(np.linspace(0, len(train.indices) - 1, SAMPLES).astype(int))
    rows = [source.as_trained(int(place), EPOCHS) for place in places]
    width = max(image.shape[1] for row in rows for image in row)
    return _stacked([_beside([_widened(image, width) for image in row]) for row in rows])


def _widened(image: np.ndarray, width: int) -> np.ndarray:
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    right = width - image.shape[1]
    return cv2.copyMakeBorder(image, 0, 0, 0, right, cv2.BORDER_CONSTANT, value=[_GROUND] * 3)


def _beside(images: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((len(images[0]), _GAP, 3), _GROUND, np.uint8)
    return np.hstack(_between(images, gap))


def _stacked(images: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((_GAP, images[0].shape[1], 3), _GROUND, np.uint8)
    return np.vstack(_between(images, gap))


def _between(images: Sequence[np.ndarray], gap: np.ndarray) -> List[np.ndarray]:
    """Return images with a gap before and behind each."""
    return [gap, *(part for image in images for part in (image, gap))]
