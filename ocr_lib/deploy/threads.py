"""Threads that are there after a fork and after pickling too, and calls that no fork comes between."""

import os
import threading
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


class Calls:
    """Calls that other threads may make at the same time, but during which the process does not fork.

    A library's lock that another thread holds when a process forks is held forever in the child. So a fork waits for
    the calls that are under way, and those that begin meanwhile wait for it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._under_way = self._forks = 0
        os.register_at_fork(before=self._hold, after_in_parent=self._go_on, after_in_child=self._begin_anew)

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._forks)
            self._under_way += 1

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def _hold(self) -> None:
        self._changed.acquire()
        self._forks += 1
        self._changed.wait_for(lambda: not self._under_way)

    def _go_on(self) -> None:
        self._forks -= 1
        self._changed.notify_all()
        self._changed.release()

    def _begin_anew(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._forks = 0
