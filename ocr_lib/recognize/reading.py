"""What a network says about images, as text with a confidence."""

from typing import List, NamedTuple

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.recognize.ctc import log_likelihood
from ocr_lib.recognize.decode import Decoder, best_path


class Reading(NamedTuple):
    """One image as read.

    Attributes
    ----------
    text : str
    confidence : float
        The posterior of the text under CTC: the sum of the probabilities of all its alignments, whatever decoder found
        it. That a decoder allows certain texts only does not raise it. Where none of them fits into the time steps,
        the text is empty and the confidence 0.
    probabilities : numpy.ndarray
        (T, C), of each class at each time step.
    """

    text: str
    confidence: float
    probabilities: np.ndarray


def readings(probabilities: np.ndarray, alphabet: Alphabet, decode: Decoder = best_path) -> List[Reading]:
    """Decode the probabilities of a batch.

    Parameters
    ----------
    probabilities : numpy.ndarray
        (T, N, C).
    alphabet : Alphabet
    decode : Decoder
        Finds the texts; greedily when left out.

    Returns
    -------
    list of Reading
        N of them.
    """
    labels = decode(probabilities)
    with np.errstate(divide="ignore"):  # log 0 is the -inf it should be
        likelihoods = log_likelihood(np.log(probabilities), [label or [] for label in labels])
    return [
        Reading(
            alphabet.decode(label or []),
            0.0 if label is None else float(min(1.0, np.exp(likelihood))),
            probabilities[:, n],
        )
        for n, (label, likelihood) in enumerate(zip(labels, likelihoods))
    ]
