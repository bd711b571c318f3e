"""Samples are pure functions of (recipe, split, seed, index)."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.draw.captcha import CaptchaRenderer, num_draws
from ocr_lib.draw.fast import FastRenderer
from ocr_lib.draw.fonts import Font
from ocr_lib.feed.source import CaptchaSource, make_renderer, renderer_modules, sample_draws
from ocr_lib.feed.texts import SPLITS, draw_texts
from ocr_lib.files import sha256
from ocr_lib.images.decode import fit
from ocr_lib.recipe.captcha import RENDERERS, CaptchaRecipe
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override
from ocr_lib.recipe.text import TextRecipe

INDICES = [0, 1, 2, 3, 9, 10**6, 2**40, 2**63 - 1]
BELOW_1 = np.nextafter(1, 0)


@pytest.fixture(scope="module")
def source(font):
    return CaptchaSource(load_preset("captcha"), [Font(font)])


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("start", INDICES)
def test_a_sample_is_a_text_and_its_image(font, renderer, start):
    recipe = override(load_preset("captcha"), [("captcha.renderer", renderer), ("seed", 3)])
    batch = CaptchaSource(recipe, [Font(font)])(("train", range(start, start + 2)))
    assert batch.images.shape == (2, 30, 80) and batch.images.dtype == np.uint8
    draws = sample_draws("train", 3, range(start, start + 2), 4)
    assert batch.texts == draw_texts(recipe.text, draws.text)
    drawn = make_renderer(recipe.captcha, [Font(font)], "0123456789").render(batch.texts, draws.image)
    np.testing.assert_array_equal(batch.images, np.stack([fit(image, recipe.image.size) for image in drawn]))
    assert np.median(batch.images) > 200 and batch.images.min() < 215


@pytest.mark.parametrize("paper, ink", [(250, 20), (10, 200)], ids=["light", "dark"])
@pytest.mark.parametrize("invert", ["auto", "never"])
@pytest.mark.parametrize("resize", ["area", "bilinear"])
def test_a_network_is_trained_on_what_it_would_be_given_to_read(font, resize, invert, paper, ink):
    colours = [("captcha.bg_color", [paper] * 3), ("captcha.fg_color", [ink, ink, ink, 255])]
    recipe = override(load_preset("captcha"), [("image.resize", resize), ("image.invert", invert), *colours])
    found = CaptchaSource(recipe, [Font(font)])(("train", range(3)))
    draws = sample_draws("train", recipe.seed, range(3), 4)
    drawn = make_renderer(recipe.captcha, [Font(font)], "0123456789").render(found.texts, draws.image)
    is_dark = invert == "never" and paper < ink
    assert (np.median(found.images) < 128) == is_dark
    read = [255 - image if paper < ink and not is_dark else image for image in drawn]
    bring = cv2.resize if resize == "bilinear" else fit
    np.testing.assert_array_equal(found.images, np.stack([bring(image, (80, 30)) for image in read]))


def test_both_renderers_make_nearly_the_same_samples(font):
    fast, package = (
        CaptchaSource(override(Recipe(), [("captcha.renderer", renderer)]), [Font(font)])(("train", range(50)))
        for renderer in ("fast", "captcha")
    )
    assert fast.texts == package.texts
    assert np.abs(fast.images.astype(int) - package.images).mean((1, 2)).max() < 1


def test_a_recipe_names_its_renderer_and_the_modules_that_it_takes(font):
    for name, kind in ("fast", FastRenderer), ("captcha", CaptchaRenderer):
        recipe = CaptchaRecipe(renderer=name)
        assert isinstance(make_renderer(recipe, [Font(font)], "01"), kind)
        assert ("ocr_lib.draw.fast" in renderer_modules(recipe)) == (name == "fast")


def test_the_package_is_drawn_with_without_loading_compiled_code(font):
    program = """
import sys
from pathlib import Path
from ocr_lib.draw.fonts import Font
from ocr_lib.feed.source import CaptchaSource
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
CaptchaSource(override(Recipe(), [("captcha.renderer", "captcha")]), [Font(Path(sys.argv[1]))])(("train", range(1)))
print("numba" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program, font], stdout=subprocess.PIPE, check=True, timeout=60)
    assert done.stdout == b"False\n"


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_range_can_be_split_anywhere(source, cut):
    whole = source(("validation", range(100, 108)))
    parts = [source(("validation", range(100, 100 + cut))), source(("validation", range(100 + cut, 108)))]
    assert whole.texts == parts[0].texts + parts[1].texts
    np.testing.assert_array_equal(whole.images, np.concatenate([part.images for part in parts]))


def test_another_process_makes_the_same_samples(source, font):
    program = """
import sys
from pathlib import Path
from ocr_lib.draw.fonts import Font
from ocr_lib.feed.source import CaptchaSource
from ocr_lib.files import sha256
from ocr_lib.recipe.settings import load_preset
batch = CaptchaSource(load_preset("captcha"), [Font(Path(sys.argv[1]))])(("test", range(5, 15)))
print(sha256(batch.images.tobytes()), *batch.texts)
"""
    done = subprocess.run([sys.executable, "-c", program, font], stdout=subprocess.PIPE, check=True, timeout=60)
    batch = source(("test", range(5, 15)))
    assert done.stdout.decode().split() == [sha256(batch.images.tobytes()), *batch.texts]


def test_splits_and_seeds_and_indices_differ(font):
    drawn = set()
    for seed in 0, 1, 2**63 - 1:
        source = CaptchaSource(Recipe(seed=seed), [Font(font)])
        drawn |= {image.tobytes() for split in SPLITS for image in source((split, range(4))).images}
    assert len(drawn) == 3 * len(SPLITS) * 4


@pytest.mark.parametrize(
    "split, seed, max_length", [("train", 0, 4), ("files", 2**63 - 1, 4), ("test", 7, 1), ("validation", 1, 40)]
)
@pytest.mark.parametrize("index", INDICES)
def test_draws_are_those_of_a_generator_of_each_sample(split, seed, max_length, index):
    needed = 1 + max_length + num_draws(max_length)
    counts = -(-needed // 4)  # a count of Philox gives four numbers
    draws = sample_draws(split, seed, range(index, index + 3), max_length)
    assert draws.text.shape == (3, 1 + max_length)
    assert draws.image.shape[1] >= num_draws(max_length)
    for row in range(3):
        philox = np.random.Philox(key=[seed, SPLITS.index(split)]).advance((index + row) * counts)
        expected = np.random.Generator(philox).random(needed)
        np.testing.assert_array_equal(np.concatenate([draws.text[row], draws.image[row]])[:needed], expected)


@given(st.integers(0, 2**62), st.integers(1, 9), st.integers(0, 9), st.integers(1, 12))
def test_a_range_of_draws_can_be_split_anywhere(start, count, cut, max_length):
    middle, end = start + min(cut, count), start + count
    whole = sample_draws("train", 1, range(start, end), max_length)
    parts = [sample_draws("train", 1, r, max_length) for r in (range(start, middle), range(middle, end))]
    for kind in range(2):
        np.testing.assert_array_equal(np.concatenate([part[kind] for part in parts]), whole[kind])


def test_no_two_samples_share_random_numbers():
    keys = [(split, seed, index) for split in SPLITS for seed in (0, 1, 2, 2**32) for index in (0, 3, 2**32, 2**62)]
    numbers = [np.hstack(sample_draws(split, seed, range(index, index + 3), 4)) for split, seed, index in keys]
    assert len(np.unique(numbers)) == np.size(numbers)


def test_draws_are_uniform_and_independent():
    # Exceeded by chance with probability 1e-4: 160 with 99 degrees of freedom.
    draws = np.hstack(sample_draws("train", 3, range(2000), 4))
    assert draws.min() >= 0 and draws.max() < 1
    tenths = (draws * 10).astype(int)
    for pairs in (
        tenths[:, :-1] * 10 + tenths[:, 1:],
        tenths[:-1] * 10 + tenths[1:],
        tenths[:, 5] * 10 + tenths[:, 0],
        (draws * 100).astype(int),
    ):
        counts = np.bincount(pairs.ravel(), minlength=100)
        assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 160


def test_only_what_shapes_the_samples_changes_them(source, font):
    other = override(load_preset("captcha"), [("name", "x"), ("network.hidden", 7), ("training.batch_size", 3)])
    np.testing.assert_array_equal(
        CaptchaSource(other, [Font(font)])(("train", range(3))).images, source(("train", range(3))).images
    )
    wider = override(other, [("image.width", 100), ("text.min_length", 4)])
    batch = CaptchaSource(wider, [Font(font)])(("train", range(3)))
    assert batch.images.shape == (3, 30, 100) and {len(text) for text in batch.texts} == {4}


@pytest.mark.parametrize("size, width", [((160, 60), 80), ((100, 60), 50), ((90, 70), 39)])
def test_without_a_width_captchas_keep_their_aspect_ratio(font, size, width):
    drawn = [("captcha.width", size[0]), ("captcha.height", size[1])]
    fixed, free = (
        CaptchaSource(override(load_preset("captcha"), [*drawn, ("image.width", given)]), [Font(font)])(
            ("test", range(3))
        )
        for given in (width, None)
    )
    assert free.images.shape == (3, 30, width)
    assert free.widths.tolist() == fixed.widths.tolist() == [width] * 3
    assert free.texts == fixed.texts
    np.testing.assert_array_equal(free.images, fixed.images)


def texts(recipe, count=6000):
    return draw_texts(recipe, sample_draws("train", 3, range(count), recipe.max_length).text)


def chi_square(observed, possible):
    counts = np.array([observed.count(value) for value in possible])
    assert counts.sum() == len(observed)
    expected = len(observed) / len(possible)
    return ((counts - expected) ** 2 / expected).sum()


def test_lengths_and_characters_are_uniform():
    # Exceeded by chance with probability 1e-4: 21.1 with 3 degrees of freedom, 33.7 with 9, 160 with 99.
    drawn = texts(TextRecipe("0123456789", 2, 5))
    assert chi_square([len(text) for text in drawn], range(2, 6)) < 21.1
    assert chi_square("".join(drawn), "0123456789") < 33.7
    assert chi_square([text[0] for text in drawn], "0123456789") < 33.7
    pairs = [text[:2] for text in drawn]
    assert chi_square(pairs, [f"{number:02}" for number in range(100)]) < 160
    neighbours = [a[0] + b[0] for a, b in zip(drawn, drawn[1:])]
    assert chi_square(neighbours, [f"{number:02}" for number in range(100)]) < 160


@given(st.sampled_from(["7", "ab", "жзи 数"]), st.integers(1, 9), st.integers(0, 9), st.integers(0, 2**62))
def test_texts_keep_to_the_recipe(alphabet, least, more, index):
    recipe = TextRecipe(alphabet, least, least + more)
    (text,) = draw_texts(recipe, sample_draws("train", 0, range(index, index + 1), least + more).text)
    assert least <= len(text) <= least + more
    assert set(text) <= set(alphabet)


@given(
    st.sampled_from(["a ", " ab", "ab\u3000c", "0 1\u00a02"]),
    st.integers(1, 9),
    st.integers(0, 5),
    st.integers(0, 2**62),
)
def test_white_space_is_between_characters_alone(alphabet, least, more, index):
    recipe = TextRecipe(alphabet, least, least + more)
    for text in draw_texts(recipe, sample_draws("train", 0, range(index, index + 20), least + more).text):
        assert least <= len(text) <= least + more
        assert text == text.strip() and not any(a.isspace() and b.isspace() for a, b in zip(text, text[1:]))


def test_white_space_is_drawn_as_often_as_other_characters():
    inner = [text[1] for text in texts(TextRecipe("ab ", 3, 3))]
    assert chi_square(inner, "ab ") < 18.4  # exceeded by chance with probability 1e-4


def test_an_alphabet_of_white_space_is_refused():
    with pytest.raises(ValueError, match="nothing but white space"):
        TextRecipe(" \u00a0")


def test_a_fixed_length():
    assert {len(text) for text in texts(TextRecipe(min_length=4, max_length=4), 50)} == {4}


@pytest.mark.parametrize("alphabet", ["7", "ab", "abc", "0123456789", "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))])
@pytest.mark.parametrize("least, most", [(1, 1), (3, 4), (2, 9)])
def test_the_ends_of_the_interval_are_the_ends_of_lengths_and_alphabet(alphabet, least, most):
    recipe = TextRecipe(alphabet, least, most)
    shortest, longest = draw_texts(recipe, np.stack([np.zeros(1 + most), np.full(1 + most, BELOW_1)]))
    assert (shortest, longest) == (alphabet[0] * least, alphabet[-1] * most)
