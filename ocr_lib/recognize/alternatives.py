"""What else an image may say: the most probable texts, by beam search."""

from typing import List, NamedTuple, Optional

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.recognize.automaton import Automaton, all_texts
from ocr_lib.recognize.beam import DEFAULT_WIDTH, finite_logarithms, n_best
from ocr_lib.recognize.posterior import posteriors


class Alternative(NamedTuple):
    """A text that an image may show.

    Attributes
    ----------
    text : str
    confidence : float
        Its posterior under CTC, as that of a `Reading`.
    """

    text: str
    confidence: float


def alternatives(
    probabilities: np.ndarray,
    alphabet: Alphabet,
    count: int,
    automaton: Optional[Automaton] = None,
    width: int = DEFAULT_WIDTH,
) -> List[Alternative]:
    """Find the most probable texts of an image.

    Parameters
    ----------
    probabilities : numpy.ndarray
        (T, C), as a `Reading` has them.
    alphabet : Alphabet
    count : int
        How many, at least 1.
    automaton : Automaton, optional
        The texts to choose from; all when left out.
    width : int
        Of the beam; at least the count is taken.

    Returns
    -------
    list of Alternative
        The most probable first, by their posteriors; fewer than `count` where there are no more.

    Raises
    ------
    ValueError
        If the count is less than 1, or the beam is wider than it may be.
    """
    samples = probabilities[:, None]  # (T, 1, C)
    allowed = automaton or all_texts(alphabet.num_classes)
    (found,) = n_best(finite_logarithms(samples), allowed, count, max(width, count))
    labels = [ids for ids, _ in found]
    exact = posteriors(np.repeat(samples, len(labels), axis=1), labels, [len(samples)] * len(labels)) if labels else []
    texts = [
        Alternative(alphabet.decode(ids), float(min(1.0, np.exp(posterior.log_likelihood))))
        for ids, posterior in zip(labels, exact)
    ]
    return sorted(texts, key=lambda alternative: -alternative.confidence)
