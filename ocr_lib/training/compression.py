"""How machines sum the vectors of a batch: in full, or the gradients in two bits each, where the network is slow."""

from typing import Optional, Protocol

import numpy as np

from ocr_lib.training.exchange import GRADIENT_COMPRESSIONS, Exchange
from ocr_lib.training.kernels import pack_signs, unpack_sums
from ocr_lib.training.layout import Layout

_EXACT = 2**24  # whole numbers below are exact in single precision, in which servers sum
_STEP = 1.5  # times the mean magnitude: of normal numbers, what three values lose least with


class BatchSums(Protocol):
    """Sums vectors of a `Layout`, with whatever lies behind it, over the machines of a run."""

    def sum(self, vector: np.ndarray, whole: bool) -> None:
        """Make a vector (S + K,) float32 the sum of all machines', in place.

        Parameters
        ----------
        vector : numpy.ndarray
        whole : bool
            Leave nothing of the gradients for later: what follows does not hang on what was before.
        """


def batch_sums(exchange: Exchange, layout: Layout, compression: str = GRADIENT_COMPRESSIONS[0]) -> BatchSums:
    """Return what sums the vectors of batches, by one of `GRADIENT_COMPRESSIONS`."""
    return WholeSums(exchange) if compression == GRADIENT_COMPRESSIONS[0] else TwoBitSums(exchange, layout)


class WholeSums:
    """Sums all numbers as they are."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def sum(self, vector: np.ndarray, whole: bool) -> None:
        """Make a vector the sum of all machines'; see `BatchSums`."""
        self._exchange.sum("batch", vector)


class TwoBitSums:
    """Sums of gradients only their signs, or nothing, times a step; what that leaves out is added to the next.

    The step of an array is a multiple of the mean magnitude that what was to be sent of it had the last time, on all
    machines. So it is the same everywhere, and what machines send are whole numbers: their sums are exact, in whatever
    order servers come to them, and are sent back as small as they came. Several are packed into a number as its digits,
    ten where two machines share a run, seven where four do, three where 64 do.

    A vector that is to be whole is sent in full, with all that was left out before, and so is the next: no state is
    left from before it. What is no gradient is always sent in full.

    Signs with what they leave out carried on: Seide et al., "1-bit stochastic gradient descent" (2014); three values:
    Strom, "Scalable distributed DNN training using commodity GPU cloud computing" (2015), which MXNet's own compression
    follows, of what is pushed only, by one threshold for all arrays; why it converges: Karimireddy et al., "Error
    feedback fixes SignSGD" (2019).

    Parameters
    ----------
    exchange : Exchange
    layout : Layout
    """

    def __init__(self, exchange: Exchange, layout: Layout) -> None:
        self._exchange = exchange
        self._starts = layout.starts
        self._sizes = np.diff([*layout.starts, layout.trained])
        self._unsent = np.zeros(layout.trained, np.float32)
        self._steps: Optional[np.ndarray] = None  # (S,)
        self._digits = 1
        while (2 * exchange.share.size + 1) ** (self._digits + 1) <= _EXACT:
            self._digits += 1
        self._packed = np.zeros(-(-layout.trained // self._digits), np.int32)

    def sum(self, vector: np.ndarray, whole: bool) -> None:
        """Make a vector the sum of all machines'; see `BatchSums`."""
        machines, unsent = self._exchange.share.size, self._unsent
        gradients = vector[: len(unsent)]
        unsent += gradients
        magnitudes = np.add.reduceat(np.abs(unsent), self._starts) / self._sizes
        if whole or self._steps is None:
            gradients[:] = unsent
            unsent[:] = 0
            rest = vector
        else:
            pack_signs(unsent, self._steps, machines, self._digits, self._packed)
            self._exchange.sum("signs", self._packed)
            unpack_sums(self._packed, self._steps, machines, self._digits, gradients)
            rest = vector[len(unsent) :]
        message = np.concatenate([rest, magnitudes], dtype=np.float32)
        self._exchange.sum("batch" if rest is vector else "rest", message)
        rest[:] = message[: len(rest)]
        steps = np.float32(_STEP / machines) * message[len(rest) :]  # (A,)
        self._steps = None if whole else np.repeat(steps, self._sizes)
