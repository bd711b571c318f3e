"""Figures of a network on a fixed set of samples."""

from typing import Dict, List, NamedTuple, Tuple

import numpy as np

from ocr_lib.feed.iterator import OCRIter
from ocr_lib.geometry import shrunk
from ocr_lib.mx import mx
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.decode import best_path, blank_share
from ocr_lib.recognize.evaluation import Confusion, confusions
from ocr_lib.recognize.metrics import evaluate


class Validation(NamedTuple):
    """What a validation found.

    Attributes
    ----------
    figures : dict
        Those of `ocr_lib.recognize.metrics` by their names, ``loss``, and ``blank``, the share of time steps at which
        the blank is the likeliest class.
    confusions : list of Confusion
        What was read as what, the most frequent first.
    examples : list of (str, str)
        Some samples, as (text, as read).
    """

    figures: Dict[str, float]
    confusions: List[Confusion]
    examples: List[Tuple[str, str]]


def validate(module: "mx.mod.Module", samples: OCRIter, recipe: Recipe, num_examples: int = 3) -> Validation:
    """Run a training Module over `samples`, without changing it."""
    references: List[str] = []
    hypotheses: List[str] = []
    cost = blanks = 0.0
    samples.reset()
    for batch in samples:
        module.forward(batch, is_train=False)
        probabilities, costs = (output.asnumpy() for output in module.get_outputs())  # (N, T, C), (N,)
        count = len(costs) - batch.pad
        probabilities = probabilities[:count].swapaxes(0, 1)  # (T, N, C)
        references += batch.texts
        hypotheses += [recipe.alphabet.decode(ids) for ids in best_path(probabilities)]
        cost += float(np.sum(costs[:count], dtype=np.float64))
        steps = shrunk(batch.widths, recipe.network.shrinkage(0))
        blanks += count * blank_share(probabilities, steps)
    figures = evaluate(references, hypotheses)
    figures.update(loss=cost / len(references), blank=blanks / len(references))
    spread = [len(references) * i // num_examples for i in range(min(num_examples, len(references)))]
    examples = [(references[i], hypotheses[i]) for i in spread]
    return Validation(figures, confusions(references, hypotheses), examples)
