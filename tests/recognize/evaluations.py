"""Evaluations of a few lines."""

import numpy as np
from hypothesis import strategies as st

from ocr_lib.recognize.evaluation import Evaluator
from ocr_lib.recognize.reading import Reading

KEYS = [
    *("exact_match", "exact_match_ci", "exact_match_alnum_ci", "cer", "cer_line", "wer", "lcs", "count", "skipped"),
    *("confusions", "by_length", "by_confidence", "worst"),
]
IMAGE = np.full((3, 5), 255, np.uint8)
TEXTS = st.text("abAB -\u00e9\u0301\u05d0\U0001f600<&", max_size=10)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS, st.floats(0, 1)), min_size=1, max_size=12)


def evaluator_of(*lines, num_worst=20):
    """Take in lines, (reference, text, confidence, image), of which the last two may be left out."""
    evaluator = Evaluator(num_worst)
    for index, (reference, text, *rest) in enumerate(lines):
        confidence, image = [*rest, *(0.5, IMAGE)[len(rest) :]]
        evaluator.add(f"{index}.png", reference, Reading(text, confidence, np.zeros((1, 2)), ()), image)
    return evaluator


def evaluate(*lines, skipped=0, **options):
    return evaluator_of(*lines, **options).evaluation(skipped)
