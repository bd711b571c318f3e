"""What C libraries print on stderr of their own accord, kept from it.

libjpeg and libpng, as they are in OpenCV, print a line about a damaged file, and OpenCV has no way to ask them not to.
They print to the variable `stderr` of the C library, which programs may set, as glibc's manual says. So what Python and
C++ print meanwhile, in this thread or another, is not lost, as it would be if the file descriptor led elsewhere.
"""

import contextlib
import ctypes
import os
import threading
from types import TracebackType
from typing import ContextManager, Optional, Type


class _Silence:
    """Several threads may be inside at a time, and a fork may happen meanwhile."""

    def __init__(self, stderr: ctypes.c_void_p, nowhere: int) -> None:
        self._stderr = stderr
        self._original = stderr.value
        self._nowhere = nowhere
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._stderr.value = self._original

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self._stderr.value = self._nowhere

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._stderr.value = self._original


def _silence() -> ContextManager[None]:
    try:
        os.confstr("CS_GNU_LIBC_VERSION")  # known where the C library is glibc; others may have the variable read-only
        libc = ctypes.CDLL(None)
        stderr = ctypes.c_void_p.in_dll(libc, "stderr")
    except (AttributeError, OSError, ValueError):
        return contextlib.nullcontext()
    libc.fopen.restype = ctypes.c_void_p
    nowhere = libc.fopen(os.devnull.encode(), b"we")
    return _Silence(stderr, nowhere) if nowhere else contextlib.nullcontext()


silent_c_stderr = _silence()
"""``with silent_c_stderr: ...``"""
