"""MXNet's RecordIO files, without MXNet: many images and their texts in one file.

A record is one part or more; a part is a magic number, a word with its place in the record (3 bits) and its length
(29 bits), its bytes, and zeros up to a multiple of 4. Where a record's own bytes hold the magic number at a multiple of
4, it is parted there, and the number left out. A record of an image is a header, the label's numbers, which here are
the text's code points, and the bytes of an image file. An index has a line for each record, its key and position.
"""

import contextlib
import os
import struct
import weakref
from array import array
from pathlib import Path
from typing import Callable, Iterator, Optional, Tuple

from ocr_lib.errors import OCRError
from ocr_lib.files import atomic_path
from ocr_lib.sets.class_ids import Label, find_class_ids
from ocr_lib.sets.labelled import Dataset, Item, clean_label

_MAGIC = struct.pack("<I", 0xCED7230A)
_PART = struct.Struct("<4sI")
_LENGTH_BITS = 29
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_HEADER = struct.Struct("<IfQQ")  # how many numbers the label has, or 0; the label if it is one number; two ids
_PEEK = 512


def pack(text: str, image: bytes, number: int = 0) -> bytes:
    """Return the record of an image file and its text; MXNet's ``unpack`` gives the code points as its label."""
    header = _HEADER.pack(len(text), 0.0, number, 0)
    return header + struct.pack(f"<{len(text)}f", *map(ord, text)) + image


def unpack(record: bytes) -> Tuple[str, bytes]:
    """Return the text and the image file of a record.

    Raises
    ------
    OCRError
        If the record has no label that is a text.
    """
    return _label(record).text, record[_text_end(record) :]


def frame(record: bytes) -> bytes:
    """Return the bytes that stand for a record in a file."""
    if len(record) >> _LENGTH_BITS:
        raise OCRError(f"a record of {len(record):,} bytes is too long: at most {2**_LENGTH_BITS - 1:,} can be written")
    parts = []
    start, found = 0, record.find(_MAGIC)
    while found >= 0:
        if found % 4 == 0:
            parts.append(record[start:found])
            start = found + len(_MAGIC)
            found = record.find(_MAGIC, start)
        else:
            found = record.find(_MAGIC, found + 1)
    parts.append(record[start:])
    places = [_WHOLE] if len(parts) == 1 else [_FIRST, *[_MIDDLE] * (len(parts) - 2), _LAST]
    framed = (_PART.pack(_MAGIC, place << _LENGTH_BITS | len(part)) + part for place, part in zip(places, parts))
    return b"".join(framed) + bytes(-len(record) % 4)


@contextlib.contextmanager
def record_writer(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Give a function that writes records to a file, and their positions to the ``.idx`` beside it.

    Both are there, whole, after the last record, and neither if an exception is raised.
    """
    with contextlib.ExitStack() as stack:
        # Left in the reverse order: the index is there before its file.
        data = stack.enter_context(atomic_path(path))
        index = stack.enter_context(atomic_path(index_path(path)))
        with data.open("wb") as data_file, index.open("w", encoding="ascii") as index_file:
            count = 0

            def write(record: bytes) -> None:
                nonlocal count
                index_file.write(f"{count}\t{data_file.tell()}\n")
                data_file.write(frame(record))
                count += 1

            yield write


def index_path(path: Path) -> Path:
    """Return where the index of a file is."""
    return path.with_suffix(".idx")


class RecordFile:
    """Reads records by their positions in bytes.

    No position is shared with other processes after a fork; what is unpickled opens the file again.

    Raises
    ------
    OCRError
        Naming the byte, where the file is cut off or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._descriptor = os.dup(file.fileno())
        except OSError as error:
            raise OCRError(f"{path}: {error.strerror or error}") from error
        weakref.finalize(self, os.close, self._descriptor)
        self._size = os.fstat(self._descriptor).st_size

    def __reduce__(self) -> Tuple[object, ...]:
        return RecordFile, (self.path,)

    def positions(self) -> Iterator[int]:
        """Yield where records begin: as the index says, or if there is none by going through the file."""
        index = index_path(self.path)
        return self._indexed(index) if index.is_file() else self._scanned()

    def read(self, position: int) -> bytes:
        """Return a record."""
        return _MAGIC.join(self._pread(length, start) for start, length in self._parts(position))

    def read_start(self, position: int) -> bytes:
        """Return a record, or less of it, but no less than its header and label."""
        (start, length), *more = self._parts(position)
        if more:
            return self.read(position)
        peeked = self._pread(min(length, _PEEK), start)
        needed = _text_end(peeked) if len(peeked) >= _HEADER.size else 0
        return peeked if needed <= len(peeked) else self._pread(min(length, needed), start)

    def _parts(self, position: int) -> Iterator[Tuple[int, int]]:
        """Yield where the parts of a record have their bytes, and how many."""
        expected = (_WHOLE, _FIRST)
        while True:
            start = position + _PART.size
            if start > self._size:
                raise OCRError(f"{self.path}: cut off at byte {self._size}, where a record should go on")
            magic, word = _PART.unpack(self._pread(_PART.size, position))
            place, length = word >> _LENGTH_BITS, word & (1 << _LENGTH_BITS) - 1
            if magic != _MAGIC or place not in expected:
                raise OCRError(f"{self.path}: damaged at byte {position}, where a record should begin or go on")
            position = _after(start, length)
            if position > self._size:
                raise OCRError(f"{self.path}: cut off at byte {self._size}, and a record goes on to byte {position}")
            yield start, length
            if place in (_WHOLE, _LAST):
                return
            expected = (_MIDDLE, _LAST)

    def _scanned(self) -> Iterator[int]:
        position = 0
        while position < self._size:
            yield position
            *_, (start, length) = self._parts(position)
            position = _after(start, length)

    def _indexed(self, index: Path) -> Iterator[int]:
        with index.open("rb") as file:
            for number, line in enumerate(file, 1):
                columns = line.split()
                if len(columns) != 2 or not columns[1].isdigit():
                    raise OCRError(f"{index}:{number}: not the key and the position of a record")
                yield int(columns[1])

    def _pread(self, length: int, position: int) -> bytes:
        data = os.pread(self._descriptor, length, position)
        if len(data) < length:
            raise OCRError(f"{self.path}: cut off at byte {position + len(data)} since it was opened")
        return data


class RecordDataset(Dataset):
    """The images of a RecordIO file; of each, memory holds its position and number.

    Parameters
    ----------
    path : pathlib.Path
    alphabet : str, optional
        Characters that labels stand for if they are class ids, see `ocr_lib.sets.class_ids`.

    Raises
    ------
    OCRError
        If the file is cut off or damaged, or has class ids that can't be mapped.
    """

    def __init__(self, path: Path, alphabet: Optional[str] = None) -> None:
        super().__init__()
        self._file = RecordFile(path)
        self._positions = array("Q")
        self._numbers = array("Q")
        self._ids = find_class_ids(path, self._labels(), alphabet)
        for number, position in enumerate(self._file.positions()):
            start = self._file.read_start(position)
            try:
                self._text(start)
            except OCRError as error:
                self.note(f"{path}: record {number} at byte {position}", error)
            else:
                self._positions.append(position)
                self._numbers.append(number)

    def __len__(self) -> int:
        return len(self._positions)

    def item(self, index: int) -> Item:
        """Return the number of a record, as its name, and the text."""
        return Item(f"{self._numbers[index]:06d}", self._text(self._file.read_start(self._positions[index])))

    def where(self, index: int) -> str:
        """Return file, number and position of a record."""
        return f"{self._file.path}: record {self._numbers[index]} at byte {self._positions[index]}"

    def _labels(self) -> Iterator[Label]:
        for position in self._file.positions():
            with contextlib.suppress(_LabelError):
                yield _label(self._file.read_start(position))

    def _text(self, record: bytes) -> str:
        label = _label(record)
        return clean_label(self._ids.text(label) if self._ids else label.text)

    def _bytes(self, index: int) -> bytes:
        record = self._file.read(self._positions[index])
        return record[_text_end(record) :]


def _after(start: int, length: int) -> int:
    return start + length + -length % 4


def _text_end(record: bytes) -> int:
    return _HEADER.size + 4 * int(_HEADER.unpack_from(record)[0])


class _LabelError(OCRError):
    """A record has no label."""


def _label(record: bytes) -> Label:
    if len(record) < _HEADER.size or _text_end(record) > len(record):
        raise _LabelError("too short for its header and label")
    count, number = _HEADER.unpack_from(record)[:2]
    return Label(struct.unpack_from(f"<{count}f", record, _HEADER.size)) if count else Label((number,), is_single=True)
