"""From what a network saw in an image to what a request wished to know of it."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import numpy as np

from ocr_lib.alphabet import BLANK, Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.recognize.reading import readings
from ocr_lib.serve.batching import Seen
from ocr_lib.serve.settings import Wish

if TYPE_CHECKING:
    from ocr_lib.recognize.automaton import Automaton

_LEAST_SHOWN = 0.005  # of a class's probability, somewhere, to be in a lattice


def prepare() -> None:
    """Load the compiled code of the functions below, which takes a second: no service need start with that."""
    import ocr_lib.recognize.alternatives
    import ocr_lib.recognize.pattern  # noqa: F401


@lru_cache(maxsize=64)
def automaton_of(alphabet: Alphabet, pattern: Optional[str], lexicon: Tuple[str, ...]) -> Optional["Automaton"]:
    """Return the texts that a request allows; None if it allows all.

    Raises
    ------
    OCRError
        If it gives both, the pattern is wrong, or a word has a character that the alphabet lacks.
    """
    from ocr_lib.recognize.automaton import trie
    from ocr_lib.recognize.pattern import compile_pattern

    if pattern is not None and lexicon:
        raise OCRError("a pattern and a lexicon can't be combined")
    if pattern is not None:
        return compile_pattern(pattern, alphabet)
    words = [alphabet.encode(word) for word in lexicon]
    if not all(words):
        raise OCRError("a word of the lexicon is empty")
    return trie(words) if words else None


def answer(seen: Seen, alphabet: Alphabet, wish: Wish, automaton: Optional["Automaton"]) -> Dict[str, Any]:
    """Return what is said of an image, as `ReadingAnswer` describes it.

    Parameters
    ----------
    seen : Seen
        As read greedily.
    alphabet : Alphabet
    wish : Wish
    automaton : Automaton, optional
        Of the texts that the wish allows.
    """
    reading = seen.reading
    others = []
    if automaton is not None or wish.alternatives:
        from ocr_lib.recognize.alternatives import alternatives

        others = alternatives(reading.probabilities, alphabet, max(1, wish.alternatives), automaton)
        best = alphabet.encode(others[0].text) if others else None
        (reading,) = readings(reading.probabilities[:, None], alphabet, lambda _: [best], [seen.width])
    answered = reading.as_json()
    if wish.alternatives:
        answered["alternatives"] = [
            {"text": each.text, "confidence": round(each.confidence, 6)} for each in others[: wish.alternatives]
        ]
    if wish.lattice:
        answered["lattice"] = _lattice(reading.probabilities, alphabet, seen.width)
    return answered


def _lattice(probabilities: np.ndarray, alphabet: Alphabet, width: int) -> Dict[str, Any]:
    shown = np.flatnonzero(probabilities.max(axis=0) >= _LEAST_SHOWN)
    shown = np.union1d(shown, [BLANK])
    kept = probabilities[:, shown]  # (T, shown)
    return {
        "classes": ["" if index == BLANK else alphabet.characters[index - 1] for index in shown],
        "probabilities": np.round(kept.astype(np.float64), 4).tolist(),
        "path": kept.argmax(axis=1).tolist(),
        "width": int(width),
    }
