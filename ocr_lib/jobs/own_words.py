"""Words that single images may say, as a recognizer is to choose from them."""

import logging
from itertools import chain
from typing import Dict, List, NamedTuple, Sequence, Tuple

from ocr_lib.alphabet import Alphabet
from ocr_lib.recognize.equal_texts import Equality

logger = logging.getLogger(__name__)


class _Word(NamedTuple):
    key: str
    spellings: Tuple[str, ...]  # that the alphabet can write


class OwnWords:
    """Turns lexicons into texts that an alphabet can write, and keeps in mind what is wrong with them.

    Parameters
    ----------
    alphabet : Alphabet
    equality : Equality
        How readings will be compared: where it ignores case, a word may be read in any.
    """

    def __init__(self, alphabet: Alphabet, equality: Equality) -> None:
        self._alphabet = alphabet
        self._equality = equality
        self._words: Dict[str, _Word] = {}
        self._without_text = 0

    def of(self, text: str, lexicon: Sequence[str]) -> List[str]:
        """Return the texts that an image may be read as, which says a text and has a lexicon."""
        words = [self._word(word) for word in lexicon]
        self._without_text += self._equality.key(text) not in {word.key for word in words}
        return list(dict.fromkeys(chain.from_iterable(word.spellings for word in words)))

    def tell(self) -> None:
        """Warn of what made reading harder, or easier, than it should be."""
        if self._without_text:
            logger.warning("%d images say what their lexicons do not have: these count as errors", self._without_text)
        unwritten = [word for word, found in self._words.items() if not found.spellings]
        if unwritten:
            logger.warning(
                "%d words of the lexicons have characters that the alphabet lacks, as %r: these are never read",
                *(len(unwritten), unwritten[0]),
            )

    def _word(self, word: str) -> _Word:
        if word not in self._words:
            written = (self._alphabet.writing(spelling) for spelling in self._equality.spellings(word))
            spellings = tuple(text for text in written if text and text == self._alphabet.known(text))
            self._words[word] = _Word(self._equality.key(self._alphabet.writing(word)), spellings)
        return self._words[word]
