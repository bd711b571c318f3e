"""The ground that ink stands on: subtracted, and looked at."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import median_filter

from ocr_lib.images.ground import look_at_ground, subtract_ground
from ocr_lib.preparation import Preparation

TILES = [(40, 200, 90), (200, 30, 160), (20, 60, 230), (230, 230, 20)]
INKS = [(120, 120, 220), (250, 250, 250), (120, 10, 30), (0, 0, 0)]


def on_tiles(height=48, grounds=TILES, inks=INKS):
    """Draw an 8 on each of some tiles, (H, W, 3)."""
    tiles = []
    for ground, ink in zip(grounds, inks):
        tile = np.full((height, height, 3), ground, np.uint8)
        cv2.putText(tile, "8", (height // 4, 3 * height // 4), cv2.FONT_HERSHEY_SIMPLEX, height / 48, ink, 2)
        tiles.append(tile)
    return np.hstack(tiles)


@pytest.mark.parametrize("shape", [(48, 190, 3), (32, 5, 3), (16, 40), (2, 9), (1, 1), (3, 1, 3)])
def test_it_is_the_median_around(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    window = max(3, int(0.625 * shape[0]) // 2 * 2 + 1)
    around = median_filter(image.astype(int), (window, window, 1)[: image.ndim], mode="nearest")
    distance = np.abs(image - around)
    expected = 255 - (distance if image.ndim == 2 else distance.max(axis=2))
    np.testing.assert_array_equal(subtract_ground(image), expected)


def test_colours_of_ink_and_ground_do_not_matter():
    mask = on_tiles(grounds=[(0, 0, 0)] * 4, inks=[(255, 255, 255)] * 4).min(axis=2)
    seen = subtract_ground(on_tiles())
    inside = np.tile((np.arange(48) > 8) & (np.arange(48) < 40), 4)  # not where tiles meet
    assert seen[:, inside][mask[:, inside] == 0].min() > 250
    assert seen[mask == 255].max() < 200


def test_an_image_is_prepared_in_its_colours():
    image = on_tiles(96)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    preparation = Preparation((192, 48), ground="subtract")
    assert preparation.rendition.channels == 3
    small = cv2.resize(image, (192, 48), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(preparation.prepare(image), subtract_ground(small))
    assert preparation.prepare(grey).shape == (48, 192)


@pytest.mark.parametrize("height", [36, 48, 300])
def test_tiles_are_uneven_and_paper_is_not(height):
    paper = on_tiles(height, [(240, 245, 250)] * 4, [(20, 20, 90)] * 4)
    assert look_at_ground(on_tiles(height)).unevenness > 0.8
    assert look_at_ground(paper).unevenness < 0.25
    assert look_at_ground(paper[..., 0]).unevenness < 0.25


def test_empty_rows_are_seen_at_top_and_bottom():
    band = cv2.copyMakeBorder(on_tiles(40), 30, 10, 0, 0, cv2.BORDER_CONSTANT)
    assert look_at_ground(band)[1:] == pytest.approx((30 / 80, 10 / 80), abs=0.03)
    assert look_at_ground(on_tiles(40))[1:] == (0, 0)  # each row has several colours


def test_nothing_is_told_of_an_image_of_one_colour():
    assert look_at_ground(np.full((5, 7, 3), 90, np.uint8)) == (0, 0, 0)
