"""Changing training images: each effect by a property that does not come from the code."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.data.augment import augment
from ocr_lib.recipe import AugmentationRecipe

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


@pytest.fixture(params=["printed", "scanned"])
def lines(request):
    found = list(scanned()) if request.param == "scanned" else [printed(), printed("il.")]
    if not found:
        pytest.skip("the lines of uw3-500 are not beside this checkout")
    for image in found:
        image.setflags(write=False)
    return found


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
