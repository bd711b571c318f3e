"""The order of an epoch's samples, and how it is cut into batches and parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_lib.feed.order import EpochOrder, area_bounds, validation_bounds, validation_order
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override

COUNT = 2007


def recipe_of(**training):
    width = training.pop("width", None)
    scale = training.pop("scale", 0.0)
    changes = [(f"training.{key}", value) for key, value in training.items()]
    return override(Recipe(), [("image.width", width), ("augmentation.scale", scale), *changes])


@pytest.fixture(scope="module")
def widths():
    return np.random.default_rng(0).lognormal(5, 0.5, COUNT).astype(int)


def parts_of(epoch):
    """Return the samples of each part that has any."""
    return [epoch.order[a:b] for row in epoch.bounds.tolist() for a, b in zip(row, row[1:]) if a < b]


def padded_share(widths, parts):
    return 1 - widths.sum() / sum(widths[part].max() * len(part) for part in parts)


WIDTHS = st.lists(st.integers(1, 5000), min_size=1, max_size=120)


@given(WIDTHS, st.integers(1, 9), st.integers(1, 5), st.integers(0, 3), st.floats(0, 0.9))
def test_every_sample_is_in_one_part_of_one_batch_and_no_batch_is_empty(widths, batch_size, parts, number, scale):
    order = EpochOrder(recipe_of(batch_size=batch_size, parts=parts, scale=scale), np.array(widths))
    epoch = order(number)
    assert sorted(epoch.order.tolist()) == list(range(len(widths)))
    assert epoch.bounds.shape == (-(-len(widths) // batch_size), parts + 1)
    assert epoch.bounds[0, 0] == 0 and epoch.bounds[-1, -1] == len(widths)
    assert (np.diff(epoch.bounds, axis=1) >= 0).all()
    assert (epoch.bounds[:, -1] > epoch.bounds[:, 0]).all()
    np.testing.assert_array_equal(epoch.bounds[1:, 0], epoch.bounds[:-1, -1])
    assert (abs(epoch.stretches - 1) <= scale).all()


@given(WIDTHS, st.data())
def test_batches_have_about_one_area(widths, data):
    batches = data.draw(st.integers(1, len(widths)))
    bounds = area_bounds(np.array(widths), batches, 1)
    target = sum(widths) / batches
    for start, stop in bounds.tolist():
        # A batch is larger than it should be by its first and last image at most.
        assert stop == start + 1 or sum(widths[start + 1 : stop - 1]) <= target + 1e-6


def test_little_is_padded(widths):
    epoch = EpochOrder(recipe_of(batch_size=16, parts=2, scale=0.1), widths)(1)
    stretched = widths * epoch.stretches
    assert padded_share(stretched, parts_of(epoch)) < 0.03
    random = np.random.default_rng(0).permutation(COUNT)
    assert padded_share(stretched, np.array_split(random, COUNT // 8)) > 0.4


def test_parts_of_large_batches_have_one_area(widths):
    epoch = EpochOrder(recipe_of(batch_size=128, parts=4), widths)(0)
    areas = np.array([widths[part].sum() for part in parts_of(epoch)])
    assert areas.max() / areas.min() < 1.2


@pytest.mark.parametrize("batch_width, count, expected", [(80, 1, 80), (640, 8, 640), (640, 1, 207)])
def test_a_batch_width_says_how_large_batches_are_but_a_set_has_a_hundred(widths, batch_width, count, expected):
    widths = np.tile(widths, count)
    epoch = EpochOrder(recipe_of(batch_size=16, batch_width=batch_width), widths)(0)
    areas = [widths[epoch.order[start:stop]].sum() for start, stop in epoch.bounds.tolist()]
    assert np.mean(areas) == pytest.approx(16 * expected, rel=0.05)
    assert batch_width == expected or len(areas) == 100


def test_a_few_images_are_in_batches_of_the_mean_width(widths):
    epoch = EpochOrder(recipe_of(batch_size=16, batch_width=640), widths[:200])(0)
    assert len(epoch.bounds) == 13


def test_batches_come_in_random_order(widths):
    epoch = EpochOrder(recipe_of(batch_size=16), widths)(2)
    means = [widths[part].mean() for part in parts_of(epoch)]
    assert abs((np.diff(means) > 0).mean() - 0.5) < 0.15  # 125 steps: a deviation of 0.026
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3  # a deviation of 0.09


@pytest.mark.parametrize("scale", [0.0, 0.1])
def test_batches_have_other_samples_in_every_epoch(widths, scale):
    order = EpochOrder(recipe_of(batch_size=16, scale=scale), widths)
    first, second = ({frozenset(part.tolist()) for part in parts_of(order(number))} for number in range(2))
    assert len(first & second) <= 2


def test_is_a_function_of_seed_and_epoch(widths):
    def found(seed, number):
        recipe = override(recipe_of(batch_size=16, scale=0.2), [("seed", seed)])
        return [array.tolist() for array in EpochOrder(recipe, widths)(number)]

    assert found(3, 5) == found(3, 5)
    assert found(3, 5)[0] != found(3, 6)[0]
    assert found(3, 5)[0] != found(4, 5)[0]


def test_sorted_epochs_go_from_narrow_to_wide(widths):
    order = EpochOrder(recipe_of(batch_size=16, sorted_epochs=2), widths)
    assert all((np.diff(widths[order(number).order]) >= 0).all() for number in range(2))
    assert (np.diff(widths[order(2).order]) < 0).any()


def test_images_of_a_fixed_width_are_in_batches_of_one_size():
    epoch = EpochOrder(recipe_of(width=80, batch_size=16, parts=3), np.full(COUNT, 80))(0)
    assert sorted(epoch.order.tolist()) == list(range(COUNT))
    sizes = np.diff(epoch.bounds, axis=1)
    assert (sizes[:-1] == [5, 5, 6]).all() and sizes[-1].sum() == COUNT % 16
    assert abs(np.corrcoef(epoch.order, np.arange(COUNT))[0, 1]) < 0.1


@pytest.mark.parametrize("width", [None, 80])
def test_samples_to_validate_on_are_in_batches_as_large_as_a_part(widths, width):
    recipe = recipe_of(width=width, batch_size=16, parts=4)
    bounds = validation_bounds(recipe, widths)
    assert bounds[0, 0] == 0 and bounds[-1, 1] == COUNT and (bounds[1:, 0] == bounds[:-1, 1]).all()
    sizes = np.diff(bounds, axis=1)
    assert sizes.mean() == pytest.approx(4, abs=0.2) and sizes.min() > 0
    if width is None:
        ordered = widths[validation_order(widths)]
        areas = [ordered[start:stop].sum() for start, stop in bounds.tolist()]
        assert np.percentile(areas, 95) < 1.3 * np.median(areas)
