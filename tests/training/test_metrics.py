import numpy as np
import pytest

from ocr_lib.alphabet import Alphabet
from ocr_lib.mx import mx
from ocr_lib.recognize.metrics import CER, EXACT, LCS, WER, evaluate
from ocr_lib.training.metrics import MeanCost, TextMetric

ALPHABET = Alphabet("abc ")
PAIRS = [("abc", "abc"), ("ab", "a"), ("a b", "a c"), ("cab", "")]


def outputs(texts, steps=9):
    """Return probabilities (N, T, C) that read as these texts."""
    probabilities = np.full((len(texts), steps, ALPHABET.num_classes), 0.01, np.float32)
    for n, text in enumerate(texts):
        for t in range(steps):
            known = ALPHABET.encode(text)
            probabilities[n, t, known[t // 2] if t % 2 == 0 and t // 2 < len(known) else 0] = 1
    return mx.nd.array(probabilities)


def feed(metric, pairs, costs=(0.0,)):
    label = mx.nd.array(ALPHABET.encode_batch([reference for reference, _ in pairs], 4))
    metric.update([label], [outputs([read for _, read in pairs]), mx.nd.array(costs)])


@pytest.mark.parametrize("measure", [EXACT, LCS, CER, WER], ids=lambda measure: measure.name)
def test_metric_is_the_plain_function_over_batches(measure):
    metric = TextMetric(measure, ALPHABET)
    feed(metric, PAIRS[:3])
    feed(metric, PAIRS[3:])
    references, hypotheses = zip(*PAIRS)
    assert metric.get() == (measure.name, pytest.approx(evaluate(references, hypotheses)[measure.name]))


def test_local_figures_are_since_the_last_line_and_global_ones_since_the_epoch_began():
    metric = TextMetric(EXACT, ALPHABET)
    feed(metric, PAIRS[:1])
    metric.reset_local()
    feed(metric, PAIRS[1:2])
    assert metric.get()[1] == 0
    assert metric.get_global()[1] == 0.5


def test_mean_cost_is_that_of_all_samples():
    metric = MeanCost()
    feed(metric, PAIRS[:2], [1.0, 3.0])
    feed(metric, PAIRS[2:3], [5.0])
    assert metric.get() == ("loss", pytest.approx(3))
