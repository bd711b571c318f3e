"""Figures of a network on a fixed set of samples."""

from typing import Dict, List, NamedTuple, Tuple

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.data.iterator import OCRIter
from ocr_lib.mx import mx
from ocr_lib.recognize.decode import best_path, blank_share
from ocr_lib.recognize.metrics import evaluate


class Validation(NamedTuple):
    """What a validation found.

    Attributes
    ----------
    figures : dict
        ``accuracy``, ``accuracy_lcs``, ``cer``, ``wer``, ``loss``, and ``blank``, the share of time steps at which the
        blank is the likeliest class.
    examples : list of (str, str)
        The first samples, as (text, as read).
    """

    figures: Dict[str, float]
    examples: List[Tuple[str, str]]


def validate(module: "mx.mod.Module", samples: OCRIter, alphabet: Alphabet, num_examples: int = 3) -> Validation:
    """Run a training Module over `samples`, without changing it."""
    references: List[str] = []
    hypotheses: List[str] = []
    cost = blanks = 0.0
    samples.reset()
    for batch in samples:
        module.forward(batch, is_train=False)
        probabilities, costs = (output.asnumpy() for output in module.get_outputs())  # (T, N, C), (N,)
        count = len(costs) - batch.pad
        probabilities = probabilities[:, :count]
        references += batch.texts
        hypotheses += [alphabet.decode(ids) for ids in best_path(probabilities)]
        cost += float(np.sum(costs[:count], dtype=np.float64))
        blanks += count * blank_share(probabilities)
    figures = evaluate(references, hypotheses)
    figures.update(loss=cost / len(references), blank=blanks / len(references))
    return Validation(figures, list(zip(references, hypotheses))[:num_examples])
