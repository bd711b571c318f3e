"""Running lstm_ocr_train.py in a process that many runs share: loading MXNet takes longer than a toy run."""

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import ocr_lib.mx  # noqa: F401  (what imports this module is skipped where there is no MXNet)
from tests.toy import FONT, toy_arguments

ROOT = Path(__file__).parents[1]
COMMANDS = """
import contextlib, io, json, os, sys
from ocr_lib.cli import train
sys.path[0] = os.getcwd()
for line in sys.stdin:
    folder, arguments = json.loads(line)
    os.chdir(folder)
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            code = train.main(arguments)
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, said.getvalue()]), flush=True)
"""


class Result(NamedTuple):
    returncode: int
    stderr: str


@contextlib.contextmanager
def shared_process():
    """Give a function that runs the command with arguments, in a folder."""
    command = [sys.executable, "-c", COMMANDS]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    ) as process:

        def train(arguments, folder=ROOT):
            print(json.dumps([str(folder), arguments]), file=process.stdin, flush=True)
            return Result(*json.loads(process.stdout.readline()))

        yield train


_LOGGED = re.compile(r"\d\d:\d\d:\d\d,\d{3} ")


def one_thread(*arguments):
    return ["--cpu", "1", "--num_proc", "1", *map(str, arguments)]


def trained_toy(train, prefix, epochs=5):
    """Train on captchas of 0 and 7, and return the prefix."""
    result = train(one_thread(FONT, "--prefix", prefix, *toy_arguments(), "--epochs", epochs))
    assert result.returncode == 0, result.stderr
    return prefix


def refused(result):
    """Return the one line that a run ended with before it trained."""
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    (line,) = (line for line in result.stderr.splitlines() if not _LOGGED.match(line))
    assert "error: " in line and "unexpected" not in line
    return line
