"""Worker processes: tasks in, results out in the tasks' order, whatever happens to a worker."""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import Any, Callable, Deque, Dict, Generic, Iterable, Iterator, Optional, Sequence, TypeVar

from ocr_lib.errors import OCRError
from ocr_lib.feed.processes import pickled, start_process
from ocr_lib.feed.worker import MODULES, WorkerError, serve

Task = TypeVar("Task")
Result = TypeVar("Result")

MAX_ATTEMPTS = 5
_PREFETCH_PER_WORKER = 3
_WINDOW_S = 1.0
_WAITING_SHARE = 0.01
_GUESSES: Dict[Optional[int], str] = {
    -signal.SIGKILL: ": is the memory full, or does something kill them?",
    1: ": what they print above says why",  # as Python ends with an exception
}


class OrderedPool(Generic[Task, Result]):
    """Runs ``make_work()(task)`` in processes of its own, for streams of tasks.

    A dead worker costs time and nothing else: another takes its place and does its task again. An exception in a worker
    reaches the caller as it is. Workers end with their parent, even one that is killed. They don't import the main
    module, so a script needs no ``if __name__ == "__main__"``.

    Each worker has a pipe of its own, and a thread here that hands it tasks and waits. So the end of a worker is seen
    at once as the end of its pipe, even when it dies with half of a result written (where `ProcessPoolExecutor`, whose
    workers share one pipe, would wait forever).

    Parameters
    ----------
    make_work : callable
        Called once in every worker, returns the function that does a task. It must pickle, as tasks and results must,
        and take nothing from the main module.
    num_workers : int, optional
        Processes to run. Left out, it is one at first, and another whenever results were waited for, up to the number
        of cores.
    preload : sequence of str
        Modules that processes need: imported once, and shared by them.
    niceness : int
        By how much processes give way to others, as ``nice`` has it.

    Raises
    ------
    OCRError
        If `num_workers` is less than 1, `make_work` is of the main module, or no process can be started.
    """

    def __init__(
        self,
        make_work: Callable[[], Callable[[Task], Result]],
        num_workers: Optional[int] = None,
        preload: Sequence[str] = (),
        niceness: int = 0,
    ) -> None:
        if num_workers is not None and num_workers < 1:
            raise OCRError(f"--num_proc must be at least 1, not {num_workers}")
        self._max_workers = num_workers or os.cpu_count() or 1
        self._prefetch = self._max_workers * _PREFETCH_PER_WORKER
        self._threads = ThreadPoolExecutor(self._max_workers)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._start_worker: Callable[[], _Worker] = partial(_Worker, pickled(make_work), preload, niceness)
        self._growing = threading.Lock()
        self._closed = False
        self.num_workers = 0
        for _ in range(num_workers or 1):
            self._grow()

    def map(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield the result of each task, in order, working a bounded number of tasks ahead.

        Several such streams may be read by turns, and each may be left at any time.

        Raises
        ------
        OCRError
            If one worker after another dies of the same task, or a task has something of the main module.
        RuntimeError
            If the pool is closed.
        """
        remaining = iter(tasks)
        futures: Deque[Future[Result]] = deque()

        def submit(count: int) -> None:
            futures.extend(self._threads.submit(self._do, task) for task in islice(remaining, count))

        try:
            submit(self._prefetch)
            window, waited = None, 0.0  # from the first result on, as that takes as long as a worker takes to start
            while futures:
                began = time.perf_counter()
                result = futures.popleft().result()
                now = time.perf_counter()
                waited += now - began
                if window is None or now - window >= _WINDOW_S:
                    if window is not None and waited > _WAITING_SHARE * (now - window):
                        self._grow()
                    window, waited = now, 0.0
                submit(1)
                yield result
        finally:
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """Stop the workers once they have finished the tasks in their hands; the others are dropped."""
        self._closed = True
        self._threads.shutdown()
        while not self._idle.empty():
            self._idle.get().close()

    def __enter__(self) -> "OrderedPool[Task, Result]":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _grow(self) -> None:
        with self._growing:
            if self.num_workers < self._max_workers:
                self._idle.put(self._start_worker())
                self.num_workers += 1

    def _do(self, task: Task) -> Result:
        worker = self._idle.get()
        try:
            if self._closed:
                raise RuntimeError("the pool is closed")
            return worker.do(task)
        finally:
            self._idle.put(worker)


class _Worker(Generic[Task, Result]):
    """A worker process seen from its parent, and the next one when it dies."""

    def __init__(self, make_work: bytes, preload: Sequence[str], niceness: int) -> None:
        self._make_work = make_work
        self._preload = (*MODULES, *preload)
        self._niceness = niceness
        self._start()

    def do(self, task: Task) -> Result:
        """Have a task done; its exception is raised as it is."""
        message = pickled(task)
        for _ in range(MAX_ATTEMPTS):
            answer = self._ask(message)
            if answer is not None:
                result, error, where = answer
                if error is not None:
                    raise error from WorkerError(where)
                return result
            self.close()
            exit_code = self._process.exitcode
            self._start()
        raise OCRError(
            f"{MAX_ATTEMPTS} worker processes in a row died of one task, the last with exit code {exit_code}"
            + _GUESSES.get(exit_code, "")
        )

    def close(self) -> None:
        """Let the process end."""
        self._connection.close()
        self._process.join()

    def _ask(self, message: bytes) -> Any:
        try:
            self._connection.send_bytes(message)
            return self._connection.recv()
        except (EOFError, OSError):
            return None

    def _start(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        with theirs:
            self._process = start_process(serve, (self._make_work, self._niceness, theirs), self._preload)
