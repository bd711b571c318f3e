"""Changing training images: which random numbers change what, and images of any size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.feed.augment import augment
from ocr_lib.recipe.augmentation import AugmentationRecipe
from tests.feed.changed_lines import (
    ALL,
    NOT_ACROSS,
    augmented,
    bar,
    bar_slant,
    blank,
    block,
    centroid,
    displacement,
    ink,
    printed,
)


class TestDraws:
    def test_off_leaves_images(self, lines):
        for image in lines:
            assert np.array_equal(augmented(image, 1), image)

    def test_same_state_gives_same_image(self, lines):
        for image in lines:
            assert np.array_equal(augmented(image, 5, **ALL), augmented(image, 5, **ALL))

    def test_other_states_give_other_images(self):
        images = {augmented(printed(), seed, **ALL).tobytes() for seed in range(20)}
        assert len(images) == 20

    @pytest.mark.parametrize("name", [*ALL, None])
    def test_as_many_numbers_whatever_the_recipe(self, name):
        generator, other = np.random.default_rng(3), np.random.default_rng(3)
        augment(printed(), AugmentationRecipe(**({name: ALL[name]} if name else ALL)), generator)
        augment(printed("an image of another size"), AugmentationRecipe(), other)
        assert generator.random() == other.random()

    def test_noise_is_added_to_what_would_be_without(self):
        deviations = []
        for seed in range(20):
            quiet, noisy = (augmented(printed(), seed, **{**ALL, "noise": noise}).astype(float) for noise in (0, 6))
            difference = noisy - quiet
            deviations.append(difference.std())
            assert abs(difference.mean()) < 0.3
            if deviations[-1] > 1:  # neighbours differ as the rest does
                assert abs(np.corrcoef(difference[1:].ravel(), difference[:-1].ravel())[0, 1]) < 0.05
        assert max(deviations) < 6.2 and max(deviations) > 4

    @pytest.mark.parametrize("name", [name for name in NOT_ACROSS if name not in ("shift", "contrast")])
    def test_shift_is_the_same_with_another_effect(self, name):
        for seed in range(10):
            alone, both, other = (
                centroid(augmented(block(), seed, **entries))[1]
                for entries in ({"shift": 3}, {"shift": 3, name: ALL[name]}, {name: ALL[name]})
            )
            assert both - other == pytest.approx(alone - centroid(block())[1], abs=0.15)

    @pytest.mark.parametrize("name", NOT_ACROSS)
    def test_width_is_the_same_with_another_effect(self, name):
        for seed in range(10):
            alone = augmented(printed(), seed, scale=0.3)
            assert augmented(printed(), seed, scale=0.3, **{name: ALL[name]}).shape == alone.shape

    def test_elastic_field_is_the_same_with_a_shift(self):
        _, dy = displacement(2, elastic=1.5)
        _, shifted = displacement(2, elastic=1.5, shift=2)
        moved = shifted - dy
        assert abs(moved.mean()) > 0.1 and np.ptp(moved) < 0.3

    @pytest.mark.parametrize("erosion", [0, 0.3, 0.8])
    def test_erosion_leaves_the_choice_of_the_dilated(self, erosion):
        thicker = [ink(augmented(printed(), seed, erosion=erosion, dilation=0.2)).sum() for seed in range(60)]
        alone = [ink(augmented(printed(), seed, dilation=0.2)).sum() for seed in range(60)]
        original = ink(printed()).sum()
        assert [mass for mass in thicker if mass > original] == [mass for mass in alone if mass > original]

    def test_one_effect_says_nothing_about_another(self):
        def change(seed, **entries):
            return np.abs(augmented(printed(), seed, **entries).astype(float) - printed()).mean()

        amounts = [
            (
                augmented(blank(8, 1000), seed, scale=0.2).shape[1],
                bar_slant(augmented(bar(), seed, shear=0.3))[0],
                centroid(augmented(block(), seed, shift=3))[1],
                change(seed, elastic=2),
                ink(augmented(printed(), seed, erosion=0.5, dilation=0.5)).sum(),
                change(seed, blur=2),
                change(seed, contrast=0.5),
                change(seed, noise=10),
            )
            for seed in range(200)
        ]
        correlations = np.corrcoef(np.transpose(amounts))
        assert np.abs(correlations - np.eye(8)).max() < 4 / 200**0.5


class TestSizes:
    @pytest.mark.parametrize("shape", [(32, 1), (1, 1), (1, 30), (32, 2000), (60, 160)])
    @pytest.mark.parametrize("name", [*ALL, None])
    def test_small_and_large(self, shape, name):
        image = blank(*shape)
        out = augmented(image, 2, **({name: ALL[name]} if name else ALL))
        assert out.dtype == np.uint8 and out.shape[0] == shape[0]
        if name not in ("scale", None):
            assert out.shape == shape

    def test_a_column_at_least(self):
        assert {augmented(blank(32, 2), seed, scale=0.99).shape[1] for seed in range(50)} == {1, 2, 3, 4}

    @given(
        st.tuples(st.integers(1, 64), st.integers(1, 300)),
        st.fixed_dictionaries(
            {
                "scale": st.floats(0, 0.99),
                "shear": st.floats(0, 2),
                "shift": st.floats(0, 100),
                "elastic": st.floats(0, 50),
                "blur": st.floats(0, 10),
                "erosion": st.floats(0, 0.5),
                "dilation": st.floats(0, 0.5),
                "contrast": st.floats(0, 1),
                "noise": st.floats(0, 300),
            }
        ),
        st.integers(0, 2**32),
    )
    def test_any(self, shape, entries, seed):
        image = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        image.setflags(write=False)
        before = image.copy()
        out = augmented(image, seed, **entries)
        height, width = shape
        scale = entries["scale"]
        assert out.dtype == np.uint8 and out.shape[0] == height
        assert max(1, round(width * (1 - scale))) <= out.shape[1] <= max(1, round(width * (1 + scale)))
        assert np.array_equal(image, before)
        assert np.array_equal(out, augmented(image, seed, **entries))
