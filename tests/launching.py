"""Starting runs of several workers by lstm_ocr_launch.py, and looking at what becomes of them."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.toy import FONT, toy_arguments
from tests.unmeasured import UNMEASURED

ROOT = Path(__file__).parents[1]
PARTS = 2
EPOCHS = 8  # of 26 updates
LIMIT_S = 30  # by which every process of a run has ended, once one is gone

# Each rank works in a folder of its own, and has arguments of its own: what follows `@1` is for rank 1, up to `@`.
APART = """
import os, resource, sys
sys.path.insert(0, {root!r})
rank, arguments, whose = os.environ.get("OCR_RANK", "0"), [], None
for argument in sys.argv[1:]:
    if argument.startswith("@"):
        whose = argument[1:] or None
    elif whose in (None, rank):
        arguments.append(argument)
if os.environ.get("OCR_TEST_ROOM") and rank == "0":
    room = int(os.environ["OCR_TEST_ROOM"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
os.makedirs(rank, exist_ok=True)
os.chdir(rank)
from ocr_lib.cli.train import main
sys.exit(main(arguments))
"""


def training(*arguments, parts=PARTS, epochs=EPOCHS, font=FONT):
    """Return arguments of lstm_ocr_train.py."""
    settings = toy_arguments(("training.parts", parts), ("training.epochs", epochs))
    return [str(font), "--num_proc", "1", "--cpu", "1", *settings, *map(str, arguments)]


def launching(options, command):
    return [sys.executable, str(ROOT / "lstm_ocr_launch.py"), *map(str, options), "--", *map(str, command)]


def apart(folder):
    """Write the script whose workers have a folder each, called by their ranks."""
    script = folder / "apart.py"
    script.write_text(APART.format(root=str(ROOT)))
    return script


def launched(options, command, cwd=ROOT, **environment):
    """Run to the end; return what has become of it."""
    return subprocess.run(
        launching(options, command),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def lines_of(result, name):
    """Return what a process of a run said."""
    start = f"[{name}] "
    return [line[len(start) :] for line in result.stderr.splitlines() if line.startswith(start)]


@contextlib.contextmanager
def begun(arguments, **environment):
    """A run, of which nothing stays."""
    with subprocess.Popen(
        [*map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**UNMEASURED, "OMP_NUM_THREADS": "1", **environment},
    ) as process:
        try:
            yield process
        finally:
            for pid in started_by(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def started_by(pid):
    """Return the ids of a process and of all that descend from it."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, parent = stat.read_text().rsplit(")", 1)[1].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting.extend(children.get(found[-1], []))
    return found


def process_of(pids, *marks):
    """Return the process among these that has all marks in its environment, and is no leash; nor what it started."""
    for pid in pids:
        with contextlib.suppress(OSError):
            has = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if (
                all(mark.encode() in has for mark in marks)
                and b"leash.py" not in command
                and b"forkserver" not in command
            ):
                return pid
    raise AssertionError(f"no process has {marks}")


def all_ended(pids, limit_s=LIMIT_S):
    """Tell whether none of these processes is left, after a while."""
    deadline = time.monotonic() + limit_s
    left = set(pids)
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = {pid for pid in left if _runs(pid)}
    return not left


def _runs(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def wait_for(process, pattern):
    """Read what a run says up to a line; it must come."""
    said = []
    for line in process.stderr:
        said.append(line)
        if re.search(pattern, line):
            return
    raise AssertionError(f"the run ended without a line like {pattern}: {''.join(said[-5:])}")
