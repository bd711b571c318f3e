"""Files of named arrays, as ``mxnet.nd.save`` writes them. No MXNet needed.

MXNet takes memory for whatever shape a file states. Here every size is compared with what the file holds before
anything is made of it, so that a damaged file takes no more memory than a whole one of its length.
"""

import math
import struct
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np

from ocr_lib.errors import OCRError, naming

_FILE = 0x112
# What an array begins with says how its shape is stored; anything else is a number of dimensions (before MXNet 0.12).
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DENSE = 0
_LARGEST = 2**31 - 1  # that MXNet takes
_DTYPES = ("<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8", "?")


def read_arrays(path: Path) -> Dict[str, np.ndarray]:
    """Read a file of named arrays.

    Returns
    -------
    dict of str to numpy.ndarray
        Not to be written to: they are parts of one buffer.

    Raises
    ------
    OCRError
        Naming the file, if it can't be read, is no such file, is cut off or damaged, or its arrays have no names.
    """
    with naming(path):
        data = path.read_bytes()
    try:
        arrays, names = _parse(_Cursor(data))
    except ValueError as error:
        raise OCRError(f"{path}: cut off, or not a file of MXNet arrays") from error
    if arrays and not names:
        raise OCRError(f"{path}: the arrays in this file have no names")
    return dict(zip(names, arrays))


class _Cursor:
    """Takes what comes next from bytes, in little-endian order; a `ValueError` says that there is not so much."""

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def take(self, size: int) -> memoryview:
        if size > len(self._rest):
            raise ValueError("cut off")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def integers(self, kind: str, count: int) -> Tuple[int, ...]:
        return struct.unpack(f"<{count}{kind}", self.take(count * struct.calcsize(f"<{kind}")))

    def integer(self, kind: str) -> int:
        return self.integers(kind, 1)[0]

    @property
    def is_at_end(self) -> bool:
        return not self._rest


def _parse(cursor: _Cursor) -> Tuple[List[np.ndarray], List[str]]:
    if cursor.integers("Q", 2)[0] != _FILE:
        raise ValueError("another kind of file")
    arrays = [_array(cursor) for _ in range(cursor.integer("Q"))]
    names = [str(cursor.take(cursor.integer("Q")), "utf-8") for _ in range(cursor.integer("Q"))]
    if not cursor.is_at_end or len(names) not in (0, len(arrays)):
        raise ValueError("more or fewer than stated")
    return arrays, names


def _array(cursor: _Cursor) -> np.ndarray:
    shape = _shape(cursor)
    if not shape or min(shape) < 0 or max(shape) > _LARGEST:
        raise ValueError(f"no shape of an array: {shape}")
    *_, kind = cursor.integers("i", 3)  # behind the device that it was on
    if not 0 <= kind < len(_DTYPES):
        raise ValueError(f"no type of MXNet's: {kind}")
    dtype = np.dtype(_DTYPES[kind])
    return np.frombuffer(cursor.take(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)


def _shape(cursor: _Cursor) -> Tuple[int, ...]:
    magic = cursor.integer("I")
    if magic not in (_V1, _V2, _V3):
        return cursor.integers("I", magic)
    if magic != _V1 and cursor.integer("i") != _DENSE:
        raise ValueError("a sparse array")
    return cursor.integers("q", cursor.integer("I"))
