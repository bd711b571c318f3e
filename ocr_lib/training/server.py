"""A scheduler or a server of MXNet's KVStore, for machines that share a run: ``python -m ocr_lib.training.server``.

What the process is, and where the others are, the environment says, as ps-lite has it (DMLC_ROLE and others).
"""

import ctypes
import os
from typing import Any


def main() -> None:
    """Serve until the workers leave."""
    # MXNet serves as soon as it is imported as a server, and then unpickles whatever a client sends as an optimizer.
    role = os.environ["DMLC_ROLE"]
    os.environ["DMLC_ROLE"] = "worker"
    from ocr_lib.mx import mx

    os.environ["DMLC_ROLE"] = role
    store = mx.kv.create("dist")
    prototype = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    mx.base.check_call(mx.base._LIB.MXKVStoreRunServer(store.handle, prototype(_ignore), None))


def _ignore(*command: Any) -> None:
    """Do nothing about a command: updates are made by the workers."""


if __name__ == "__main__":
    main()
