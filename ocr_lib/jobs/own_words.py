"""Words that single images may say, as a recognizer is to choose from them."""

import logging
from typing import Dict, List, Sequence, Tuple

from ocr_lib.alphabet import Alphabet
from ocr_lib.recognize.equal_texts import Equality

logger = logging.getLogger(__name__)


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
        self._written: Dict[str, Tuple[str, ...]] = {}
        self._without_text = 0

    def of(self, text: str, lexicon: Sequence[str]) -> List[str]:
        """Return the texts that an image may be read as, which says a text and has a lexicon."""
        key = self._equality.key
        self._without_text += key(text) not in map(key, lexicon)
        return list(dict.fromkeys(spelling for word in lexicon for spelling in self._spellings(word)))

    def tell(self) -> None:
        """Warn of what made reading harder, or easier, than it should be."""
        if self._without_text:
            logger.warning("%d images say what their lexicons do not have: these count as errors", self._without_text)
        unwritten = [word for word, spellings in self._written.items() if not spellings]
        if unwritten:
            logger.warning(
                "%d words of the lexicons have characters that the alphabet lacks, as %r: these are never read",
                *(len(unwritten), unwritten[0]),
            )

    def _spellings(self, word: str) -> Tuple[str, ...]:
        if word not in self._written:
            spellings = {self._alphabet.writing(spelling): None for spelling in self._equality.spellings(word)}
            self._written[word] = tuple(text for text in spellings if text == self._alphabet.known(text))
        return self._written[word]
