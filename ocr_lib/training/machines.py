"""Machines that share a run, connected by MXNet's parameter servers or by Horovod."""

import os
from typing import Dict

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.batches import Share
from ocr_lib.installation import how_to_install
from ocr_lib.mx import mx
from ocr_lib.training.heartbeats import Heartbeats, prepare
from ocr_lib.training.server import VARIABLES
from ocr_lib.training.watch import Watch


class ParameterServer:
    """MXNet's KVStore on ps-lite: workers push to servers, which sum, and pull the sums.

    Servers sum in the order in which vectors come. The sum of two does not depend on it; more are summed in double
    precision, so that their order is lost in the rounding.

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
        with self._watch.waiting(starting=True), _ending_by_interrupt():
            self._store = mx.kv.create(kind)
        self._watch.lost = Heartbeats(self._store).lost
        self._wait_at_end(False)  # a process that fails shall not wait for the others
        self.share = self._watch.share = Share(self._store.rank, self._store.num_workers)
        self._buffers: Dict[str, mx.nd.NDArray] = {}

    def sum(self, name: str, vector: np.ndarray) -> None:
        """Make a vector the sum of all machines' vectors of that name; see `ocr_lib.training.exchange.Exchange`."""
        starting = name not in self._buffers
        with self._watch.waiting(starting):
            if starting:
                dtype = vector.dtype if self.share.size <= 2 else np.float64
                self._buffers[name] = mx.nd.zeros(vector.shape, dtype=dtype)
                self._store.init(name, self._buffers[name])
            buffer = self._buffers[name]
            buffer[:] = vector
            self._store.push(name, buffer)
            self._store.pull(name, out=buffer)
            vector[:] = buffer.asnumpy()

    def close(self) -> None:
        """Wait until all others are here too, and let the servers end."""
        with self._watch.waiting():
            self._wait_at_end(True)
            self._watch.lost = lambda: None
            del self._store

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

    def sum(self, name: str, vector: np.ndarray) -> None:
        """Make a vector the sum of all machines' vectors of that name; see `ocr_lib.training.exchange.Exchange`."""
        with self._watch.waiting():
            total = self._horovod.allreduce(mx.nd.array(vector, dtype=vector.dtype), average=False, name=name)
            vector[:] = total.asnumpy()

    def close(self) -> None:
        """Leave the ring."""
        self._horovod.shutdown()
