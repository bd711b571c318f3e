"""Lists of the IAM handwriting database (Marti and Bunke 2002): ``lines.txt``, ``sentences.txt`` and ``words.txt``."""

import re
from itertools import islice
from pathlib import Path
from typing import Iterator

from ocr_lib.encoding import lines
from ocr_lib.errors import OCRError
from ocr_lib.sets.lists import Row

SUFFIX = ".txt"
NAMES = ("lines.txt", "sentences.txt", "words.txt")
_LOOKED_AT = 100  # lines: those of comments come first
# What it is called, how well its words were parted, its grey level, components unless it is a word, rectangle, part of
# speech if it is one, and text.
_NAME = r"(?P<name>(?P<form>(?P<group>[a-z][0-9]{2})-[0-9]{3}[a-z]?)(?:-s[0-9]{2})?-[0-9]{2}"
_LINE = re.compile(rf"{_NAME})(?: [0-9]+)? (?:ok|err)(?: -?[0-9]+){{6}} (?P<text>.+)")
_WORD = re.compile(rf"{_NAME}-[0-9]{{2}}) (?P<status>ok|err)(?: -?[0-9]+){{5}} \S+ (?P<text>.+)")


def is_iam(path: Path) -> bool:
    """Whether a file is such a list."""
    try:
        said = (line for _, line in islice(lines(path), _LOOKED_AT) if line.strip() and not line.startswith("#"))
        first = next(said, "")
    except OCRError:
        return False
    return bool(_LINE.fullmatch(first) or _WORD.fullmatch(first))


def iam_rows(path: Path) -> Iterator[Row]:
    """Yield lines, sentences or words, but for words that the list says were cut out wrongly.

    Images are ``lines/a01/a01-000u/a01-000u-00.png`` beside the list or above it, without folders, or with the last of
    them.

    Raises
    ------
    OCRError
        If the file can't be read.
    """
    for number, line in lines(path):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line) or _WORD.fullmatch(line)
        if not match:
            yield Row(number, fault="not what is called so, where it is, and its text")
        elif match.groupdict().get("status") != "err":
            name = f"../{path.stem}/{match['group']}/{match['form']}/{match['name']}.png"
            yield Row(number, name, match["text"].replace("|", " "))
