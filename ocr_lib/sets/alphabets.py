"""Alphabets as the user gives them: the name of a set, a text file, or the characters themselves."""

import os
import re
import unicodedata
from pathlib import Path

from ocr_lib.alphabet import SETS, Alphabet
from ocr_lib.encoding import decode_text, split_lines
from ocr_lib.errors import OCRError, naming
from ocr_lib.sets.labelled import clean_label

# The beginning of a path, or its parts or its suffix: ./signs, data/signs, signs.txt.
_PATH = re.compile(r"(\.{0,2}|~|[A-Za-z]:)[/\\]\w|.*\w[/\\.]\w", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_-]{3,}")


def find_alphabet(name: str) -> str:
    """Return the characters of a set, those of a text file, or those that are given themselves.

    A file's characters count once each, in the order in which they first come. They are brought to NFC, and white space
    counts, as in labels: not at the ends of lines, and any run of it as one space.

    Names and paths that are mistyped must not pass for characters. So what looks like a path, or has letters alone
    which are not in the order of their code points, is refused as characters.

    Parameters
    ----------
    name : str
        One of `ocr_lib.alphabet.SETS`, a path, or characters.

    Raises
    ------
    OCRError
        If it looks like a name or a path and there is none such; if the file has no characters, is neither UTF-8 nor
        UTF-16, or has a control character; or if the characters are no alphabet.
    """
    if name in SETS:
        return SETS[name]
    if name and os.path.exists(name):  # noqa: PTH110  (False, where Path.exists raises: characters may be no path)
        return _read(Path(name))
    is_word = _WORD.fullmatch(name) and list(name) != sorted(name)
    if is_word or _PATH.match(name):
        how = "in their order, as aeiou" if is_word else "with signs before letters and digits, as /.abc"
        raise OCRError(
            f"--alphabet {name}: no such file, nor one of the sets {', '.join(SETS)}; if these are the characters "
            f"themselves, give them {how}, or in a file"
        )
    return Alphabet(name).characters


def _read(path: Path) -> str:
    with naming(path):
        lines = split_lines(decode_text(path.read_bytes()))
        characters = "".join(_characters(line, number) for number, line in enumerate(lines, start=1))
        if not characters:
            raise OCRError("the file has no characters; give it those of the alphabet")
    return "".join(dict.fromkeys(characters))


def _characters(line: str, number: int) -> str:
    for character in line:
        if unicodedata.category(character) == "Cc":
            raise OCRError(f"line {number} has the control character U+{ord(character):04X}; remove it")
    return clean_label(line) if line.strip() else ""
