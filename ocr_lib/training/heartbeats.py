"""Who of the processes that MXNet's KVStore connects is still there: all tell the scheduler, and it answers."""

import ctypes
import os
from typing import Any, List

from ocr_lib.mx import mx

INTERVAL_S = 1
GONE_S = 8
_SCHEDULER = 1  # ps-lite's numbers of processes
_FIRST_SERVER, _FIRST_WORKER = 8, 9
_THE_SCHEDULER = "the scheduler"
_WHY = ("killed, failed, stopped or cut off", "gone itself, or it ended because another was: its output says who")
_CONNECTED = -(10**6)  # a time so long ago that nobody who is connected has been heard of since


def prepare() -> None:
    """Have ps-lite send heartbeats, which it does not by default; before it connects."""
    os.environ["PS_HEARTBEAT_INTERVAL"] = str(INTERVAL_S)


class Heartbeats:
    """Tells which processes have not been heard of for `GONE_S`: the scheduler of all, the others of the scheduler.

    Parameters
    ----------
    store : mxnet.kvstore.KVStore
        That is connecting, at least.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        if os.environ["DMLC_ROLE"] == "scheduler":
            counts = int(os.environ["DMLC_NUM_WORKER"]), int(os.environ["DMLC_NUM_SERVER"])
            ranks = os.environ.get("OCR_RANKS", "").split(",")  # of ps-lite's workers, where these have others
            ranks = ranks if len(ranks) == counts[0] and all(ranks) else [*map(str, range(counts[0]))]
            self._watched = {_FIRST_WORKER + 2 * number: f"rank {rank}" for number, rank in enumerate(ranks)}
            self._watched.update({_FIRST_SERVER + 2 * rank: f"server {rank}" for rank in range(counts[1])})
        else:
            self._watched = {_SCHEDULER: _THE_SCHEDULER}

    def connected(self) -> bool:
        """Tell whether all have found each other."""
        return any(self._is_lost(number, _CONNECTED) for number in self._watched)

    def lost(self) -> str:
        """Return who has not been heard of, or nothing."""
        return ", ".join(f"{who} ({_WHY[who == _THE_SCHEDULER]})" for who in self._lost())

    def _lost(self) -> List[str]:
        return [who for number, who in self._watched.items() if self._is_lost(number, GONE_S)]

    def _is_lost(self, number: int, seconds: int) -> bool:
        count = ctypes.c_int()
        mx.base.check_call(
            mx.base._LIB.MXKVStoreGetNumDeadNode(self._store.handle, number, ctypes.byref(count), seconds)
        )
        return bool(count.value)
