"""How well recognized text agrees with the truth: each figure once, as a function of two texts."""

import math
from dataclasses import dataclass
from typing import Callable, Dict, Sequence, Tuple

import numpy as np
from rapidfuzz.distance import LCSseq, Levenshtein

from ocr_lib.recognize.equal_texts import alphanumeric


@dataclass(frozen=True)
class Measure:
    """A figure that is a weighted mean over pairs of texts.

    Parameters
    ----------
    name : str
        The name in logs and reports.
    score : callable
        ``score(reference, hypothesis)`` gives (sum, weight). The figure of many pairs is the total of the sums over
        the total of the weights, so it can be gathered batch by batch.
    """

    name: str
    score: Callable[[str, str], Tuple[float, float]]


def _exact(reference: str, hypothesis: str) -> Tuple[float, float]:
    return float(reference == hypothesis), 1.0


def _exact_ci(reference: str, hypothesis: str) -> Tuple[float, float]:
    return _exact(reference.casefold(), hypothesis.casefold())


def _exact_alnum_ci(reference: str, hypothesis: str) -> Tuple[float, float]:
    return _exact(alphanumeric(reference), alphanumeric(hypothesis))


def _common(reference: str, hypothesis: str) -> Tuple[float, float]:
    if not reference:
        return float(not hypothesis), 1.0
    return LCSseq.similarity(reference, hypothesis) / len(reference), 1.0


def _character_errors(reference: str, hypothesis: str) -> Tuple[float, float]:
    return float(Levenshtein.distance(reference, hypothesis)), float(len(reference))


def _line_errors(reference: str, hypothesis: str) -> Tuple[float, float]:
    return Levenshtein.normalized_distance(reference, hypothesis), 1.0


def _word_errors(reference: str, hypothesis: str) -> Tuple[float, float]:
    words = reference.split()
    return float(Levenshtein.distance(words, hypothesis.split())), float(len(words))


EXACT = Measure("accuracy", _exact)
"""The share of texts that are right as a whole."""

EXACT_CI = Measure("accuracy_ci", _exact_ci)
"""Like `EXACT`, upper and lower case being the same."""

EXACT_ALNUM_CI = Measure("accuracy_alnum_ci", _exact_alnum_ci)
"""Like `EXACT_CI`, of letters, with the marks on them, and digits alone."""

LCS = Measure("accuracy_lcs", _common)
"""The mean length of the longest common subsequence over the reference's length. Surplus characters cost nothing.

An empty reference counts 1 if the hypothesis is empty too, else 0.
"""

CER = Measure("cer", _character_errors)
"""Character error rate of the whole corpus: edits (Levenshtein 1966) over the references' characters.

Surplus characters are edits too, so a hypothesis longer than its reference may cost more edits than the reference has
characters, and the rate may exceed 1.
"""

CER_LINE = Measure("cer_line", _line_errors)
"""The mean of the error rates of single texts: edits over the characters of the longer one of the two.

So it is from 0 to 1; two empty texts count 0.
"""

WER = Measure("wer", _word_errors)
"""Word error rate of the whole corpus: like `CER`, with words parted by whitespace in place of characters."""

MEASURES = (EXACT, EXACT_CI, EXACT_ALNUM_CI, LCS, CER, CER_LINE, WER)


def evaluate(
    references: Sequence[str], hypotheses: Sequence[str], measures: Sequence[Measure] = MEASURES
) -> Dict[str, float]:
    """Measure recognized texts against the true ones.

    Parameters
    ----------
    references, hypotheses : sequence of str
        True and recognized texts, pair by pair.
    measures : sequence of Measure
        The figures to compute.

    Returns
    -------
    dict of str to float
        The figure of each measure by its name, a fraction (not per cent). Where the total weight is 0 (an error rate
        of empty references) it is 0 without errors and infinite with them.

    Raises
    ------
    ValueError
        If there are no pairs, or not as many hypotheses as references.
    """
    return rates(scores(references, hypotheses, measures), measures)


def scores(references: Sequence[str], hypotheses: Sequence[str], measures: Sequence[Measure] = MEASURES) -> np.ndarray:
    """Sum up the scores of texts, so that those of several sets can be added; see `evaluate`.

    Returns
    -------
    numpy.ndarray
        (measures, 2) float64: totals of sums and of weights.
    """
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references do not pair with {len(hypotheses)} hypotheses")
    if not references:
        raise ValueError("there are no texts to measure")
    by_measure = (zip(*map(measure.score, references, hypotheses)) for measure in measures)
    return np.array([[math.fsum(numbers) for numbers in pairs] for pairs in by_measure])


def rates(totals: np.ndarray, measures: Sequence[Measure] = MEASURES) -> Dict[str, float]:
    """Return the figures that scores, summed up as by `scores`, come to; see `evaluate`."""
    return {measure.name: _rate(*pair) for measure, pair in zip(measures, totals.tolist())}


def _rate(total: float, weight: float) -> float:
    if weight:
        return total / weight
    return math.inf if total else 0.0
