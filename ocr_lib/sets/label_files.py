"""The file beside images that says what they say, whatever it is called."""

import contextlib
import re
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Set

from ocr_lib.encoding import decode_text, lines
from ocr_lib.errors import OCRError
from ocr_lib.images.decode import image_files
from ocr_lib.images.file import IMAGE_SUFFIXES
from ocr_lib.sets.beside import GT_SUFFIX, Naming, find_naming
from ocr_lib.sets.folders import ImageFinder, is_passed_over
from ocr_lib.sets.json_lists import SUFFIXES as JSON_SUFFIXES
from ocr_lib.sets.json_lists import recognise_json
from ocr_lib.sets.layouts import LOOKED_AT, Recognised, recognise

LABELS = ("labels.tsv", "labels.csv")
LIST = "list.txt"
FIRST = (*LABELS, LIST, "gt.txt")  # of several lists; that of ICDAR has one of coordinates beside it, coords.txt
_SUFFIXES = (".csv", ".lst", ".tsv", ".txt", ".yaml", ".yml", *JSON_SUFFIXES)
_OF_ONE = (".box", ".csv", ".json", ".tsv", ".yaml", ".yml")  # of an image each; XML has places of things, mostly
TABLES = (".ods", ".parquet", ".xls", ".xlsx")
_LARGEST = 1 << 26  # bytes of a file of another kind than lists are
_CHECKSUM = re.compile(r"[0-9a-f]{32,128} [ *]?", re.IGNORECASE)
_CALLED_LABELS = re.compile(r"label|annot|transcri|caption|ground.?truth|(?:^|[_-])gt(?:$|[_-])", re.IGNORECASE)
_MOST = 0.5  # of a list's first names


class LabelFiles(NamedTuple):
    """Files beside images that may list them.

    Attributes
    ----------
    lists : list of pathlib.Path
        Most of whose names are images that are there.
    others : list of pathlib.Path
        That are lists of other images, or by name or number of lines may be labels all the same; that name the images,
        but are no lists, or are of an image each; tables that are no text.
    naming : Naming or None
        How files are called that have the texts of an image each; None if most images have none.
    """

    lists: List[Path]
    others: List[Path]
    naming: Optional[Naming]

    def one(self, *first: str) -> Optional[Path]:
        """Return the list, one of these names if there is such; None if there is none.

        Raises
        ------
        OCRError
            If there are several, and none is called so.
        """
        for name in first:
            for path in self.lists:
                if path.name == name:
                    return path
        if len(self.lists) > 1:
            told = ", ".join(path.name for path in self.lists)
            raise OCRError(f"{self.lists[0].parent}: {told} list images of this folder; give one of them as the path")
        return self.lists[0] if self.lists else None

    def check_names(self) -> None:
        """Refuse to take labels from the images' names where a file may have them.

        Raises
        ------
        OCRError
            Naming the file.
        """
        if not self.others:
            return
        path = self.others[0]
        images = image_files(path.parent)
        if path.suffix.lower() in TABLES:
            why, advice = "can't be read", "save it as CSV"
        elif any(image.stem == path.stem for image in images):
            why, advice = "is of one image alone", f"put its text into {path.stem}.txt"
        elif _names_images(path, images):
            why, advice = "is no list of names and texts", "make it one, name<TAB>text in each line"
        else:
            why, advice = "names no image that is there", "mend its names"
        raise OCRError(
            f"{path} may have the labels, but {why}; {advice}, or give --format names, which takes the labels from "
            "the images' names"
        )


def recognise_list(path: Path) -> Optional[Recognised]:
    """Find out how a list is laid out; None if it is none.

    Raises
    ------
    OCRError
        If the file can't be read.
    """
    find = ImageFinder(path.parent).find
    return recognise_json(path, find) if path.suffix.lower() in JSON_SUFFIXES else recognise(path, find)


def label_files(folder: Path) -> LabelFiles:
    """Look at the files of a folder that are no images."""
    found = LabelFiles([], [], find_naming(folder))
    images = image_files(folder)
    stems: Set[str] = {path.stem for path in images}
    of_images = set(map(found.naming.of, stems)) if found.naming else set()
    others = sorted(path for path in folder.iterdir() if path.suffix.lower() not in IMAGE_SUFFIXES)
    beside = [path for path in others if path.stem in stems and path.suffix.lower() in _OF_ONE]
    if len(beside) > _MOST * len(images):
        found.others.append(beside[0])
    for path in others:
        if path.stem in stems or path.name in of_images or path.name.endswith(GT_SUFFIX):
            continue
        if is_passed_over(path.name) or not path.is_file():
            continue
        if path.name in (*LABELS, LIST):  # whatever is in it
            found.lists.append(path)
            continue
        if _is_inventory(path) or (path.suffix.lower() not in _SUFFIXES and _is_large(path)):
            continue
        recognised = None
        with contextlib.suppress(OCRError):  # neither text nor JSON
            recognised = recognise_list(path)
        if recognised and recognised.found >= _MOST:
            found.lists.append(path)
        elif (recognised and recognised.alike >= _MOST) or _may_be_labels(path, images):
            found.others.append(path)
    return found


def _is_large(path: Path) -> bool:
    return path.stat().st_size > _LARGEST


def _is_inventory(path: Path) -> bool:
    """Whether a file says which images there are, with checksums perhaps, and nothing of what they say."""
    find = ImageFinder(path.parent).find
    with contextlib.suppress(OCRError):
        said = (_CHECKSUM.sub("", line.strip(" "), count=1) for _, line in lines(path) if line.strip())
        first = next(said, "")
        return bool(find(first)) and all(map(find, said))
    return False


def _may_be_labels(path: Path, images: Sequence[Path]) -> bool:
    """Whether a file is called so, has as many lines as there are images, is a table, or names the images."""
    suffix = path.suffix.lower()
    if suffix in TABLES or (suffix in _SUFFIXES and _CALLED_LABELS.search(path.stem)):
        return True
    if _names_images(path, images):
        return True
    with contextlib.suppress(OCRError):
        is_list = suffix in _SUFFIXES and len(images) > 1
        return is_list and sum(1 for _, line in lines(path) if line.strip()) == len(images)
    return False


def _names_images(path: Path, images: Sequence[Path]) -> bool:
    """Whether most of some images are named in a text file."""
    try:
        text = "" if _is_large(path) else decode_text(path.read_bytes())
    except (OCRError, OSError):
        return False
    some = images[:: max(1, len(images) // LOOKED_AT)]
    return sum(image.name in text for image in some) > _MOST * len(some)
