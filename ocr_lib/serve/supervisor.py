"""The processes of a service: started, started again when one dies, and ended without losing what is in flight.

Uvicorn's own answers SIGHUP by ending its processes; here models are loaded again in them.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, Iterator, List, Optional, Tuple, cast

from ocr_lib.errors import OCRError
from ocr_lib.serve.logs import log_as_json
from ocr_lib.serve.settings import Settings
from ocr_lib.serve.telemetry import SHARED

if TYPE_CHECKING:
    import uvicorn

_BACKLOG = 1024
_LEAST_LIFE = 1.0  # seconds; one that dies sooner is not started again at once
_LOOK = 0.02
_SWITCH = 0.0005  # seconds; ten times that, Python's own, the thread that reads would wait for the loop at each image
_KILLED_AFTER = 2.0  # seconds beyond the grace

_log = logging.getLogger(__name__)
_spawn = multiprocessing.get_context("spawn")


def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Parameters
    ----------
    settings : Settings
    host : str
    port : int
        0 takes one that is free.
    workers : int
        Processes.

    Raises
    ------
    OCRError
        If the address can't be listened on, or a model can't be loaded.
    """
    from ocr_lib.serve.models import Models

    log_as_json(settings.log_level)
    Models(settings.models, settings.batch_size, 1)  # what is wrong is told before all else
    with _reserved(host, port) as address, tempfile.TemporaryDirectory(prefix="ocr-metrics-") as figures:
        os.environ[SHARED] = figures
        _Supervisor(settings, address, workers).run()


@contextlib.contextmanager
def _reserved(host: str, port: int) -> Iterator[Tuple[str, int]]:
    """Keep an address, for processes that each listen on it: the kernel shares connections out among them."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)  # without SO_REUSEPORT, so another service that is there is found
        with _bound(family, address) as kept:
            yield kept.getsockname()[:2]
    except OSError as error:
        raise OCRError(f"{host}:{port} can't be listened on: {error.strerror or error}") from error


def _bound(family: int, address: Tuple[object, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound


class _Supervisor:
    """Keeps processes running."""

    def __init__(self, settings: Settings, address: Tuple[str, int], workers: int) -> None:
        self._settings = settings
        self._address = address
        self._workers = workers
        self._processes: List[SpawnProcess] = []
        self._born: List[float] = []
        self._ending = False
        self._ready, self._telling = _spawn.Pipe(duplex=False)
        # A signal wakes the loop by this pipe, which Python writes to.
        self._woken, self._waking = os.pipe()
        os.set_blocking(self._waking, False)

    def run(self) -> None:
        """Run until the service is to end."""
        signal.set_wakeup_fd(self._waking)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGHUP, self._renew)
        for _ in range(self._workers):
            self._start()
        threading.Thread(target=self._tell_when_ready, daemon=True).start()
        while not self._ending:
            ready = wait([self._woken, *(process.sentinel for process in self._processes)])
            if self._woken in ready:
                os.read(self._woken, 4096)
            if not self._ending:
                self._replace_dead()
        self._stop()

    def _tell_when_ready(self) -> None:
        for _ in range(self._workers):
            self._ready.recv()
        host, port = self._address
        _log.info("answering at http://%s:%d", f"[{host}]" if ":" in host else host, port)

    def _start(self, place: Optional[int] = None) -> None:
        process = _spawn.Process(target=_work, args=(self._settings, self._address, self._telling))
        process.start()
        if place is None:
            self._processes.append(process)
            self._born.append(time.monotonic())
        else:
            self._processes[place], self._born[place] = process, time.monotonic()

    def _replace_dead(self) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        for place, process in enumerate(self._processes):
            if process.exitcode is None:
                continue
            _log.error("process %d has ended (exit code %d); another takes its place", process.pid, process.exitcode)
            mark_process_dead(process.pid)
            time.sleep(max(0.0, self._born[place] + _LEAST_LIFE - time.monotonic()))
            self._start(place)

    def _end(self, *_: object) -> None:
        self._ending = True

    def _renew(self, *_: object) -> None:
        for process in self._processes:
            self._signal(process, signal.SIGHUP)

    def _stop(self) -> None:
        _log.info("ending: what is in flight has %g seconds", self._settings.grace)
        for process in self._processes:
            self._signal(process, signal.SIGTERM)
        deadline = time.monotonic() + self._settings.grace + _KILLED_AFTER
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                _log.error("process %d does not end, and is killed", process.pid)
                process.kill()
                process.join()

    @staticmethod
    def _signal(process: SpawnProcess, number: int) -> None:
        if process.pid is not None and process.exitcode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _work(settings: Settings, address: Tuple[str, int], ready: Connection) -> None:
    """Answer requests, in a process of its own; tells when it does."""
    import uvicorn

    from ocr_lib.serve.app import create_app
    from ocr_lib.serve.protocol import PatientProtocol

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until models can be renewed
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the supervisor ends them
    log_as_json(settings.log_level)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.setswitchinterval(_SWITCH)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        http=cast(Any, partial(PatientProtocol, app.state.service)),
        log_config=None,
        access_log=False,
        server_header=False,
        root_path=settings.root_path,
        timeout_graceful_shutdown=int(settings.grace),
    )
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with _bound(family, address) as listening:
        listening.listen(_BACKLOG)
        server = uvicorn.Server(config)
        threading.Thread(target=_tell_start, args=(server, ready), daemon=True).start()
        server.run(sockets=[listening])


def _tell_start(server: "uvicorn.Server", ready: Connection) -> None:
    while not server.started:
        time.sleep(_LOOK)
    ready.send(os.getpid())


def _end_with_parent() -> None:
    """End this process when the supervisor is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
