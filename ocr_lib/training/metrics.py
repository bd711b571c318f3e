"""Training metrics in MXNet's terms: figures of `ocr_lib.recognize.metrics` over batches of a Module."""

from typing import List, Sequence

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.mx import mx
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.decode import best_path
from ocr_lib.recognize.metrics import CER, EXACT, LCS, Measure


class TextMetric(mx.metric.EvalMetric):
    """One measure of read text against labels.

    ``update`` takes labels ``[(N, L)]``, padded with 0, and the outputs of a training symbol, of which it decodes the
    first: probabilities (N, T, C).

    Parameters
    ----------
    measure : Measure
        ``EXACT``, ``LCS``, ``CER`` or ``WER`` of `ocr_lib.recognize.metrics`.
    alphabet : Alphabet
        Of the labels.
    """

    def __init__(self, measure: Measure, alphabet: Alphabet) -> None:
        self._measure = measure
        self._alphabet = alphabet
        super().__init__(measure.name, has_global_stats=True)

    def update(self, labels: List["mx.nd.NDArray"], preds: List["mx.nd.NDArray"]) -> None:
        """Take a batch into account."""
        references = self._alphabet.decode_batch(labels[0].asnumpy())
        for reference, ids in zip(references, best_path(preds[0].asnumpy().swapaxes(0, 1))):
            _add(self, *self._measure.score(reference, self._alphabet.decode(ids)))


class MeanCost(mx.metric.EvalMetric):
    """The mean CTC cost of a sample: the second output of a training symbol, (N,)."""

    def __init__(self) -> None:
        super().__init__("loss", has_global_stats=True)

    def update(self, labels: List["mx.nd.NDArray"], preds: List["mx.nd.NDArray"]) -> None:
        """Take a batch into account."""
        costs = preds[1].asnumpy()
        _add(self, float(np.sum(costs, dtype=np.float64)), len(costs))


def text_metrics(recipe: Recipe, measures: Sequence[Measure] = (EXACT, LCS, CER)) -> "mx.metric.CompositeEvalMetric":
    """Return metrics for `mx.mod.Module.fit` and `score`: measures of the texts that are read, and the mean loss.

    Parameters
    ----------
    recipe : Recipe
        Of the training symbol whose outputs they take.
    measures : sequence of Measure
        Of `ocr_lib.recognize.metrics`.
    """
    return mx.metric.CompositeEvalMetric([*(TextMetric(m, recipe.alphabet) for m in measures), MeanCost()])


def _add(metric: "mx.metric.EvalMetric", total: float, weight: float) -> None:
    metric.sum_metric += total
    metric.num_inst += weight
    metric.global_sum_metric += total
    metric.global_num_inst += weight
