"""Samples of data sets on disk: held out, and handed out by split and index."""

import pickle

import cv2
import numpy as np
import pytest

from ocr_lib.errors import OCRError
from ocr_lib.feed.disk import DiskSource, Subset, hold_out
from ocr_lib.images.decode import fit
from ocr_lib.images.polarity import dark_on_light
from ocr_lib.sets.dataset import open_dataset
from tests.toy import toy_recipe

COUNT = 30
TRAIN = [index for index in range(COUNT) if index % 4]
VALIDATION = list(range(0, COUNT, 4))


def text_of(index):
    return f"{index:02d}"


def subset(dataset, indices):
    return Subset(dataset, indices, np.full(len(indices), 40, np.int32))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Return labelled noise with a blot of ink: images of several sizes, every other one light on dark."""
    folder = tmp_path_factory.mktemp("set")
    generator = np.random.default_rng(0)
    for index in range(COUNT):
        image = generator.integers(200, 256, (10 + index, 25 + 3 * index), np.uint8)
        image[2:6, 3:13] = generator.integers(0, 50, (4, 10), np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), image if index % 2 else 255 - image)
    lines = (f"{index}.png\t{text_of(index)}\n" for index in range(COUNT))
    (folder / "labels.tsv").write_text("".join(lines))
    return open_dataset(folder)


@pytest.fixture
def make_source(dataset):
    def make(seed=0):
        return DiskSource(toy_recipe(("seed", seed)), subset(dataset, TRAIN), subset(dataset, VALIDATION))

    return make


def epoch_texts(source, number, batch_size=8):
    """Return the training texts of an epoch in their order."""
    count = len(TRAIN)
    starts = range(number * count, (number + 1) * count, batch_size)
    batches = [source(("train", range(start, min(start + batch_size, (number + 1) * count)))) for start in starts]
    return [text for batch in batches for text in batch.texts]


class TestHoldOut:
    @pytest.mark.parametrize("share", [0.02, 0.1, 0.25, 0.5, 0.9, 0.98])
    def test_parts_are_disjoint_and_complete(self, share):
        train, validation = hold_out(COUNT, share, 0)
        assert len(validation) == round(share * COUNT)
        assert sorted([*train, *validation]) == list(range(COUNT))
        assert all(part == sorted(part) for part in (train, validation))

    def test_the_seed_decides(self):
        held = [hold_out(COUNT, 0.2, seed)[1] for seed in (0, 0, 1, 2, 2**63 - 1)]
        assert held[0] == held[1]
        assert len(set(map(tuple, held))) == 4

    def test_is_spread_over_the_whole(self):
        counts = np.zeros(COUNT)
        for seed in range(200):
            counts[hold_out(COUNT, 0.5, seed)[1]] += 1
        assert counts.min() > 70 and counts.max() < 130  # 100 expected, with a deviation of 7

    @pytest.mark.parametrize("share", [0, 0.01, 0.99, 1, 1.5, -0.5])
    def test_a_part_that_would_be_empty(self, share):
        with pytest.raises(OCRError, match=rf"^{share:g} of 30 samples can't be held out: give --val-data"):
            hold_out(COUNT, share, 0)


class TestSubset:
    def test_texts_are_those_of_its_samples(self, dataset):
        assert subset(dataset, [3, 1]).texts() == ["03", "01"]

    def test_the_digest_tells_samples_and_their_order_apart(self, dataset):
        digests = [subset(dataset, indices).digest() for indices in (range(3), [0, 1, 2], [0, 2, 1], [0, 1], [0, 1, 3])]
        assert digests[0] == digests[1]
        assert len(set(digests)) == 4
        assert all(len(digest) == 64 for digest in digests)


class TestDiskSource:
    @pytest.mark.parametrize("batch_size", [1, 8, 100])
    def test_an_epoch_is_a_permutation(self, make_source, batch_size):
        source = make_source()
        for number in range(3):
            assert sorted(epoch_texts(source, number, batch_size)) == sorted(map(text_of, TRAIN))

    def test_epochs_and_seeds_differ(self, make_source):
        orders = {tuple(epoch_texts(make_source(seed), number)) for seed in (0, 1, 2**63 - 1) for number in range(4)}
        assert len(orders) == 12
        assert tuple(map(text_of, TRAIN)) not in orders

    def test_the_batch_size_does_not_change_the_order(self, make_source):
        assert epoch_texts(make_source(), 1, 1) == epoch_texts(make_source(), 1, 7) == epoch_texts(make_source(), 1, 50)

    def test_is_a_function_of_split_and_indices(self, make_source):
        tasks = [("train", range(start, start + 11)) for start in range(0, 6 * len(TRAIN), 11)]
        tasks += [("validation", range(start, start + 2)) for start in (0, 4)]
        source = make_source()
        first = [source(task) for task in tasks]
        shuffled = np.random.default_rng(1).permutation(np.repeat(np.arange(len(tasks)), 2))
        copy = pickle.loads(pickle.dumps(make_source()))  # noqa: S301
        for place in shuffled:
            for again in source(tasks[place]), copy(tasks[place]), make_source()(tasks[place]):
                assert again.texts == first[place].texts
                np.testing.assert_array_equal(again.images, first[place].images)

    def test_validation_comes_in_order(self, make_source):
        for seed in 0, 1:
            source = make_source(seed)
            assert source(("validation", range(len(VALIDATION)))).texts == list(map(text_of, VALIDATION))
            assert source(("validation", range(2, 5))).texts == list(map(text_of, VALIDATION[2:5]))

    @pytest.mark.parametrize("split, count", [("train", len(TRAIN)), ("validation", len(VALIDATION))])
    def test_images_are_those_of_the_texts(self, dataset, make_source, split, count):
        batch = make_source()((split, range(count)))
        assert batch.images.shape == (count, 16, 40) and batch.images.dtype == np.uint8
        assert batch.widths.tolist() == [40] * count
        for image, text in zip(batch.images, batch.texts):
            np.testing.assert_array_equal(image, fit(dark_on_light(dataset.read(int(text))), (40, 16)))
            assert image.mean() > 128
