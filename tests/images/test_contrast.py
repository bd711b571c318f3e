"""Contrast in grey and in colour: of inks and papers that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.images.contrast import contrast
from ocr_lib.images.pixels import with_channels

colours = st.tuples(*[st.integers(0, 255)] * 3)


def painted(*shares_and_colours, height=40, width=100):
    """Return an image (H, W, 3) of which each colour has a share of the rows."""
    rows = [np.full((round(share * height), width, 3), colour, np.uint8) for share, colour in shares_and_colours]
    return np.concatenate(rows)


@given(colours, colours)
def test_of_two_colours(ink, paper):
    found = contrast(painted((0.2, ink), (0.8, paper)))
    deviation = (0.2 * 0.8) ** 0.5
    distance = np.subtract(ink, paper)
    grey = deviation * abs(distance @ [0.114, 0.587, 0.299])
    colour = deviation * np.linalg.norm(distance) / 3**0.5
    assert found.grey == pytest.approx(grey, abs=0.02)
    assert found.colour == pytest.approx(colour, abs=0.02)
    assert found.hidden == pytest.approx(colour / (1 + grey**2) ** 0.5, rel=0.05, abs=0.05)


def test_of_one_grey():
    found = contrast(painted((0.2, (0, 0, 255)), (0.8, (0, 130, 0))))
    assert found.grey < 0.1 < 30 < found.colour
    assert found.hidden == pytest.approx(found.colour, rel=0.01)


def test_of_inks_that_luminance_does_not_order():
    image = painted((0.1, (0, 0, 255)), (0.1, (0, 130, 0)), (0.8, (255, 255, 255)))
    found = contrast(image)
    assert found.grey > 40 and found.hidden > 20


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (60, 200), (900, 1300)])
def test_of_grey_images(size):
    grey = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    for image in grey, with_channels(grey, 3):
        found = contrast(image)
        assert found.grey == pytest.approx(float(grey.std()), rel=0.05, abs=1e-3)
        assert found.colour == pytest.approx(found.grey, rel=1e-3)
        assert found.hidden < 1


def test_of_nothing():
    assert contrast(np.full((30, 80, 3), (3, 200, 90), np.uint8)) == (0, 0, 0)
