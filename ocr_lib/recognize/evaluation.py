"""How well images are read whose texts are known: figures, what is mistaken for what, the worst lines."""

import heapq
import math
import unicodedata
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, DefaultDict, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from ocr_lib.page import thumbnail
from ocr_lib.recognize.equal_texts import EQUALITIES, Equality
from ocr_lib.recognize.metrics import CER, CER_LINE, EXACT, EXACT_ALNUM_CI, EXACT_CI, LCS, WER, evaluate, rates, scores
from ocr_lib.recognize.reading import Reading

FIGURES = {
    "exact_match": ("exact match", EXACT),
    "exact_match_ci": ("exact match, ignoring case", EXACT_CI),
    "exact_match_alnum_ci": ("exact match of letters and digits, ignoring case", EXACT_ALNUM_CI),
    "cer": ("character error rate (CER)", CER),
    "cer_line": ("character error rate, mean of lines", CER_LINE),
    "wer": ("word error rate (WER)", WER),
    "lcs": ("longest common subsequence (LCS)", LCS),
}
"""What each figure of an `Evaluation` is called, and how it is measured."""

_CONFIDENCES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_MOST_LENGTHS = 12
_MOST_CONFUSIONS = 20


class Line(NamedTuple):
    """One image, as read.

    Attributes
    ----------
    name, reference, text : str
        Of the image, what it says, and what was read.
    confidence : float
        Of the reading.
    edits : int
        Characters to change, add or take away to make the reference of the text.
    image : numpy.ndarray
        (H, W) uint8, made smaller if it was large.
    """

    name: str
    reference: str
    text: str
    confidence: float
    edits: int
    image: np.ndarray


@dataclass(frozen=True)
class Confusion:
    """How often one character was read as another; '' stands for none."""

    reference: str
    read: str
    count: int

    def __str__(self) -> str:
        reference, read = visible(self.reference), visible(self.read)
        if not self.read:
            return f"{reference} missed"
        return f"{reference} read as {read}" if self.reference else f"{read} added"


@dataclass(frozen=True)
class Group:
    """Images whose lengths or confidences are from `low` to `high`."""

    low: float
    high: float
    count: int
    exact_match: float
    cer: float


@dataclass(frozen=True)
class Evaluation:
    """What `Evaluator` found.

    Attributes
    ----------
    figures : dict of str to float
        By their names in `FIGURES`, as fractions.
    scores : numpy.ndarray
        (figures, 2) float64: what each is the quotient of, so that those of several sets can be added up.
    count, skipped : int
        Images that were read, and those that could not be.
    confusions : list of Confusion
        The most frequent first; those as frequent in the order of their characters.
    by_length : list of Group
        Of the images whose references have so many characters.
    by_confidence : list of Group
        Of the images read with a confidence from `low` to less than `high`; the last has those of 1 too.
    worst : list of Line
        Those with errors that have most edits for the length of the longer text; of these, first the one of the
        lower confidence, then the one that came earlier.
    """

    figures: Dict[str, float]
    scores: np.ndarray
    count: int
    skipped: int
    confusions: List[Confusion]
    by_length: List[Group]
    by_confidence: List[Group]
    worst: List[Line]

    def as_json(self) -> Dict[str, Any]:
        """Return what JSON can say of it; a rate of errors over no characters at all is None."""
        return {
            **figures_as_json(self.figures, self.count, self.skipped),
            "confusions": [asdict(confusion) for confusion in self.confusions],
            "by_length": [_group_as_json(group) for group in self.by_length],
            "by_confidence": [_group_as_json(group) for group in self.by_confidence],
            "worst": [{key: value for key, value in line._asdict().items() if key != "image"} for line in self.worst],
        }

    def as_text(self) -> str:
        """Return a report for a terminal."""
        return "\n".join(_report(self))


class Evaluator:
    """Gathers readings batch by batch; of the images it keeps the worst alone.

    Parameters
    ----------
    num_worst : int
        How many of the worst lines to keep.
    equality : Equality
        When texts count as the same: all that is measured and told is of what counts of them.
    """

    def __init__(self, num_worst: int = 20, equality: Equality = EQUALITIES["exact"]) -> None:
        self._num_worst = num_worst
        self._key = equality.key
        self._references: List[str] = []
        self._texts: List[str] = []
        self._confidences: List[float] = []
        self._worst: List[Tuple[float, float, int, Line]] = []

    def add(self, name: str, reference: str, reading: Reading, image: np.ndarray) -> None:
        """Take one image in: its name, what it says, as it was read, and its pixels, (H, W) or (H, W, 3) uint8."""
        reference, text = self._key(reference), self._key(reading.text)
        self._references.append(reference)
        self._texts.append(text)
        self._confidences.append(reading.confidence)
        if reference == text:
            return
        rate, _ = CER_LINE.score(reference, text)
        edits = Levenshtein.distance(reference, text)
        line = Line(name, reference, text, reading.confidence, edits, thumbnail(image))
        heapq.heappush(self._worst, (rate, -reading.confidence, -len(self._texts), line))
        if len(self._worst) > self._num_worst:
            heapq.heappop(self._worst)

    def evaluation(self, skipped: int = 0) -> Evaluation:
        """Return what was found.

        Parameters
        ----------
        skipped : int
            Images that could not be read.

        Raises
        ------
        ValueError
            If none was read.
        """
        measures = [measure for _, measure in FIGURES.values()]
        totals = scores(self._references, self._texts, measures)
        measured = rates(totals, measures)
        step = length_step(max(map(len, self._references)))
        lengths = [len(reference) // step * step for reference in self._references]
        bins = [_confidence_bin(confidence) for confidence in self._confidences]
        return Evaluation(
            figures={name: measured[measure.name] for name, (_, measure) in FIGURES.items()},
            scores=totals,
            count=len(self._texts),
            skipped=skipped,
            confusions=confusions(self._references, self._texts),
            by_length=self._groups([(low, low + step - 1) for low in lengths]),
            by_confidence=self._groups(bins),
            worst=[line for *_, line in sorted(self._worst, reverse=True)],
        )

    def _groups(self, ranges: List[Tuple[Any, Any]]) -> List[Group]:
        members: DefaultDict[Tuple[Any, Any], Tuple[List[str], List[str]]] = defaultdict(lambda: ([], []))
        for limits, reference, text in zip(ranges, self._references, self._texts):
            references, texts = members[limits]
            references.append(reference)
            texts.append(text)
        groups = []
        for (low, high), (references, texts) in sorted(members.items()):
            figures = evaluate(references, texts, [EXACT, CER])
            groups.append(Group(low, high, len(texts), figures[EXACT.name], figures[CER.name]))
        return groups


def figures_as_json(figures: Dict[str, float], count: int, skipped: int) -> Dict[str, Any]:
    """Return figures and numbers of images as JSON can say them."""
    return {**{name: _finite(figure) for name, figure in figures.items()}, "count": count, "skipped": skipped}


def confusions(references: List[str], texts: List[str]) -> List[Confusion]:
    """Count which characters were read as which, by the fewest edits that make a reference into what was read."""
    counts: Counter[Tuple[str, str]] = Counter()
    for reference, text in zip(references, texts):
        for edit in Levenshtein.editops(reference, text):
            missed = "" if edit.tag == "insert" else reference[edit.src_pos]
            found = "" if edit.tag == "delete" else text[edit.dest_pos]
            counts[missed, found] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Confusion(reference, read, number) for (reference, read), number in ordered]


def length_step(longest: int) -> int:
    """Return how many lengths to put into one group, so that there are few: 1, 2 or 5 times a power of ten."""
    return next(
        step
        for power in count()
        for step in (10**power, 2 * 10**power, 5 * 10**power)
        if longest < _MOST_LENGTHS * step
    )


def visible(character: str) -> str:
    """Show a character that stands alone: a space as a sign, a mark on a circle, what has no shape as its number."""
    if not character:
        return "nothing"
    if character == " ":
        return "␣"
    kind = unicodedata.category(character)[0]
    if kind == "M":
        return f"◌{character}"
    return f"U+{ord(character):04X}" if kind in "CZ" else character


def range_of(group: Group) -> str:
    """Return the lengths or confidences of a group in words."""
    return f"{group.low:g}" if group.low == group.high else f"{group.low:g}–{group.high:g}"


def _confidence_bin(confidence: float) -> Tuple[float, float]:
    index = min(bisect_right(_CONFIDENCES, confidence), len(_CONFIDENCES) - 1)
    return _CONFIDENCES[index - 1], _CONFIDENCES[index]


def _finite(figure: float) -> Any:
    return figure if math.isfinite(figure) else None


def _group_as_json(group: Group) -> Dict[str, Any]:
    rest = {"count": group.count, "exact_match": group.exact_match, "cer": _finite(group.cer)}
    return {"from": group.low, "to": group.high, **rest}


def _report(found: Evaluation) -> Iterator[str]:
    yield f"{found.count} images read, {found.skipped} skipped"
    yield ""
    for name, (label, _) in FIGURES.items():
        yield f"{label:50}{found.figures[name]:9.2%}"
    for label, groups in (("length", found.by_length), ("confidence", found.by_confidence)):
        yield f"\n{label:20}{'images':>12}{'exact match':>15}{'CER':>12}"
        for group in groups:
            yield f"{range_of(group):20}{group.count:12}{group.exact_match:15.2%}{group.cer:12.2%}"
    if found.confusions:
        yield "\nmost frequent errors"
        yield from (f"{confusion.count:8}  {confusion}" for confusion in found.confusions[:_MOST_CONFUSIONS])
        if len(found.confusions) > _MOST_CONFUSIONS:
            yield f"          and {len(found.confusions) - _MOST_CONFUSIONS} other kinds"
    if found.worst:
        yield "\nworst lines"
    for line in found.worst:
        yield f"  {line.name}: edits {line.edits}, confidence {line.confidence:.4f}"
        yield f"    text  {line.reference}"
        yield f"    read  {line.text}"
