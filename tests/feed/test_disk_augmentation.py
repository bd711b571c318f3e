"""Training images from disk changed at random: which, when, and how far."""

import cv2
import numpy as np
import pytest

from ocr_lib.feed.disk import DiskSource
from ocr_lib.recognize.ctc import required_steps
from tests.feed.lines_on_disk import by_text, epoch, line_recipe, preparation_of, subset, write_lines
from tests.toy import toy_recipe

COUNT = 12
SCALED = [("augmentation.scale", 0.5), ("augmentation.noise", 10.0)]
KINDS = [line_recipe, toy_recipe]  # any width, and a fixed one


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_lines(tmp_path_factory.mktemp("set"), [(f"{n:02d}", 20, 60 + 9 * n) for n in range(COUNT)])


def source_of(dataset, recipe):
    samples = subset(dataset, range(len(dataset)), recipe)
    return DiskSource(recipe, samples, samples)


def images(dataset, recipe, number=0, split="train", batch_size=5):
    return by_text(epoch(source_of(dataset, recipe), number, len(dataset), batch_size, split))


def assert_same(one, other):
    assert sorted(one) == sorted(other)
    for text, image in one.items():
        np.testing.assert_array_equal(image, other[text])


def assert_all_differ(one, other):
    assert sorted(one) == sorted(other)
    assert not any(np.array_equal(image, other[text]) for text, image in one.items())


@pytest.mark.parametrize("make_recipe", KINDS)
class TestBothKinds:
    def test_nothing_changes_unless_asked_for(self, dataset, make_recipe):
        recipe = make_recipe()
        preparation = preparation_of(recipe)
        expected = {f"{n:02d}": preparation.prepare(dataset.read(n)) for n in range(COUNT)}
        assert_same(images(dataset, recipe), expected)
        assert_same(images(dataset, recipe, 3), expected)

    def test_training_images_change_and_others_do_not(self, dataset, make_recipe):
        plain, changed = make_recipe(), make_recipe(*SCALED)
        assert_all_differ(images(dataset, changed), images(dataset, plain))
        assert_same(images(dataset, changed, split="validation"), images(dataset, plain, split="validation"))

    def test_seed_and_index_decide(self, dataset, make_recipe):
        recipe = make_recipe(*SCALED)
        first = images(dataset, recipe, 1)
        source = source_of(dataset, recipe)
        for number in 4, 0, 1:
            again = by_text(epoch(source, number, COUNT, 3))
        assert_same(first, again)

    def test_epochs_and_seeds_differ(self, dataset, make_recipe):
        recipe = make_recipe(*SCALED)
        sets = [images(dataset, recipe, number) for number in range(3)]
        sets += [images(dataset, make_recipe(*SCALED, ("seed", seed))) for seed in (1, 2**63 - 1)]
        for place, one in enumerate(sets):
            for other in sets[:place]:
                assert_all_differ(one, other)


def test_images_become_wider_and_narrower(dataset):
    plain = images(dataset, line_recipe())
    ratios = np.array(
        [
            image.shape[1] / plain[text].shape[1]
            for number in range(20)
            for text, image in images(dataset, line_recipe(*SCALED), number).items()
        ]
    )
    assert 0.48 < ratios.min() < 0.55 and 1.45 < ratios.max() < 1.52
    assert abs(ratios.mean() - 1) < 0.1
    assert (ratios != 1).mean() > 0.9


def test_of_a_fixed_width_they_keep_their_size(dataset):
    recipe = toy_recipe(*SCALED, ("augmentation.shear", 0.3), ("augmentation.shift", 2.0))
    for number in range(5):
        for batch in epoch(source_of(dataset, recipe), number, COUNT, 5):
            assert batch.images.shape[1:] == (16, 40)
            assert batch.widths.tolist() == [40] * len(batch.texts)


def test_of_a_fixed_width_they_are_resized_as_the_recipe_says(tmp_path):
    texts = [f"{n:02d}" for n in range(COUNT)]
    dataset = write_lines(tmp_path, [(text, 16, 40) for text in texts])  # resized only once they have changed
    area, bilinear, again = (
        images(dataset, toy_recipe(("augmentation.scale", 0.5), ("image.resize", how)))
        for how in ("area", "bilinear", "bilinear")
    )
    assert_same(bilinear, again)
    assert 0 < sum(np.array_equal(area[text], bilinear[text]) for text in texts) < COUNT  # both widen alike


@pytest.mark.parametrize("invert", ["auto", "never"])
def test_dark_lines_are_inverted_once_or_never(tmp_path, invert):
    dataset = write_lines(tmp_path, [("01", 16, 40)])
    for path in tmp_path.glob("*.png"):
        assert cv2.imwrite(str(path), 255 - cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    recipe = toy_recipe(("augmentation.contrast", 0.5), ("image.invert", invert))
    for number in range(5):
        assert (np.median(images(dataset, recipe, number)["01"]) < 128) == (invert == "never")


def test_a_label_keeps_the_time_steps_that_it_needs(tmp_path):
    recipe = line_recipe(("augmentation.scale", 0.95))
    # Widths of as many time steps as the texts need: 4 pixels each, and 3 to spare.
    lines = [("abcdefghij", 16, 40), ("aabb", 16, 27), ("x", 16, 4), ("abcd efgh", 16, 200)]
    dataset = write_lines(tmp_path, lines)
    preparation = preparation_of(recipe)
    widths = {text: [] for text, *_ in lines}
    for number in range(60):
        for text, image in images(dataset, recipe, number).items():
            assert preparation.steps(image.shape[1]) >= required_steps(text)
            widths[text].append(image.shape[1])
    for text, _, width in lines:
        assert max(widths[text]) > 1.5 * width
    for text, _, width in lines[:3]:  # about half of the images would be too narrow, and are left as they are
        assert min(widths[text]) >= preparation.steps(width) * 4
        assert 12 <= widths[text].count(width) <= 48
    assert min(widths["abcd efgh"]) < 60


def test_an_image_that_would_be_too_narrow_is_changed_otherwise(tmp_path):
    dataset = write_lines(tmp_path, [("abcdefghij", 16, 40)])
    recipe = line_recipe(("augmentation.scale", 0.9), ("augmentation.contrast", 1.0))
    unscaled = line_recipe(("augmentation.contrast", 1.0))
    kept = 0
    for number in range(40):
        ((_, image),), ((_, other),) = (images(dataset, r, number).items() for r in (recipe, unscaled))
        if image.shape[1] == 40:
            kept += 1
            np.testing.assert_array_equal(image, other)
            assert not np.array_equal(image, dataset.read(0))
    assert 5 < kept < 35
