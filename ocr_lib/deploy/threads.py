"""Threads that are there after a fork and after pickling too."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterable, Iterator, Tuple, TypeVar

T = TypeVar("T")


class Threads:
    """A pool of threads.

    A process that is forked has none of its parent's threads, so it would wait for them forever. It gets its own.

    Parameters
    ----------
    count : int
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._start()

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self._count,)

    def map(self, function: Callable[..., T], *arguments: Iterable[Any]) -> Iterator[T]:
        """Call a function with each of the arguments, as the builtin of this name does, several calls at a time."""
        if self._process != os.getpid():
            self._start()
        return self._pool.map(function, *arguments)

    def _start(self) -> None:
        self._pool = ThreadPoolExecutor(self._count)
        self._process = os.getpid()
