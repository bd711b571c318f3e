"""What one would want to know of labelled images before a network is trained on them."""

import logging
import re
from collections import Counter
from itertools import chain
from typing import Callable, Dict, List, NamedTuple, Sequence, Set, Tuple

import numpy as np

from ocr_lib.feed.data import Seen
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.sets.labelled import Dataset
from ocr_lib.writing import is_invisible, name_of

logger = logging.getLogger(__name__)

RARE = 5
_FEW_SHOWN = 3
_MANY_SHOWN = 40
_EXAMPLES = 12
_FEWEST = 10  # samples from which on their labels as a whole say something
_NEARLY_ALL = 0.95
_HASH = re.compile(r"(?:.*[^0-9a-z])?(?:[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_FAINT = 8.0  # grey levels of contrast: less is hard to see


class Sample(NamedTuple):
    """A labelled image of a data set."""

    dataset: Dataset
    number: int

    @property
    def name(self) -> str:
        """Where it is."""
        return self.dataset.where(self.number)

    @property
    def text(self) -> str:
        """What it says."""
        return self.dataset.item(self.number).text


class Finding(NamedTuple):
    """Something that is strange about samples.

    Attributes
    ----------
    kind : str
        In a word or two.
    message : str
        How many samples it is about, which, what becomes of them, and what there is to do: one line.
    samples : list of Sample
        Some of them.
    """

    kind: str
    message: str
    samples: List[Sample]

    @property
    def sentence(self) -> str:
        """The message with a capital first."""
        return self.message[0].upper() + self.message[1:]


class Inspection(NamedTuple):
    """What there is to know of the samples of a run.

    Attributes
    ----------
    sizes : dict of (int, int) to int
        How many images there are of each width and height, in pixels.
    lengths : dict of int to int
        How many texts of each length.
    characters : dict of str to int
        How often each occurs, in the order of code points.
    examples : list of Sample
        From the beginning to the end of the data set.
    findings : list of Finding
        The worst first.
    """

    sizes: Dict[Tuple[int, int], int]
    lengths: Dict[int, int]
    characters: Dict[str, int]
    examples: List[Sample]
    findings: List[Finding]

    def overview(self, most: int = _MANY_SHOWN) -> List[str]:
        """Return what samples are like: of what sizes, how long, of which characters; a line each.

        Parameters
        ----------
        most : int
            Characters to show; of more only the most frequent and the rarest.
        """
        widths, heights = (sorted({size[axis] for size in self.sizes}) for axis in (0, 1))
        texts = ", ".join(repr(sample.text) for sample in self.examples[:_FEW_SHOWN])
        return [
            f"Images {_range(widths)} wide and {_range(heights)} high, in pixels",
            f"Texts of {_range(sorted(self.lengths))} characters, as {texts}",
            f"{len(self.characters)} characters: {self._counts(most)}",
        ]

    def tell(self) -> None:
        """Log what samples are like, and warn of what was found."""
        for line in self.overview():
            logger.info("%s", line)
        for finding in self.findings:
            logger.warning("%s", finding.sentence)

    def _counts(self, most: int) -> str:
        counts = list(self.characters.items())
        if len(counts) <= most:
            return _counted(counts)
        frequent = sorted(counts, key=lambda pair: -pair[1])
        return f"{_counted(frequent[: most // 2])} ... {_counted(frequent[-(most - most // 2) :])}"


class _Samples:
    """All samples of a run in one row: those to train on, then those to validate on."""

    def __init__(self, seen: Seen) -> None:
        self.surveys = seen.train, seen.validation
        self.texts = [text for survey in self.surveys for text in survey.texts()]
        self.columns = np.concatenate([survey.columns for survey in self.surveys])
        self.num_train = len(seen.train.indices)
        self.characters = Counter("".join(self.texts))
        self.same_images = self._same_images()

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, place: int) -> Sample:
        train, validation = self.surveys
        survey, own = (train, place) if place < self.num_train else (validation, place - self.num_train)
        return Sample(survey.dataset, int(survey.indices[own]))

    def some(self, places: Sequence[int]) -> List[Sample]:
        """Return a few of the samples at these places."""
        return [self[place] for place in places[:_EXAMPLES]]

    def spread(self) -> List[Sample]:
        """Return a few samples from the first to the last."""
        return [self[int(place)] for place in np.unique(np.linspace(0, len(self) - 1, _EXAMPLES).astype(int))]

    def _same_images(self) -> List[List[int]]:
        """Return the places of images that are the same, for each that is there more than once, in order."""
        digests = self.columns["digest"]
        order = np.argsort(digests, kind="stable")
        starts = np.flatnonzero(np.diff(digests[order], prepend=digests[order[:1]] + 1))
        return sorted(group.tolist() for group in np.split(order, starts[1:]) if len(group) > 1)


def inspect(seen: Seen, recipe: Recipe) -> Inspection:
    """Inspect the samples of a run.

    Parameters
    ----------
    seen : Seen
    recipe : Recipe
        They are to be trained with.
    """
    samples = _Samples(seen)
    sizes = Counter(zip(samples.columns["width"].tolist(), samples.columns["height"].tolist()))
    found = [find(samples) for find in (_two_labels, _shared, _odd_labels, _invisible, _either_case, _rare, _copies)]
    if recipe.image.channels == 1 and recipe.image.ground == "keep":
        found.insert(1, _pale(samples))
    if seen.repeated:
        repeated = [Sample(seen.train.dataset, index) for index in seen.repeated]
        message = f"{_images(len(repeated))} held out {_are(repeated)} trained on as well: not validated on"
        found.insert(1, [Finding("held out twice", message, repeated[:_EXAMPLES])])
    return Inspection(
        dict(sizes),
        dict(sorted(Counter(map(len, samples.texts)).items())),
        dict(sorted(samples.characters.items())),
        samples.spread(),
        [finding for findings in found for finding in findings],
    )


def _two_labels(samples: _Samples) -> List[Finding]:
    places = [group for group in samples.same_images if len({samples.texts[place] for place in group}) > 1]
    if not places:
        return []
    first, second = (samples[place] for place in _differing(samples, places[0]))
    message = (
        f"{_images(len(places))} {_are(places)} there with several labels, as {first.name} {first.text!r} and "
        f"{second.name} {second.text!r}: trained on with each, so correct them"
    )
    return [Finding("several labels", message, samples.some(list(chain.from_iterable(places))))]


def _differing(samples: _Samples, group: List[int]) -> Tuple[int, int]:
    return group[0], next(place for place in group if samples.texts[place] != samples.texts[group[0]])


def _shared(samples: _Samples) -> List[Finding]:
    places = [
        place
        for group in samples.same_images
        if group[0] < samples.num_train  # places are in order
        for place in group
        if place >= samples.num_train
    ]
    if not places:
        return []
    known = f"{_images(len(places))} to validate on {_are(places)} trained on as well"
    message = f"{known}, as {samples[places[0]].name}: figures will look better than they are"
    return [Finding("in both sets", message, samples.some(places))]


def _copies(samples: _Samples) -> List[Finding]:
    places: List[int] = []
    for group in samples.same_images:
        seen: Set[str] = set()
        for place in group:
            if samples.texts[place] in seen and (place < samples.num_train) == (group[0] < samples.num_train):
                places.append(place)
            seen.add(samples.texts[place])
    if not places:
        return []
    message = f"{_images(len(places))} {_are(places)} there already with the same label, as {samples[places[0]].name}"
    return [Finding("copies", f"{message}: such weigh more", samples.some(places))]


def _pale(samples: _Samples) -> List[Finding]:
    grey, hidden = samples.columns["grey"], samples.columns["hidden"]
    places = np.flatnonzero((grey < _FAINT) & (hidden > grey))
    worst: List[int] = places[np.argsort(grey[places], kind="stable")].tolist()
    if not worst:
        return []
    message = (
        f"{_images(len(worst))} {_have(worst)} hardly any contrast in grey, as {samples[worst[0]].name}: "
        "--set image.channels=3 reads colours"
    )
    return [Finding("contrast in colour", message, samples.some(worst))]


def _odd_labels(samples: _Samples) -> List[Finding]:
    texts = samples.texts
    if len(texts) < _FEWEST:
        return []
    for is_so, what in _ODD.items():
        if is_so(texts):
            shown = ", ".join(repr(sample.text) for sample in samples.spread()[:_FEW_SHOWN])
            message = f"labels are {what}, as {shown}: if that is not what images say, give --label-pattern or a list"
            return [Finding("labels", message, samples.spread())]
    return []


def _all_equal(texts: Sequence[str]) -> bool:
    return len(set(texts)) == 1


def _in_order(texts: Sequence[str]) -> bool:
    """Tell whether texts are nearly all numbers of a range, each once."""
    numbers = {int(text) for text in texts if text.isdecimal()}
    if len(numbers) < _NEARLY_ALL * len(texts):
        return False
    return len(numbers) >= _NEARLY_ALL * (max(numbers) - min(numbers) + 1)


def _hashes(texts: Sequence[str]) -> bool:
    return sum(bool(_HASH.fullmatch(text)) for text in texts) >= _NEARLY_ALL * len(texts)


_ODD: Dict[Callable[[Sequence[str]], bool], str] = {
    _all_equal: "all the same",
    _in_order: "numbers in order, each once",
    _hashes: "hexadecimal numbers, or end in such",
}


def _invisible(samples: _Samples) -> List[Finding]:
    places = [place for place, text in enumerate(samples.texts) if not text.isascii() and any(map(is_invisible, text))]
    if not places:
        return []
    lines = Counter(c for place in places for c in set(samples.texts[place]) if is_invisible(c))
    told = ", ".join(f"{name_of(character)} in {lines[character]}" for character in sorted(lines))
    message = f"labels have characters without a shape: {told}: text.invisible=drop leaves them out"
    return [Finding("without a shape", message, samples.some(places))]


def _either_case(samples: _Samples) -> List[Finding]:
    """Labels of small letters alone, and others of capitals alone: nobody minded the case."""
    lower, upper = ([p for p, text in enumerate(samples.texts) if is_so(text)] for is_so in (str.islower, str.isupper))
    rarer = min(lower, upper, key=len)
    cased = sum(text.lower() != text.upper() for text in samples.texts)
    if cased < _FEWEST or len(lower) + len(upper) < _NEARLY_ALL * cased or len(rarer) < (1 - _NEARLY_ALL) * cased:
        return []
    if max(len(samples.texts[place]) for place in rarer) == 1:
        return []
    counts = f"{len(upper)} labels are in capitals and {len(lower)} in small letters"
    message = f"{counts}: text.case=lower or upper makes them one"
    return [Finding("case", message, samples.some(rarer))]


def _rare(samples: _Samples) -> List[Finding]:
    counts = samples.characters
    rare = sorted((character for character in counts if counts[character] < RARE), key=lambda c: (counts[c], c))
    if not rare:
        return []
    told = _counted([(character, counts[character]) for character in rare[:_MANY_SHOWN]])
    others = f" and {len(rare) - _MANY_SHOWN} others" if len(rare) > _MANY_SHOWN else ""
    places = [place for place, text in enumerate(samples.texts) if not set(rare).isdisjoint(text)]
    message = f"characters that occur fewer than {RARE} times: {told}{others}: too seldom to be learned well"
    return [Finding("rare", message, samples.some(places))]


def _counted(counts: Sequence[Tuple[str, int]]) -> str:
    return ", ".join(f"{shown(character)} {count:,}" for character, count in counts)


def shown(character: str) -> str:
    """Return how lists of characters show one: those without a shape of their own by name."""
    return name_of(character) if is_invisible(character) or character.isspace() else character


def _range(values: Sequence[int]) -> str:
    return f"{values[0]}" if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count > 1)}"


def _are(those: Sequence[object]) -> str:
    return "are" if len(those) > 1 else "is"


def _have(those: Sequence[object]) -> str:
    return "have" if len(those) > 1 else "has"
