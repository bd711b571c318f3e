"""What the machines of a run tell each other: sums of vectors. One machine has nobody to tell.

No MXNet needed until there are several.
"""

from typing import Protocol

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.batches import Share

ONE_MACHINE = ("local", "device")
KV_STORES = (*ONE_MACHINE, "dist_sync", "dist_device_sync", "horovod")
GRADIENT_COMPRESSIONS = ("none", "2bit")


class Exchange(Protocol):
    """What connects the machines of a run.

    Attributes
    ----------
    share : Share
        Which machine this is, and of how many.
    """

    share: Share

    def sum(self, name: str, vector: np.ndarray) -> None:
        """Make a vector the sum of all machines' vectors of that name.

        Parameters
        ----------
        name : str
            Vectors of one name have one size and type throughout; all machines sum the same names in the same order.
        vector : numpy.ndarray
            (S,) float32, float64, or int32 whose sums are less than 2**24 in magnitude.
        """

    def close(self) -> None:
        """Take leave, at the end of a run that went well everywhere."""


class Alone:
    """One machine."""

    share = Share()

    def sum(self, name: str, vector: np.ndarray) -> None:
        """Leave the vector as it is."""

    def close(self) -> None:
        """Do nothing."""


def connect(kv_store: str) -> Exchange:
    """Connect the machines of a run, by one of `KV_STORES`.

    Raises
    ------
    OCRError
        If it is unknown, not installed, or the environment does not say where the others are.
    """
    if kv_store not in KV_STORES:
        raise OCRError(f"--kv-store {kv_store} is unknown: take one of {', '.join(KV_STORES)}")
    if kv_store in ONE_MACHINE:  # the cores, or GPUs, of one machine share memory
        return Alone()
    from ocr_lib.training.machines import Horovod, ParameterServer

    return Horovod() if kv_store == "horovod" else ParameterServer(kv_store)


def broadcast(exchange: Exchange, message: bytes = b"") -> bytes:
    """Return the first machine's message on all of them."""
    size = np.array([len(message)], np.float64)
    share_first(exchange, "size of a message", size)
    numbers = np.zeros(int(size[0]), np.float64)
    if exchange.share.rank == 0:
        numbers[:] = np.frombuffer(message, np.uint8)
    exchange.sum(f"message of {len(numbers)}", numbers)
    return bytes(numbers.astype(np.uint8))


def share_first(exchange: Exchange, name: str, vector: np.ndarray) -> None:
    """Make a vector the first machine's."""
    if exchange.share.rank:
        vector[:] = 0
    exchange.sum(name, vector)
