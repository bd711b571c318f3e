"""Compiling with numba, and the draws that compiled code takes.

A change in this file does not reach code that is cached already: delete the caches with it (``make clean``).
"""

import math
from typing import Any, Callable

from numba import njit

inlined: Any = njit(nogil=True, error_model="numpy")
"""For a function that compiled code calls."""


def compiled(signature: Any) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function at once, or loads it from numba's cache.

    At once means at import, so that processes forked after it share the code. Where numba finds no folder for its
    cache, or can't read what is in it, compiling takes seconds and works all the same.
    """

    def compile_(function: Any) -> Any:
        try:
            return njit(signature, nogil=True, error_model="numpy", cache=True)(function)
        except Exception:
            return njit(signature, nogil=True, error_model="numpy")(function)

    return compile_


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
