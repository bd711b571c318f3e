"""Whole runs of the training command on the toy task, as processes that can be disturbed."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import List, NamedTuple

import pytest

from ocr_lib.files import sha256
from tests.toy import FONT, toy_arguments
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).parents[2]
EPOCHS = 4


def new(prefix, *arguments, font=FONT, settings=(("training.epochs", EPOCHS),)):
    """Return the arguments of a new run."""
    options = ["--prefix", str(prefix), "--cpu", "1", "--num_proc", "2", *toy_arguments(*settings)]
    return [str(font), *options, *arguments]


def more(prefix, *arguments, font=FONT):
    """Return the arguments that go on with a run."""
    return [str(font), "--prefix", str(prefix), "--cpu", "1", "--num_proc", "1", "--resume", *arguments]


def command(*arguments, **options):
    """Return the command of a new run in a process of its own."""
    return [sys.executable, str(ROOT / "lstm_ocr_train.py"), *new(*arguments, **options)]


def resumed(*arguments, **options):
    """Return the command that goes on with a run in a process of its own."""
    return [sys.executable, str(ROOT / "lstm_ocr_train.py"), *more(*arguments, **options)]


def run(arguments, **environment):
    environment = {**UNMEASURED, **environment}
    return subprocess.run(arguments, capture_output=True, text=True, timeout=200, check=False, env=environment)


@contextlib.contextmanager
def begun(arguments):
    """A run in a process group of its own, of which nothing stays."""
    with subprocess.Popen(
        arguments, stderr=subprocess.PIPE, text=True, start_new_session=True, env=UNMEASURED
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(process, pattern):
    """Read the log up to a line; it must come."""
    for line in process.stderr:
        if re.search(pattern, line):
            return
    pytest.fail(f"the run ended without a line like {pattern}")


class Processes(NamedTuple):
    """The ids of a run's processes, other than the first."""

    rendering: List[int]
    computing: List[int]


def processes(process):
    """Return the children of a run's fork server; those that compute have MXNet."""
    found = Processes([], [])
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            pid, parent = int(stat.parent.name), int(stat.read_text().rsplit(")", 1)[1].split()[1])
            if os.getpgid(pid) == process.pid and parent not in (process.pid, os.getpid()):
                found["libmxnet" in (stat.parent / "maps").read_text()].append(pid)
    return found


def ended(process):
    """Whether no process of a run's group is left, after a moment."""
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def hashes(prefix):
    return {path.name: sha256(path) for path in prefix.parent.glob("*.params")}
