"""Starting processes that take nothing from the program that starts them but a function and its arguments."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from multiprocessing import spawn, util
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from types import FunctionType
from typing import Any, Callable, Dict, Iterator, Sequence, Tuple

from ocr_lib.errors import OCRError

_MAX_SOCKET_PATH = 103  # bytes; macOS allows no more, Linux 107
_LISTENER = "/listener-xxxxxxxx"  # as multiprocessing calls it
_SHORT_FOLDER = "/tmp"
_seam = threading.Lock()


class _Pickler(ForkingPickler):
    """Pickles for processes of `start_process`, which lack what the main module defines."""

    def reducer_override(self, thing: Any) -> Any:
        """Leave all to the other rules, but for functions and classes of the main module.

        Raises
        ------
        OCRError
            With their name.
        """
        if isinstance(thing, (FunctionType, type)) and thing.__module__ == "__main__":
            raise OCRError(
                f"{thing.__qualname__} is defined in the program's main module, which worker processes don't import: "
                "put it into a module of its own"
            )
        return NotImplemented


def pickled(thing: Any) -> bytes:
    """Pickle something for a process of `start_process`.

    Raises
    ------
    OCRError
        If it has a function or a class of the program's main module.
    """
    # Not as the view that it comes as: early releases of Python 3.12 die of collecting garbage while there is one.
    return bytes(_Pickler.dumps(thing))


def start_process(target: Callable[..., None], arguments: Tuple[Any, ...], preload: Sequence[str]) -> BaseProcess:
    """Start a process that never sees Ctrl-C: only the parent acts on it.

    A fork server gives it, within milliseconds, with modules that it shares with others; where none can be had, it is a
    new interpreter. Neither imports the main module, which may lack ``if __name__ == "__main__"`` or have loaded much.

    Parameters
    ----------
    target : callable
    arguments : tuple
        They must pickle; see `pickled`.
    preload : sequence of str
        Modules that the fork server imports.

    Raises
    ------
    OCRError
        If the system lets none be started.
    """
    with contextlib.suppress(EOFError, OSError, ValueError):
        return _start("forkserver", target, arguments, preload)
    try:
        return _start("spawn", target, arguments, preload)
    except OSError as error:
        raise OCRError(f"a worker process can't be started: {error}") from error


def _start(method: str, target: Callable[..., None], arguments: Tuple[Any, ...], preload: Sequence[str]) -> BaseProcess:
    context: Any = multiprocessing.get_context(method)
    if method == "forkserver":
        _shorten_socket_paths()
        context.set_forkserver_preload(list(preload))
    process: BaseProcess = context.Process(target=target, args=arguments, daemon=True)
    # Processes that are started while SIGINT is blocked never see it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with _main_left_out():
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return process


@contextlib.contextmanager
def _main_left_out() -> Iterator[None]:
    """Let the processes that this thread starts know of no main module.

    The seam is the function of `multiprocessing` that says what a new process has to prepare.
    """
    thread = threading.get_ident()
    with _seam:
        original = spawn.get_preparation_data

        def without_main(name: str) -> Dict[str, Any]:
            data = original(name)
            if threading.get_ident() != thread:
                return data
            return {key: value for key, value in data.items() if not key.startswith("init_main_from_")}

        spawn.get_preparation_data = without_main
        try:
            yield
        finally:
            spawn.get_preparation_data = original


def _shorten_socket_paths() -> None:
    """Have multiprocessing put its sockets where their paths are short enough, whatever TMPDIR says."""
    with _seam:
        if len(os.fsencode(util.get_temp_dir() + _LISTENER)) <= _MAX_SOCKET_PATH:
            return
        folder = tempfile.mkdtemp(prefix="pymp-", dir=_SHORT_FOLDER)
        util.Finalize(None, shutil.rmtree, (folder, True), exitpriority=-100)
        current: Any = multiprocessing.current_process()
        current._config["tempdir"] = folder
