"""Changing training images: each effect by a property that does not come from the code."""

import numpy as np
import pytest

from tests.feed.changed_lines import (
    ALL,
    INK,
    PAPER,
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


class TestGeometry:
    def test_scale(self):
        width = 1000
        widths = [augmented(blank(8, width), seed, scale=0.2).shape[1] for seed in range(300)]
        assert 800 <= min(widths) < 810 and 1190 < max(widths) <= 1200
        assert np.mean(widths) == pytest.approx(width, abs=4 * 400 / 12**0.5 / 300**0.5)

    def test_scale_stretches_along_the_line_alone(self):
        for seed in range(20):
            image = augmented(block(), seed, scale=0.3)
            x, y = (centroid(image) + 0.5) / image.shape[::-1]
            assert (x, y) == pytest.approx(tuple((centroid(block()) + 0.5) / (100, 32)), abs=0.003)
            assert ink(image).sum() == pytest.approx(ink(block()).sum() * image.shape[1] / 100, rel=0.03)

    @pytest.mark.parametrize("scale", [0, 0.3])
    def test_shear(self, scale):
        slants = []
        for seed in range(100):
            image = augmented(bar(), seed, shear=0.3, scale=scale)
            slant, middle = bar_slant(image)
            slants.append(slant)
            assert middle == pytest.approx((image.shape[1] - 1) / 2, abs=0.1)
        assert max(np.abs(slants)) < 0.305
        assert min(slants) < -0.27 and max(slants) > 0.27

    def test_shift(self):
        moved = np.array([centroid(augmented(block(), seed, shift=2.5)) for seed in range(100)]) - centroid(block())
        assert np.abs(moved[:, 0]).max() < 0.01
        assert np.abs(moved[:, 1]).max() < 2.52
        assert moved[:, 1].min() < -2.2 and moved[:, 1].max() > 2.2
        assert len(set(np.round(moved[:, 1], 2))) > 50  # not whole pixels alone

    def test_elastic(self):
        largest = []
        for seed in range(40):
            field = displacement(seed, elastic=2)
            largest.append(np.hypot(*field).max())
            # Smooth: a letter is bent, and no stroke torn. In both directions, and not everywhere the same.
            assert np.abs(np.diff(field[1], axis=1)).max() < 0.35 * largest[-1] + 0.25
            assert (np.ptp(field, axis=(1, 2)) >= np.floor(largest[-1])).all()
        assert max(largest) < 2 + 0.6  # grey values are whole, and rise by 1 a column
        assert max(largest) > 1.7 and min(largest) < 0.7

    def test_elastic_keeps_the_width(self, lines):
        for image in lines:
            assert augmented(image, 0, elastic=2).shape == image.shape

    @pytest.mark.parametrize("seed", range(3))
    def test_paper_comes_in_from_the_border(self, lines, seed):
        for image in lines:
            bent = augmented(image, seed, scale=0.1, shear=0.3, shift=4, elastic=2)
            assert bent.min() >= image.min() and bent.max() <= image.max()
            straight = augmented(image, seed, scale=0.1, shear=0.3, shift=4)
            ink_a_column = [ink(each).sum() / each.shape[1] for each in (image, straight)]
            assert ink_a_column[1] < 1.03 * ink_a_column[0]

    def test_border_of_a_noisy_scan(self):
        noise = np.random.default_rng(0).normal(0, 5, printed().shape)
        image = np.clip(printed() + noise, 0, 255).astype(np.uint8)
        for seed in range(20):
            out = augmented(image, seed, shear=0.3, shift=3)
            for edge in (out[0], out[-1], out[:, 0], out[:, -1]):
                assert np.median(edge) == pytest.approx(PAPER, abs=6)

    @pytest.mark.parametrize("columns", [1, 10])
    def test_border_of_an_image_that_is_mostly_ink(self, columns):
        image = blank(32, columns)
        image[8:29] = INK
        tops = [augmented(image, seed, shift=6)[0].max() for seed in range(10)]
        assert tops == [PAPER] * 10


class TestStrokes:
    def test_shares(self, lines):
        original = ink(lines[-1]).sum()
        masses = [ink(augmented(lines[-1], seed, erosion=0.3, dilation=0.2)).sum() for seed in range(400)]
        for share, changed in [(0.3, np.less), (0.2, np.greater)]:
            four_sigma = 4 * (400 * share * (1 - share)) ** 0.5
            assert changed(masses, original).sum() == pytest.approx(400 * share, abs=four_sigma)
        assert 40 < len(set(masses)) < 400  # not all as much, and the others not at all

    @pytest.mark.parametrize("name, sign", [("erosion", 1), ("dilation", -1)])
    def test_all_go_one_way(self, lines, name, sign):
        for seed, image in enumerate(lines):
            change = sign * (augmented(image, seed, **{name: 1.0}).astype(int) - image)
            assert change.min() >= 0 and change.max() > 0.15 * (PAPER - INK)

    @pytest.mark.parametrize("width", [1, 2])
    def test_hairlines_stay(self, width):
        image = blank()
        image[:, 40 : 40 + width] = INK
        darkest = max(augmented(image, seed, erosion=1.0)[:, 40].max() for seed in range(50))
        assert PAPER - darkest >= 0.35 * (PAPER - INK)

    def test_gaps_stay(self):
        image = blank()
        image[:, 30:40] = image[:, 41:51] = INK
        lightest = min(augmented(image, seed, dilation=1.0)[:, 40].min() for seed in range(50))
        assert lightest - INK >= 0.35 * (PAPER - INK)


class TestCurves:
    def test_are_of_the_ink_and_leave_the_rest(self):
        image = printed()
        for seed in range(20):
            changed = augmented(image, seed, curves=3)
            assert changed.min() >= image.min() and np.all(changed <= image)
            assert np.mean(changed != image) < 0.5
            np.testing.assert_array_equal(image, printed())

    def test_are_as_many_as_allowed_or_fewer(self):
        drawn = [np.any(augmented(block(), seed, curves=1) != block()) for seed in range(400)]
        assert np.mean(drawn) == pytest.approx(0.5, abs=4 * 0.5 / 400**0.5)
        masses = [[ink(augmented(block(), seed, curves=most)).sum() for seed in range(60)] for most in (1, 4)]
        assert np.mean(masses[1]) > 1.5 * np.mean(masses[0]) > 1.5 * ink(block()).sum()

    def test_are_thicker_in_higher_images(self):
        def thickest(height):
            image = blank(height, 200)
            image[:2, :2] = INK
            columns = (augmented(image, seed, curves=1)[4:, 100] < PAPER - 40 for seed in range(60))
            return max(column.sum() for column in columns)

        assert thickest(96) > thickest(16)

    def test_have_the_colour_of_the_ink(self):
        image = np.full((40, 120, 3), (200, 220, 240), np.uint8)
        image[10:20, 10:20] = (10, 20, 120)
        images = (augmented(image, seed, curves=1) for seed in range(20))
        changed = next(each for each in images if not np.array_equal(each, image))
        differs = np.any(changed != image, axis=2)
        assert np.abs(changed[differs].astype(int) - (10, 20, 120)).max(axis=1).min() < 20  # all along it is smoothed


class TestGreys:
    def test_blur(self):
        image = blank()
        image[:, 50:] = INK
        sigmas = []
        for seed in range(100):
            out = augmented(image, seed, blur=2)
            spread = -np.diff(out[16].astype(float))
            places = np.arange(len(spread)) - 49
            sigmas.append(((spread * places**2).sum() / spread.sum()) ** 0.5)
            assert spread.max() <= PAPER - INK and spread.sum() == PAPER - INK
        assert max(sigmas) < 2.05
        assert min(sigmas) < 0.3 and max(sigmas) > 1.8

    def test_blur_softens_edges(self, lines):
        for image in lines:
            gradients = [np.abs(np.diff(augmented(image, seed, blur=2).astype(float))).mean() for seed in range(20)]
            sharp = np.abs(np.diff(image.astype(float))).mean()
            assert max(gradients) <= sharp and np.mean(gradients) < 0.85 * sharp

    def test_hardly_any_blur(self):
        for seed in range(20):
            assert np.array_equal(augmented(printed(), seed, blur=5e-324), printed())

    def test_contrast(self, lines):
        image = lines[0]
        ranges, papers = [], []
        for seed in range(100):
            out = augmented(image, seed, contrast=0.5)
            assert image.min() <= out.min() and out.max() <= image.max()
            ranges.append(np.ptp(out) / np.ptp(image))
            papers.append(np.median(out))
        assert 0.49 < min(ranges) < 0.55 and 0.95 < max(ranges) <= 1
        assert np.ptp(papers) > 30  # it is not only ink that pales

    def test_no_contrast_left(self):
        assert np.ptp(augmented(printed(), 0, contrast=1.0)) < np.ptp(printed())

    def test_noise(self):
        flat = np.full((32, 300), 128, np.uint8)
        deviations = []
        for seed in range(100):
            out = augmented(flat, seed, noise=10).astype(float)
            deviations.append(out.std())
            assert out.mean() == pytest.approx(128, abs=4 * 10 / flat.size**0.5)
        assert max(deviations) < 10.3
        assert min(deviations) < 1 and max(deviations) > 9

    @pytest.mark.parametrize("grey", [0, 255])
    def test_noise_is_clipped(self, grey):
        out = augmented(np.full((32, 300), grey, np.uint8), 1, noise=60).astype(int)
        assert np.count_nonzero(out == grey) > 0.4 * out.size
        assert np.abs(out - grey).max() < 255


class TestColour:
    @pytest.mark.parametrize("effect", [name for name in ALL if name != "noise"])
    def test_equal_colours_are_changed_as_grey_is(self, effect):
        grey = printed()
        for seed in range(10):
            expected = augmented(grey, seed, **{effect: ALL[effect]})
            found = augmented(np.dstack([grey] * 3), seed, **{effect: ALL[effect]})
            np.testing.assert_array_equal(found, np.dstack([expected] * 3))

    def test_what_comes_into_sight_is_paper_of_its_colour(self):
        image = np.full((32, 100, 3), (90, 200, 150), np.uint8)
        for seed in range(10):
            changed = augmented(image, seed, scale=0.1, shear=0.3, shift=3, elastic=2)
            assert (changed == (90, 200, 150)).all()

    def test_noise_is_of_each_colour(self):
        image = np.full((32, 100, 3), 128, np.uint8)
        noise = augmented(image, 3, noise=60).reshape(-1, 3) - 128.0
        assert noise.std() > 3
        assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.1
