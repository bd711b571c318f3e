"""Whether a model that was made from another still reads as that does, and how much faster."""

import time
from dataclasses import dataclass, replace
from typing import Dict, Optional, Sequence

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.recognize.decode import best_path
from ocr_lib.recognize.metrics import CER, CER_LINE, EXACT, evaluate
from ocr_lib.recognize.recognizer import Recognizer, batches

MAX_DIFFERENCE = 1e-4
_ROUNDING = 1e-9
_READS_NOTHING = 0.5  # a character error rate from which on no more than chance is right
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
    empty_before : int
        Images in which the source reads nothing.
    accuracy, accuracy_before : float, optional
        Exact match of the model, and of the one that it was made from; None if the true texts are unknown.
    cer, cer_before : float, optional
        The same for the character error rate.
    changed : float
        Of the images that the source misreads, the share of characters that the model reads otherwise than it does;
        summed up, over `count`.
    """

    count: int
    max_difference: float
    same_texts: int
    empty_before: int
    accuracy: Optional[float] = None
    accuracy_before: Optional[float] = None
    cer: Optional[float] = None
    cer_before: Optional[float] = None
    changed: float = 0.0

    @property
    def drop(self) -> float:
        """What was lost, as a share of the images.

        Where the source is right that is exact match; where it is not, the truth says nothing of the model, and what
        counts is `changed`. Where the true texts are unknown, those of the source stand for them.
        """
        if self.accuracy is None or self.accuracy_before is None:
            return 1 - self.same_texts / self.count
        return self.accuracy_before - self.accuracy + self.changed

    @property
    def says_something(self) -> bool:
        """Whether the source reads the images well enough for the comparison to show what was lost."""
        if self.accuracy_before is None or self.cer_before is None:
            return self.empty_before < self.count
        return self.accuracy_before > 0 or self.cer_before < _READS_NOTHING

    def summary(self) -> str:
        """Tell it in a line."""
        told = (
            f"{self.same_texts} of {self.count} images read the same, probabilities differ by "
            f"{self.max_difference:.2g} at most"
        )
        if self.accuracy is not None:
            told += (
                f"; exact match {self.accuracy:.2%} against {self.accuracy_before:.2%}, "
                f"CER {self.cer:.2%} against {self.cer_before:.2%}"
            )
        return told if self.says_something else f"{told}; but the source can't read these images"


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
    count, same = len(images), sum(map(str.__eq__, read, read_before))
    comparison = Comparison(count, float(np.max(differences)), same, read_before.count(""))
    if texts is None:
        return comparison
    after, prior = (evaluate(texts, found, [EXACT, CER]) for found in (read, read_before))
    misread = [(old, new) for text, old, new in zip(texts, read_before, read) if old != text]
    return replace(
        comparison,
        accuracy=after["accuracy"],
        accuracy_before=prior["accuracy"],
        cer=after["cer"],
        cer_before=prior["cer"],
        changed=sum(CER_LINE.score(old, new)[0] for old, new in misread) / count,
    )


def accept_same(comparison: Comparison, max_difference: float = MAX_DIFFERENCE) -> None:
    """Refuse a model that should agree with its source but for rounding, and does not.

    Texts need no look: where no probability differs by more, only those can differ at which two classes are as likely,
    within twice that.

    Raises
    ------
    OCRError
        If a probability differs by more than `max_difference`.
    """
    if not comparison.max_difference <= max_difference:
        count, same = comparison.count, comparison.same_texts
        raise OCRError(
            f"the model differs from its source: probabilities by {comparison.max_difference:.2g}, where rounding "
            f"explains {max_difference:.2g}, and texts of {count - same} of {count} images; nothing was written"
        )


def accept_loss(comparison: Comparison, max_drop: float) -> None:
    """Refuse a quantized model that reads worse than its source, or of which that can't be said.

    Raises
    ------
    OCRError
        If it loses more than `max_drop`, or the source itself can't read the images, unless all may be lost.
    """
    if max_drop >= 1:
        return
    if not comparison.says_something:
        raise OCRError(
            f"these images don't show what quantizing costs: {comparison.summary()}. Give --samples that it reads, or "
            "--max-drop 100; nothing was written"
        )
    if not comparison.drop <= max_drop + _ROUNDING:
        raise OCRError(
            f"the quantized model reads {comparison.drop:.2%} of {comparison.count} images worse than its source, and "
            f"--max-drop allows {max_drop:.2%} ({comparison.summary()}); nothing was written"
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
