"""Whether a model that was made from another still reads as that does, and how much faster."""

import time
from dataclasses import dataclass, replace
from typing import Dict, Optional, Sequence

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.recognize.decode import best_path
from ocr_lib.recognize.metrics import CER, EXACT, evaluate
from ocr_lib.recognize.recognizer import Recognizer, batches

MAX_DIFFERENCE = 1e-4
_ROUNDING = 1e-9
_BATCH_SIZE = 128
_TURNS, _TURN_S = 5, 0.1


@dataclass(frozen=True)
class Comparison:
    """How a model differs from the one that it was made from.

    Attributes
    ----------
    count : int
        Images that both read.
    max_difference : float
        The largest difference of a probability.
    same_texts : int
        Images in which both read the same text.
    accuracy, accuracy_before : float, optional
        Exact match of the model, and of the one that it was made from; None if the true texts are unknown.
    cer, cer_before : float, optional
        The same for the character error rate.
    """

    count: int
    max_difference: float
    same_texts: int
    accuracy: Optional[float] = None
    accuracy_before: Optional[float] = None
    cer: Optional[float] = None
    cer_before: Optional[float] = None

    @property
    def drop(self) -> float:
        """What was lost of exact match; where the true texts are unknown, the share of those that changed."""
        if self.accuracy is None or self.accuracy_before is None:
            return 1 - self.same_texts / self.count
        return self.accuracy_before - self.accuracy

    def summary(self) -> str:
        """Tell it in a line."""
        told = (
            f"{self.same_texts} of {self.count} images read the same, probabilities differ by "
            f"{self.max_difference:.2g} at most"
        )
        if self.accuracy is None:
            return told
        return (
            f"{told}; exact match {self.accuracy:.2%} against {self.accuracy_before:.2%}, "
            f"CER {self.cer:.2%} against {self.cer_before:.2%}"
        )


def compare(
    model: Recognizer,
    before: Recognizer,
    images: np.ndarray,
    texts: Optional[Sequence[str]] = None,
    widths: Optional[np.ndarray] = None,
) -> Comparison:
    """Have two models read the same images.

    Parameters
    ----------
    model, before : Recognizer
        The model, and the one that it was made from.
    images : numpy.ndarray
        (N, H, W) uint8, as the models read them.
    texts : sequence of str, optional
        What they say.
    widths : numpy.ndarray, optional
        (N,) int, of the images without padding; all W when left out.
    """
    differences, read, read_before = [], [], []
    all_widths = np.full(len(images), images.shape[2]) if widths is None else widths
    for batch in zip(batches(images, _BATCH_SIZE), batches(all_widths, _BATCH_SIZE)):
        ours, theirs = model.probabilities(*batch), before.probabilities(*batch)  # (T, N, C)
        differences.append(float(np.abs(ours - theirs).max()))
        read += [model.alphabet.decode(ids) for ids in best_path(ours)]
        read_before += [before.alphabet.decode(ids) for ids in best_path(theirs)]
    same = sum(map(str.__eq__, read, read_before))
    comparison = Comparison(len(images), max(differences), same)
    if texts is None:
        return comparison
    after, prior = (evaluate(texts, found, [EXACT, CER]) for found in (read, read_before))
    return replace(
        comparison,
        accuracy=after["accuracy"],
        accuracy_before=prior["accuracy"],
        cer=after["cer"],
        cer_before=prior["cer"],
    )


def accept_same(comparison: Comparison, is_trained: bool = True) -> None:
    """Refuse a model that should agree with its source but for rounding, and does not.

    Parameters
    ----------
    comparison : Comparison
    is_trained : bool
        If not, its texts hang on rounding and don't count.

    Raises
    ------
    OCRError
        If a probability differs by more than `MAX_DIFFERENCE`, or a text.
    """
    count, same = comparison.count, comparison.same_texts
    if not comparison.max_difference <= MAX_DIFFERENCE or (is_trained and same < count):
        raise OCRError(
            f"the model differs from its source: probabilities by {comparison.max_difference:.2g}, texts of "
            f"{count - same} of {count} images; nothing was written"
        )


def accept_loss(comparison: Comparison, max_drop: float) -> None:
    """Refuse a quantized model that reads worse than its source.

    Raises
    ------
    OCRError
        If it loses more than `max_drop` of exact match.
    """
    if not comparison.drop <= max_drop + _ROUNDING:
        raise OCRError(
            f"the model of 8 bits reads {comparison.drop:.2%} of {comparison.count} images worse than its source, and "
            f"--max-drop allows {max_drop:.2%}; nothing was written"
        )


def speedups(model: Recognizer, before: Recognizer, images: np.ndarray) -> Dict[int, float]:
    """Return how many times faster a model is, by the number of images (N, H, W) uint8 that it is given at a time."""
    return {count: speedup(model, before, images[:count]) for count in (1, _BATCH_SIZE)}


def speedup(model: Recognizer, before: Recognizer, images: np.ndarray) -> float:
    """Return how many times faster a model puts these images, (N, H, W) uint8, through its network."""
    best = [float("inf")] * 2
    for _ in range(_TURNS):  # in turn, so that both meet the same ups and downs of the machine
        for i, recognizer in enumerate((model, before)):
            end = time.perf_counter() + _TURN_S
            while (began := time.perf_counter()) < end:
                recognizer.probabilities(images)
                best[i] = min(best[i], time.perf_counter() - began)
    return best[1] / best[0]
