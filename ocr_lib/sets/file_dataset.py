"""Data sets of image files in a folder, and of rectangles cut out of such."""

import os
from array import array
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.images.decode import decode_image
from ocr_lib.images.pixels import Rendition
from ocr_lib.page import png
from ocr_lib.sets.labelled import Dataset, Item, Strings, clean_label, path_of
from ocr_lib.sets.lists import Box, Row

_LEAST_INSIDE = 0.5  # of a rectangle's area: those of SVT and ICDAR may reach over an edge by some pixels


class FileDataset(Dataset):
    """Image files of a folder and those within.

    Parameters
    ----------
    folder : pathlib.Path
    listing : pathlib.Path, optional
        The file that lists them.
    """

    def __init__(self, folder: Path, listing: Optional[Path] = None) -> None:
        super().__init__()
        self._folder = folder
        self._listing = listing
        self._names = Strings()
        self._texts = Strings()
        self._lines = array("L")
        self._lexicons: Dict[int, str] = {}  # of few lists

    def add(self, row: Row) -> bool:
        """Take an image in, or note why it can't be used; returns whether it can."""
        try:
            row.name.encode()
            label = clean_label(row.text)
        except UnicodeEncodeError:
            self.note(self._place(row.name, row.line), "the name is not UTF-8")
        except OCRError as error:
            self.note(self._place(row.name, row.line), error)
        else:
            if row.lexicon:
                self._lexicons[len(self)] = "\n".join(filter(None, (" ".join(word.split()) for word in row.lexicon)))
            self._names.append(row.name)
            self._texts.append(label)
            self._lines.append(row.line)
            return True
        return False

    def __len__(self) -> int:
        return len(self._names)

    def item(self, index: int) -> Item:
        """Return the path of an image, from the folder on, and its text."""
        return Item(self._names[index], self._texts[index])

    def lexicon(self, index: int) -> List[str]:
        """Return the words that an image may say; none if the list has no lexicon of it."""
        words = self._lexicons.get(index)
        return words.split("\n") if words else []

    def where(self, index: int) -> str:
        """Return the path of an image, after file and line if it is listed in one."""
        return self._place(self._names[index], self._lines[index])

    def _bytes(self, index: int) -> bytes:
        # Not by pathlib: it interns the parts of each path, in a table that grows with them.
        with open(os.path.join(self._folder, path_of(self._names[index])), "rb") as file:  # noqa: PTH118, PTH123
            return file.read()

    def _place(self, name: str, line: int) -> str:
        return f"{self._listing}:{line}: {name}" if self._listing else str(self._folder / name)


class CutDataset(FileDataset):
    """Rectangles of images; each is called as its image with its number there, from 0 on: ``street.jpg#0``."""

    def __init__(self, folder: Path, listing: Optional[Path] = None) -> None:
        super().__init__(folder, listing)
        self._boxes = array("l")
        self._numbers = array("L")
        self._counts: Counter[str] = Counter()

    def add(self, row: Row) -> bool:
        """Take a rectangle in, or note why it can't be used; returns whether it can."""
        number = self._counts[row.name]
        self._counts[row.name] += 1
        if row.box is None or not super().add(row):
            return False
        self._boxes.extend(row.box)
        self._numbers.append(number)
        return True

    def item(self, index: int) -> Item:
        """Return what a rectangle is called, and its text."""
        name, text = super().item(index)
        return Item(f"{name}#{self._numbers[index]}", text)

    def _bytes(self, index: int) -> bytes:
        image = decode_image(super()._bytes(index), Rendition(channels=3))
        return png(_cut(image, Box(*self._boxes[4 * index : 4 * index + 4])))


def _cut(image: np.ndarray, box: Box) -> np.ndarray:
    """Return a rectangle of an image, (H, W, 3), without what of it is outside.

    Raises
    ------
    OCRError
        If most of it is.
    """
    height, width = image.shape[:2]
    found = image[max(box.y, 0) : max(box.y + box.height, 0), max(box.x, 0) : max(box.x + box.width, 0)]
    if found.shape[0] * found.shape[1] < _LEAST_INSIDE * box.width * box.height:
        raise OCRError(
            f"the rectangle at {box.x}, {box.y}, {box.width} x {box.height}, is outside the image of {width} x {height}"
        )
    return found
