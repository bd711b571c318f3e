"""Memory that the processes of a training run share. It is gone with the last of them, however that ends."""

import fcntl
import mmap
import os
import tempfile
from contextlib import suppress
from typing import Any, Optional, Tuple

import numpy as np

from ocr_lib.errors import OCRError

_FLOAT = np.dtype(np.float32)


class SharedVectors:
    """Rows of float32 numbers that several processes read and write: it pickles as the way to the same memory.

    Parameters
    ----------
    rows, size : int

    Attributes
    ----------
    array : numpy.ndarray
        (rows, size) float32, zero at first.
    """

    def __init__(self, rows: int, size: int, file: Optional[int] = None) -> None:
        if file is None:
            file = _unnamed_file()
            os.ftruncate(file, max(1, rows * size) * _FLOAT.itemsize)
        self._file = file
        self.array = np.frombuffer(mmap.mmap(file, 0), _FLOAT, rows * size).reshape(rows, size)

    def claim(self, count: int) -> int:
        """Return a number below `count` that no other process has claimed; it is free again when this one ends.

        Raises
        ------
        OCRError
            If none is left.
        """
        for number in range(count):
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
                return number
        raise OCRError(f"all {count} numbers are claimed by other processes")

    def __reduce__(self) -> Tuple[Any, ...]:
        return _attached, (f"/proc/{os.getpid()}/fd/{self._file}", *self.array.shape)

    def __del__(self) -> None:
        os.close(self._file)


def _attached(path: str, rows: int, size: int) -> SharedVectors:
    return SharedVectors(rows, size, os.open(path, os.O_RDWR | os.O_CLOEXEC))


def _unnamed_file() -> int:
    # Files in /dev/shm would outlive a run that is killed, and containers may lack the folder.
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lstm-ocr")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
