"""The file beside images that says what they say, whatever it is called."""

import contextlib
import re
from pathlib import Path
from typing import List, NamedTuple, Optional, Set

from ocr_lib.encoding import lines
from ocr_lib.errors import OCRError
from ocr_lib.images.decode import image_files
from ocr_lib.sets.folders import ImageFinder, is_passed_over
from ocr_lib.sets.json_lists import SUFFIXES as JSON_SUFFIXES
from ocr_lib.sets.json_lists import recognise_json
from ocr_lib.sets.layouts import Recognised, recognise

LABELS = ("labels.tsv", "labels.csv")
LIST = "list.txt"
FIRST = (*LABELS, LIST, "gt.txt")  # of several lists; that of ICDAR has one of coordinates beside it, coords.txt
GT_SUFFIX = ".gt.txt"
_SUFFIXES = (".csv", ".lst", ".tsv", ".txt", *JSON_SUFFIXES)
_CALLED_LABELS = re.compile(r"label|annot|transcri|caption|ground.?truth|(?:^|[_-])gt(?:$|[_-])", re.IGNORECASE)
_MOST = 0.5  # of a list's first names


class LabelFiles(NamedTuple):
    """Files beside images that may list them.

    Attributes
    ----------
    lists : list of pathlib.Path
        Most of whose names are images that are there.
    others : list of pathlib.Path
        That are lists of other images, or by name or number of lines may be labels all the same.
    """

    lists: List[Path]
    others: List[Path]

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
        if self.others:
            raise OCRError(
                f"{self.others[0]} may have the labels, but names no image that is there; mend its names, or give "
                "--format names, which takes the labels from the images' names"
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
    """Look at the text files of a folder."""
    found = LabelFiles([], [])
    images = image_files(folder)
    stems: Set[str] = {path.stem for path in images}
    texts = (path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.stem not in stems)
    for path in sorted(texts):
        if path.name.endswith(GT_SUFFIX) or is_passed_over(path.name) or not path.is_file():
            continue
        if path.name in (*LABELS, LIST):  # whatever is in it
            found.lists.append(path)
            continue
        try:
            recognised = recognise_list(path)
        except OCRError:  # neither text nor JSON
            recognised = None
        if recognised and recognised.found >= _MOST:
            found.lists.append(path)
        elif (recognised and recognised.alike >= _MOST) or _may_be_labels(path, len(images)):
            found.others.append(path)
    return found


def _may_be_labels(path: Path, images: int) -> bool:
    """Whether a file is called so, or has as many lines as there are images."""
    if _CALLED_LABELS.search(path.stem):
        return True
    with contextlib.suppress(OCRError):
        return images > 1 and sum(1 for _, line in lines(path) if line.strip()) == images
    return False
