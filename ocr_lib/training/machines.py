"""Machines that share a run, connected by MXNet's parameter servers or by Horovod."""

import os
import signal
import threading
from contextlib import contextmanager
from typing import Dict, Iterator, List, Set
from weakref import ref

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.batches import Share
from ocr_lib.installation import how_to_install
from ocr_lib.mx import mx
from ocr_lib.training.exact_sums import block_peaks, from_whole, to_whole
from ocr_lib.training.heartbeats import Heartbeats, prepare
from ocr_lib.training.interrupt import STOP_SIGNALS
from ocr_lib.training.server import VARIABLES
from ocr_lib.training.watch import Watch


class ParameterServer:
    """MXNet's KVStore on ps-lite: workers push to servers, which sum, and pull the sums.

    Servers sum in single precision, in the order in which vectors come. Sums of two do not hang on it, nor do those of
    whole numbers, which vectors are made into where there are more machines. Vectors in double precision are sent in
    slots of their own, and each worker sums them by rank.

    Parameters
    ----------
    kind : {"dist_sync", "dist_device_sync"}

    Raises
    ------
    OCRError
        If the environment does not say where the scheduler is.
    """

    def __init__(self, kind: str) -> None:
        missing = [name for name in VARIABLES if not os.environ.get(name)]
        if missing:
            raise OCRError(
                f"--kv-store {kind}: {', '.join(missing)} are not set: start it by lstm_ocr_launch.py -n WORKERS -- "
                "lstm_ocr_train.py ..., or see docs/machines.md"
            )
        self._watch = Watch()
        prepare()
        with self._watch.waiting(starting=True), _stoppable():
            self._store = mx.kv.create(kind)
        self._heartbeats = Heartbeats(self._store)
        heard = ref(self._heartbeats)  # the watch shall not keep the store, which must be gone before the process ends

        def lost() -> str:
            heartbeats = heard()
            return heartbeats.lost() if heartbeats else ""

        self._watch.ask(lost)
        self._wait_at_end(False)  # a process that fails shall not wait for the others
        self._buffers: Dict[str, mx.nd.NDArray] = {}
        self._order = [*range(self._store.num_workers)]  # ps-lite's numbers of the machines, by rank
        self.share = self._watch.share = self._find_share()

    def sum(self, name: str, vector: np.ndarray) -> None:
        """Make a vector the sum of all machines' vectors of that name; see `ocr_lib.training.exchange.Exchange`."""
        if vector.dtype == np.float64:
            rounded = vector.astype(np.float32)
            vector[:] = np.sum(self._slots(name, np.stack([rounded, vector - rounded])), axis=(0, 1))
        elif vector.dtype == np.float32 and self.share.size > 2:
            machines, peaks = self.share.size, np.max(self._slots(f"peaks of {name}", block_peaks(vector)), axis=0)
            whole = to_whole(vector, peaks, machines)
            self._sum(name, whole.reshape(-1))
            from_whole(whole, peaks, machines, vector)
        else:
            summed = vector.astype(np.float32)
            self._sum(name, summed)
            vector[:] = summed

    def _slots(self, name: str, numbers: np.ndarray) -> List[np.ndarray]:
        """Return the numbers of all machines, by rank: each fills a slot of its own, to which the others add zeros."""
        slots = np.zeros((self._store.num_workers, *numbers.shape), np.float32)
        slots[self._store.rank] = numbers
        self._sum(name, slots.reshape(-1))
        return [slots[number].astype(np.float64) for number in self._order]

    def _sum(self, name: str, vector: np.ndarray) -> None:
        starting = name not in self._buffers
        with self._watch.waiting(starting):
            if starting:
                self._buffers[name] = mx.nd.zeros(vector.shape)
                self._store.init(name, self._buffers[name])
            buffer = self._buffers[name]
            buffer[:] = vector
            self._store.push(name, buffer)
            self._store.pull(name, out=buffer)
            vector[:] = buffer.asnumpy()

    def close(self) -> None:
        """Wait until all others are here too, and let the servers end."""
        with self._watch.waiting(starting=True):  # the first machine may have a model to export
            self._wait_at_end(True)
            self._watch.ask()
            del self._heartbeats, self._store

    def _find_share(self) -> Share:
        """Return which machine this is: what ps-lite says hangs on addresses, so the environment may say another."""
        share = Share(self._store.rank, self._store.num_workers)
        text = os.environ.get("OCR_RANK", "")
        share = Share(int(text) if text.isdigit() else share.rank, share.size)
        ranks = np.zeros(share.size)
        ranks[self._store.rank] = share.rank
        self.sum("ranks", ranks)
        if sorted(ranks) != [*range(share.size)]:
            raise OCRError(f"OCR_RANK={text}: the ranks of the machines must be 0 to {share.size - 1}, each once")
        self._order = np.argsort(ranks).tolist()
        return share

    def _wait_at_end(self, waits: bool) -> None:
        mx.base.check_call(mx.base._LIB.MXKVStoreSetBarrierBeforeExit(self._store.handle, int(waits)))


class Horovod:
    """Horovod's ring of machines (Sergeev and Del Balso 2018), over Gloo.

    Raises
    ------
    OCRError
        If it is not installed.
    """

    def __init__(self) -> None:
        try:
            import horovod.mxnet as horovod
        except ImportError as error:
            raise OCRError(
                f"--kv-store horovod: {error}: {how_to_install('horovod')}, as docs/machines.md tells"
            ) from error
        self._horovod = horovod
        self._watch = Watch()
        with self._watch.waiting(starting=True):
            horovod.init()
        self.share = self._watch.share = Share(horovod.rank(), horovod.size())
        self._known: Set[str] = set()

    def sum(self, name: str, vector: np.ndarray) -> None:
        """Make a vector the sum of all machines' vectors of that name; see `ocr_lib.training.exchange.Exchange`."""
        starting = name not in self._known
        self._known.add(name)
        with self._watch.waiting(starting):
            total = self._allreduce(name, vector)
            confirmed = self._allreduce("confirmation", np.ones(1))
        if confirmed[0] != self.share.size:
            raise OCRError(
                f"rank {self.share.rank} of {self.share.size} has lost another: killed, failed or cut off; "
                "what was saved is whole, and --resume goes on from it"
            )
        vector[:] = total

    def _allreduce(self, name: str, vector: np.ndarray) -> np.ndarray:
        """Return the sum, of which MXNet's NaiveEngine does not tell whether it failed, and then is anything.

        One that follows a failure, to somebody who is gone, never begins, and so is zero.
        """
        array = mx.nd.array(vector, dtype=vector.dtype)
        return self._horovod.allreduce(array, average=False, name=name).asnumpy()

    def close(self) -> None:
        """Wait until all others are here too, and leave the ring."""
        self.sum("leave", np.zeros(1))
        self._horovod.shutdown()


@contextmanager
def _stoppable() -> Iterator[None]:
    """While entered, let signals end this process at once, as Python does not come to act on them while MXNet waits."""
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.signal(number, signal.SIG_DFL) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
