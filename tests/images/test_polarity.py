"""Ink is found by what there is less of, whatever the greys: dark or light, on any paper."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.draw.fonts import find_fonts
from ocr_lib.feed.source import make_renderer, sample_draws
from ocr_lib.feed.texts import draw_texts
from ocr_lib.images.decode import read_image
from ocr_lib.images.polarity import dark_on_light, is_light_on_dark
from ocr_lib.recipe.settings import load_preset

ROOT = Path(__file__).parents[2]
SHARED = ROOT / ".." / "shared"


def printed(paper, ink, height=40, thickness=2, margin=10, noise=0.0, seed=0):
    text, font, scale = "R3gal", cv2.FONT_HERSHEY_DUPLEX, height / 40
    (width, letters), below = cv2.getTextSize(text, font, scale, thickness)
    image = np.full((letters + below + 2 * margin, width + 2 * margin), float(paper))
    cv2.putText(image, text, (margin, margin + letters), font, scale, float(ink), thickness, cv2.LINE_AA)
    return np.clip(image + np.random.default_rng(seed).normal(0, noise, image.shape), 0, 255).astype(np.uint8)


@settings(max_examples=60)
@given(
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(32, 80),
    st.integers(1, 3),
    st.integers(2, 30),
    st.floats(0, 0.1),
)
def test_text_of_any_greys(paper, ink, height, thickness, margin, noise):
    if abs(paper - ink) < 30:
        return
    image = printed(paper, ink, height, thickness, margin, noise * abs(paper - ink))
    assert is_light_on_dark(image) == (ink > paper)
    np.testing.assert_array_equal(dark_on_light(image), 255 - image if ink > paper else image)


@pytest.mark.parametrize("margin", [0, 1, 2])
def test_bold_letters_cut_out_closely_are_told_by_the_edge(margin):
    image = printed(200, 30, thickness=8, margin=3 + margin)
    assert (image < 115).mean() > 0.4
    assert not is_light_on_dark(image) and is_light_on_dark(255 - image)


@pytest.mark.parametrize("grey", range(0, 256, 15))
@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (30, 80)])
def test_without_contrast_all_is_paper(grey, noise, shape):
    offsets = np.random.default_rng(grey).integers(-noise, noise + 1, shape)
    image = np.clip(grey + offsets, 0, 255).astype(np.uint8)
    assert is_light_on_dark(image) == (grey < 128)


def test_a_gradient_behind_the_text():
    image = printed(180, 20).astype(float)
    image += np.linspace(-50, 50, image.shape[1])
    for turned in image, image[:, ::-1], image[::-1]:
        grey = np.clip(turned, 0, 255).astype(np.uint8)
        assert not is_light_on_dark(grey) and is_light_on_dark(255 - grey)


def test_colours_are_told_by_luminance_and_turned_together():
    image = np.dstack([printed(paper, ink) for paper, ink in ((200, 90), (0, 250), (0, 250))])
    np.testing.assert_array_equal(dark_on_light(image), 255 - image)
    np.testing.assert_array_equal(dark_on_light(255 - image), 255 - image)


def test_captchas_stay_as_they_are_drawn():
    recipe = load_preset("captcha")
    fonts = find_fonts(ROOT / "font", recipe.text.alphabet, recipe.captcha.font_sizes)
    draws = sample_draws("test", 5, range(200), recipe.text.max_length)
    drawn = make_renderer(recipe.captcha, fonts, recipe.text.alphabet).render(
        draw_texts(recipe.text, draws.text), draws.image
    )
    assert not any(map(is_light_on_dark, drawn))


@pytest.mark.parametrize("folder", ["cases/grey-paper", "data/wp-captcha", "data/uw3-500/imgs"])
def test_dark_text_of_others_is_not_turned(folder):
    files = sorted((SHARED / folder).rglob("*.png"))[::7]
    if not files:
        pytest.skip(f"no {folder} beside this checkout")
    assert not any(is_light_on_dark(read_image(file)) for file in files)
