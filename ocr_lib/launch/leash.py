"""Runs a command that ends when this program's input does, be its starter killed or the connection to it cut.

    python leash.py [--slots N] COMMAND...

Each line of the input is the number of a signal for the command. With ``--slots`` the command gets ``--cpu``: the share
of the cores that one of so many has. The exit code is the command's, or 128 and the number of the signal it died of.

It needs nothing but this file.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import List

GRACE_S = 5.0
_PR_SET_PDEATHSIG = 1


def main(arguments: List[str]) -> int:
    """Run the command and return its exit code."""
    if arguments[0] == "--slots":
        slots, arguments = int(arguments[1]), arguments[2:]
        arguments = [*arguments, "--cpu", str(max(1, len(os.sched_getaffinity(0)) // slots))]
    parent = os.getpid()
    libc = ctypes.CDLL(None)

    def end_with_parent() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            preexec_fn=end_with_parent,  # noqa: PLW1509 (there are no threads yet)
            start_new_session=True,
        )
    except OSError as error:
        print(f"error: {arguments[0]}: {error.strerror}", file=sys.stderr)
        return 127
    threading.Thread(target=_obey, args=(process,), daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code


def _obey(process: "subprocess.Popen[bytes]") -> None:
    with open(0, "rb", buffering=0, closefd=False) as lines:  # unbuffered: no lock is held at the exit
        for line in lines:
            process.send_signal(int(line))
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
