"""Figures of the validation set, from a module that reads what it is told to."""

import numpy as np
import pytest

from ocr_lib.alphabet import BLANK
from ocr_lib.feed.iterator import OCRIter
from ocr_lib.feed.source import Batch
from ocr_lib.mx import mx
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import override
from ocr_lib.recognize.evaluation import Confusion
from ocr_lib.training.validation import validate

HEIGHT, BATCH = 5, 4
POOL = 2


def recipe_of(width):
    layers = [{"filters": 1, "pool": [POOL, 1]}]
    changes = [("image.width", width), ("image.height", HEIGHT), ("training.batch_size", BATCH)]
    return override(Recipe(), [*changes, ("network.convolutions", layers), ("text.min_length", 1)])


class Told:
    """Stands for a Module: reads texts one by one, a character at every other step, and costs as it is told."""

    def __init__(self, recipe, reads, costs):
        self._recipe, self._reads, self._costs = recipe, iter(reads), iter(costs)
        self.is_train = []

    def forward(self, batch, is_train):
        self.is_train.append(is_train)
        count, width = batch.data[0].shape[:2]
        ids = np.full((count, width // POOL), BLANK)
        costs = np.full(count, 1e6)  # where a row only pads
        ids[count - batch.pad :] = 5
        for n in range(count - batch.pad):
            label = self._recipe.alphabet.encode(next(self._reads))
            ids[n, : 2 * len(label) : 2] = label
            costs[n] = next(self._costs)
        probabilities = np.eye(self._recipe.alphabet.num_classes)[ids]
        self._outputs = [mx.nd.array(array) for array in (probabilities, costs)]

    def get_outputs(self):
        return self._outputs


def samples_of(recipe, texts, widths, least_rows=1):
    batches = []
    for start in range(0, len(texts), BATCH):
        part = widths[start : start + BATCH]
        images = np.full((len(part), HEIGHT, max(part)), 255, np.uint8)
        batches.append(Batch(images, texts[start : start + BATCH], np.array(part)))
    return OCRIter(batches, recipe, least_rows=least_rows)


def validated(texts, reads, widths, costs=None, fixed=None, least_rows=1, **options):
    recipe = recipe_of(fixed)
    module = Told(recipe, reads, costs or [0] * len(texts))
    found = validate(module, samples_of(recipe, texts, widths, least_rows), recipe, **options)
    assert set(module.is_train) == {False}
    return found


@pytest.mark.parametrize("least_rows", [1, BATCH])
@pytest.mark.parametrize("fixed", [None, 20])
def test_figures_are_those_of_all_samples_without_padding(fixed, least_rows):
    texts = ["12", "3", "45", "6", "78", "9"]
    reads = ["12", "3", "44", "6", "7", "9"]
    found = validated(texts, reads, [20] * 6, costs=[1, 2, 3, 4, 5, 0.5], fixed=fixed, least_rows=least_rows)
    assert found.confusions == [Confusion("5", "4", 1), Confusion("8", "", 1)]
    figures = found.figures
    assert figures["accuracy"] == pytest.approx(4 / 6)
    assert figures["cer"] == pytest.approx(2 / 9)
    assert figures["loss"] == pytest.approx(15.5 / 6)
    assert figures["blank"] == pytest.approx(1 - 8 / 60)


def test_blanks_behind_an_image_do_not_count():
    texts = ["12", "3", "4", "5"]
    # 4, 10, 20 and 3 time steps
    figures = validated(texts, texts, [9, 20, 40, 6]).figures
    assert figures["blank"] == pytest.approx(1 - 5 / 37)
    assert figures["accuracy"] == 1


@pytest.mark.parametrize(
    "count, num_examples, numbers",
    [(1, 3, [0]), (3, 3, [0, 1, 2]), (7, 3, [0, 2, 4]), (9, 3, [0, 3, 6]), (10, 2, [0, 5]), (10, 1, [0])],
)
def test_examples_are_spread_over_the_samples(count, num_examples, numbers):
    texts = [str(number) for number in range(count)]
    reads = [str(number % 2) for number in range(count)]
    examples = validated(texts, reads, list(range(10, 10 + count)), num_examples=num_examples).examples
    assert examples == [(texts[number], reads[number]) for number in numbers]


def test_the_samples_can_be_validated_on_again():
    recipe = recipe_of(None)
    samples = samples_of(recipe, ["1", "2", "3", "4", "5"], [10, 20, 30, 40, 50])
    found = [validate(Told(recipe, "12345", [1] * 5), samples, recipe) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0].figures["accuracy"] == 1
