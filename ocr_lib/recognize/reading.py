"""What a network says about images, as text with a confidence."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ocr_lib.alphabet import Alphabet
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.posterior import posteriors


class Character(NamedTuple):
    """One character of a reading.

    Attributes
    ----------
    text : str
    confidence : float
        Its posterior under CTC, from 0 to 1, given that the other characters are right: against any other character, or
        none, in its place.
    x : float
        Where it is recognized, in pixels of the image as it was given, from its left edge, or where it is turned from
        where the line begins. CTC knows no extents of characters.
    """

    text: str
    confidence: float
    x: float


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
    characters : tuple of Character
        Those of the text, from left to right: of text from right to left in the order in which they stand.
    """

    text: str
    confidence: float
    probabilities: np.ndarray
    characters: Tuple[Character, ...]

    def as_json(self) -> Dict[str, Any]:
        """Return what programs of any language take: text, confidence, and characters with theirs and places."""
        characters = [
            {"text": text, "confidence": round(confidence, 6), "x": round(x, 1)}
            for text, confidence, x in self.characters
        ]
        return {"text": self.text, "confidence": round(self.confidence, 6), "characters": characters}


def readings(
    probabilities: np.ndarray,
    alphabet: Alphabet,
    decode: Decoder = best_path,
    widths: Optional[Sequence[int]] = None,
    steps: Union[Sequence[int], np.ndarray, None] = None,
) -> List[Reading]:
    """Decode the probabilities of a batch.

    Parameters
    ----------
    probabilities : numpy.ndarray
        (T, N, C).
    alphabet : Alphabet
    decode : Decoder
        Finds the texts; greedily when left out.
    widths : sequence of N int, optional
        Of the images in pixels; 1 each when left out.
    steps : sequence of N int, optional
        The time steps of each sample, behind which the blank has all probability; all T when left out.

    Returns
    -------
    list of Reading
        N of them.

    Raises
    ------
    ValueError
        If there are not as many widths as samples.
    """
    num_samples = probabilities.shape[1]
    if widths is None:
        widths = [1] * num_samples
    if len(widths) != num_samples:
        raise ValueError(f"{len(widths)} widths do not pair with {num_samples} samples")
    labels = decode(probabilities)
    steps = [len(probabilities)] * num_samples if steps is None else steps
    found = posteriors(probabilities, [label or [] for label in labels], steps)
    return [
        Reading(
            alphabet.decode(label or []),
            0.0 if label is None else float(min(1.0, np.exp(posterior.log_likelihood))),
            probabilities[:count, n],
            tuple(
                Character(alphabet.characters[index - 1], confidence, position * width)
                for index, confidence, position in zip(
                    label or [], posterior.confidences.tolist(), posterior.positions.tolist()
                )
            ),
        )
        for n, (label, posterior, width, count) in enumerate(zip(labels, found, widths, steps))
    ]
