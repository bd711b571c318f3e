"""Compiling with numba, and the draws that compiled code takes.

A change in this file does not reach code that is cached already: delete the caches with it (``make clean``).
"""

import math
from contextlib import suppress
from typing import Any, Callable

from numba import njit

_OPTIONS: Any = {"nogil": True, "error_model": "numpy"}

inlined: Any = njit(**_OPTIONS)
"""For a function that compiled code calls."""


def compiled(signature: Any) -> Callable[[Any], Any]:
    """Return a decorator that compiles a function at once, or loads it from numba's cache.

    At once means at import, so that processes forked after it share the code. A damaged cache is written anew. Where
    numba finds no folder for a cache, compiling takes seconds each time, and works all the same.
    """

    def compile_(function: Any) -> Any:
        with suppress(Exception):
            return njit(signature, cache=True, **_OPTIONS)(function)
        with suppress(Exception):
            njit(cache=True, **_OPTIONS)(function)._cache.flush()
            return njit(signature, cache=True, **_OPTIONS)(function)
        return njit(signature, **_OPTIONS)(function)

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
