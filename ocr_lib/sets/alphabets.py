"""Alphabets as the user gives them: the name of a set, or a text file."""

import re
import unicodedata
from pathlib import Path

from ocr_lib.alphabet import SETS
from ocr_lib.errors import OCRError, naming
from ocr_lib.sets.labelled import clean_label


def find_alphabet(name: str) -> str:
    """Return the characters of a set, or those of a UTF-8 file, each once and in the order in which they first come.

    A file's characters are brought to NFC, and its white space counts, as in labels: not at the ends of lines, and any
    run of it as one space.

    Parameters
    ----------
    name : str
        One of `ocr_lib.alphabet.SETS`, or a path.

    Raises
    ------
    OCRError
        If it is neither, or the file has no characters, is not UTF-8, or has a control character.
    """
    return SETS[name] if name in SETS else _read(Path(name))


def _read(path: Path) -> str:
    if not path.exists():
        raise OCRError(f"--alphabet {path}: no such file, nor one of the sets {', '.join(SETS)}")
    with naming(path):
        data = path.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise OCRError(f"line {line} is not UTF-8; save the file in that encoding") from error
        lines = re.split(r"\r\n|\r|\n", text)
        characters = "".join(_characters(line, number) for number, line in enumerate(lines, start=1))
        if not characters:
            raise OCRError("the file has no characters; give it those of the alphabet")
    return "".join(dict.fromkeys(characters))


def _characters(line: str, number: int) -> str:
    for character in line:
        if unicodedata.category(character) == "Cc":
            raise OCRError(f"line {number} has the control character U+{ord(character):04X}; remove it")
    return clean_label(line) if line.strip() else ""
