"""Text files that list images and what they say, a line each."""

import csv
import re
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional, Tuple

from ocr_lib.errors import OCRError

_SYNTH90K = re.compile(r"((?:.*/)?[0-9]+_([^_/]+)_[0-9]+\.\w+)(?: [0-9]+)?")

Split = Callable[[str], Optional[Tuple[str, str]]]


class Row(NamedTuple):
    """A line of a list.

    Attributes
    ----------
    line : int
        Its number, from 1 on.
    name, text : str
        Of the image.
    fault : str, optional
        Why the line says nothing.
    """

    line: int
    name: str = ""
    text: str = ""
    fault: Optional[str] = None


def rows(path: Path, split: Optional[Split] = None) -> Iterator[Row]:
    """Yield the lines of a list, blank ones left out.

    Parameters
    ----------
    path : pathlib.Path
    split : callable, optional
        Turns a line into name and text, or into None. Left out, the names' end says how: CSV, or a tab in between.

    Raises
    ------
    OCRError
        If the file can't be read, or CSV has a quote that is not closed.
    """
    if split is None and path.suffix.lower() == ".csv":
        yield from _csv_rows(path)
        return
    for number, line in lines(path):
        if not line.strip():
            continue
        pair = (split or split_at_tab)(line)
        if not _is_utf8(line):
            yield Row(number, fault="not UTF-8")
        elif pair is None or not pair[0]:
            yield Row(number, fault="not the path of an image and its text")
        else:
            yield Row(number, *pair)


def lines(path: Path) -> Iterator[Tuple[int, str]]:
    """Yield the lines of a file with their numbers; bytes that are not UTF-8 are lone surrogates."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip("\r\n")
    except OSError as error:
        raise OCRError(f"{path}: {error.strerror or error}") from error


def split_at_comma(line: str) -> Optional[Tuple[str, str]]:
    """Split ``images/1.png,text``."""
    name, comma, text = line.partition(",")
    return (name, text) if comma else None


def split_at_tab(line: str) -> Optional[Tuple[str, str]]:
    """Split ``images/1.png<TAB>text``."""
    name, tab, text = line.partition("\t")
    return (name, text) if tab else None


def split_synth90k(line: str) -> Optional[Tuple[str, str]]:
    """Split ``./2425/1/115_Lube_45484.jpg 45484``; the text is the word in the name."""
    match = _SYNTH90K.fullmatch(line.strip())
    return (match[1], match[2]) if match else None


def _csv_rows(path: Path) -> Iterator[Row]:
    reader = csv.reader((f"{line}\n" for _, line in lines(path)), strict=True)
    try:
        for fields in reader:
            if not all(map(_is_utf8, fields)):
                yield Row(reader.line_num, fault="not UTF-8")
            elif len(fields) == 2 and fields[0]:
                yield Row(reader.line_num, *fields)
            elif fields:
                yield Row(reader.line_num, fault="not the name of an image and its text")
    except csv.Error as error:
        raise OCRError(f"{path}:{reader.line_num}: {error}") from error


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
