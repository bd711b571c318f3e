"""Labelled images: what a data set is, whatever it is read from."""

import os
import unicodedata
from abc import ABC, abstractmethod
from array import array
from typing import Iterable, List, NamedTuple, Tuple

import numpy as np

from ocr_lib.errors import OCRError, naming
from ocr_lib.images.decode import decode_image
from ocr_lib.images.pixels import GREY, Rendition
from ocr_lib.writing import Writing

_CONTROLS = ("Cc", "Cs")


class Item(NamedTuple):
    """A labelled image.

    Attributes
    ----------
    name : str
        Of the image; two have the same if a list names an image twice.
    text : str
        What it says, as `clean_label` returns it.
    """

    name: str
    text: str


class Dataset(ABC):
    """Labelled images that are read one by one when they are asked for; it pickles, and may be used after a fork.

    Attributes
    ----------
    problems : list of str
        What could not be used, and so has no index: a line each.
    """

    def __init__(self) -> None:
        self.problems: List[str] = []

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def item(self, index: int) -> Item:
        """Return the name and the text of an image."""

    def texts(self, indices: Iterable[int]) -> List[str]:
        """Return the texts of some images."""
        return [self.item(index).text for index in indices]

    def lexicon(self, index: int) -> List[str]:
        """Return the words that an image may say, if the data set has a lexicon for each."""
        return []

    @abstractmethod
    def where(self, index: int) -> str:
        """Return where an image is, for messages."""

    @abstractmethod
    def _bytes(self, index: int) -> bytes:
        """Return the bytes of an image file."""

    def read(self, index: int, rendition: Rendition = GREY) -> np.ndarray:
        """Read an image.

        Parameters
        ----------
        index : int
        rendition : Rendition

        Returns
        -------
        numpy.ndarray
            (H, W) uint8, 0 black; or with three channels (H, W, 3).

        Raises
        ------
        OCRError
            Saying where the image is, if it can't be read.
        """
        return self._load(index, rendition)[1]

    def read_file(self, index: int) -> bytes:
        """Return the bytes of an image file as they are; like `read` it refuses those that are no image."""
        return self._load(index, GREY)[0]

    def note(self, place: str, fault: object) -> None:
        """Add to the problems."""
        self.problems.append(f"{place}: {fault}".encode("utf-8", "backslashreplace").decode())

    def _load(self, index: int, rendition: Rendition) -> Tuple[bytes, np.ndarray]:
        with naming(self.where(index)):
            data = self._bytes(index)
            return data, decode_image(data, rendition)


def rewritten(dataset: Dataset, writing: Writing) -> Dataset:
    """Return a data set whose texts are written so."""
    return dataset if writing == Writing() else _Rewritten(dataset, writing)


class _Rewritten(Dataset):
    """A data set whose texts are written in another way."""

    def __init__(self, dataset: Dataset, writing: Writing) -> None:
        super().__init__()
        self.problems = list(dataset.problems)
        self._dataset = dataset
        self._writing = writing
        self._indices = array("Q")
        for index in range(len(dataset)):
            if self._text(index):
                self._indices.append(index)
            else:
                self.note(dataset.where(index), "nothing of the label is to be seen")

    def __len__(self) -> int:
        return len(self._indices)

    def item(self, index: int) -> Item:
        """Return the name of an image, and its text as it is written."""
        place = self._indices[index]
        return Item(self._dataset.item(place).name, self._text(place))

    def lexicon(self, index: int) -> List[str]:
        """Return the words that an image may say, as they are."""
        return self._dataset.lexicon(self._indices[index])

    def where(self, index: int) -> str:
        """Return where an image is, for messages."""
        return self._dataset.where(self._indices[index])

    def _text(self, place: int) -> str:
        return " ".join(self._writing(self._dataset.item(place).text).split())

    def _bytes(self, index: int) -> bytes:
        return self._dataset._bytes(self._indices[index])


def clean_label(text: str) -> str:
    """Return a label in NFC, white space stripped and each run of it made one space.

    Raises
    ------
    OCRError
        If nothing is left, or it has a control character.
    """
    label = " ".join(unicodedata.normalize("NFC", text).split())
    if not label:
        raise OCRError("the label is empty")
    for character in label:
        if unicodedata.category(character) in _CONTROLS:
            raise OCRError(f"the label has the control character U+{ord(character):04X}")
    return label


def name_of(path: str) -> str:
    """Return the name that a path is in UTF-8, which is what data sets know, whatever the locale takes it for."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def path_of(name: str) -> str:
    """Return the path that a name in UTF-8 stands for; see `name_of`."""
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


class Strings:
    """Many short strings in little memory."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q", [0])

    def append(self, string: str) -> None:
        """Add a string at the end."""
        self._bytes += string.encode()
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        place = range(len(self))[index]
        return self._bytes[self._ends[place] : self._ends[place + 1]].decode()
