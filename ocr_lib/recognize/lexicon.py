"""Lexicons: lists of the texts that can occur."""

from pathlib import Path
from typing import List

from ocr_lib.alphabet import Alphabet
from ocr_lib.encoding import decode_text, split_lines
from ocr_lib.errors import OCRError, naming
from ocr_lib.recognize.automaton import Automaton, trie


def read_words(path: Path) -> List[str]:
    """Read the lines of a lexicon, empty ones included.

    Raises
    ------
    OCRError
        If it can't be read.
    """
    with naming(f"the lexicon {path}"):
        return split_lines(decode_text(path.read_bytes()))


def load_lexicon(path: Path, alphabet: Alphabet) -> Automaton:
    """Read a lexicon: a text file, one word a line.

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
    words: List[List[int]] = []
    for number, line in enumerate(read_words(path), start=1):
        try:
            ids = alphabet.encode(line)
        except OCRError as error:
            raise OCRError(f"the lexicon {path}, line {number}: {error}") from error
        if ids:
            words.append(ids)
    if not words:
        raise OCRError(f"the lexicon {path} has no word")
    return trie(words)
