"""How lists of images and what they say are laid out, found by looking at their first lines."""

import csv
import re
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from ocr_lib.encoding import lines
from ocr_lib.images.file import IMAGE_SUFFIXES

Exists = Callable[[str], object]

LOOKED_AT = 100
_MOST = 0.5
NAME_TITLES = frozenset(
    "file files file_name filename filepath file_path image images image_name image_path img imgs img_name img_path "
    "name path".split()
)
TEXT_TITLES = frozenset(
    "answer caption content gt ground_truth label labels sentence string target text texts transcript transcription "
    "value word words".split()
)
LEXICON_TITLES = frozenset(("lex", "lexicon"))
PART_TITLES = frozenset("fold part partition set split subset".split())
PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}


class Layout(NamedTuple):
    """How a list is laid out.

    Attributes
    ----------
    separator : str
        What parts the columns of a line. A space parts name and text alone, and of `SYNTH90K` nothing does.
    is_quoted : bool
        Columns may be in quotes, with separators and ends of lines within, as in CSV.
    width : int
        Columns of a line; of two, the second has all that is behind the first separator.
    columns : tuple of int
        Which of them is the name, the text and, in lists that have one, the part of the data set.
    lexicon : int, optional
        Which has the words that the image may say, parted by commas, in lists that have them.
    has_titles : bool
        The first line names the columns.
    fault : str, optional
        Why it can't be read.
    """

    separator: str
    is_quoted: bool = False
    width: int = 2
    columns: Tuple[int, ...] = (0, 1)
    lexicon: Optional[int] = None
    has_titles: bool = False
    fault: Optional[str] = None

    def split(self, line: str) -> List[str]:
        """Return the columns of a line; none of one that is laid out otherwise.

        Raises
        ------
        csv.Error
            If a quote is not closed, or something is behind it.
        """
        if self.separator in _PATTERNS:
            match = _PATTERNS[self.separator].fullmatch(line.strip())
            return [match["name"], match["text"]] if match else []
        if not self.is_quoted:
            return line.split(self.separator)
        try:
            return _split_csv(self.separator, line)
        except csv.Error:
            if '\\"' not in line:
                raise
            return _split_csv(self.separator, line.replace('\\"', '""'))  # as ICDAR has it


COMMA, TAB, SYNTH90K, JSON = map(Layout, (",", "\t", "", "{"))
_SEPARATORS = "\t", ",", ";", "->", "=>", "|", ":", "="
# Synth90k's lines are ``./2425/1/115_Lube_45484.jpg 45484``; the text is the word in the name.
_PATTERNS = {
    "": re.compile(r"(?P<name>(?:.*/)?[0-9]+_(?P<text>[^_/]+)_[0-9]+\.\w+)(?: [0-9]+)?"),
    " ": re.compile(
        rf"(?P<name>[^\t]+?(?:{'|'.join(map(re.escape, sorted(IMAGE_SUFFIXES)))})|\S+) +(?P<text>\S.*)", re.IGNORECASE
    ),
}


class Recognised(NamedTuple):
    """A layout, and the shares of names in a list's first lines that are found, and that look like those of images."""

    layout: Layout
    found: float
    alike: float


def recognise(path: Path, exists: Exists) -> Optional[Recognised]:
    """Find out how a list is laid out, by the layout in which most of its names are images.

    Parameters
    ----------
    path : pathlib.Path
    exists : callable
        Whether there is an image of a name.

    Returns
    -------
    Recognised or None
        None if it is no list.

    Raises
    ------
    OCRError
        If the file can't be read.
    """
    sample = [line for _, line in islice(lines(path), LOOKED_AT) if line.strip()]
    synth90k = _recognised(SYNTH90K, sample, exists)
    if synth90k.alike >= _MOST:  # else numbers in its lines might be texts
        return synth90k
    layouts = [*(_maybe_quoted(separator, path, sample) for separator in _SEPARATORS), Layout(" ")]
    best = max((_recognised(layout, sample, exists) for layout in layouts), key=lambda each: each[1:])
    if best.found or best.alike:
        return best
    for line in sample:  # names without an ending, of images that are not there
        for layout in layouts:
            if layout.separator in "\t,;" and layout.separator in line:
                return Recognised(layout, 0, 0)
    return None


def looks_like_image(name: str) -> bool:
    """Whether a name ends as those of image files do."""
    return Path(name.strip()).suffix.lower() in IMAGE_SUFFIXES


def _split_csv(separator: str, line: str) -> List[str]:
    return next(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True), [])


def _maybe_quoted(separator: str, path: Path, sample: Sequence[str]) -> Layout:
    """Take quotes as part of a text, unless they are there in all lines, or the file is CSV by its name or titles."""
    parted = [line.partition(separator) for line in sample]
    if separator == "\t":
        return TAB._replace(is_quoted=all(name[:1] == text[:1] == '"' for name, _, text in parted))
    is_quoted = all(text.strip().startswith('"') for _, _, text in parted)
    titles = {title.strip('" ').lower() for title in sample[0].split(separator)} if sample else set()
    is_csv = path.suffix.lower() == ".csv" or bool(titles & (NAME_TITLES | TEXT_TITLES))
    return Layout(separator, is_quoted=len(separator) == 1 and (is_quoted or is_csv))


def _recognised(layout: Layout, sample: Sequence[str], exists: Exists) -> Recognised:
    split = [fields for fields in map(partial(_split_if_whole, layout), sample) if len(fields) > 1]
    if not split:
        return Recognised(layout, 0, 0)
    layout = _with_columns(layout, split, exists)
    names = [fields[layout.columns[0]].strip() for fields in split if len(fields) > layout.columns[0]]
    names = names[layout.has_titles :]
    count = max(1, len(sample) - layout.has_titles)
    return Recognised(layout, sum(map(bool, map(exists, names))) / count, sum(map(looks_like_image, names)) / count)


def _split_if_whole(layout: Layout, line: str) -> List[str]:
    try:
        return layout.split(line)
    except csv.Error:
        return []


def _with_columns(layout: Layout, split: Sequence[Sequence[str]], exists: Exists) -> Layout:
    """Find out which columns a list has, by the titles or by what is in them."""
    titles = [title.strip().lower() for title in split[0]]
    if set(titles) & (NAME_TITLES | TEXT_TITLES) and not any(map(exists, split[0])):
        return _with_titles(layout._replace(width=len(titles), has_titles=True), titles, split, exists)
    counts = {len(fields) for fields in split}
    if counts == {2}:
        is_first = any(looks_like_image(fields[0]) or exists(fields[0]) for fields in split)
        if not is_first and all(looks_like_image(fields[1]) for fields in split):
            layout = layout._replace(columns=(1, 0))
        first, *others = (looks_like_image(fields[layout.columns[0]]) for fields in split)
        return layout._replace(has_titles=not first and bool(others) and all(others))
    if counts == {3}:
        for part in (2, 0, 1):
            if all(fields[part].strip().lower() in PARTS for fields in split):
                name, text = (column for column in range(3) if column != part)
                return layout._replace(width=3, columns=(name, text, part))
        if 2 * sum(map(_has_lexicon, split)) > len(split):
            return layout._replace(width=3, lexicon=2)
    if len(counts) == 1 and (layout.is_quoted or layout.separator in "\t|"):
        return _with_named_images(layout._replace(width=min(counts)), split, exists)
    return layout


def _with_named_images(layout: Layout, split: Sequence[Sequence[str]], exists: Exists) -> Layout:
    """Find the columns of names and of texts, if all others are empty or number the lines."""
    columns = [[text.strip() for text in column] for column in zip(*split)]
    names = _most_are(looks_like_image, columns) or _most_are(exists, columns)
    if len(names) == 1:
        first = columns[names[0]][0]
        has_titles = not looks_like_image(first) and not exists(first)
        others = (number for number in range(len(columns)) if number not in names)
        texts = [number for number in others if _says_something(columns[number][has_titles:])]
        if len(texts) == 1:
            return layout._replace(columns=(*names, *texts), has_titles=has_titles)
    instead = {"\t": ("tab", "tab"), ",": ("list", "comma")}.get(layout.separator)
    advice = "; to --format {} all behind the first {} is text".format(*instead) if instead else ""
    told = f"lines have {layout.width} columns: name them in a first line, as file_name and text{advice}"
    return layout._replace(columns=(names[0] if names else 0, 0), fault=told)


def _most_are(test: Exists, columns: Sequence[Sequence[str]]) -> List[int]:
    """Return the columns most of which pass a test."""
    return [number for number, column in enumerate(columns) if sum(map(bool, map(test, column))) > _MOST * len(column)]


def _says_something(column: Sequence[str]) -> bool:
    """Whether a column is neither empty nor the numbers of the lines."""
    if not any(column):
        return False
    return not all(map(str.isdecimal, column)) or len({int(text) - line for line, text in enumerate(column)}) > 1


def _has_lexicon(fields: Sequence[str]) -> bool:
    """Whether the last column has words parted by commas, one of which is the text in the second."""
    words = [word.strip().casefold() for word in fields[2].split(",")]
    return len(words) > 1 and fields[1].strip().casefold() in words


def _with_titles(layout: Layout, titles: List[str], split: Sequence[Sequence[str]], exists: Exists) -> Layout:
    names, texts, parts, lexicons = (
        [column for column, title in enumerate(titles) if title in known]
        for known in (NAME_TITLES, TEXT_TITLES, PART_TITLES, LEXICON_TITLES)
    )
    if len(titles) == 2:
        name = names[0] if names else 1 - texts[0]
        return layout._replace(columns=(name, 1 - name))
    if len(names) > 1:
        names = [column for column in names if any(len(row) > column and exists(row[column]) for row in split)][:1]
    if len(names) != 1 or len(texts) != 1:
        told = ", ".join(titles)
        return layout._replace(
            fault=f"columns are called {told}: call that of the images' names file_name, that of their texts text"
        )
    return layout._replace(columns=(*names, *texts, *parts[:1]), lexicon=lexicons[0] if lexicons else None)
