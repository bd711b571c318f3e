"""What a worker process does. Little is imported before it can tell what goes wrong."""

import contextlib
import os
import signal
import traceback
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, Callable

from ocr_lib.feed.processes import pickled

MODULES = (__name__, "ocr_lib.cv")


class WorkerError(Exception):
    """The traceback that an exception had in its worker, as text; or what is told of one that can't be handed over."""


def serve(make_work: bytes, niceness: int, connection: Connection) -> None:
    """Answer tasks until the other end of the pipe is closed, be it that the parent is gone.

    An answer is (result, None, None), or (None, exception, traceback).

    Parameters
    ----------
    make_work : bytes
        Pickled; called at once. What it raises is the answer to every task.
    niceness : int
        By how much to give way to other processes.
    connection : multiprocessing.connection.Connection
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work, failure = None, b""
    try:
        work = _begin(make_work, niceness)
    except BaseException as error:
        failure = _failure(error)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            task = connection.recv_bytes()
            connection.send_bytes(_answer(work, task) if work else failure)


def _answer(work: Callable[[Any], Any], task: bytes) -> bytes:
    try:
        return pickled((work(ForkingPickler.loads(task)), None, None))
    except BaseException as error:
        return _failure(error)


def _begin(make_work: bytes, niceness: int) -> Callable[[Any], Any]:
    from ocr_lib.cv import cv2

    cv2.setNumThreads(1)
    work: Callable[[Any], Any] = ForkingPickler.loads(make_work)()
    os.nice(niceness)
    return work


def _failure(error: BaseException) -> bytes:
    where = traceback.format_exc()
    if isinstance(error, Exception):
        with contextlib.suppress(Exception):
            answer = pickled((None, error, where))
            ForkingPickler.loads(answer)
            return answer
    # It would end the parent, as SystemExit does, or can't be pickled and made anew there.
    return pickled((None, WorkerError(f"{type(error).__name__}: {error}"), where))
