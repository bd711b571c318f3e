"""What a network says about images, as text with a confidence."""

from typing import List, NamedTuple

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.recognize.ctc import log_likelihood
from ocr_lib.recognize.decode import best_path


class Reading(NamedTuple):
    """One image as read.

    Attributes
    ----------
    text : str
    confidence : float
        The posterior of the text under CTC: the sum of the probabilities of all its alignments.
    probabilities : numpy.ndarray
        (T, C), of each class at each time step.
    """

    text: str
    confidence: float
    probabilities: np.ndarray


def readings(probabilities: np.ndarray, alphabet: Alphabet) -> List[Reading]:
    """Decode the probabilities of a batch.

    Parameters
    ----------
    probabilities : numpy.ndarray
        (T, N, C).

    Returns
    -------
    list of Reading
        N of them.
    """
    labels = best_path(probabilities)
    with np.errstate(divide="ignore"):  # log 0 is the -inf it should be
        likelihoods = log_likelihood(np.log(probabilities), labels)
    return [
        Reading(alphabet.decode(label), float(min(1.0, np.exp(likelihood))), probabilities[:, n])
        for n, (label, likelihood) in enumerate(zip(labels, likelihoods))
    ]
