"""Texts out of files: one of many words, or a line cut out of running text."""

from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Protocol, Sequence, Tuple, Union

import numpy as np

from ocr_lib.encoding import decode_text, split_lines
from ocr_lib.errors import OCRError, naming
from ocr_lib.recipe.sources import Corpus, Words
from ocr_lib.sets.labelled import clean_label


class Texts(Protocol):
    """What gives texts."""

    def draw(self, random: np.random.Generator, length: float) -> str:
        """Return a text; the same state gives the same one.

        Parameters
        ----------
        random : numpy.random.Generator
        length : float
            In [0, 1): how long, from the shortest to the longest, where that is for us to say.
        """


def read_words(file: str) -> Tuple[str, ...]:
    """Return the lines of a text file that have something on them, as labels are brought to NFC and to single spaces.

    Raises
    ------
    OCRError
        If it can't be read, is neither UTF-8 nor UTF-16, or has none.
    """
    path = Path(file)
    with naming(f"texts {path}"):
        stat = path.stat()
        return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(4)
def _read(path: Path, changed: int, size: int) -> Tuple[str, ...]:
    """Read a file that was last changed then."""
    words = []
    for number, line in enumerate(split_lines(decode_text(path.read_bytes())), start=1):
        with naming(f"line {number}"):
            if line.strip():
                words.append(clean_label(line))
    if not words:
        raise OCRError("the file has no text; give it one a line")
    return tuple(words)


def find_source(file: str) -> Union[Words, Corpus]:
    """Return what a text file is a source of: running text if a line has several words, or else of words.

    Raises
    ------
    OCRError
        As `read_words` does.
    """
    return Corpus(file) if any(" " in line for line in read_words(file)) else Words(file)


class _Index:
    """Where each character occurs in a list of words."""

    def __init__(self, words: Sequence[str]) -> None:
        places: Dict[str, List[int]] = {}
        for place, word in enumerate(words):
            for character in set(word):
                places.setdefault(character, []).append(place)
        self._places = [np.array(places[character], np.int32) for character in sorted(places)]

    def draw(self, random: np.random.Generator) -> int:
        """Draw a character, and then one of the words that have it."""
        places = self._places[int(random.integers(len(self._places)))]
        return int(places[int(random.integers(len(places)))])


class WordTexts:
    """One of many words.

    Parameters
    ----------
    words : sequence of str
    rare : float
        Share of those that are looked up by a character.
    """

    def __init__(self, words: Sequence[str], rare: float) -> None:
        self._words = words
        self._rare = rare
        self._index = _Index(words) if rare else None

    def draw(self, random: np.random.Generator, length: float) -> str:
        """Draw one; see `Texts`."""
        if self._index and random.random() < self._rare:
            return self._words[self._index.draw(random)]
        return self._words[int(random.integers(len(self._words)))]


class CorpusTexts:
    """A line of running text, from the beginning of a word to the end of one.

    Parameters
    ----------
    words : sequence of str
        In their order, each of at most `max_length` characters, or one of a word.
    min_length, max_length : int
        Characters of a line; where the next word is too long for it, a line ends before `min_length`.
    rare : float
        Share of the lines that are looked up by a character.
    """

    def __init__(self, words: Sequence[str], min_length: int, max_length: int, rare: float) -> None:
        self._text = " ".join(words)
        lengths = np.array([len(word) for word in words])
        self._ends = np.cumsum(lengths + 1) - 1
        self._starts = self._ends - lengths
        self._min_length, self._max_length = min_length, max_length
        self._rare = rare
        self._index = _Index(words) if rare else None

    def draw(self, random: np.random.Generator, length: float) -> str:
        """Draw one; see `Texts`."""
        wanted = self._min_length + int(length * (self._max_length - self._min_length + 1))
        if self._index and random.random() < self._rare:
            first = self._before(self._index.draw(random), wanted, random)
        else:
            first = int(random.integers(len(self._starts)))
        start = int(self._starts[first])
        if len(self._text) - start < self._min_length:  # at the end of the text, lines begin earlier
            latest = max(0, len(self._text) - self._min_length)
            first = int(np.searchsorted(self._starts, latest, side="right")) - 1
            start = int(self._starts[first])
        last = max(first, int(np.searchsorted(self._ends, start + wanted, side="right")) - 1)
        while last + 1 < len(self._ends) and self._ends[last] - start < self._min_length:
            if self._ends[last + 1] - start > self._max_length:
                break
            last += 1
        return self._text[start : int(self._ends[last])]

    def _before(self, word: int, wanted: int, random: np.random.Generator) -> int:
        """Return a word from which on a line of this length has a certain word."""
        room = max(0, wanted - int(self._ends[word] - self._starts[word]))
        earliest = int(self._starts[word]) - int(random.random() * (room + 1))
        return int(np.searchsorted(self._starts, max(0, earliest)))
