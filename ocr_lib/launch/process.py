"""A process of a run, here or over ssh: its output comes line by line, and it ends with this program."""

import os
import shlex
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Callable, Dict, List, Optional

from ocr_lib.errors import OCRError
from ocr_lib.launch import leash
from ocr_lib.launch.hosts import HERE, Host

_SSH = (
    "ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=2".split()
)  # no questions; a network that is dead ends it within 15 s
_SSH_FAILED = 255
_PASSED_ON = tuple(
    "PATH PYTHON LD_ LANG LC_ TZ OMP_ MKL_ KMP_ OPENBLAS_ GOMP_ DNNL_ MXNET_ DMLC_ PS_ OCR_ HOROVOD_ GLOO_ NUMBA_ "
    "WARPCTC_ PORT CUDA_ VIRTUAL_ENV TMPDIR COV_CORE_ COVERAGE_".split()
)
_output = threading.Lock()


class Process:
    """A command that runs on a host, in the folder that this program runs in.

    Parameters
    ----------
    name : str
        That its lines begin with.
    host : Host
    command : list of str
    environment : dict of str to str
        What it gets besides this program's.
    ended : callable
        Is called with the process once that has ended, by a thread.
    slots : int
        If not 0, the command gets ``--cpu``, for one of so many on its machine.

    Attributes
    ----------
    name : str
    host : Host
    exit_code : int or None
        Once it has ended; 128 and the signal's number if it died of one.

    Raises
    ------
    OCRError
        If it can't be started.
    """

    def __init__(
        self,
        name: str,
        host: Host,
        command: List[str],
        environment: Dict[str, str],
        ended: Callable[["Process"], None],
        slots: int = 0,
    ) -> None:
        self.name = name
        self.host = host
        self.exit_code: Optional[int] = None
        self._last_error = ""
        share = ["--slots", str(slots)] if slots else []
        leashed = [sys.executable, leash.__file__, *share, *command]
        own = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        arguments = leashed if host.name == HERE else remote(host, leashed, own)
        try:
            self._process = subprocess.Popen(
                arguments,
                env=own,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C reaches it through this program alone
            )
        except OSError as error:
            raise OCRError(f"{arguments[0]} can't be started: {error.strerror}") from error
        streams = (self._process.stdout, sys.stdout), (self._process.stderr, sys.stderr)
        relays = [threading.Thread(target=self._relay, args=both, daemon=True) for both in streams]
        for relay in relays:
            relay.start()
        threading.Thread(target=self._wait, args=(relays, ended), daemon=True).start()

    def send(self, number: int) -> None:
        """Send the command a signal, if it still runs."""
        with suppress(OSError, ValueError):
            self._input().write(b"%d\n" % number)
            self._input().flush()

    def end(self) -> None:
        """Have the command end: by SIGTERM, and after `leash.GRACE_S` by SIGKILL."""
        with suppress(OSError, ValueError):
            self._input().close()

    def kill(self) -> None:
        """Kill what this program itself started; the command ends with that."""
        self._process.kill()

    def fate(self) -> str:
        """Return how it ended, in words, with the error that it told last."""
        how = f"ended with exit code {self.exit_code}"
        with suppress(ValueError):
            how = f"was ended by {signal.Signals((self.exit_code or 0) - 128).name}"
        if self.exit_code is None:
            how = "did not end when another had"
        if self.host.name != HERE and self.exit_code == _SSH_FAILED:
            how = "lost its connection: ssh ended with exit code 255"
        where = "" if self.host.name == HERE else f" on {self.host.name}"
        return f"{self.name}{where} {how}{self._last_error and f' ({self._last_error})'}"

    def _input(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _wait(self, relays: List[threading.Thread], ended: Callable[["Process"], None]) -> None:
        code = self._process.wait()
        self.exit_code = code if code >= 0 else 128 - code
        self.end()
        for relay in relays:
            relay.join(timeout=1)  # what the command started may still hold the pipe
        ended(self)

    def _relay(self, source: IO[bytes], target: IO[str]) -> None:
        with source:
            for line in source:
                text = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
                if "error: " in text:
                    self._last_error = text[text.index("error: ") + len("error: ") :]
                tell(f"[{self.name}] {text}", target)


def tell(line: str, target: IO[str]) -> None:
    """Write a line at once, and whole whoever else writes."""
    with _output, suppress(OSError, ValueError):  # the reader may have had enough: what runs goes on
        target.write(f"{line}\n")
        target.flush()


def remote(host: Host, command: List[str], environment: Dict[str, str]) -> List[str]:
    """Return the command that runs a command on a host, in the same folder, with what matters of an environment."""
    passed_on = [f"{name}={value}" for name, value in sorted(environment.items()) if name.startswith(_PASSED_ON)]
    line = " ".join(map(shlex.quote, ["env", *passed_on, *command]))
    return [*_SSH, "--", host.name, f"cd {shlex.quote(str(Path.cwd()))} && exec {line}"]
