"""A scheduler or a server of MXNet's KVStore, for machines that share a run: ``python -m ocr_lib.training.server``.

What the process is, and where the others are, the environment says, as ps-lite has it (DMLC_ROLE and others).
"""

import ctypes
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from ocr_lib.errors import OCRError
from ocr_lib.training.watch import START_S, end_process

if TYPE_CHECKING:
    from ocr_lib.training.heartbeats import Heartbeats

VARIABLES = ("DMLC_ROLE", "DMLC_PS_ROOT_URI", "DMLC_PS_ROOT_PORT", "DMLC_NUM_WORKER", "DMLC_NUM_SERVER")
_ASKABLE_S = 3.0  # ps-lite dies of being asked before it connects, which it does at once
_INTERVAL_S = 1.0


def main() -> int:
    """Serve until the workers leave, or one of them is gone; return the exit code."""
    try:
        _serve()
    except OCRError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _serve() -> None:
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    role = os.environ.get("DMLC_ROLE")
    if missing or role not in ("scheduler", "server"):
        wrong = ", ".join(missing) or f"DMLC_ROLE={role}"
        raise OCRError(f"{wrong}: the environment must say what this is, and where others are; see docs/machines.md")
    # MXNet serves as soon as it is imported as a server, and then unpickles whatever a client sends as an optimizer.
    os.environ["DMLC_ROLE"] = "worker"
    from ocr_lib.mx import mx
    from ocr_lib.training.heartbeats import Heartbeats, prepare

    os.environ["DMLC_ROLE"] = role
    prepare()
    store = mx.kv.create("dist")
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(Heartbeats(store), role, over), daemon=True)
    watch.start()
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    mx.base.check_call(mx.base._LIB.MXKVStoreRunServer(store.handle, prototype(_ignore), None))
    over.set()
    watch.join()


def _ignore(*command: Any) -> None:
    """Do nothing about a command: updates are made by the workers."""


def _watch(heartbeats: "Heartbeats", role: str, over: threading.Event) -> None:
    """End this process when others don't come, or are gone; ps-lite would wait for ever."""
    deadline = time.monotonic() + START_S
    over.wait(_ASKABLE_S)
    while not over.wait(_INTERVAL_S) and not heartbeats.connected():
        if time.monotonic() >= deadline:
            end_process(f"this {role} waited in vain for {START_S:.0f} s: not all workers and servers have come")
    while not over.wait(_INTERVAL_S):
        lost = heartbeats.lost()
        if lost:
            end_process(f"this {role} ends: nothing is heard of {lost}")


if __name__ == "__main__":
    sys.exit(main())
