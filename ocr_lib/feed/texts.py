"""Texts that are drawn, as pure functions of (recipe, split, seed, index)."""

from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Sequence, Set

import numpy as np

from ocr_lib.alphabet import SETS, Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.feed.corpora import CorpusTexts, Texts, WordTexts, read_words
from ocr_lib.recipe.sources import Corpus, Pattern, Source, Uniform, Words
from ocr_lib.recipe.text import TextRecipe
from ocr_lib.recognize.sampling import Sampler

if TYPE_CHECKING:
    from ocr_lib.recognize.automaton import Automaton

SPLITS = ("train", "validation", "test", "files")

# Random numbers are Philox's, whose keys are (seed, what for).
_TEXTS = 2**62
_LENGTHS = 2**61
_MARKS_BEHIND = ".,;:!?%"
_PAIRS = ("()", "[]", '""', "''", "\u201c\u201d", "\u2018\u2019", "\u00ab\u00bb")


def draw_texts(recipe: TextRecipe, draws: np.ndarray) -> List[str]:
    """Draw texts of the alphabet: the length of each, uniform, then each character.

    As in labels, white space is neither at their ends nor repeated, where nobody would see it.

    Parameters
    ----------
    recipe : TextRecipe
    draws : numpy.ndarray
        (N, 1 + max_length) in [0, 1).
    """
    lengths = recipe.min_length + (draws[:, 0] * (recipe.max_length - recipe.min_length + 1)).astype(int)
    if any(map(str.isspace, recipe.alphabet)):
        return [_spaced(recipe.alphabet, row[:n]) for row, n in zip(draws[:, 1:].tolist(), lengths.tolist())]
    codes = (draws[:, 1:] * len(recipe.alphabet)).astype(int)
    return ["".join(recipe.alphabet[code] for code in row[:n]) for row, n in zip(codes.tolist(), lengths.tolist())]


def _spaced(alphabet: str, draws: List[float]) -> str:
    ink = "".join(alphabet.split())
    text = ""
    for place, draw in enumerate(draws):
        may_be_space = 0 < place < len(draws) - 1 and not text[-1].isspace()
        choice = alphabet if may_be_space else ink
        text += choice[int(draw * len(choice))]
    return text


class SourcedTexts:
    """The texts of a recipe that has sources.

    Parameters
    ----------
    recipe : TextRecipe
        With at least one source.
    seed : int
    can_draw : callable, optional
        Whether a text can be drawn; words that can't are left out.
    run : int
        So many consecutive texts of running text have about one length, so that their images, of any width, need
        little padding.

    Attributes
    ----------
    left_out : dict of str to int
        Of each file with such words, how many are left out: they have characters that the alphabet lacks or that can't
        be drawn, or too few or too many of them.

    Raises
    ------
    OCRError
        If a file can't be read, or a source has no text of these characters and lengths.
    """

    def __init__(
        self, recipe: TextRecipe, seed: int, can_draw: Optional[Callable[[str], bool]] = None, run: int = 1
    ) -> None:
        self._recipe, self._seed, self._run = recipe, seed, run
        self._known = frozenset(recipe.alphabet)
        self._can_draw = can_draw or (lambda text: True)
        self.left_out: Dict[str, int] = {}
        self._sources = [self._opened(source) for source in recipe.sources]
        weights = np.array([source.weight for source in recipe.sources])
        self._shares = np.cumsum(weights / weights.sum())
        self._marks = [mark for mark in _MARKS_BEHIND if mark in self._known]
        self._pairs = [pair for pair in _PAIRS if set(pair) <= self._known]

    def __call__(self, split: str, indices: Sequence[int]) -> List[str]:
        """Return the texts of a split with these indices."""
        return [self._draw(SPLITS.index(split), index) for index in indices]

    def _draw(self, split: int, index: int) -> str:
        random = _random(self._seed, _TEXTS + split, index)
        of_length = random if self._run == 1 else _random(self._seed, _LENGTHS + split, index // self._run)
        length = float(of_length.random())
        number = int(np.searchsorted(self._shares[:-1], random.random(), side="right"))
        text = self._sources[number].draw(random, length)
        if isinstance(self._recipe.sources[number], (Words, Corpus)):
            is_recased, is_marked = (random.random(2) < (self._recipe.casing, self._recipe.punctuation)).tolist()
            text = self._kept(text, _recased(text, random)) if is_recased else text
            text = self._kept(text, self._marked(text, random)) if is_marked else text
        return text

    def _marked(self, text: str, random: np.random.Generator) -> str:
        """Put a mark behind a word, or a pair around it."""
        words = text.split(" ")
        place = int(random.integers(len(words)))
        kinds: List[Sequence[str]] = [kind for kind in (self._marks, self._pairs) if kind]
        if kinds:
            marks = kinds[int(random.integers(len(kinds)))]
            mark = marks[int(random.integers(len(marks)))]
            words[place] = f"{mark[0]}{words[place]}{mark[1]}" if len(mark) > 1 else words[place] + mark
        return " ".join(words)

    def _kept(self, text: str, changed: str) -> str:
        return changed if self._is_usable(changed) else text

    def _is_usable(self, text: str) -> bool:
        written = self._recipe.writing(text)
        recipe = self._recipe
        is_known = self._known.issuperset(written) and recipe.min_length <= len(written) <= recipe.max_length
        return is_known and self._can_draw(text)

    def _opened(self, source: Source) -> Texts:
        recipe = self._recipe
        if isinstance(source, Words):
            words = read_words(source.file)
            usable = [word for word in words if self._is_usable(word)]
            self._check(source.file, len(words), usable)
            return WordTexts(usable, recipe.rare)
        if isinstance(source, Corpus):
            return self._opened_corpus(source.file)
        if isinstance(source, Pattern):
            return _PatternTexts(source.pattern, recipe)
        return _UniformTexts(recipe)

    def _opened_corpus(self, file: str) -> Texts:
        recipe = self._recipe
        words = [word for line in read_words(file) for word in line.split()]
        longest, writing = recipe.max_length, recipe.writing
        usable = {
            word: self._known.issuperset(writing(word)) and len(word) <= longest and self._can_draw(word)
            for word in set(words)
        }
        kept = [word for word in words if usable[word]]
        self._check(file, len(words), kept)
        longest_line = longest if " " in self._known else 1
        return CorpusTexts(kept, min(recipe.min_length, longest_line), longest_line, recipe.rare)

    def _check(self, file: str, count: int, usable: Sequence[str]) -> None:
        if not usable:
            recipe = self._recipe
            raise OCRError(
                f"{file}: none of its {count} words is of the alphabet, can be drawn, and has "
                f"{recipe.min_length} to {recipe.max_length} characters (text.min_length, text.max_length)"
            )
        if len(usable) < count:
            self.left_out[file] = count - len(usable)


class _UniformTexts:
    def __init__(self, recipe: TextRecipe) -> None:
        self._recipe = recipe

    def draw(self, random: np.random.Generator, length: float) -> str:
        numbers = random.random((1, 1 + self._recipe.max_length))
        numbers[0, 0] = length
        return draw_texts(self._recipe, numbers)[0]


class _PatternTexts:
    def __init__(self, pattern: str, recipe: TextRecipe) -> None:
        self._alphabet = Alphabet(recipe.alphabet)
        self._draw = Sampler(_automaton(pattern, self._alphabet), recipe.min_length, recipe.max_length)

    def draw(self, random: np.random.Generator, length: float) -> str:
        return self._alphabet.decode(self._draw(random))


def _automaton(pattern: str, alphabet: Alphabet) -> "Automaton":
    from ocr_lib.recognize.pattern import compile_pattern  # loads compiled code, for those that have patterns

    return compile_pattern(pattern, alphabet)


def source_characters(recipe: TextRecipe) -> str:
    """Return the characters that sources may draw, as labels write them, in the order of their code points.

    Uniform texts have the recipe's alphabet, patterns printable ASCII as far as they match it.

    Raises
    ------
    OCRError
        If a file can't be read, or a pattern is none.
    """
    characters: Set[str] = set()
    for source in recipe.sources:
        if isinstance(source, (Words, Corpus)):
            characters.update("".join(recipe.writing(word) for word in read_words(source.file)))
        elif isinstance(source, Pattern):
            characters.update(recipe.writing(each) for each in _characters(source.pattern, SETS["ascii"]))
        else:
            characters.update(recipe.alphabet)
    return "".join(sorted(characters))


def free_characters(recipe: TextRecipe) -> str:
    """Return the characters of the alphabet that are drawn whatever words there are: by chance, or by a pattern."""
    if not recipe.sources or any(isinstance(source, Uniform) for source in recipe.sources):
        return recipe.alphabet
    patterns = (source.pattern for source in recipe.sources if isinstance(source, Pattern))
    return "".join(_characters(pattern, recipe.alphabet) for pattern in patterns)


def _characters(pattern: str, alphabet: str) -> str:
    """Return the characters of an alphabet that texts of a pattern have."""
    labels = _automaton(pattern, Alphabet(alphabet)).labels
    return "".join(alphabet[label - 1] for label in np.unique(labels).tolist())


def drawn_characters(recipe: TextRecipe) -> str:
    """Return the characters that texts may have as they are drawn: the alphabet's, in each case if labels have one.

    Raises
    ------
    OCRError
        If a file can't be read.
    """
    characters = set(recipe.alphabet)
    if recipe.case != "keep":
        characters.update(recipe.alphabet.upper(), recipe.alphabet.lower())
    for source in recipe.sources:
        if isinstance(source, (Words, Corpus)):
            drawn = set("".join(read_words(source.file)))
            characters.update(each for each in drawn if recipe.writing(each) in recipe.alphabet)
    return "".join(sorted(characters))


def _recased(text: str, random: np.random.Generator) -> str:
    change: Callable[[str], str] = (str.upper, str.lower, str.capitalize)[int(random.integers(3))]
    return " ".join(map(change, text.split(" ")))


def _random(seed: int, what: int, index: int) -> np.random.Generator:
    # Philox counts blocks of numbers: each index has 2**64 of them for itself.
    return np.random.Generator(np.random.Philox(key=[seed, what], counter=[0, index, 0, 0]))
