"""Figures of the validation set, of what a network made of it."""

import numpy as np
import pytest

from ocr_lib.feed.batches import Share
from ocr_lib.recognize.evaluation import Confusion
from ocr_lib.recognize.metrics import evaluate
from ocr_lib.training.part import Figures
from ocr_lib.training.validation import validation

TEXTS = ["12", "3", "45", "6", "78", "9"]
READS = ["12", "3", "44", "6", "7", "9"]
COSTS = [1, 2, 3, 4, 5, 0.5]
BLANKS = [0.75, 0.9, 0.8, 0.9, 0.85, 1.0]


def figures_of(reads, costs=None, blanks=None, size=4):
    """Return what a network makes of batches, of so many samples."""
    numbers = [costs or [0.0] * len(reads), blanks or [0.0] * len(reads)]
    return [
        Figures(reads[start : start + size], *(sum(of_all[start : start + size]) for of_all in numbers))
        for start in range(0, len(reads), size)
    ]


@pytest.mark.parametrize("size", [1, 2, 4, 6])
def test_each_sample_counts_once_whatever_the_batches(size):
    found = validation(TEXTS, figures_of(READS, COSTS, BLANKS, size))
    assert found.confusions == [Confusion("5", "4", 1), Confusion("8", "", 1)]
    assert found.figures == pytest.approx({**evaluate(TEXTS, READS), "loss": 15.5 / 6, "blank": 5.2 / 6})
    assert found.figures["accuracy"] == pytest.approx(4 / 6)
    assert found.figures["cer"] == pytest.approx(2 / 9)


@pytest.mark.parametrize(
    "count, num_examples, numbers",
    [(1, 3, [0]), (3, 3, [0, 1, 2]), (7, 3, [0, 2, 4]), (9, 3, [0, 3, 6]), (10, 2, [0, 5]), (10, 1, [0])],
)
def test_examples_are_spread_over_the_samples(count, num_examples, numbers):
    texts = [str(number) for number in range(count)]
    reads = [str(number % 2) for number in range(count)]
    examples = validation(texts, figures_of(reads), num_examples=num_examples).examples
    assert examples == [(texts[number], reads[number]) for number in numbers]


class Others:
    """Machines that have the rest of the set, which found what is added."""

    share = Share(0, 2)

    def __init__(self, sums):
        self.sums = sums

    def sum(self, name, vector):
        self.given = vector.copy()
        vector += self.sums


def sums_of(texts, figures):
    others = Others(1.0)
    validation(texts, figures, others)
    return others.given


@pytest.mark.parametrize("here", [0, 1, 4, 6])
def test_figures_are_of_the_sets_of_all_machines(here):
    parts = [(TEXTS[part], READS[part], COSTS[part], BLANKS[part]) for part in (slice(here), slice(here, None))]
    (mine, *found), (others, *of_others) = parts
    others = Others(sums_of(others, figures_of(*of_others)))
    together = validation(mine, figures_of(*found), others)
    assert together.figures == pytest.approx(validation(TEXTS, figures_of(READS, COSTS, BLANKS)).figures)
    assert len(together.examples) == min(3, here), "of what is here"
    assert all(np.isfinite(list(together.figures.values())))
