"""Worker processes: tasks in, results out in the tasks' order, whatever happens to a worker."""

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Callable, Deque, Generic, Iterable, Iterator, Optional, Sequence, TypeVar

from ocr_lib.cv import cv2
from ocr_lib.errors import OCRError

Task = TypeVar("Task")
Result = TypeVar("Result")

MAX_ATTEMPTS = 5
_PREFETCH_PER_WORKER = 3
_WINDOW_S = 1.0
_WAITING_SHARE = 0.01


class WorkerError(Exception):
    """The cause of an exception that came from a worker: its traceback there, as text."""


class OrderedPool(Generic[Task, Result]):
    """Runs ``make_work()(task)`` in processes of its own, for a stream of tasks.

    A dead worker costs time and nothing else: another takes its place and does its task again. An exception in a worker
    reaches the caller as it is. Workers end with their parent, even one that is killed.

    Each worker has a pipe of its own, and a thread here that hands it tasks and waits. So the end of a worker is seen
    at once as the end of its pipe, even when it dies with half of a result written (where `ProcessPoolExecutor`, whose
    workers share one pipe, would wait forever).

    Parameters
    ----------
    make_work : callable
        Called once in every worker, returns the function that does a task. It must pickle, as tasks and results must.
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
        If `num_workers` is less than 1.
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
        self._futures: Deque[Future[Result]] = deque()
        self._threads = ThreadPoolExecutor(self._max_workers)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._start_worker: Callable[[], _Worker] = partial(_Worker, make_work, preload, niceness)
        self.num_workers = 0
        for _ in range(num_workers or 1):
            self._grow()

    def map(self, tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield the result of each task, in order, working a bounded number of tasks ahead.

        One call of it can be under way at a time.

        Raises
        ------
        OCRError
            If one worker after another dies of the same task.
        """
        remaining = iter(tasks)
        try:
            self._submit(islice(remaining, self._prefetch))
            window, waited = None, 0.0  # from the first result on, as that takes as long as a worker takes to start
            while self._futures:
                began = time.perf_counter()
                result = self._futures.popleft().result()
                now = time.perf_counter()
                waited += now - began
                if window is None or now - window >= _WINDOW_S:
                    if window is not None and waited > _WAITING_SHARE * (now - window):
                        self._grow()
                    window, waited = now, 0.0
                self._submit(islice(remaining, 1))
                yield result
        finally:
            self._drop_pending()

    def close(self) -> None:
        """Stop the workers once they have finished the tasks in their hands; the others are dropped."""
        self._drop_pending()
        self._threads.shutdown()
        while not self._idle.empty():
            self._idle.get().close()

    def __enter__(self) -> "OrderedPool[Task, Result]":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _grow(self) -> None:
        if self.num_workers < self._max_workers:
            self._idle.put(self._start_worker())
            self.num_workers += 1

    def _submit(self, tasks: Iterable[Task]) -> None:
        self._futures.extend(self._threads.submit(self._do, task) for task in tasks)

    def _drop_pending(self) -> None:
        while self._futures:
            self._futures.pop().cancel()

    def _do(self, task: Task) -> Result:
        worker = self._idle.get()
        try:
            return worker.do(task)
        finally:
            self._idle.put(worker)


class _Worker(Generic[Task, Result]):
    """A worker process seen from its parent, and the next one when it dies."""

    def __init__(
        self, make_work: Callable[[], Callable[[Task], Result]], preload: Sequence[str], niceness: int
    ) -> None:
        self._make_work = make_work
        self._niceness = niceness
        # Workers of a fork server start within milliseconds and share the modules it has imported.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        self._context: Any = multiprocessing.get_context(method)
        self._context.set_forkserver_preload([__name__, *preload])
        self._start()

    def do(self, task: Task) -> Result:
        """Have a task done; its exception is raised as it is."""
        for _ in range(MAX_ATTEMPTS):
            answer = self._ask(task)
            if answer is not None:
                result, error, where = answer
                if error is not None:
                    raise error from WorkerError(where)
                return result
            self.close()
            exit_code = self._process.exitcode
            self._start()
        raise OCRError(
            f"{MAX_ATTEMPTS} worker processes in a row died of one task, the last with exit code {exit_code}: "
            "is the memory full, or does something kill them?"
        )

    def close(self) -> None:
        """Let the process end."""
        self._connection.close()
        self._process.join()

    def _ask(self, task: Task) -> Any:
        try:
            self._connection.send(task)
            return self._connection.recv()
        except (EOFError, OSError):
            return None

    def _start(self) -> None:
        self._connection, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=_serve, args=(self._make_work, self._niceness, theirs), daemon=True
        )
        # Processes started under a blocked SIGINT never see Ctrl-C: only the parent acts on it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            theirs.close()


def _serve(make_work: Callable[[], Callable[[Task], Result]], niceness: int, connection: Connection) -> None:
    """Answer tasks until the other end of the pipe is closed, be it that the parent is gone."""
    os.nice(niceness)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    work: Optional[Callable[[Task], Result]] = None
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            task = connection.recv()
            try:
                if work is None:
                    work = make_work()
                answer = work(task), None, None
            except Exception as error:
                connection.send((None, error, traceback.format_exc()))
            else:
                connection.send(answer)
