"""Figures of a network on a fixed set of samples."""

from typing import Dict, List, NamedTuple, Sequence, Tuple

from ocr_lib.recognize.evaluation import Confusion, confusions
from ocr_lib.recognize.metrics import evaluate
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


def validation(references: List[str], parts: Sequence[Figures], num_examples: int = 3) -> Validation:
    """Return what the parts of a validation set come to, of which `references` are the texts."""
    hypotheses = [text for part in parts for text in part.texts]
    figures = evaluate(references, hypotheses)
    figures.update(
        loss=sum(part.cost for part in parts) / len(references),
        blank=sum(part.blanks for part in parts) / len(references),
    )
    spread = [len(references) * i // num_examples for i in range(min(num_examples, len(references)))]
    examples = [(references[i], hypotheses[i]) for i in spread]
    return Validation(figures, confusions(references, hypotheses), examples)
