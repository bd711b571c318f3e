"""The rows of lists of images and what they say, be they lines or entries of JSON."""

import contextlib
import csv
import re
from itertools import islice
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

from ocr_lib.encoding import ADVICE, is_whole, lines
from ocr_lib.errors import OCRError
from ocr_lib.sets.layouts import PARTS, Exists, Layout, looks_like_image

_MOST_LINES = 10  # of a cell in quotes
_FORMULA = re.compile('="(.*)"', re.DOTALL)  # how spreadsheets are kept from making 42 of 0042


class Box(NamedTuple):
    """A rectangle of an image, in pixels from its upper left corner."""

    x: int
    y: int
    width: int
    height: int


class Row(NamedTuple):
    """A line of a list, or an entry of one in JSON, MATLAB's format or XML.

    Attributes
    ----------
    line : int
        Its number, from 1 on.
    name, text : str
        Of the image.
    part : str
        Of the data set: train, val, test or another word; empty where a list has none.
    fault : str, optional
        Why the line says nothing.
    lexicon : sequence of str
        The words that the image may say, as they are parted; empty where a list has none.
    box : Box, optional
        Where the text is in the image; all of it if left out.
    """

    line: int
    name: str = ""
    text: str = ""
    part: str = ""
    fault: Optional[str] = None
    lexicon: Sequence[str] = ()
    box: Optional[Box] = None


def rows(path: Path, layout: Layout, exists: Exists) -> Iterator[Row]:
    """Yield the lines of a list, blank ones and titles left out.

    Raises
    ------
    OCRError
        If the file can't be read; in the end, if lines were not UTF-8 and the others were ASCII alone: then it is in
        another encoding, in which other lines may have been read wrongly.
    """
    damaged, is_utf8 = 0, False
    for number, line, fields in _records(path, layout, exists):
        if fields is None:
            yield Row(number, fault="not a line of CSV: a quote in it is not closed, or something is behind it")
        elif not is_whole(line):
            damaged = damaged or number
            yield Row(number, fault="not UTF-8")
        elif number > 1 or not layout.has_titles:
            is_utf8 = is_utf8 or not line.isascii()
            yield _row(number, fields, layout, '"' in line)
    if damaged and not is_utf8:
        raise OCRError(f"{path}: line {damaged} is not UTF-8; {ADVICE}")


def _row(number: int, fields: List[str], layout: Layout, has_quotes: bool) -> Row:
    if len(fields) > layout.width == 2 and not (layout.is_quoted and has_quotes):
        fields = [fields[0], layout.separator.join(fields[1:])]
    if len(fields) != layout.width or not fields[layout.columns[0]].strip():
        return Row(number, fault="not the path of an image and its text")
    name, text, *part = (_unwrapped(fields[column]) for column in layout.columns)
    lexicon = [] if layout.lexicon is None else fields[layout.lexicon].split(",")
    return Row(number, name, text, "".join(PARTS.get(each.lower(), each) for each in part), lexicon=lexicon)


def _unwrapped(field: str) -> str:
    """Return a column as a spreadsheet shows it."""
    formula = _FORMULA.fullmatch(field.strip())
    return formula[1] if formula else field.strip()


def _records(path: Path, layout: Layout, exists: Exists) -> Iterator[Tuple[int, str, Optional[List[str]]]]:
    """Yield lines with their numbers and columns, or None where quotes are amiss."""
    source = lines(path)
    ahead: List[Tuple[int, str]] = []
    while True:
        here = ahead.pop(0) if ahead else next(source, None)
        if here is None:
            return
        number, line = here
        if not line.strip():
            continue
        try:
            fields: Optional[List[str]] = layout.split(line)
        except csv.Error:
            ahead += islice(source, _MOST_LINES - len(ahead))
            count, fields = _continued(line, [text for _, text in ahead], layout, exists)
            number = ahead[count - 1][0] if count else number
            del ahead[:count]
        yield number, line, fields


def _continued(line: str, ahead: Sequence[str], layout: Layout, exists: Exists) -> Tuple[int, Optional[List[str]]]:
    """Return how many lines a record goes on for whose quote is open, and its columns."""
    for count, following in enumerate(ahead, 1):
        name = following.partition(layout.separator)[0].strip('" ')
        if looks_like_image(name) or exists(name):
            break
        with contextlib.suppress(csv.Error):
            return count, layout.split("\n".join([line, *ahead[:count]]))
    return 0, None
