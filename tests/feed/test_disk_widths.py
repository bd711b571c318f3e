"""Samples of data sets on disk, as a network that reads lines of any width gets them."""

from functools import partial

import numpy as np
import pytest

from ocr_lib.feed.disk import DiskSource
from ocr_lib.feed.workers import OrderedPool
from tests.feed.lines_on_disk import HEIGHT, by_text, epoch, line_recipe, preparation_of, subset, write_lines

COUNT = 78
TRAIN = [index for index in range(COUNT) if index % 4]  # 58: 7 batches of 8, and one of 2
VALIDATION = list(range(0, COUNT, 4))
BATCH = 8
CHANGES = [("augmentation.scale", 0.3), ("augmentation.noise", 20.0), ("augmentation.elastic", 1.0)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    generator = np.random.default_rng(1)
    shapes = zip(generator.integers(8, 41, COUNT).tolist(), generator.integers(12, 300, COUNT).tolist())
    return write_lines(tmp_path_factory.mktemp("set"), [(f"{n:02d}", *shape) for n, shape in enumerate(shapes)])


@pytest.fixture
def make_source(dataset):
    def make(*changed):
        recipe = line_recipe(*changed)
        return DiskSource(recipe, subset(dataset, TRAIN, recipe), subset(dataset, VALIDATION, recipe))

    return make


@pytest.fixture
def prepare(dataset):
    preparation = preparation_of(line_recipe())
    return lambda text: preparation.prepare(dataset.read(int(text)))


def widths_of(batches):
    return np.concatenate([batch.widths for batch in batches])


def padded_share(batches):
    return 1 - sum(batch.widths.sum() for batch in batches) / sum(batch.images[:, 0].size for batch in batches)


@pytest.mark.parametrize("split, members", [("train", TRAIN), ("validation", VALIDATION)])
def test_images_keep_their_widths_and_have_paper_behind(make_source, prepare, split, members):
    batches = epoch(make_source(), 0, len(members), BATCH, split)
    assert sorted(text for batch in batches for text in batch.texts) == [f"{index:02d}" for index in members]
    for batch in batches:
        assert batch.images.shape == (len(batch.texts), HEIGHT, batch.widths.max()) and batch.images.dtype == np.uint8
        for image, text, width in zip(batch.images, batch.texts, batch.widths):
            expected = prepare(text)
            assert width == expected.shape[1]
            np.testing.assert_array_equal(image[:, :width], expected)
            assert (image[:, width:] == 255).all()
    assert any((batch.widths < batch.images.shape[2]).any() for batch in batches)


def test_validation_goes_from_narrow_to_wide(make_source):
    for seed in 0, 1:
        batches = epoch(make_source(("seed", seed)), 0, len(VALIDATION), BATCH, "validation")
        assert (np.diff(widths_of(batches)) >= 0).all()


def test_training_samples_come_in_another_order_in_each_epoch(make_source):
    source = make_source()
    epochs = [epoch(source, number, len(TRAIN), BATCH) for number in range(3)]
    assert len({tuple(text for batch in batches for text in batch.texts) for batches in epochs}) == 3
    for batches in epochs:
        firsts = [batch.widths[0] for batch in batches]
        assert firsts != sorted(firsts)


def test_the_first_epochs_may_be_sorted(make_source):
    plain, source = make_source(), make_source(("training.sorted_epochs", 2))
    epochs, expected = ([epoch(one, number, len(TRAIN), BATCH) for number in range(4)] for one in (source, plain))
    for number in 0, 1:
        assert (np.diff(widths_of(epochs[number])) >= 0).all()
        assert sorted(by_text(epochs[number])) == sorted(by_text(expected[number]))
        assert (np.diff(widths_of(expected[number])) < 0).any()
    for number in 2, 3:
        assert [batch.texts for batch in epochs[number]] == [batch.texts for batch in expected[number]]


@pytest.mark.parametrize("changes", [[], CHANGES])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_a_sample_does_not_depend_on_what_it_is_asked_for_with(make_source, changes, size):
    source = make_source(*changes)
    for number in 0, 2:
        whole = by_text(epoch(source, number, len(TRAIN), len(TRAIN)))
        parts = by_text(epoch(make_source(*changes), number, len(TRAIN), size))
        assert list(whole) == list(parts)
        for text, image in whole.items():
            np.testing.assert_array_equal(image, parts[text])


@pytest.mark.parametrize("num_workers", [1, 3])
def test_any_number_of_workers_gives_the_same_batches(make_source, dataset, num_workers):
    recipe = line_recipe(*CHANGES, ("training.sorted_epochs", 1))
    parts = [subset(dataset, indices, recipe) for indices in (TRAIN, VALIDATION)]
    tasks = [
        ("train", range(number * len(TRAIN) + start, number * len(TRAIN) + min(start + BATCH, len(TRAIN))))
        for number in range(3)
        for start in range(0, len(TRAIN), BATCH)
    ]
    expected = list(map(DiskSource(recipe, *parts), tasks))
    with OrderedPool(partial(DiskSource, recipe, *parts), num_workers, [DiskSource.__module__]) as pool:
        found = list(pool.map(tasks))
    for batch, other in zip(found, expected):
        assert batch.texts == other.texts
        np.testing.assert_array_equal(batch.widths, other.widths)
        np.testing.assert_array_equal(batch.images, other.images)
    assert len(found) == len(expected)
