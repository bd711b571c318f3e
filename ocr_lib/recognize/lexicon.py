"""Lexicons: lists of the texts that can occur."""

from pathlib import Path
from typing import List

from ocr_lib.alphabet import Alphabet
from ocr_lib.errors import OCRError
from ocr_lib.recognize.automaton import Automaton, trie


def load_lexicon(path: Path, alphabet: Alphabet) -> Automaton:
    """Read a lexicon: a text file in UTF-8, one word a line.

    A word may have spaces if the alphabet has. Empty lines do not count. Words are brought to NFC.

    Parameters
    ----------
    path : Path
    alphabet : Alphabet
        What the words are written in.

    Returns
    -------
    Automaton
        Of the words.

    Raises
    ------
    OCRError
        If the file can't be read or has no word, or a word has a character that the alphabet lacks.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise OCRError(f"the lexicon {path} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise OCRError(f"the lexicon {path} is no text in UTF-8") from error
    words: List[List[int]] = []
    for number, line in enumerate(lines, start=1):
        try:
            ids = alphabet.encode(line)
        except OCRError as error:
            raise OCRError(f"the lexicon {path}, line {number}: {error}") from error
        if ids:
            words.append(ids)
    if not words:
        raise OCRError(f"the lexicon {path} has no word")
    return trie(words)
