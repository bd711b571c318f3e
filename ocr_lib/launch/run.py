"""Starts the processes of a run on several machines, and ends them together."""

import logging
import queue
import shutil
import signal
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import Iterator, List, NamedTuple, Optional, Tuple, Union

from ocr_lib.errors import OCRError
from ocr_lib.launch.command import executable, manifest, option, resuming, with_kv_store
from ocr_lib.launch.hosts import HERE, Host, address_here, check_port, free_ports, read_hosts, this_machine
from ocr_lib.launch.leash import GRACE_S
from ocr_lib.launch.process import Process
from ocr_lib.launch.roles import WORKER, Role, horovod_roles, parameter_server_roles, serve_horovod

logger = logging.getLogger(__name__)

_LAST_WORDS_S = 1.0  # for the others, which may fail of the same
_PARTING_S = 30.0  # for the others, once the first has ended as it should
_Event = Union[Process, signal.Signals]


class LaunchOptions(NamedTuple):
    """How a run is started.

    Attributes
    ----------
    workers, servers : int
    hostfile : Path, optional
        Of the hosts; this machine alone if left out.
    restarts : int
        How often it is started again after a failure.
    port : int, optional
        Of the scheduler; a free one if left out.
    kv_store : str, optional
        One of `command.DISTRIBUTED`; the command's own, or the first of these, if left out.
    """

    workers: int
    servers: int = 1
    hostfile: Optional[Path] = None
    restarts: int = 0
    port: Optional[int] = None
    kv_store: Optional[str] = None


def launch(command: List[str], options: LaunchOptions) -> int:
    """Run a command as several workers that share a run; return the exit code.

    Parameters
    ----------
    command : list of str
        That trains: ``lstm_ocr_train.py`` and its arguments.
    options : LaunchOptions

    Raises
    ------
    OCRError
        If it can't be started like this, or one of its processes failed.
    """
    workers, servers = _dealt(options)
    command = with_kv_store(executable(command), options.kv_store)
    here = Host(HERE, address_here(workers), 0)
    if options.port is not None:
        check_port(here.address, options.port)
    before = manifest(command, workers[0]) if options.restarts else b""
    with _signals() as events:
        for left in reversed(range(options.restarts + 1)):
            group = _Group(events)
            try:
                group.start(_roles(command, options, here, workers, servers))
                failed = group.wait()
            finally:
                group.end()
            if group.stopped and failed:
                logger.warning("%s", failed.fate())
            if group.stopped or not failed:
                return 128 + group.stopped if group.stopped else 0
            if not left:
                raise OCRError(f"{failed.fate()}: all others were ended")
            begun = "--resume" in command or manifest(command, workers[0]) not in (b"", before)
            command = resuming(command) if begun else command
            how = "from its last checkpoint" if begun else "from the beginning, as no checkpoint was there yet"
            logger.warning("%s: all others were ended, and all is started again %s", failed.fate(), how)
            if any(host.name != HERE for host in workers + servers):
                sleep(GRACE_S)  # what is behind a connection that was cut may need as long to end
    raise AssertionError


def _dealt(options: LaunchOptions) -> Tuple[List[Host], List[Host]]:
    """Return the host of each worker, and of each server."""
    for option_, count, least in (
        ("-n", options.workers, 1),
        ("-s", options.servers, 1),
        ("--restarts", options.restarts, 0),
    ):
        if count < least:
            raise OCRError(f"{option_} must be at least {least}, not {count}")
    hosts = read_hosts(options.hostfile) if options.hostfile else this_machine(options.workers)
    if any(host.name != HERE for host in hosts) and shutil.which("ssh") is None:
        raise OCRError("ssh, by which the hosts are reached, is not installed")
    slots = [host for host in hosts for _ in range(host.slots)]
    if options.workers > len(slots):
        raise OCRError(f"{options.hostfile}: -n {options.workers} workers don't fit the {len(slots)} slots there")
    return slots[: options.workers], list(islice(cycle(hosts), options.servers))


def _roles(
    command: List[str], options: LaunchOptions, here: Host, workers: List[Host], servers: List[Host]
) -> List[Role]:
    port = options.port or free_ports(here.address, 1)[0]
    slots = int(option(command, "--cpu") is None and option(command, "--gpu") is None)
    if option(command, "--kv-store") == "horovod":
        serve_horovod(here.address, port)
        return horovod_roles(command, here, workers, port, slots)
    return parameter_server_roles(command, here, workers, servers, port, slots)


class _Group:
    """The processes of a run, from when they start until none is left.

    Attributes
    ----------
    stopped : signal.Signals or None
        That this program was told to stop by, and the workers after it.
    """

    def __init__(self, events: "queue.SimpleQueue[_Event]") -> None:
        self.stopped: Optional[signal.Signals] = None
        self._events = events
        self._running: List[Process] = []
        self._workers: List[Process] = []

    def start(self, roles: List[Role]) -> None:
        """Start them all."""
        for role in roles:
            process = Process(role.name, role.host, role.command, role.environment, self._events.put, role.slots)
            self._running.append(process)
            if role.name.startswith(WORKER):
                self._workers.append(process)

    def wait(self) -> Optional[Process]:
        """Wait until all workers have ended as they should; return the process that did not, if one did not."""
        deadline = None
        while self._workers:
            event = self._next(deadline)
            if event is None:
                return None if self.stopped else self._workers[0]
            if isinstance(event, signal.Signals):
                if self.stopped:  # the second one: at once
                    break
                self.stopped = event
                for process in self._workers:
                    process.send(signal.SIGTERM if event == signal.SIGHUP else event)
            elif event.exit_code not in (0, self.stopped and 128 + self.stopped):
                self._wait_for_all(_LAST_WORDS_S)
                return event
            elif isinstance(event, Process) and event.name.startswith(WORKER):
                deadline = deadline or monotonic() + _PARTING_S
        else:
            self._wait_for_all(_PARTING_S)
        return None

    def end(self) -> None:
        """End those that still run."""
        for act, patience_s in ((Process.end, GRACE_S + 3), (Process.kill, 3.0)):
            for process in self._running:
                act(process)
            self._wait_for_all(patience_s)

    def _wait_for_all(self, patience_s: float) -> None:
        deadline = monotonic() + patience_s
        while self._running:
            event = self._next(deadline)
            if event is None:
                break
            if isinstance(event, signal.Signals):
                self.stopped = self.stopped or event

    def _next(self, deadline: Optional[float]) -> Optional[_Event]:
        """Return what happens next, or None if that is nothing until the deadline."""
        try:
            event = self._events.get(timeout=None if deadline is None else max(0.0, deadline - monotonic()))
        except queue.Empty:
            return None
        if isinstance(event, Process):
            self._running.remove(event)
            if event in self._workers:
                self._workers.remove(event)
        return event


@contextmanager
def _signals() -> "Iterator[queue.SimpleQueue[_Event]]":
    """While entered, signals that would end this program are put into a queue instead."""
    events: queue.SimpleQueue[_Event] = queue.SimpleQueue()

    def remember(number: int, frame: Optional[FrameType]) -> None:
        events.put(signal.Signals(number))

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        numbers.append(signal.SIGHUP)
    handlers = {number: signal.signal(number, remember) for number in numbers}
    try:
        yield events
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
