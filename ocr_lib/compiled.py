"""Compiling with numba, and the draws that compiled code takes.

A change in this file does not reach code that is cached already: delete the caches with it (``make clean``).
"""

import logging
import math
import os
import stat
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable

from numba import config, njit

logger = logging.getLogger(__name__)

_numba: Any = config
_OPTIONS: Any = {"nogil": True, "error_model": "numpy"}

inlined: Any = njit(**_OPTIONS)
"""For a function that compiled code calls."""


def compiled(signature: Any) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function at once, or loads it from numba's cache.

    At once means at import, so that processes forked after it share the code. A damaged cache is written anew. Where
    numba finds no folder for a cache, it gets one of the user's own in the temporary folder; where there can be none
    either, a warning says so, as compiling takes seconds each time.
    """

    def compile_(function: Any) -> Any:
        if _finds_folder(function):
            for _ in range(2):
                with suppress(Exception):
                    return njit(signature, cache=True, **_OPTIONS)(function)
                with suppress(Exception):
                    njit(cache=True, **_OPTIONS)(function)._cache.flush()
        _warn()
        return njit(signature, **_OPTIONS)(function)

    return compile_


def _finds_folder(function: Any) -> bool:
    """Whether there is a folder to keep compiled code in; the one that was found is numba's from then on."""
    with suppress(RuntimeError):
        njit(cache=True, **_OPTIONS)(function)
        return True
    with suppress(AttributeError, OSError, RuntimeError):  # Windows has no user ids
        _numba.CACHE_DIR = str(_private_folder())
        njit(cache=True, **_OPTIONS)(function)
        return True
    return False


def _private_folder() -> Path:
    """Return a folder of the temporary one in which no other user can put code for this one to run.

    Raises
    ------
    OSError
        If what stands there is not the user's own folder, or open to others.
    """
    folder = Path(tempfile.gettempdir(), f"ocr-lib-{os.getuid()}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not this user's alone")
    return folder


@lru_cache(maxsize=None)
def _warn() -> None:
    logger.warning(
        "What is compiled can't be kept, so each start takes seconds longer: "
        "set NUMBA_CACHE_DIR to a folder that can be written"
    )


@inlined
def uniform(draws, at):
    """Take the next of the draws (D,); ``at[0]`` counts them."""
    at[0] += 1
    return draws[at[0] - 1]


@inlined
def below(draws, at, bound):
    """Return an int in [0, bound), as ``secrets.randbelow`` does."""
    return int(uniform(draws, at) * bound)


@inlined
def fraction(draws, at):
    """Return 32 random bits as a fraction."""
    return math.floor(uniform(draws, at) * 4294967296.0) / 4294967296.0
