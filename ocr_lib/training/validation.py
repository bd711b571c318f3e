"""Figures of a network on a fixed set of samples."""

import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ocr_lib.recognize.evaluation import Confusion, confusions
from ocr_lib.recognize.metrics import MEASURES, rates, scores
from ocr_lib.training.exchange import Exchange
from ocr_lib.training.part import Figures


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


def is_better(figures: Dict[str, float], best: Dict[str, float], most: float, samples: int) -> bool:
    """Tell whether an epoch is better than the best before it.

    Exact match decides, and the loss among epochs that samples so few can't tell apart: those whose exact match is at
    most its standard error below the highest (the rule of Breiman et al. 1984). The standard error is that of Agresti
    and Coull (1998), which is not 0 where all samples are read.

    Parameters
    ----------
    figures, best : dict
        Of the epoch's validation, and of the best's.
    most : float
        The highest exact match of all epochs until now.
    samples : int
        Of a validation.
    """
    missed = ((1 - most) * samples + 2) / (samples + 4)
    least = most - math.sqrt(missed * (1 - missed) / (samples + 4))
    return figures["accuracy"] >= least and (best["accuracy"] < least or figures["loss"] < best["loss"])


def validation(
    references: List[str], parts: Sequence[Figures], exchange: Optional[Exchange] = None, num_examples: int = 3
) -> Validation:
    """Return what the parts of a validation set come to.

    Parameters
    ----------
    references : list of str
        Texts of the samples.
    parts : sequence of Figures
        What the network made of them.
    exchange : Exchange, optional
        With machines that have the rest of the set: figures are of the whole, confusions and examples of what is here.
    """
    hypotheses = [text for part in parts for text in part.texts]
    sums = np.zeros((len(MEASURES) + 2, 2))
    if references:
        sums[:-2] = scores(references, hypotheses)
        sums[-2] = sum(part.cost for part in parts), len(references)
        sums[-1] = sum(part.blanks for part in parts), len(references)
    if exchange:
        exchange.sum("validation", sums.reshape(-1))
    figures = rates(sums[:-2])
    figures.update((name, float(total / weight)) for name, (total, weight) in zip(("loss", "blank"), sums[-2:]))
    spread = [len(references) * i // num_examples for i in range(min(num_examples, len(references)))]
    examples = [(references[i], hypotheses[i]) for i in spread]
    return Validation(figures, confusions(references, hypotheses), examples)
