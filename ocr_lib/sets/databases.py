"""LMDB databases of images and their texts, as data sets for reading text in scenes are shared.

They have the keys ``num-samples``, and ``image-%09d`` and ``label-%09d`` for each from 1 on, as Shi, Bai and Yao's CRNN
reads them.
"""

import os
import weakref
from array import array
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Tuple, TypeVar

from ocr_lib.errors import OCRError
from ocr_lib.installation import how_to_install
from ocr_lib.sets.labelled import Dataset, Item, clean_label

DATA = "data.mdb"

T = TypeVar("T")

_MAGIC, _MAGIC_AT = bytes.fromhex("dec0efbe"), 16  # behind the header of the first page
_COUNT, _LABEL, _IMAGE = "num-samples", "label-{:09d}", "image-{:09d}"


def is_database(path: Path) -> bool:
    """Tell whether a file, or the one in a folder, is a database."""
    try:
        with _file_of(path).open("rb") as file:
            return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC
    except OSError:
        return False


def _file_of(path: Path) -> Path:
    return path / DATA if path.is_dir() else path


class Database:
    """Reads a database; it pickles, and may be used after a fork.

    Parameters
    ----------
    path : pathlib.Path
        The file, or the folder that it is in.

    Raises
    ------
    OCRError
        If it can't be read, or is cut off or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = _file_of(path)
        if not self.path.is_file():
            raise OCRError(f"{path}: no {DATA} in this folder")
        self._opened = _opened(self.path)

    def __reduce__(self) -> Tuple[object, ...]:
        return Database, (self.path,)

    def get(self, key: str) -> bytes:
        """Return a value; nothing if there is none."""
        return self._opened.value(key, bytes)

    def has(self, key: str) -> bool:
        """Tell whether there is a value, without reading it."""
        return self._opened.value(key, len) > 0


class _Opened:
    """An open database, of which LMDB allows one for each file in a process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lmdb = _lmdb(path)
        try:
            # Nobody writes meanwhile: so no file of locks need be written beside it, and it may be used after a fork.
            self._environment = self._lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=False)
        except self._lmdb.Error as error:
            raise self._fault(error) from error
        # A page beyond the file's end would be a bus error.
        needed = (self._environment.info()["last_pgno"] + 1) * self._environment.stat()["psize"]
        size = path.stat().st_size
        if size < needed:
            raise OCRError(f"{path}: cut off at byte {size} of {needed}")

    def value(self, key: str, of: Callable[[memoryview], T]) -> T:
        """Return what a function makes of a value, which it sees where it is in the file."""
        try:
            with self._environment.begin(buffers=True) as transaction:
                return of(transaction.get(key.encode(), b""))
        except self._lmdb.Error as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> OCRError:
        return OCRError(f"{self._path}: damaged, or no LMDB database ({error})")


_all_opened: "weakref.WeakValueDictionary[str, _Opened]" = weakref.WeakValueDictionary()


def _opened(path: Path) -> _Opened:
    key = os.path.realpath(path)
    found = _all_opened.get(key)
    if found is None:
        found = _all_opened[key] = _Opened(path)
    return found


def _lmdb(path: Path) -> Any:
    try:
        import lmdb
    except ImportError as error:
        raise OCRError(f"{path} is an LMDB database: {how_to_install('lmdb')}") from error
    return lmdb


class DatabaseDataset(Dataset):
    """The images of a database; of each, memory holds its number.

    Parameters
    ----------
    path : pathlib.Path
        The file, or the folder that it is in.

    Raises
    ------
    OCRError
        If it can't be read, is cut off, or has no images and texts.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._database = Database(path)
        self._numbers = array("Q", self._usable())

    def __len__(self) -> int:
        return len(self._numbers)

    def item(self, index: int) -> Item:
        """Return the number of an image, as its name, and the text."""
        return Item(f"{self._numbers[index]:09d}", self._text(self._numbers[index]))

    def where(self, index: int) -> str:
        """Return the file, and the key of an image in it."""
        return f"{self._database.path}: {_IMAGE.format(self._numbers[index])}"

    def _usable(self) -> Iterator[int]:
        count = self._database.get(_COUNT)
        if not count.isdigit():
            raise OCRError(f"{self._database.path}: no database of images and texts: it lacks {_COUNT}")
        for number in range(1, int(count) + 1):
            fault = self._fault(number)
            if fault:
                self.note(f"{self._database.path}: {number:09d}", fault)
            else:
                yield number

    def _fault(self, number: int) -> Optional[str]:
        try:
            self._text(number)
        except OCRError as error:
            return str(error)
        return None if self._database.has(_IMAGE.format(number)) else "it has no image"

    def _text(self, number: int) -> str:
        try:
            return clean_label(self._database.get(_LABEL.format(number)).decode())
        except UnicodeDecodeError as error:
            raise OCRError("the label is not UTF-8") from error

    def _bytes(self, index: int) -> bytes:
        return self._database.get(_IMAGE.format(self._numbers[index]))
