"""Worker processes: tasks in, results out in the tasks' order, whatever happens to a worker."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait
from typing import Any, Callable, Deque, Generic, Iterable, Iterator, Optional, TypeVar

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError

Task = TypeVar("Task")
Result = TypeVar("Result")

MAX_RESTARTS_IN_A_ROW = 5
_PREFETCH_PER_WORKER = 3


class OrderedPool(Generic[Task, Result]):
    """Runs ``make_work()(task)`` in processes of its own, for a stream of tasks.

    Dead workers cost time and nothing else: all workers are started anew and what was pending is done again. An
    exception in a worker reaches the caller as it is. Workers end with their parent, even one that is killed.

    Parameters
    ----------
    make_work : callable
        Called once in every worker, returns the function that does a task. It must pickle, as tasks and results must.
    num_workers : int
        Processes to run.

    Raises
    ------
    OCRError
        If `num_workers` is less than 1.
    """

    def __init__(self, make_work: Callable[[], Callable[[Task], Result]], num_workers: int) -> None:
        if num_workers < 1:
            raise OCRError(f"--num_proc must be at least 1, not {num_workers}")
        self._make_work = make_work
        self._num_workers = num_workers
        # Workers of a fork server start within milliseconds and share the modules it has imported.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        self._context = multiprocessing.get_context(method)
        self._context.set_forkserver_preload(["ocr_lib.data.source", __name__])
        self._futures: Deque[Future[Result]] = deque()
        self._executor = self._start()

    def map(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield the result of each task, in order, working a bounded number of tasks ahead.

        One call of it can be under way at a time.

        Raises
        ------
        OCRError
            If workers die again and again without finishing a task.
        """
        remaining = iter(tasks)
        pending = deque(islice(remaining, self._num_workers * _PREFETCH_PER_WORKER))
        self._futures.clear()
        restarts = 0
        while pending:
            try:
                for task in islice(pending, len(self._futures), None):
                    self._futures.append(self._executor.submit(_work_on, task))
                result = self._futures[0].result()
            except BrokenProcessPool as error:
                restarts += 1
                if restarts > MAX_RESTARTS_IN_A_ROW:
                    raise OCRError(
                        f"worker processes died {restarts} times in a row without finishing a task: "
                        "is the memory full, or does something kill them?"
                    ) from error
                self._executor.shutdown()
                self._executor = self._start()
                self._futures.clear()
                continue
            restarts = 0
            self._futures.popleft()
            pending.popleft()
            pending.extend(islice(remaining, 1))
            yield result

    def close(self) -> None:
        """Stop the workers once they have finished the tasks in their hands; the others are dropped."""
        for future in self._futures:
            future.cancel()
        self._executor.shutdown()

    def __enter__(self) -> "OrderedPool[Task, Result]":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self) -> ProcessPoolExecutor:
        # Processes started under a blocked SIGINT never see Ctrl-C: only the parent acts on it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            executor = ProcessPoolExecutor(self._num_workers, self._context, _begin, (self._make_work,))
            for _ in range(self._num_workers):
                executor.submit(_nothing)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return executor


class _Worker:
    """The state of a worker process."""

    def __init__(self) -> None:
        self.make_work: Optional[Callable[[], Callable[[Any], Any]]] = None
        self.work: Optional[Callable[[Any], Any]] = None


_worker = _Worker()


def _begin(make_work: Callable[[], Callable[[Any], Any]]) -> None:
    _worker.make_work = make_work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _work_on(task: Any) -> Any:
    if _worker.work is None:  # made here and not in the initializer, whose exceptions the executor hides
        assert _worker.make_work is not None
        _worker.work = _worker.make_work()
    return _worker.work(task)


def _nothing() -> None:
    pass
