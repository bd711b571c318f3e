"""Where words are in whole images, and what they say: ICDAR's files, one an image, and PaddleOCR's list of all.

ICDAR 2013 has the left, top, right and bottom of a rectangle, ICDAR 2015 and 2017 the corners of a quadrilateral, of
which the rectangle around is cut out. PaddleOCR's tools write JSON behind the name of each image.
"""

import contextlib
import json
import logging
import re
from itertools import islice
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

from ocr_lib.encoding import decode_text, lines, split_lines
from ocr_lib.errors import OCRError, naming
from ocr_lib.sets.beside import Naming, find_naming, pairs
from ocr_lib.sets.file_dataset import CutDataset
from ocr_lib.sets.folders import ImageFinder
from ocr_lib.sets.labelled import Dataset, name_of
from ocr_lib.sets.lists import Box, Row
from ocr_lib.sets.readers import take

logger = logging.getLogger(__name__)

_ILLEGIBLE = "###"
_LOOKED_AT = 20  # files of a folder, or lines of a list
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_FOUR = rf"(?:{_NUMBER}\s*,\s*){{4}}"
_SCRIPT = "(?:(?:Arabic|Bangla|Chinese|Hindi|Japanese|Korean|Latin|Mixed|None|Symbols),)?"  # of ICDAR 2017
_SAID = rf"(?!{_NUMBER}(?:\s*,\s*{_NUMBER}){{3}},?$)(?P<text>.+)"  # and not the other half of eight numbers
_PLACE = re.compile(rf"(?P<corners>{_FOUR}(?:{_FOUR})?){_SCRIPT}{_SAID}")
_SPACED = re.compile(rf"(?P<corners>(?:{_NUMBER}\s+){{4}})(?P<text>\".*\")")
_THING = re.compile(r"[0-9]+(?:\s+[01]?\.[0-9]+){4,}")  # YOLO's: a class, and shares of width and height
_MOST_PIXELS = 2**31


def has_places(folder: Path, called: Naming) -> bool:
    """Whether the files beside a folder's images, which are called so, say where words are in them.

    Raises
    ------
    OCRError
        If they say where things are and not what they say, as YOLO's do.
    """
    said: List[str] = []
    files = (text for text, image in pairs(folder, called) if image and text.is_file())
    for path in islice(files, _LOOKED_AT):
        with contextlib.suppress(OCRError):  # whoever reads them tells it
            said += [line for _, line in _lines(path)]
    if said and all(map(_THING.fullmatch, said)):
        raise OCRError(
            f"{folder}: the text files beside the images say where things are, and not what they say: give the list of "
            "labels as the path, or --format names, which takes them from the images' names"
        )
    return bool(said) and all(map(_place, said))


def is_list_of_places(path: Path) -> bool:
    """Whether a file is PaddleOCR's list of words in images."""
    some = [line.partition("\t")[2] for _, line in islice(lines(path), _LOOKED_AT) if line.strip()]
    return any('"transcription"' in each for each in some) and all(each.strip()[:1] == "[" for each in some)


def read_places(path: Path) -> Dataset:
    """Read words that are cut out of whole images.

    Parameters
    ----------
    path : pathlib.Path
        A folder with ``gt_img_1.txt`` or ``img_1.txt`` beside ``img_1.jpg``, or PaddleOCR's ``Label.txt``.

    Raises
    ------
    OCRError
        If a list can't be read, or most images of a folder have no such file.
    """
    is_list = not path.is_dir()
    folder = path.parent if is_list else path
    dataset = CutDataset(folder, path if is_list else None)
    files = [(path, list(_rows_of_list(path)))] if is_list else _rows_of_folder(folder, dataset)
    finder = ImageFinder(folder)
    num_illegible = 0
    for listing, found in files:
        legible = [row for row in found if row.text != _ILLEGIBLE]
        num_illegible += len(found) - len(legible)
        take(dataset, legible, listing, finder)
    if num_illegible:
        logger.info("%s: words that are illegible, %s, are left out: %d", path, _ILLEGIBLE, num_illegible)
    return dataset


def _place(line: str) -> Optional["re.Match[str]"]:
    return _PLACE.fullmatch(line) or _SPACED.fullmatch(line)


def _lines(path: Path) -> List[Tuple[int, str]]:
    with naming(path):
        said = enumerate(split_lines(decode_text(path.read_bytes())), 1)
        return [(number, line.strip()) for number, line in said if line.strip()]


def _rows_of_folder(folder: Path, dataset: Dataset) -> Iterator[Tuple[Path, List[Row]]]:
    """Yield the files beside images with their rows; note images that have none, and files that can't be read."""
    called = find_naming(folder)
    if called is None:
        raise OCRError(f"{folder}: no text files beside most of its images, as img_1.txt or gt_img_1.txt")
    for path, image in pairs(folder, called):
        if image and path.is_file():
            try:
                yield path, [_row_of_line(number, line, image.relative_to(folder)) for number, line in _lines(path)]
            except OCRError as error:
                dataset.note(str(image), error)
        elif image:
            dataset.note(str(image), f"no {path.name} beside it")


def _row_of_line(number: int, line: str, image: Path) -> Row:
    match = _place(line)
    if not match:
        return Row(number, fault="not corners in pixels, and a text behind them")
    sides = list(map(float, match["corners"].replace(",", " ").split()))
    return _row(number, name_of(str(image)), match["text"], list(zip(sides[::2], sides[1::2])))


def _rows_of_list(path: Path) -> Iterator[Row]:
    for number, line in lines(path):
        if not line.strip():
            continue
        name, _, said = line.partition("\t")
        try:
            words = [
                (word["transcription"], [(float(x), float(y)) for x, y in word["points"]]) for word in json.loads(said)
            ]
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            yield Row(number, fault="no JSON with transcription and points of each word behind the name")
        else:
            yield from (_row(number, name, str(text), corners) for text, corners in words)


def _row(number: int, name: str, text: str, corners: Sequence[Tuple[float, float]]) -> Row:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('\\"', '"')
    are_pixels = bool(corners) and all(abs(side) < _MOST_PIXELS for corner in corners for side in corner)  # not of NaN
    columns, rows = ([round(side) for side in sides] for sides in zip(*corners)) if are_pixels else ([0], [0])
    box = Box(min(columns), min(rows), max(columns) - min(columns), max(rows) - min(rows))
    if min(box[2:]) <= 0:
        return Row(number, fault=f"a word of {name} has no width or no height")
    return Row(number, name, text, box=box)
