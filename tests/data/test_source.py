"""Samples are pure functions of (recipe, split, seed, index)."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_lib.data.source import SPLITS, CaptchaSource, draw_text, sample_generator
from ocr_lib.files import sha256
from ocr_lib.recipe import Recipe, TextRecipe, load_preset, override

INDICES = [0, 1, 2, 3, 9, 10**6, 2**40, 2**63 - 1]


@pytest.fixture(scope="module")
def source(font):
    return CaptchaSource(load_preset("captcha"), [font])


@pytest.fixture(scope="module")
def samples(source):
    return {index: source.sample("train", index) for index in INDICES}


def test_a_sample_is_an_image_and_its_text(samples):
    for image, text in samples.values():
        assert image.shape == (30, 80) and image.dtype == np.uint8
        assert np.median(image) > 200 and image.min() < 215
        assert 3 <= len(text) <= 4 and text.isdecimal()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from(INDICES), min_size=1, max_size=6))
def test_a_sample_is_the_same_in_any_order_and_company(source, samples, indices):
    batch = source(("train", indices))
    assert batch.images.shape == (len(indices), 30, 80) and batch.images.dtype == np.uint8
    assert batch.texts == [samples[index][1] for index in indices]
    np.testing.assert_array_equal(batch.images, np.stack([samples[index][0] for index in indices]))


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
from ocr_lib.data.source import CaptchaSource
from ocr_lib.files import sha256
from ocr_lib.recipe import load_preset
batch = CaptchaSource(load_preset("captcha"), [Path(sys.argv[1])])(("test", range(5, 15)))
print(sha256(batch.images.tobytes()), *batch.texts)
"""
    done = subprocess.run([sys.executable, "-c", program, font], stdout=subprocess.PIPE, check=True, timeout=60)
    batch = source(("test", range(5, 15)))
    assert done.stdout.decode().split() == [sha256(batch.images.tobytes()), *batch.texts]


def test_splits_and_seeds_and_indices_differ(font):
    drawn = set()
    for seed in 0, 1, 2**63 - 1:
        source = CaptchaSource(Recipe(seed=seed), [font])
        drawn |= {source.sample(split, index)[0].tobytes() for split in SPLITS for index in range(4)}
    assert len(drawn) == 3 * len(SPLITS) * 4


def test_no_two_samples_share_random_numbers():
    keys = [(split, seed, index) for split in SPLITS for seed in (0, 1, 2, 2**32) for index in (0, 1, 2, 2**32, 2**62)]
    numbers = [sample_generator(*key).integers(2**63, size=2000) for key in keys]
    assert len(np.unique(numbers)) == len(keys) * 2000


def test_only_what_shapes_the_samples_changes_them(source, font):
    other = override(load_preset("captcha"), [("name", "x"), ("network.hidden", 7), ("training.batch_size", 3)])
    np.testing.assert_array_equal(
        CaptchaSource(other, [font])(("train", range(3))).images, source(("train", range(3))).images
    )
    wider = override(other, [("image.width", 100), ("text.min_length", 4)])
    batch = CaptchaSource(wider, [font])(("train", range(3)))
    assert batch.images.shape == (3, 30, 100) and {len(text) for text in batch.texts} == {4}


def texts(recipe, count=6000):
    return [draw_text(recipe, sample_generator("train", 3, index)) for index in range(count)]


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


@settings(deadline=None)
@given(st.sampled_from(["7", "ab", "жзи 数"]), st.integers(1, 9), st.integers(0, 9), st.integers(0, 2**62))
def test_texts_keep_to_the_recipe(alphabet, least, more, index):
    text = draw_text(TextRecipe(alphabet, least, least + more), sample_generator("train", 0, index))
    assert least <= len(text) <= least + more
    assert set(text) <= set(alphabet)


def test_a_fixed_length():
    assert {len(text) for text in texts(TextRecipe(min_length=4, max_length=4), 50)} == {4}
